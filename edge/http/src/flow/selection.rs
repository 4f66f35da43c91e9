//! The flows chosen for one exchange, and the choice of best-match.

use std::cmp::Ordering;

use super::PathPattern;

/// Positions of chosen flows, ascending. Choosing none or few allocates little or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection(Vec<usize>);

impl Selection {
    /// True if no flow was chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Positions in the chain.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<usize> for Selection {
    fn from_iter<I: IntoIterator<Item = usize>>(positions: I) -> Self {
        Self(positions.into_iter().collect())
    }
}

/// The position of the pattern that fits best; the first of equals.
pub(super) fn best<'p>(
    candidates: impl Iterator<Item = (usize, &'p PathPattern)>,
    path_info: &str,
) -> Option<usize> {
    let best = candidates.reduce(|best, next| {
        // `Iterator::cmp` puts a longer score behind its own prefix, which is the tie rule.
        match next.1.score(path_info).cmp(best.1.score(path_info)) {
            Ordering::Greater => next,
            Ordering::Less | Ordering::Equal => best,
        }
    });
    best.map(|(position, _)| position)
}
