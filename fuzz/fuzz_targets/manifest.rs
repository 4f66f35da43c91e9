//! Whatever a peer sends instead of a manifest, a keyset, a tree node or an object: no panic, and no trust.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tidegate_view::{
    Child, DiffWalk, FileSigner, Keyset, LeafRef, Manifest, OnlineKey, PublicKey, SignedKeyset,
    SignedManifest, Signer, StagedView, TrustedKeyset, ViewTree,
};

const KEY_ID: &str = "online";

static TRUSTED: LazyLock<TrustedKeyset> = LazyLock::new(|| {
    let signer = || FileSigner::from_pkcs8(&FileSigner::generate().unwrap()).unwrap();
    let (root, online) = (signer(), signer());
    let keyset = Keyset {
        version: 1,
        epoch: 1,
        trust_domain: "fuzz".into(),
        roots: vec![PublicKey {
            id: root.key_id().into(),
            public_key: root.public_key(),
        }],
        root_threshold: 1,
        online_keys: vec![OnlineKey {
            id: KEY_ID.into(),
            public_key: online.public_key(),
            not_after_ms: 0,
        }],
        revoked: Vec::new(),
    };
    let signed = SignedKeyset::sign(&keyset, &[&root]).unwrap();
    TrustedKeyset::establish(&keyset.pin(), &[signed]).unwrap()
});

fuzz_target!(|data: &[u8]| {
    if let Ok(manifest) = Manifest::decode(data) {
        assert_eq!(Manifest::decode(&manifest.encode()).as_ref(), Ok(&manifest));
    }
    if let Ok(keyset) = Keyset::decode(data) {
        assert_eq!(Keyset::decode(&keyset.encode()).as_ref(), Ok(&keyset));
    }
    if let Ok(signed) = SignedKeyset::decode(data) {
        // Nobody outside has the root key, so nothing can follow.
        let version = TRUSTED
            .advance(&[signed])
            .map_or(1, |keyset| keyset.version());
        assert_eq!(version, 1);
    }
    let (signature, manifest) = data.split_at(data.len().min(64));
    let signed = SignedManifest {
        manifest: manifest.to_vec().into(),
        signature: signature.to_vec(),
        key_id: KEY_ID.into(),
    };
    assert!(TRUSTED.verify(&signed, "DEFAULT/", None, u32::MAX).is_err());
    walk(data);
    let _ = ViewTree::new().node(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = StagedView::empty().apply(text, text, Some(data.to_vec().into()));
    }
});

/// Answers every wish of a walk with the bytes at hand.
fn walk(data: &[u8]) {
    let mut local = ViewTree::new();
    local.insert("api", "a", [1; 32], 1);
    let mut root = [1; 32];
    root.iter_mut().zip(data).for_each(|(to, from)| *to = *from);
    let mut walk = DiffWalk::new(local, root);
    for answer in data.chunks(64) {
        let children = std::array::from_fn(|step| match answer.get(step) {
            None | Some(0) => Child::Empty,
            Some(1) => Child::Inner(root),
            Some(byte) => Child::Leaf(LeafRef {
                kind: "api".into(),
                id: byte.to_string().into(),
                object_hash: root,
            }),
        });
        for path in walk.wants() {
            let _ = walk.accept(&path, &children);
        }
    }
}
