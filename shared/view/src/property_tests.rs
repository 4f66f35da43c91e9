//! Trees against a plain map, walks against honest and lying peers, and flipped bytes against verification.

use std::{collections::BTreeMap, sync::OnceLock};

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::{
    Child, DiffWalk, Hash, Keyset, Manifest, SignedKeyset, SignedManifest, StagedView, TreeChange,
    TrustedKeyset, ViewTree, diff, object_hash, tests::Domain,
};

type Content = BTreeMap<u16, u8>;

fn content() -> impl Strategy<Value = Content> {
    prop::collection::btree_map(0..400_u16, 0..3_u8, 0..60)
}

/// Puts most of one content into the other, as an edge that was away for a while has it.
fn related() -> impl Strategy<Value = (Content, Content)> {
    (content(), content(), vec(any::<Index>(), 0..10)).prop_map(|(base, extra, gone)| {
        let mut newer = base.clone();
        newer.extend(extra.into_iter().take(10));
        for index in gone {
            if !newer.is_empty() {
                let key = *newer.keys().nth(index.index(newer.len())).unwrap();
                newer.remove(&key);
            }
        }
        (base, newer)
    })
}

fn insert(tree: &mut ViewTree, id: u16, value: u8) {
    tree.insert(
        "api",
        &id.to_string(),
        object_hash(&[value]),
        u64::from(value),
    );
}

fn tree_of(content: &Content) -> ViewTree {
    let mut tree = ViewTree::new();
    content
        .iter()
        .for_each(|(id, value)| insert(&mut tree, *id, *value));
    tree
}

/// Walks with a peer that answers from `target`, each answer changed by `lie`; gives the tree if the walk completes.
fn walk(
    local: &ViewTree,
    target: &ViewTree,
    root: Hash,
    mut lie: impl FnMut(&mut [Child; 16]),
) -> Option<ViewTree> {
    let mut walk = DiffWalk::new(local.clone(), root);
    while !walk.is_complete() {
        for path in walk.wants() {
            let mut children = target.node(&path)?;
            lie(&mut children);
            walk.accept(&path, &children).ok()?;
        }
    }
    let difference = walk.difference();
    let mut tree = local.clone();
    for (kind, id) in &difference.removals {
        assert!(tree.remove(kind, id), "only what is there is removed");
    }
    for put in &difference.puts {
        let held = tree.get(&put.kind, &put.id);
        assert!(
            held.is_none_or(|held| held.object_hash != put.object_hash),
            "put for nothing"
        );
        tree.insert(&put.kind, &put.id, put.object_hash, 0);
    }
    Some(tree)
}

/// Keys are costly to make; one domain serves all cases.
fn domain() -> &'static Domain {
    static DOMAIN: OnceLock<Domain> = OnceLock::new();
    DOMAIN.get_or_init(Domain::new)
}

