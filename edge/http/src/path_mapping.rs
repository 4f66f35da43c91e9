//! Path mappings: names for groups of paths, such as `/orders/:id`, that records and policies use
//! instead of the paths themselves. Source: `gravitee-v4.md` §1.3.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

/// Memory one mapping's program may take.
const REGEX_BYTES_MAX: usize = 256 * 1024;

/// The mappings of an API, those with the fewest parameters first.
#[derive(Debug, Default)]
pub struct PathMappings(Box<[Mapping]>);

#[derive(Debug)]
struct Mapping {
    name: Arc<str>,
    pattern: Regex,
}

impl PathMappings {
    /// Compiles mappings: `:name` stands for one segment, `.*` for anything, the rest for itself.
    ///
    /// # Errors
    /// The position of a mapping that needs too much memory.
    pub fn compile(mappings: &[String]) -> Result<Self, (usize, regex::Error)> {
        let mut compiled = Vec::with_capacity(mappings.len());
        for (index, mapping) in mappings.iter().enumerate() {
            let pattern = RegexBuilder::new(&pattern(mapping))
                .size_limit(REGEX_BYTES_MAX)
                .build()
                .map_err(|error| (index, error))?;
            compiled.push(Mapping {
                name: Arc::from(mapping.as_str()),
                pattern,
            });
        }
        // Stable: equally many parameters keep the order of the definition.
        compiled.sort_by_key(|mapping| mapping.name.matches(':').count());
        Ok(Self(compiled.into()))
    }

    /// Finds the mapping of a path behind the context path.
    #[must_use]
    pub fn find(&self, path_info: &str) -> Option<&Arc<str>> {
        let fits = |mapping: &&Mapping| mapping.pattern.is_match(path_info);
        self.0.iter().find(fits).map(|mapping| &mapping.name)
    }
}

/// The pattern of a mapping. A last slash is optional, as every path is compared with one added.
fn pattern(mapping: &str) -> String {
    let mut pattern = String::from("^");
    let mut rest = mapping.trim_end_matches('/');
    while let Some(character) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix(".*") {
            pattern.push_str(".*");
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix(':') {
            pattern.push_str("[^/]*");
            rest = behind.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        } else {
            pattern.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
            rest = &rest[character.len_utf8()..];
        }
    }
    pattern.push_str("/*$");
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mapping_with_the_fewest_parameters_names_a_path() {
        let mappings = [
            "/p/:id/items",
            "/p/:id/:what",
            "/p/mine/items",
            "/a.b/",
            "/all/.*",
            "/",
        ];
        let mappings = PathMappings::compile(&mappings.map(str::to_owned)).unwrap();
        for (path, expected) in [
            ("/p/1/items", Some("/p/:id/items")),
            ("/p/1/items/", Some("/p/:id/items")),
            ("/p/1/other", Some("/p/:id/:what")),
            ("/p/mine/items", Some("/p/mine/items")),
            ("/p/1/2/items", None),
            ("/a.b", Some("/a.b/")),
            ("/axb", None),
            ("/all/x/y", Some("/all/.*")),
            ("", Some("/")),
            ("/x", None),
        ] {
            assert_eq!(mappings.find(path).map(|name| &**name), expected, "{path}");
        }
    }
}
