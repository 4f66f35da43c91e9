//! The oldest position of each view an edge may still run.

use super::Position;

/// Views remembered; an edge changes its tags rarely.
const VIEWS_MAX: usize = 16;

/// Positions that were active, by view; they only grow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Floors {
    /// Oldest first.
    views: Vec<(String, Position)>,
    /// Version of the newest keyset that was trusted.
    keyset_version: u64,
}

impl Floors {
    /// Rebuilds floors from storage, oldest view first.
    #[must_use]
    pub fn restore(views: Vec<(String, Position)>, keyset_version: u64) -> Self {
        let mut floors = Self {
            views: Vec::new(),
            keyset_version,
        };
        for (view_id, position) in views {
            floors.raise(&view_id, position);
        }
        floors
    }

    /// The floor of `view_id`, if one was ever active.
    #[must_use]
    pub fn of(&self, view_id: &str) -> Option<Position> {
        self.views
            .iter()
            .find(|(id, _)| id == view_id)
            .map(|(_, position)| *position)
    }

    /// True when `position` is not older than what was active of `view_id`.
    #[must_use]
    pub fn admits(&self, view_id: &str, position: &Position) -> bool {
        self.of(view_id)
            .is_none_or(|floor| floor == *position || floor.is_before(position))
    }

    /// Raises the floor of `view_id`; a lower position changes nothing.
    pub fn raise(&mut self, view_id: &str, position: Position) {
        let floor = match self.of(view_id) {
            Some(floor) if position.is_before(&floor) => floor,
            _ => position,
        };
        self.views.retain(|(id, _)| id != view_id);
        self.views.push((view_id.to_owned(), floor));
        if self.views.len() > VIEWS_MAX {
            self.views.remove(0);
        }
    }

    /// Raises the keyset floor.
    pub fn raise_keyset(&mut self, version: u64) {
        self.keyset_version = self.keyset_version.max(version);
    }

    /// Version of the newest keyset that was trusted.
    #[must_use]
    pub fn keyset_version(&self) -> u64 {
        self.keyset_version
    }

    /// All views, least recently active first.
    pub fn views(&self) -> impl Iterator<Item = (&str, &Position)> {
        self.views
            .iter()
            .map(|(id, position)| (id.as_str(), position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u64, revision: u64) -> Position {
        Position {
            epoch,
            revision,
            root: [7; 32],
        }
    }

    #[test]
    fn a_floor_never_sinks() {
        let mut floors = Floors::default();
        floors.raise("v", at(1, 5));
        floors.raise("v", at(1, 4));
        assert_eq!(floors.of("v"), Some(at(1, 5)));
        assert!(!floors.admits("v", &at(1, 4)));
        assert!(floors.admits("v", &at(1, 5)));
        assert!(
            floors.admits("v", &at(2, 1)),
            "a higher epoch wins over a lower revision"
        );
        assert!(floors.admits("other", &at(1, 1)));
    }

    #[test]
    fn the_same_position_with_another_root_is_not_admitted() {
        let mut floors = Floors::default();
        floors.raise("v", at(1, 5));
        assert!(!floors.admits(
            "v",
            &Position {
                root: [8; 32],
                ..at(1, 5)
            }
        ));
    }

    #[test]
    fn the_least_recent_views_are_forgotten() {
        let mut floors = Floors::default();
        for index in 0..20 {
            floors.raise(&format!("v{index}"), at(1, 1));
        }
        assert_eq!(floors.views().count(), VIEWS_MAX);
        assert!(floors.of("v0").is_none());
    }
}
