//! Which node to try next: all of them in turn, none that was caught lying, with full jitter.

use std::time::Duration;

use tokio::time::Instant;

/// Shortest and longest pause before a new attempt: thousands of edges must not return in step.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a source that offered something untrue is left alone.
const BAN: Duration = Duration::from_secs(5 * 60);
/// Addresses kept, configured and learnt ones.
const SOURCES_MAX: usize = 64;

/// The known nodes.
#[derive(Debug)]
pub(crate) struct Sources {
    nodes: Vec<Source>,
    next: usize,
    /// Configured nodes come first and are never forgotten.
    configured: usize,
}

#[derive(Debug)]
struct Source {
    url: String,
    banned_until: Option<Instant>,
}

impl Sources {
    /// `start` spreads edges over the nodes.
    pub(crate) fn new(urls: &[String], start: usize) -> Self {
        let nodes: Vec<Source> = urls
            .iter()
            .map(|url| Source {
                url: url.clone(),
                banned_until: None,
            })
            .collect();
        let next = if nodes.is_empty() {
            0
        } else {
            start % nodes.len()
        };
        Self {
            configured: nodes.len(),
            nodes,
            next,
        }
    }

    /// The next node that may be asked, or when one may be asked again.
    pub(crate) fn next(&mut self, now: Instant) -> Result<String, Instant> {
        for _ in 0..self.nodes.len() {
            let source = &self.nodes[self.next];
            self.next = (self.next + 1) % self.nodes.len();
            if source.banned_until.is_none_or(|until| until <= now) {
                return Ok(source.url.clone());
            }
        }
        let until = self
            .nodes
            .iter()
            .filter_map(|source| source.banned_until)
            .min();
        Err(until.unwrap_or(now + PAUSE_MAX))
    }

    /// Leaves a node alone for a while.
    pub(crate) fn ban(&mut self, url: &str, now: Instant) {
        for source in self.nodes.iter_mut().filter(|source| source.url == url) {
            source.banned_until = Some(now + BAN);
        }
    }

    /// Remembers nodes that another node named. They are held to the same certificate authority,
    /// token and root pin as the configured ones.
    pub(crate) fn learn(&mut self, urls: Vec<String>) {
        for url in urls {
            let is_known = self.nodes.iter().any(|source| source.url == url);
            if is_known || !crate::config::is_control_url(&url) {
                continue;
            }
            if self.nodes.len() >= SOURCES_MAX {
                self.nodes.remove(self.configured);
                self.next = 0;
            }
            self.nodes.push(Source {
                url,
                banned_until: None,
            });
        }
    }
}

/// A random pause between [`PAUSE_MIN`] and [`PAUSE_MAX`].
pub(crate) fn pause() -> Duration {
    rand::random_range(PAUSE_MIN..=PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(count: usize) -> Sources {
        let urls: Vec<String> = (0..count)
            .map(|index| format!("https://n{index}:1"))
            .collect();
        Sources::new(&urls, 0)
    }

    #[test]
    fn all_nodes_are_tried_in_turn() {
        let mut sources = sources(3);
        let now = Instant::now();
        let tried: Vec<String> = (0..4).map(|_| sources.next(now).unwrap()).collect();
        assert_eq!(
            tried,
            [
                "https://n0:1",
                "https://n1:1",
                "https://n2:1",
                "https://n0:1"
            ]
        );
    }

    #[test]
    fn a_banned_node_is_left_alone_for_a_while() {
        let mut sources = sources(2);
        let now = Instant::now();
        sources.ban("https://n0:1", now);
        assert_eq!(sources.next(now), Ok("https://n1:1".to_owned()));
        assert_eq!(sources.next(now), Ok("https://n1:1".to_owned()));
        sources.ban("https://n1:1", now);
        assert_eq!(sources.next(now), Err(now + BAN));
        assert!(sources.next(now + BAN).is_ok());
    }

    #[test]
    fn learnt_nodes_never_push_out_configured_ones() {
        let mut sources = sources(2);
        sources.learn(
            (0..200)
                .map(|index| format!("https://l{index}:1"))
                .collect(),
        );
        sources.learn(vec!["http://clear:1".to_owned(), "nonsense".to_owned()]);
        assert_eq!(sources.nodes.len(), SOURCES_MAX);
        assert_eq!(sources.nodes[1].url, "https://n1:1");
        assert!(
            sources
                .nodes
                .iter()
                .all(|source| source.url.starts_with("https://"))
        );
    }

    #[test]
    fn pauses_are_spread() {
        let pauses: Vec<Duration> = (0..100).map(|_| pause()).collect();
        assert!(
            pauses
                .iter()
                .all(|pause| (PAUSE_MIN..=PAUSE_MAX).contains(pause))
        );
        assert!(pauses.iter().max() > pauses.iter().min());
    }
}
