//! Signs versions of a view.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use tidegate_sync::node::{Delta, ObjectChange, PublishedView, Wanted};
use tidegate_view::{
    EMPTY_ROOT, FORMAT, FileSigner, Hash, Keyset, Manifest, OnlineKey, PublicKey, SignedKeyset,
    SignedManifest, Signer, TreeChange, ViewTree, diff, object_hash,
};

use super::Outcome;

/// Keys, objects and published versions of one cluster.
pub(crate) struct Author {
    signer: FileSigner,
    pub(crate) keysets: Vec<SignedKeyset>,
    pub(crate) pin: String,
    content: BTreeMap<String, Bytes>,
    objects: BTreeMap<Hash, Bytes>,
    versions: Vec<Arc<PublishedView>>,
    revision: u64,
}

pub(crate) fn signer() -> Outcome<FileSigner> {
    Ok(FileSigner::from_pkcs8(&FileSigner::generate()?)?)
}

impl Author {
    pub(crate) fn new() -> Outcome<Self> {
        let (root, signer) = (signer()?, signer()?);
        let keyset = Keyset {
            version: 1,
            epoch: 1,
            trust_domain: "test".to_owned(),
            roots: vec![PublicKey {
                id: root.key_id().to_owned(),
                public_key: root.public_key(),
            }],
            root_threshold: 1,
            online_keys: vec![OnlineKey {
                id: signer.key_id().to_owned(),
                public_key: signer.public_key(),
                not_after_ms: 0,
            }],
            revoked: Vec::new(),
        };
        Ok(Self {
            signer,
            keysets: vec![SignedKeyset::sign(&keyset, &[&root])?],
            pin: keyset.pin().to_string(),
            content: BTreeMap::new(),
            objects: BTreeMap::new(),
            versions: Vec::new(),
            revision: 0,
        })
    }

    /// Puts a keyless API at `path` that goes to `upstream`.
    pub(crate) fn put_api(&mut self, id: &str, path: &str, upstream: &str) -> Outcome {
        let object = serde_json::json!({
            "id": id,
            "environment": "DEFAULT",
            "started": true,
            "deployment_number": 1,
            "deployed_ms": 0,
            "definition": {
                "id": id,
                "name": id,
                "apiVersion": "1.0",
                "definitionVersion": "4.0.0",
                "type": "proxy",
                "listeners": [{
                    "type": "http",
                    "paths": [{"path": path}],
                    "entrypoints": [{"type": "http-proxy"}],
                }],
                "endpointGroups": [{
                    "name": "default",
                    "type": "http-proxy",
                    "endpoints": [{
                        "name": "only",
                        "type": "http-proxy",
                        "weight": 1,
                        "configuration": {"target": upstream},
                    }],
                }],
                "plans": [{
                    "id": format!("plan-{id}"),
                    "name": "free",
                    "mode": "standard",
                    "security": {"type": "key-less"},
                    "status": "published",
                }],
                "flows": [],
            },
        });
        let object = Bytes::from(serde_json::to_vec(&object)?);
        self.objects.insert(object_hash(&object), object.clone());
        self.content.insert(id.to_owned(), object);
        Ok(())
    }

    pub(crate) fn publish(&mut self) -> Outcome {
        let signed = self.sign(&self.signer)?;
        self.revision = signed.position.revision;
        self.versions.push(Arc::new(signed));
        Ok(())
    }

    /// Publishes with a key that no keyset names.
    pub(crate) fn forge(&mut self) -> Outcome {
        let forged = self.sign(&signer()?)?;
        self.versions.push(Arc::new(forged));
        Ok(())
    }

    fn sign(&self, signer: &FileSigner) -> Outcome<PublishedView> {
        let mut tree = ViewTree::new();
        for (id, object) in &self.content {
            tree.insert("api", id, object_hash(object), object.len() as u64);
        }
        let manifest = Manifest {
            format: FORMAT,
            trust_domain: "test".to_owned(),
            view_id: "DEFAULT/".to_owned(),
            epoch: 1,
            revision: self.revision + 1,
            root: tree.root(),
            objects: tree.len(),
            bytes: tree.bytes(),
            prev_root: EMPTY_ROOT,
            min_edge_level: 1,
            issued_ms: 0,
            key_id: signer.key_id().to_owned(),
        };
        let position = manifest.position();
        Ok(PublishedView {
            position,
            manifest: SignedManifest::sign(&manifest, signer)?,
            tree,
        })
    }

    pub(crate) fn newest(&self) -> Option<Arc<PublishedView>> {
        self.versions.last().cloned()
    }

    pub(crate) fn delta(&self, from: Hash, to: Arc<PublishedView>) -> Option<Arc<Delta>> {
        let base = match self
            .versions
            .iter()
            .find(|version| version.position.root == from)
        {
            Some(version) => version.tree.clone(),
            None if from == EMPTY_ROOT => ViewTree::new(),
            None => return None,
        };
        let changes: Vec<ObjectChange> = diff(&base, &to.tree)
            .into_iter()
            .map(|change| match change {
                TreeChange::Put(leaf) => ObjectChange {
                    object: self.objects.get(&leaf.object_hash).cloned(),
                    kind: leaf.kind.to_string(),
                    id: leaf.id.to_string(),
                },
                TreeChange::Remove { kind, id } => ObjectChange {
                    kind: kind.to_string(),
                    id: id.to_string(),
                    object: None,
                },
            })
            .collect();
        Some(Arc::new(Delta::encode(from, to, changes)))
    }

    pub(crate) fn load(&self, wanted: Vec<Wanted>) -> Vec<ObjectChange> {
        let load = |wanted: Wanted| ObjectChange {
            object: self.objects.get(&wanted.object_hash).cloned(),
            kind: wanted.kind,
            id: wanted.id,
        };
        wanted.into_iter().map(load).collect()
    }
}
