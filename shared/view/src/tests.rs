//! Trust from the pinned root to a verified view, and everything a peer may get wrong on the way.

use bytes::Bytes;

use crate::{
    EMPTY_ROOT, FORMAT, FileSigner, Keyset, KeysetError, Manifest, OnlineKey, Position, PublicKey,
    RootPin, SignedKeyset, SignedManifest, Signer, StagedView, TrustedKeyset, VerifiedManifest,
    VerifyError, ViewTree, object_hash,
};

/// A trust domain with its private keys.
pub(crate) struct Domain {
    roots: Vec<FileSigner>,
    online: FileSigner,
}

impl Domain {
    pub(crate) fn new() -> Domain {
        Domain {
            roots: (0..3).map(|_| signer()).collect(),
            online: signer(),
        }
    }

    pub(crate) fn keyset(&self, version: u64) -> Keyset {
        let root = |root: &FileSigner| PublicKey {
            id: root.key_id().into(),
            public_key: root.public_key(),
        };
        let (id, public_key) = (self.online.key_id().into(), self.online.public_key());
        Keyset {
            version,
            epoch: 1,
            trust_domain: "test".into(),
            roots: self.roots.iter().map(root).collect(),
            root_threshold: 2,
            online_keys: vec![OnlineKey {
                id,
                public_key,
                not_after_ms: 5_000,
            }],
            revoked: Vec::new(),
        }
    }

    /// Signs with the first `count` roots.
    pub(crate) fn signed(&self, keyset: &Keyset, count: usize) -> SignedKeyset {
        let roots: Vec<&dyn Signer> = self
            .roots
            .iter()
            .take(count)
            .map(|root| root as &dyn Signer)
            .collect();
        SignedKeyset::sign(keyset, &roots).unwrap()
    }

    pub(crate) fn trusted(&self) -> TrustedKeyset {
        let keyset = self.keyset(1);
        TrustedKeyset::establish(&keyset.pin(), &[self.signed(&keyset, 2)]).unwrap()
    }

    pub(crate) fn manifest(&self, tree: &ViewTree, revision: u64) -> Manifest {
        Manifest {
            format: FORMAT,
            trust_domain: "test".into(),
            view_id: "DEFAULT/".into(),
            epoch: 1,
            revision,
            root: tree.root(),
            objects: tree.len(),
            bytes: tree.bytes(),
            prev_root: EMPTY_ROOT,
            min_edge_level: 1,
            issued_ms: 1_000,
            key_id: self.online.key_id().into(),
        }
    }

    pub(crate) fn sign(&self, manifest: &Manifest) -> SignedManifest {
        SignedManifest::sign(manifest, &self.online).unwrap()
    }

    fn verify(&self, manifest: &Manifest) -> Result<VerifiedManifest, VerifyError> {
        self.trusted()
            .verify(&self.sign(manifest), "DEFAULT/", None, 1)
    }
}

fn signer() -> FileSigner {
    FileSigner::from_pkcs8(&FileSigner::generate().unwrap()).unwrap()
}

fn tree(objects: &[&str]) -> ViewTree {
    let mut tree = ViewTree::new();
    for id in objects {
        tree.insert("api", id, object_hash(id.as_bytes()), id.len() as u64);
    }
    tree
}

#[test]
fn the_hashes_are_those_of_the_documented_format() {
    let mut tree = ViewTree::new();
    assert_eq!(tree.root(), EMPTY_ROOT);
    let leaf = |id: &str| {
        let object = blake3::hash(id.as_bytes());
        blake3::hash(&[b"\0api\0", id.as_bytes(), b"\0", object.as_bytes()].concat())
    };
    tree.insert("api", "a", object_hash(b"a"), 1);
    assert_eq!(
        tree.root(),
        *leaf("a").as_bytes(),
        "one object is its own root"
    );
    let first_nibble =
        |id: &str| blake3::hash(&[b"\x02api\0", id.as_bytes()].concat()).as_bytes()[0] >> 4;
    let other = ["b", "c", "d", "e"]
        .into_iter()
        .find(|id| first_nibble(id) != first_nibble("a"));
    let other = other.unwrap();
    tree.insert("api", other, object_hash(other.as_bytes()), 1);
    let mut node = vec![1];
    for nibble in 0..16 {
        let child = ["a", other]
            .into_iter()
            .find(|id| first_nibble(id) == nibble);
        node.extend(child.map_or([0; 32], |id| *leaf(id).as_bytes()));
    }
    assert_eq!(tree.root(), *blake3::hash(&node).as_bytes());
}

