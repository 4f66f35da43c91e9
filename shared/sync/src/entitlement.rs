//! Which view an edge gets: its own tags, narrowed to what its token allows.

use std::collections::BTreeSet;

use tidegate_model::{TagError, TagSelector};

/// Why an edge gets no view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagsRefused {
    /// The tags are malformed.
    #[error(transparent)]
    Malformed(#[from] TagError),
    /// None of the tags it includes is allowed; an empty rest would mean everything.
    #[error("the token of this edge allows none of its tags")]
    NothingAllowed,
}

/// The tags of the view: inclusions are cut down to `allowed`, exclusions only narrow and stay.
///
/// An empty `allowed` allows everything. An edge that includes nothing asks for everything, and
/// gets what is allowed.
///
/// # Errors
/// Fails on malformed tags, or if nothing is left of the inclusions.
pub fn granted(tags: &[String], allowed: &[String]) -> Result<TagSelector, TagsRefused> {
    let asked = TagSelector::parse(tags)?;
    let allowed = TagSelector::parse(allowed)?;
    if allowed.inclusions().is_empty() && allowed.exclusions().is_empty() {
        return Ok(asked);
    }
    let included: BTreeSet<&String> = match (asked.inclusions(), allowed.inclusions()) {
        (asked, allowed) if allowed.is_empty() => asked.iter().collect(),
        (asked, allowed) if asked.is_empty() => allowed.iter().collect(),
        (asked, allowed) => {
            let both: BTreeSet<&String> = asked.intersection(allowed).collect();
            if both.is_empty() {
                return Err(TagsRefused::NothingAllowed);
            }
            both
        }
    };
    let excluded: BTreeSet<&String> = asked.exclusions().union(allowed.exclusions()).collect();
    let had_inclusions = !included.is_empty();
    let tags: Vec<String> = included
        .difference(&excluded)
        .map(|tag| (*tag).clone())
        .chain(excluded.iter().map(|tag| format!("!{tag}")))
        .collect();
    let selector = TagSelector::parse(&tags)?;
    if had_inclusions && selector.inclusions().is_empty() {
        return Err(TagsRefused::NothingAllowed);
    }
    Ok(selector)
}

/// Name of the view of these tags.
#[must_use]
pub fn view_id(environment: &str, selector: &TagSelector) -> String {
    format!("{environment}/{selector}")
}

/// True if `view_id` is what an edge with these tags may be given: the same environment, and the
/// same tags or fewer. The edge checks it, so that a node cannot hand it another tenant's view.
#[must_use]
pub fn grants_view(environment: &str, tags: &[String], view_id: &str) -> bool {
    let Some((view_environment, view_tags)) = view_id.split_once('/') else {
        return false;
    };
    let view_tags: Vec<&str> = view_tags.split(',').collect();
    let (Ok(asked), Ok(given)) = (TagSelector::parse(tags), TagSelector::parse(&view_tags)) else {
        return false;
    };
    let narrower = asked.inclusions().is_empty()
        || (!given.inclusions().is_empty() && given.inclusions().is_subset(asked.inclusions()));
    view_environment == environment
        && narrower
        && given.exclusions().is_superset(asked.exclusions())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(tags: &str) -> Vec<String> {
        tags.split(',')
            .filter(|tag| !tag.is_empty())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn tags_are_narrowed_to_what_the_token_allows() {
        for (asked, allowed, expected) in [
            ("a,!b", "", Some("a,!b")),
            ("", "", Some("")),
            ("a,c", "a,b", Some("a")),
            ("", "a,b", Some("a,b")),
            ("!b", "a,b", Some("a,!b")),
            ("c", "a,b", None),
            ("a", "!a", None),
            ("a", "!x", Some("a,!x")),
        ] {
            let granted = granted(&list(asked), &list(allowed));
            let granted = granted.ok().map(|selector| selector.canonical());
            assert_eq!(granted.as_deref(), expected, "{asked:?} within {allowed:?}");
        }
    }

    #[test]
    fn an_edge_takes_only_a_view_it_could_have_asked_for() {
        for (tags, view, expected) in [
            ("a,!b", "DEFAULT/a,!b", true),
            ("a,c", "DEFAULT/a", true),
            ("", "DEFAULT/a", true),
            ("a", "DEFAULT/", false),
            ("a", "DEFAULT/c", false),
            ("a,!b", "DEFAULT/a", false),
            ("a", "OTHER/a", false),
            ("a", "DEFAULT", false),
        ] {
            assert_eq!(
                grants_view("DEFAULT", &list(tags), view),
                expected,
                "{tags:?} {view:?}"
            );
        }
    }

    #[test]
    fn whatever_is_granted_is_also_taken() {
        for (asked, allowed) in [("a,!b", ""), ("", "a,b"), ("!b", "a,b"), ("a,c", "a,b,!x")] {
            let view = view_id("DEFAULT", &granted(&list(asked), &list(allowed)).unwrap());
            assert!(
                grants_view("DEFAULT", &list(asked), &view),
                "{asked:?} {allowed:?} {view:?}"
            );
        }
    }
}
