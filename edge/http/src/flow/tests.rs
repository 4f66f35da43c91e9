//! The choice of best-match.

use super::{Coverage, PathPattern, selection::best};

fn check(patterns: &[&str], path_info: &str, expected: Option<usize>) {
    let compiled: Vec<PathPattern> = patterns
        .iter()
        .map(|pattern| PathPattern::compile(pattern, Coverage::Beginning).unwrap())
        .collect();
    let matching = compiled
        .iter()
        .enumerate()
        .filter(|(_, pattern)| pattern.matches(path_info));
    assert_eq!(
        best(matching, path_info),
        expected,
        "{patterns:?} {path_info}"
    );
}

#[test]
fn the_best_match_grades_segments_from_the_left() {
    check(&[], "/a", None);
    check(&["/b"], "/a", None);
    check(&["/", "/a"], "/a/b", Some(1));
    check(&["/:x/b", "/a/:y"], "/a/b", Some(1));
    check(&["/a/:x", "/a/b"], "/a/b", Some(1));
    check(&["/a", "/a/:x", "/a/:x/c"], "/a/b/c", Some(2));
    check(&["/:x", "/:y"], "/a", Some(0));
    check(&["/[ab]", "/:x"], "/a", Some(1));
}