fn flip(bytes: &mut [u8], index: &Index, bit: u8) {
    let position = index.index(bytes.len());
    bytes[position] ^= 1 << bit;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_is_its_content_whatever_the_order(
        content in content(),
        detours in vec((0..400_u16, any::<bool>()), 0..60),
        seed in any::<u64>(),
    ) {
        let straight = tree_of(&content);
        let mut crooked = ViewTree::new();
        let mut order: Vec<_> = content.iter().collect();
        order.sort_by_key(|(id, _)| blake3::hash(&[seed.to_be_bytes(), u64::from(**id).to_be_bytes()].concat()).to_hex().to_string());
        for (id, query_root) in &detours {
            insert(&mut crooked, *id, 9);
            if *query_root {
                // Known hashes must not go stale.
                crooked.root();
            }
        }
        order.into_iter().for_each(|(id, value)| insert(&mut crooked, *id, *value));
        for (id, _) in detours.iter().filter(|(id, _)| !content.contains_key(id)) {
            crooked.remove("api", &id.to_string());
        }
        prop_assert_eq!(straight.root(), crooked.root());
        prop_assert_eq!(straight.len(), u64::try_from(content.len()).unwrap());
        prop_assert_eq!((straight.len(), straight.bytes()), (crooked.len(), crooked.bytes()));
        let ids: Content = crooked
            .leaves()
            .map(|leaf| (leaf.id.parse().unwrap(), u8::try_from(leaf.object_len).unwrap()))
            .collect();
        prop_assert_eq!(ids, content);
    }

    #[test]
    fn a_diff_leads_from_one_to_the_other((old, new) in related()) {
        let (from, to) = (tree_of(&old), tree_of(&new));
        let changes = diff(&from, &to);
        let differing = old.keys().chain(new.keys()).filter(|id| old.get(id) != new.get(id));
        let differing: std::collections::BTreeSet<_> = differing.collect();
        prop_assert_eq!(changes.len(), differing.len(), "each difference once, nothing else");
        let mut tree = from;
        for change in changes {
            match change {
                TreeChange::Put(leaf) => {
                    tree.insert(&leaf.kind, &leaf.id, leaf.object_hash, leaf.object_len);
                }
                TreeChange::Remove { kind, id } => prop_assert!(tree.remove(&kind, &id)),
            }
        }
        prop_assert_eq!((tree.root(), tree.bytes()), (to.root(), to.bytes()));
    }

    #[test]
    fn a_walk_reaches_the_peers_tree((old, new) in related()) {
        let (local, target) = (tree_of(&old), tree_of(&new));
        let reached = walk(&local, &target, target.root(), |_| ()).unwrap();
        prop_assert_eq!(reached.root(), target.root());
    }

    #[test]
    fn a_lying_peer_never_completes(
        (old, new) in related(),
        when in 0..4_u32,
        slot in 0..16_usize,
        lie in 0..4_u8,
    ) {
        let (local, target) = (tree_of(&old), tree_of(&new));
        let mut answers = 0;
        let mut lied = false;
        let reached = walk(&local, &target, target.root(), |children| {
            if answers == when {
                let before = children.clone();
                match lie {
                    0 => children[slot] = Child::Empty,
                    1 => children[slot] = Child::Inner([lie; 32]),
                    2 => children.swap(slot, (slot + 1) % 16),
                    _ => children.iter_mut().for_each(|child| if let Child::Leaf(leaf) = child {
                        leaf.object_hash[slot] ^= 1;
                    }),
                }
                lied = *children != before;
            }
            answers += 1;
        });
        prop_assert_eq!(reached.is_none(), lied);
        // A whole other tree instead of the signed one.
        let mut other = new;
        other.insert(500, 1);
        let other = tree_of(&other);
        prop_assert!(walk(&local, &other, target.root(), |_| ()).is_none() || local.root() == target.root() || target.is_empty());
    }

    #[test]
    fn a_flipped_bit_never_verifies(position in any::<Index>(), bit in 0..8_u8, part in 0..3_u8) {
        let domain = domain();
        let tree = tree_of(&Content::from([(1, 1), (2, 2)]));
        let good = domain.sign(&domain.manifest(&tree, 7));
        let trusted = domain.trusted();
        prop_assert!(trusted.verify(&good, "DEFAULT/", None, 1).is_ok());
        let mut bad = good.clone();
        match part {
            0 => {
                let mut bytes = bad.manifest.to_vec();
                flip(&mut bytes, &position, bit);
                bad.manifest = bytes.into();
            }
            1 => flip(&mut bad.signature, &position, bit),
            _ => {
                let length = position.index(bad.manifest.len());
                bad.manifest.truncate(length);
            }
        }
        prop_assert!(trusted.verify(&bad, "DEFAULT/", None, 1).is_err());
        // Signature and manifest of different versions.
        let mixed = SignedManifest {
            manifest: good.manifest,
            ..domain.sign(&domain.manifest(&tree, 8))
        };
        prop_assert!(trusted.verify(&mixed, "DEFAULT/", None, 1).is_err());
    }

    #[test]
    fn a_flipped_bit_in_a_keyset_is_never_trusted(
        position in any::<Index>(),
        bit in 0..8_u8,
        part in 0..2_u8,
    ) {
        let domain = domain();
        let first = domain.keyset(1);
        let mut second = domain.signed(&domain.keyset(2), 2);
        prop_assert!(domain.trusted().advance(std::slice::from_ref(&second)).is_ok());
        if part == 0 {
            let mut bytes = second.keyset.to_vec();
            flip(&mut bytes, &position, bit);
            second.keyset = bytes.into();
        } else {
            flip(&mut second.signatures[0].signature, &position, bit);
        }
        let chain = [domain.signed(&first, 2), second];
        match TrustedKeyset::establish(&first.pin(), &chain) {
            Err(_) => {}
            // The flipped version is no successor (0 or 1): skipped, never trusted.
            Ok(trusted) => prop_assert_eq!(trusted.keyset(), &first),
        }
    }

    #[test]
    fn a_flipped_bit_in_an_object_never_becomes_a_view(
        objects in prop::collection::btree_map("[a-z]{1,4}", vec(any::<u8>(), 1..20), 1..8),
        which in any::<Index>(),
        position in any::<Index>(),
        bit in 0..8_u8,
    ) {
        let domain = domain();
        let mut tree = ViewTree::new();
        for (id, object) in &objects {
            tree.insert("api", id, object_hash(object), u64::try_from(object.len()).unwrap());
        }
        let signed = domain.sign(&domain.manifest(&tree, 7));
        let manifest = domain.trusted().verify(&signed, "DEFAULT/", None, 1).unwrap();
        let victim = which.index(objects.len());
        let mut good = StagedView::empty();
        let mut bad = StagedView::empty();
        for (number, (id, object)) in objects.into_iter().enumerate() {
            good.apply("api", &id, Some(object.clone().into())).unwrap();
            let mut object = object;
            if number == victim {
                flip(&mut object, &position, bit);
            }
            bad.apply("api", &id, Some(object.into())).unwrap();
        }
        prop_assert!(good.finish(manifest.clone()).is_ok());
        prop_assert!(bad.finish(manifest).is_err());
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Manifest::decode(&bytes);
        let _ = Keyset::decode(&bytes);
        let _ = SignedKeyset::decode(&bytes);
        let _ = ViewTree::new().node(&bytes);
        let signed = SignedManifest {
            manifest: Bytes::from(bytes.clone()),
            signature: bytes,
            key_id: domain().keyset(1).online_keys[0].id.clone(),
        };
        prop_assert!(domain().trusted().verify(&signed, "DEFAULT/", None, 1).is_err());
    }
}
