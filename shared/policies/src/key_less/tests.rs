//! The configuration has nothing in it.

use super::KeyLessConfig;
use crate::testing::example;

#[test]
fn the_example_of_the_readme_loads() {
    let configuration = example(include_str!("README.md"));
    assert!(serde_json::from_value::<KeyLessConfig>(configuration).is_ok());
}
