//! What a `Hello` must look like before a node looks at it any further.

use tidegate_proto::sync::v1::Hello;
use tidegate_view::Hash;

use crate::{
    edge::Position,
    limits::{EDGE_ID_CHARS_MAX, FEATURE_LEVEL, MAP_ENTRIES_MAX, TAGS_MAX, shorten},
};

/// Longest tag, boot id, version, region or environment id an edge may send.
const FIELD_CHARS_MAX: usize = 128;
/// Environment of an edge that names none.
const DEFAULT_ENVIRONMENT: &str = "DEFAULT";

/// A checked `Hello`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidHello {
    /// Stable name of the edge.
    pub edge_id: String,
    /// New at every start of the edge.
    pub boot_id: String,
    /// Version of the edge binary.
    pub version: String,
    /// Region label, may be empty.
    pub region: String,
    /// Environment id.
    pub environment: String,
    /// Sharding tags as configured at the edge.
    pub tags: Vec<String>,
    /// What the edge holds.
    pub held: Option<Position>,
    /// View of `held`.
    pub held_view_id: String,
    /// Version of the keyset the edge trusts; 0 for none.
    pub keyset_version: u64,
    /// Addresses for display.
    pub addresses: Vec<(String, String)>,
}

impl ValidHello {
    /// What the edge holds, as a position of the view it is granted. Content of another view is
    /// still a start for a diff, but is older than anything of this one.
    #[must_use]
    pub fn held_of(&self, view_id: &str) -> Option<Position> {
        let held = self.held?;
        if self.held_view_id == view_id {
            Some(held)
        } else {
            Some(Position {
                epoch: 0,
                revision: 0,
                ..held
            })
        }
    }
}

/// Why a `Hello` is refused; `code` goes into `Reject`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HelloRefused {
    /// A field is empty, too long, or of the wrong shape.
    #[error("the field {0} of Hello is missing or malformed")]
    Malformed(&'static str),
    /// The edge decodes only older objects than this cluster writes.
    #[error("the edge decodes feature level {edge}, the cluster writes {FEATURE_LEVEL}")]
    LevelTooOld {
        /// Level of the edge.
        edge: u32,
    },
}

impl HelloRefused {
    /// Stable code for `Reject`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "MALFORMED",
            Self::LevelTooOld { .. } => "LEVEL_TOO_OLD",
        }
    }
}

/// Checks shape and bounds of every field of `hello`.
///
/// # Errors
/// Names the first field that is out of bounds, or the level when it is too old.
pub fn check_hello(hello: Hello) -> Result<ValidHello, HelloRefused> {
    let malformed = HelloRefused::Malformed;
    if !is_name(&hello.edge_id, EDGE_ID_CHARS_MAX) {
        return Err(malformed("edge_id"));
    }
    for (name, value) in [
        ("boot_id", &hello.boot_id),
        ("version", &hello.version),
        ("region", &hello.region),
        ("environment", &hello.environment),
    ] {
        if value.chars().count() > FIELD_CHARS_MAX || value.chars().any(char::is_control) {
            return Err(malformed(name));
        }
    }
    let tags_fit = hello.tags.len() <= TAGS_MAX
        && hello
            .tags
            .iter()
            .all(|tag| tag.chars().count() <= FIELD_CHARS_MAX);
    if !tags_fit {
        return Err(malformed("tags"));
    }
    if hello.addresses.len() > MAP_ENTRIES_MAX {
        return Err(malformed("addresses"));
    }
    if hello.feature_level < FEATURE_LEVEL {
        return Err(HelloRefused::LevelTooOld {
            edge: hello.feature_level,
        });
    }
    let held = match hello.held {
        None => None,
        Some(held) => {
            let root =
                Hash::try_from(held.root.as_ref()).map_err(|_wrong_length| malformed("held"))?;
            Some(Position {
                epoch: held.epoch,
                revision: held.revision,
                root,
            })
        }
    };
    let environment = match hello.environment {
        empty if empty.is_empty() => DEFAULT_ENVIRONMENT.to_owned(),
        named => named,
    };
    let mut addresses: Vec<_> = hello
        .addresses
        .iter()
        .map(|(name, address)| (shorten(name), shorten(address)))
        .collect();
    addresses.sort();
    Ok(ValidHello {
        edge_id: hello.edge_id,
        boot_id: hello.boot_id,
        version: hello.version,
        region: hello.region,
        environment,
        tags: hello.tags,
        held,
        held_view_id: shorten(&hello.held_view_id),
        keyset_version: hello.keyset_version,
        addresses,
    })
}

/// Printable, not empty, and short: the id appears in logs, listings and keys.
fn is_name(text: &str, chars_max: usize) -> bool {
    !text.is_empty()
        && text.chars().count() <= chars_max
        && text.chars().all(|c| c.is_ascii_graphic() && c != '/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        Hello {
            edge_id: "edge-1".to_owned(),
            feature_level: FEATURE_LEVEL,
            ..Hello::default()
        }
    }

    #[test]
    fn an_empty_environment_means_the_default_one() {
        assert_eq!(
            check_hello(hello()).unwrap().environment,
            DEFAULT_ENVIRONMENT
        );
    }

    #[test]
    fn fields_out_of_bounds_are_named() {
        let long = "x".repeat(200);
        let cases: Vec<(&str, Hello)> = vec![
            (
                "edge_id",
                Hello {
                    edge_id: String::new(),
                    ..hello()
                },
            ),
            (
                "edge_id",
                Hello {
                    edge_id: long.clone(),
                    ..hello()
                },
            ),
            (
                "edge_id",
                Hello {
                    edge_id: "a b".to_owned(),
                    ..hello()
                },
            ),
            (
                "region",
                Hello {
                    region: long.clone(),
                    ..hello()
                },
            ),
            (
                "version",
                Hello {
                    version: "1\n2".to_owned(),
                    ..hello()
                },
            ),
            (
                "tags",
                Hello {
                    tags: vec!["t".to_owned(); 65],
                    ..hello()
                },
            ),
            (
                "tags",
                Hello {
                    tags: vec![long],
                    ..hello()
                },
            ),
            (
                "held",
                Hello {
                    held: Some(tidegate_proto::sync::v1::Position {
                        epoch: 1,
                        revision: 1,
                        root: vec![1; 31].into(),
                    }),
                    ..hello()
                },
            ),
        ];
        for (field, hello) in cases {
            assert_eq!(check_hello(hello), Err(HelloRefused::Malformed(field)));
        }
    }

    #[test]
    fn an_edge_that_decodes_only_older_objects_is_refused() {
        let refused = check_hello(Hello {
            feature_level: 0,
            ..hello()
        })
        .unwrap_err();
        assert_eq!(refused.code(), "LEVEL_TOO_OLD");
    }
}
