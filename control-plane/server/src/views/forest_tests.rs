use tidegate_view::EMPTY_ROOT;

use super::*;

fn record(inclusions: &[&str]) -> ViewRecord {
    ViewRecord {
        view_id: "DEFAULT/v".to_owned(),
        environment: "DEFAULT".to_owned(),
        inclusions: inclusions.iter().map(|&tag| tag.to_owned()).collect(),
        exclusions: Vec::new(),
    }
}

fn forest(inclusions: &[&str], index: u64) -> Forest {
    let mut forest = Forest::default();
    forest.add(
        "DEFAULT/v".to_owned(),
        GrownView::new(&record(inclusions), index).unwrap(),
    );
    forest
}

fn put(id: &str, content: u8, tags: &[&str]) -> LiveChange {
    LiveChange {
        environment: "DEFAULT".to_owned(),
        kind: "api".to_owned(),
        id: id.to_owned(),
        object_hash: Some([content; 32]),
        object_len: 10,
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        plan_tags: vec![Vec::new()],
        is_everywhere: false,
    }
}

fn manifest(revision: u64, root: Hash) -> tidegate_state::PublishedView {
    tidegate_state::PublishedView {
        view_id: "DEFAULT/v".to_owned(),
        epoch: 1,
        revision,
        root,
        manifest: bytes::Bytes::new(),
        signature: bytes::Bytes::new(),
        key_id: String::new(),
    }
}

fn root_at(forest: &Forest, index: u64) -> Hash {
    forest.unpublished(index)[0].tree.root()
}

#[test]
fn a_fresh_view_is_published_even_when_it_is_empty() {
    let mut forest = forest(&[], 5);
    assert_eq!(root_at(&forest, 5), EMPTY_ROOT);
    forest.publish(&manifest(5, EMPTY_ROOT)).unwrap().unwrap();
    assert!(forest.unpublished(5).is_empty());
}

#[test]
fn tags_decide_and_a_change_of_tags_takes_an_object_out() {
    let mut forest = forest(&["a"], 1);
    forest.change(2, &put("api", 1, &["b"]));
    assert_eq!(root_at(&forest, 2), EMPTY_ROOT);
    forest.change(3, &put("api", 1, &["a"]));
    assert_ne!(root_at(&forest, 3), EMPTY_ROOT);
    forest.change(4, &put("api", 1, &["b"]));
    assert_eq!(root_at(&forest, 4), EMPTY_ROOT);
}

#[test]
fn a_manifest_is_compared_with_the_content_of_its_revision() {
    let mut forest = forest(&[], 1);
    forest.change(2, &put("one", 1, &[]));
    let root = root_at(&forest, 2);
    forest.change(3, &put("two", 2, &[]));
    let published = forest.publish(&manifest(2, root)).unwrap().unwrap();
    assert_eq!(published.tree.len(), 1);
    assert_eq!(
        forest.unpublished(3)[0].previous_root,
        root,
        "the later change still waits"
    );
}

#[test]
fn another_root_than_the_own_one_is_a_mismatch() {
    let mut forest = forest(&[], 1);
    forest.change(2, &put("one", 1, &[]));
    assert!(forest.publish(&manifest(2, [9; 32])).is_err());
}

#[test]
fn content_of_an_entry_being_followed_is_not_published_under_the_entry_before() {
    let mut forest = forest(&[], 1);
    forest.change(2, &put("one", 1, &[]));
    let before = root_at(&forest, 2);
    forest.change(3, &put("two", 2, &[]));
    assert_eq!(root_at(&forest, 2), before);
    assert_ne!(root_at(&forest, 3), before);
}

#[test]
fn changes_that_a_snapshot_already_held_are_skipped() {
    let mut forest = forest(&[], 10);
    forest.change(9, &put("old", 1, &[]));
    assert_eq!(root_at(&forest, 10), EMPTY_ROOT);
}

#[test]
fn a_manifest_from_before_the_snapshot_is_taken_when_the_content_is_the_same() {
    let mut forest = forest(&[], 10);
    assert!(forest.publish(&manifest(8, EMPTY_ROOT)).unwrap().is_some());
    assert!(
        forest.publish(&manifest(9, [7; 32])).unwrap().is_none(),
        "unknown, not wrong"
    );
}

#[test]
fn only_the_newest_published_versions_are_kept() {
    let mut forest = forest(&[], 1);
    let mut roots = Vec::new();
    for index in 2..2 + PUBLISHED_MAX as u64 + 3 {
        forest.change(index, &put("api", u8::try_from(index).unwrap(), &[]));
        let root = root_at(&forest, index);
        forest.publish(&manifest(index, root)).unwrap().unwrap();
        roots.push(root);
    }
    assert!(forest.published("DEFAULT/v", &roots[0]).is_none());
    assert!(
        forest
            .published("DEFAULT/v", roots.last().unwrap())
            .is_some()
    );
}

#[test]
fn what_belongs_to_the_environment_is_in_every_view() {
    let mut forest = forest(&["eu"], 1);
    let before = root_at(&forest, 1);
    let shared = LiveChange {
        kind: "dictionary".to_owned(),
        plan_tags: Vec::new(),
        is_everywhere: true,
        ..put("d", 1, &[])
    };
    forest.change(2, &shared);
    assert_ne!(root_at(&forest, 2), before);
    let gone = LiveChange {
        object_hash: None,
        ..shared
    };
    forest.change(3, &gone);
    assert_eq!(root_at(&forest, 3), before);
}
