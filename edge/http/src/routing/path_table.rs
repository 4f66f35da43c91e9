//! A sorted table of acceptor paths with a longest-prefix lookup.

use std::{cmp::Ordering, collections::BTreeMap};

use super::Match;

/// Marks an entry with no shorter acceptor in front of it.
const NO_PARENT: u32 = u32::MAX;

/// Acceptor paths in byte order, in one allocation, each with a link to its longest proper prefix.
///
/// A lookup is one binary search plus a walk up the links: O(log n) string comparisons and at most
/// as many links as acceptors lie on the path, whatever slashes the request contains.
#[derive(Debug, Default)]
pub struct PathTable {
    text: Box<str>,
    entries: Box<[Entry]>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    end: u32,
    parent: u32,
    target: u32,
}

impl PathTable {
    /// Finds the longest acceptor that `path` starts with; `/a` also matches the acceptor `/a/`.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Match<'_>> {
        // Every acceptor ends in a slash, so it is a prefix of `path` or equal to it up to that
        // slash exactly if it is a prefix of `path` with a slash behind it.
        let wanted = Wanted::new(path);
        let after = self.entries.partition_point(|entry| {
            wanted.compare(self.path(*entry).as_bytes()) != Ordering::Greater
        });
        // Whatever sorts between a prefix of `wanted` and `wanted` starts with that prefix, so the
        // longest prefix is the predecessor or one of the acceptors in front of it.
        let mut entry = *self.entries.get(after.checked_sub(1)?)?;
        let shared = wanted.shared_with(self.path(entry).as_bytes());
        while (entry.end - entry.start) as usize > shared {
            entry = *self.entries.get(entry.parent as usize)?;
        }
        Some(Match {
            context_path: self.path(entry),
            target: entry.target,
        })
    }

    /// Number of acceptors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True without any acceptor.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn path(&self, entry: Entry) -> &str {
        &self.text[entry.start as usize..entry.end as usize]
    }
}

/// The request path with the slash it may lack, never written out.
struct Wanted<'p> {
    path: &'p [u8],
    slash: &'static [u8],
}

impl<'p> Wanted<'p> {
    fn new(path: &'p str) -> Self {
        Self {
            path: path.as_bytes(),
            slash: if path.ends_with('/') { b"" } else { b"/" },
        }
    }

    /// How `other` sorts against the wanted path.
    fn compare(&self, other: &[u8]) -> Ordering {
        if other.len() <= self.path.len() {
            // The slash can only matter behind the end of `path`.
            return match other.cmp(&self.path[..other.len()]) {
                Ordering::Equal if other.len() < self.path.len() + self.slash.len() => {
                    Ordering::Less
                }
                order => order,
            };
        }
        let (head, tail) = other.split_at(self.path.len());
        head.cmp(self.path).then_with(|| tail.cmp(self.slash))
    }

    /// Number of leading bytes shared with `other`.
    fn shared_with(&self, other: &[u8]) -> usize {
        let wanted = self.path.iter().chain(self.slash);
        wanted
            .zip(other)
            .take_while(|(left, right)| left == right)
            .count()
    }
}

/// Collects acceptors of one host.
#[derive(Debug, Default)]
pub struct PathTableBuilder {
    paths: BTreeMap<String, u32>,
}

impl PathTableBuilder {
    /// Adds a normalised path; on failure names the target that holds it already.
    ///
    /// # Errors
    /// Another target holds the path. The same target may add a path twice.
    pub fn add(&mut self, path: &str, target: u32) -> Result<(), u32> {
        debug_assert!(
            path.starts_with('/') && path.ends_with('/'),
            "acceptors are normalised"
        );
        match self.paths.get(path) {
            Some(&holder) if holder != target => Err(holder),
            Some(_) => Ok(()),
            None => {
                self.paths.insert(path.to_owned(), target);
                Ok(())
            }
        }
    }

    /// Lays the table out.
    ///
    /// Acceptors beyond 4 GiB of text are left out; a configuration is far smaller than that.
    #[must_use]
    pub fn build(self) -> PathTable {
        let mut text = String::with_capacity(self.paths.keys().map(String::len).sum());
        let mut entries: Vec<Entry> = Vec::with_capacity(self.paths.len());
        for (path, target) in self.paths {
            let Ok(start) = u32::try_from(text.len()) else {
                break;
            };
            let Ok(end) = u32::try_from(text.len() + path.len()) else {
                break;
            };
            let parent = nearest_prefix(&entries, &text, &path);
            text.push_str(&path);
            entries.push(Entry {
                start,
                end,
                parent,
                target,
            });
        }
        PathTable {
            text: text.into(),
            entries: entries.into(),
        }
    }
}

/// Index of the longest earlier path that `path` starts with: the last entry or one of its parents.
fn nearest_prefix(entries: &[Entry], text: &str, path: &str) -> u32 {
    let Some(last) = entries.len().checked_sub(1) else {
        return NO_PARENT;
    };
    let mut index = u32::try_from(last).unwrap_or(NO_PARENT);
    while let Some(entry) = entries.get(index as usize) {
        if path.starts_with(&text[entry.start as usize..entry.end as usize]) {
            return index;
        }
        index = entry.parent;
    }
    NO_PARENT
}