#[test]
fn old_versions_stay_as_they_were() {
    let mut tree = tree(&["a", "b", "c"]);
    let (old, old_root) = (tree.clone(), tree.root());
    tree.insert("api", "b", [9; 32], 9);
    assert!(tree.remove("api", "a"));
    assert!(!tree.remove("api", "a"));
    assert_eq!((old.root(), old.len(), old.bytes()), (old_root, 3, 3));
    assert_eq!((tree.len(), tree.bytes()), (2, 10));
    assert_eq!(old.get("api", "a").unwrap().object_hash, object_hash(b"a"));
}

#[test]
fn a_view_becomes_verified_only_with_the_signed_root() {
    let domain = Domain::new();
    let published = tree(&["a", "b"]);
    let manifest = domain.verify(&domain.manifest(&published, 7)).unwrap();
    let stage = |objects: &[(&str, &'static str)]| {
        let mut staged = StagedView::empty();
        for (id, object) in objects {
            staged
                .apply("api", id, Some(Bytes::from_static(object.as_bytes())))
                .unwrap();
        }
        staged
    };
    let wrong = [
        stage(&[]),
        stage(&[("a", "a")]),
        stage(&[("a", "a"), ("b", "x")]),
        stage(&[("a", "a"), ("b", "b"), ("c", "c")]),
    ];
    for staged in wrong {
        let result = staged.finish(manifest.clone());
        assert!(matches!(result, Err(VerifyError::Diverged { .. })));
    }
    let mut staged = stage(&[("b", "b"), ("c", "c"), ("a", "a")]);
    staged.apply("api", "c", None).unwrap();
    let view = staged.finish(manifest).unwrap();
    assert_eq!(view.get("api", "a").unwrap().as_ref(), b"a");
    assert_eq!(view.iter().count(), 2);
    assert_eq!(view.manifest().revision, 7);
}

#[test]
fn staging_is_bounded_and_refuses_keys_that_collide() {
    let mut staged = StagedView::empty();
    let object = || Some(Bytes::from_static(b"x"));
    for (kind, id) in [("", "a"), ("api", ""), ("a\0b", "c"), ("api", "a\nb")] {
        let refused = staged.apply(kind, id, object());
        assert!(
            matches!(refused, Err(VerifyError::Malformed(_))),
            "{kind:?} {id:?}"
        );
    }
    let large = Bytes::from(vec![0; crate::OBJECT_BYTES_MAX + 1]);
    let refused = staged.apply("api", "a", Some(large));
    assert!(matches!(refused, Err(VerifyError::TooLarge { .. })));
}

#[test]
fn each_broken_rule_of_a_manifest_has_its_error() {
    let domain = Domain::new();
    let good = domain.manifest(&tree(&["a"]), 7);
    assert_eq!(domain.verify(&good).unwrap().position(), good.position());
    type Change = fn(&mut Manifest);
    let cases: [(Change, &str); 6] = [
        (
            |manifest| manifest.trust_domain = "other".into(),
            "SIGNATURE",
        ),
        (
            |manifest| manifest.view_id = "DEFAULT/eu".into(),
            "SIGNATURE",
        ),
        (|manifest| manifest.issued_ms = 5_001, "SIGNATURE"),
        (|manifest| manifest.epoch = 2, "KEYSET"),
        (|manifest| manifest.min_edge_level = 2, "INCOMPATIBLE"),
        (|manifest| manifest.format = 2, "INCOMPATIBLE"),
    ];
    for (change, code) in cases {
        let mut manifest = good.clone();
        change(&mut manifest);
        assert_eq!(
            domain.verify(&manifest).unwrap_err().code(),
            code,
            "{manifest:?}"
        );
    }
}

#[test]
fn positions_only_move_forward() {
    let domain = Domain::new();
    let manifest = domain.manifest(&tree(&["a"]), 7);
    let signed = domain.sign(&manifest);
    let root = manifest.root;
    let cases = [
        (
            Position {
                epoch: 1,
                revision: 6,
                root: [1; 32],
            },
            None,
        ),
        (
            Position {
                epoch: 1,
                revision: 7,
                root,
            },
            None,
        ),
        (
            Position {
                epoch: 1,
                revision: 7,
                root: [1; 32],
            },
            Some("EQUIVOCATION"),
        ),
        (
            Position {
                epoch: 1,
                revision: 8,
                root,
            },
            Some("ROLLBACK"),
        ),
        (
            Position {
                epoch: 2,
                revision: 1,
                root,
            },
            Some("ROLLBACK"),
        ),
        (
            Position {
                epoch: 0,
                revision: 9,
                root: [1; 32],
            },
            None,
        ),
    ];
    for (floor, expected) in cases {
        let result = domain
            .trusted()
            .verify(&signed, "DEFAULT/", Some(&floor), 1);
        assert_eq!(
            result.err().map(|error| error.code()),
            expected,
            "{floor:?}"
        );
    }
}

#[test]
fn only_online_keys_in_force_sign_manifests() {
    let domain = Domain::new();
    let manifest = domain.manifest(&tree(&["a"]), 7);
    let strange = signer();
    let unknown = Manifest {
        key_id: strange.key_id().into(),
        ..manifest.clone()
    };
    let unknown = SignedManifest::sign(&unknown, &strange).unwrap();
    let verify = |signed: &SignedManifest, keyset: &TrustedKeyset| {
        keyset.verify(signed, "DEFAULT/", None, 1)
    };
    let trusted = domain.trusted();
    assert!(matches!(
        verify(&unknown, &trusted),
        Err(VerifyError::UnknownKey { .. })
    ));
    let claimed = SignedManifest {
        key_id: domain.online.key_id().into(),
        ..unknown
    };
    assert_eq!(verify(&claimed, &trusted), Err(VerifyError::Signature));
    let root = Manifest {
        key_id: domain.roots[0].key_id().into(),
        ..manifest.clone()
    };
    let root = SignedManifest::sign(&root, &domain.roots[0]).unwrap();
    assert!(matches!(
        verify(&root, &trusted),
        Err(VerifyError::UnknownKey { .. })
    ));
    let mut next = domain.keyset(2);
    next.revoked.push(domain.online.key_id().into());
    let next = trusted.advance(&[domain.signed(&next, 2)]).unwrap();
    let revoked = verify(&domain.sign(&manifest), &next);
    assert!(matches!(revoked, Err(VerifyError::Revoked { .. })));
    let other = Manifest {
        key_id: "other".into(),
        ..manifest
    };
    assert!(SignedManifest::sign(&other, &domain.online).is_err());
}

#[test]
fn trust_begins_with_the_pinned_roots_only() {
    let domain = Domain::new();
    let keyset = domain.keyset(1);
    let pin = keyset.pin();
    let establish = |pin: &RootPin, chain: &[SignedKeyset]| TrustedKeyset::establish(pin, chain);
    assert_eq!(establish(&pin, &[]), Err(KeysetError::Empty));
    let one = establish(&pin, &[domain.signed(&keyset, 1)]);
    assert!(matches!(
        one,
        Err(KeysetError::Threshold {
            found: 1,
            needed: 2,
            ..
        })
    ));
    let lowered = Keyset {
        root_threshold: 1,
        ..keyset.clone()
    };
    let lowered = establish(&pin, &[domain.signed(&lowered, 3)]);
    assert_eq!(lowered, Err(KeysetError::NotPinned));
    let foreign = Domain::new();
    let foreign = establish(&pin, &[foreign.signed(&foreign.keyset(1), 3)]);
    assert_eq!(foreign, Err(KeysetError::NotPinned));
    let mut doubled = domain.signed(&keyset, 1);
    doubled.signatures.push(doubled.signatures[0].clone());
    assert!(establish(&pin, &[doubled]).is_err(), "one root signs once");
    assert_eq!(pin.to_string().parse::<RootPin>().unwrap(), pin);
    assert!("zz".parse::<RootPin>().is_err());
}

#[test]
fn keysets_follow_one_another_under_old_and_new_roots() {
    let domain = Domain::new();
    let trusted = domain.trusted();
    let advance = |keyset: &Keyset, count| trusted.advance(&[domain.signed(keyset, count)]);
    let second = domain.keyset(2);
    assert_eq!(advance(&second, 2).unwrap().version(), 2);
    assert!(matches!(
        advance(&second, 1),
        Err(KeysetError::Threshold {
            which: "previous",
            ..
        })
    ));
    assert!(matches!(
        advance(&domain.keyset(3), 2),
        Err(KeysetError::OutOfSequence {
            trusted: 1,
            found: 3
        })
    ));
    let other = Keyset {
        trust_domain: "other".into(),
        ..second.clone()
    };
    assert!(matches!(
        advance(&other, 2),
        Err(KeysetError::WrongTrustDomain { .. })
    ));
    let fork = Keyset {
        epoch: 9,
        ..domain.keyset(1)
    };
    assert_eq!(advance(&fork, 3), Err(KeysetError::Fork { version: 1 }));

    // New roots: neither old nor new ones alone are enough.
    let heirs = Domain::new();
    let mut handover = heirs.keyset(2);
    handover.online_keys = second.online_keys;
    let old_only = domain.signed(&handover, 3);
    let new_only = heirs.signed(&handover, 3);
    assert!(matches!(
        trusted.advance(std::slice::from_ref(&old_only)),
        Err(KeysetError::Threshold { which: "new", .. })
    ));
    assert!(matches!(
        trusted.advance(std::slice::from_ref(&new_only)),
        Err(KeysetError::Threshold {
            which: "previous",
            ..
        })
    ));
    let mut both = old_only;
    both.signatures.extend(new_only.signatures);
    let first = domain.signed(&domain.keyset(1), 2);
    let chain = [first, both];
    assert_eq!(trusted.advance(&chain).unwrap().version(), 2);
    let pin = domain.keyset(1).pin();
    assert_eq!(TrustedKeyset::establish(&pin, &chain).unwrap().version(), 2);
}

#[test]
fn keysets_that_cannot_be_are_malformed() {
    let domain = Domain::new();
    type Change = fn(&mut Keyset);
    let cases: [Change; 7] = [
        |keyset| keyset.root_threshold = 0,
        |keyset| keyset.root_threshold = 4,
        |keyset| keyset.version = 0,
        |keyset| keyset.roots[1] = keyset.roots[0].clone(),
        |keyset| keyset.roots[1].public_key = vec![0; 32],
        |keyset| keyset.online_keys[0].public_key = vec![1; 31],
        |keyset| keyset.online_keys[0].public_key = keyset.roots[0].public_key.clone(),
    ];
    for (position, change) in cases.into_iter().enumerate() {
        let mut keyset = domain.keyset(1);
        change(&mut keyset);
        assert!(Keyset::decode(&keyset.encode()).is_err(), "case {position}");
    }
}

#[test]
fn unknown_fields_are_tolerated_under_the_signature() {
    let domain = Domain::new();
    let manifest = domain.manifest(&tree(&["a"]), 7);
    let mut bytes = manifest.encode();
    // Field 900, a varint.
    bytes.extend_from_slice(&[0xa0, 0x38, 0x01]);
    let signature = domain.online.sign(crate::MANIFEST_CONTEXT, &bytes).unwrap();
    let key_id = manifest.key_id.clone();
    let signed = SignedManifest {
        manifest: bytes.into(),
        signature,
        key_id,
    };
    let verified = domain
        .trusted()
        .verify(&signed, "DEFAULT/", None, 1)
        .unwrap();
    assert_eq!(*verified, manifest);
}
