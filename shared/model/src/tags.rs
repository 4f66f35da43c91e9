//! Sharding tags: which edge is entitled to which API and plan.

use std::{collections::BTreeSet, fmt};

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Most tags one edge may be configured with.
pub const SELECTOR_TAGS_MAX: usize = 64;
/// Longest tag, in characters.
pub const TAG_CHARACTERS_MAX: usize = 64;

/// Why a list of tags selects nothing sensible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// More tags than one edge may have.
    #[error("{0} tags, expected at most {SELECTOR_TAGS_MAX}")]
    TooMany(usize),
    /// A tag that is empty, too long, or holds a control character, comma or exclamation mark.
    #[error(
        "tag {0:?}, expected 1 to {TAG_CHARACTERS_MAX} printable characters without ',' and '!'"
    )]
    Invalid(String),
    /// A tag that is both included and excluded.
    #[error("tag {0:?} is both included and excluded")]
    Contradiction(String),
}

/// The tags an edge is configured with: `a` includes, `!b` excludes.
///
/// Case and accents do not matter. Two selectors with the same tags are equal, whatever the order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TagSelector {
    inclusions: BTreeSet<String>,
    exclusions: BTreeSet<String>,
}

impl TagSelector {
    /// Reads tags as configured, one per item; surrounding blanks and empty items are ignored.
    ///
    /// # Errors
    /// Fails on an invalid tag, too many of them, or a contradiction.
    pub fn parse<S: AsRef<str>>(tags: &[S]) -> Result<Self, TagError> {
        if tags.len() > SELECTOR_TAGS_MAX {
            return Err(TagError::TooMany(tags.len()));
        }
        let mut selector = Self::default();
        for tag in tags
            .iter()
            .map(|tag| tag.as_ref().trim())
            .filter(|tag| !tag.is_empty())
        {
            let (set, name) = match tag.strip_prefix('!') {
                Some(name) => (&mut selector.exclusions, name.trim()),
                None => (&mut selector.inclusions, tag),
            };
            if !is_tag(name) {
                return Err(TagError::Invalid(tag.to_owned()));
            }
            set.insert(fold(name));
        }
        match selector
            .inclusions
            .intersection(&selector.exclusions)
            .next()
        {
            Some(tag) => Err(TagError::Contradiction(tag.clone())),
            None => Ok(selector),
        }
    }

    /// Tags of which an API needs at least one; empty means any.
    #[must_use]
    pub fn inclusions(&self) -> &BTreeSet<String> {
        &self.inclusions
    }

    /// Tags of which an API may have none.
    #[must_use]
    pub fn exclusions(&self) -> &BTreeSet<String> {
        &self.exclusions
    }

    /// One spelling for all selectors that are equal, such as `a,!b`; empty for the empty selector.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.to_string()
    }

    /// True if an edge with these tags accepts something tagged `tags`.
    ///
    /// An untagged thing is refused by inclusions and accepted by exclusions.
    #[must_use]
    pub fn accepts(&self, tags: &BTreeSet<String>) -> bool {
        let folded: BTreeSet<String> = tags.iter().map(|tag| fold(tag)).collect();
        let included = self.inclusions.is_empty() || !self.inclusions.is_disjoint(&folded);
        included && self.exclusions.is_disjoint(&folded)
    }

    /// As [`TagSelector::accepts`], but an untagged plan goes wherever its API goes.
    #[must_use]
    pub fn accepts_plan(&self, tags: &BTreeSet<String>) -> bool {
        tags.is_empty() || self.accepts(tags)
    }

    /// True if an edge with these tags gets an API: its tags are accepted, and one of its plans is.
    #[must_use]
    pub fn entitles(&self, api: &BTreeSet<String>, plans: &[BTreeSet<String>]) -> bool {
        self.accepts(api) && plans.iter().any(|plan| self.accepts_plan(plan))
    }
}

impl fmt::Display for TagSelector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let included = self.inclusions.iter().map(|tag| ("", tag));
        let excluded = self.exclusions.iter().map(|tag| ("!", tag));
        for (index, (sign, tag)) in included.chain(excluded).enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(formatter, "{separator}{sign}{tag}")?;
        }
        Ok(())
    }
}

/// True if a text may be a tag.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    let length = text.chars().count();
    (1..=TAG_CHARACTERS_MAX).contains(&length)
        && !text
            .chars()
            .any(|character| character.is_control() || matches!(character, ',' | '!'))
        && !fold(text).is_empty()
}

/// Removes what does not matter in a comparison: case and accents.
pub(crate) fn fold(tag: &str) -> String {
    tag.nfd()
        .filter(|character| !is_combining_mark(*character))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(tags: &str) -> BTreeSet<String> {
        tags.split(',')
            .filter(|tag| !tag.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn selector(tags: &str) -> TagSelector {
        TagSelector::parse(&tags.split(',').collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn acceptance_follows_inclusions_and_exclusions() {
        for (edge, api, expected) in [
            ("", "", true),
            ("", "a", true),
            ("a", "", false),
            ("a", "a,b", true),
            ("a", "b", false),
            ("!b", "", true),
            ("!b", "b", false),
            ("a,!b", "a", true),
            ("a,!b", "a,b", false),
            ("a,!b", "", false),
            ("Été", "ete", true),
        ] {
            assert_eq!(
                selector(edge).accepts(&set(api)),
                expected,
                "{edge:?} {api:?}"
            );
        }
    }

    #[test]
    fn an_api_needs_a_plan_that_is_accepted_too() {
        let edge = selector("b");
        assert!(edge.entitles(&set("a,b"), &[set("")]));
        assert!(edge.entitles(&set("a,b"), &[set("a"), set("b")]));
        assert!(!edge.entitles(&set("a,b"), &[set("a")]));
        assert!(!edge.entitles(&set("a,b"), &[]));
    }

    #[test]
    fn equal_selectors_have_one_spelling() {
        assert_eq!(selector("B, a,!c").canonical(), "a,b,!c");
        assert_eq!(selector("!c,a,b"), selector("B,A,!C"));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(matches!(
            TagSelector::parse(&["a", "!A"]),
            Err(TagError::Contradiction(_))
        ));
        assert!(matches!(
            TagSelector::parse(&["!"]),
            Err(TagError::Invalid(_))
        ));
        assert!(matches!(
            TagSelector::parse(&["a!b"]),
            Err(TagError::Invalid(_))
        ));
        assert!(matches!(
            TagSelector::parse(&vec!["a"; 65]),
            Err(TagError::TooMany(65))
        ));
    }
}
