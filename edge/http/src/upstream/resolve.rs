//! Names of upstreams: looked up by the system, cached for a short time, addresses used in turn.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long an answer is used without asking again: the system's resolver hides the record's own time to live.
const FRESH: Duration = Duration::from_secs(10);

/// How long an old answer is used when asking fails.
const STALE: Duration = Duration::from_secs(300);

/// Most addresses kept of one answer.
const ADDRESSES_MAX: usize = 32;

/// The addresses of one target.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    cached: RefCell<Option<Answer>>,
    turn: Cell<usize>,
}

#[derive(Clone, Debug)]
struct Answer {
    at: Instant,
    addresses: Rc<[SocketAddr]>,
}

impl Resolver {
    /// The addresses to try, beginning with the one whose turn it is.
    pub(crate) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let addresses = self.lookup(host, port).await?;
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let mut addresses = addresses.to_vec();
        let first = turn % addresses.len();
        addresses.rotate_left(first);
        Ok(addresses)
    }

    async fn lookup(&self, host: &str, port: u16) -> io::Result<Rc<[SocketAddr]>> {
        let cached = self.cached.borrow().clone();
        if let Some(answer) = &cached
            && answer.at.elapsed() < FRESH
        {
            return Ok(Rc::clone(&answer.addresses));
        }
        let found = match tokio::net::lookup_host((host, port)).await {
            Ok(found) => found.take(ADDRESSES_MAX).collect::<Vec<_>>(),
            Err(error) => return still_usable(cached).ok_or(error),
        };
        if found.is_empty() {
            let error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            return still_usable(cached).ok_or(error);
        }
        let addresses: Rc<[SocketAddr]> = found.into();
        let answer = Answer {
            at: Instant::now(),
            addresses: Rc::clone(&addresses),
        };
        *self.cached.borrow_mut() = Some(answer);
        Ok(addresses)
    }
}

fn still_usable(cached: Option<Answer>) -> Option<Rc<[SocketAddr]>> {
    cached
        .filter(|answer| answer.at.elapsed() < STALE)
        .map(|answer| answer.addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_take_turns_and_literals_need_no_lookup() {
        let resolver = Resolver::default();
        let literal = resolver.addresses("127.0.0.1", 80).await.unwrap();
        assert_eq!(literal, ["127.0.0.1:80".parse().unwrap()]);
        let addresses: Rc<[SocketAddr]> = Rc::new([
            "10.0.0.1:80".parse().unwrap(),
            "10.0.0.2:80".parse().unwrap(),
        ]);
        *resolver.cached.borrow_mut() = Some(Answer {
            at: Instant::now(),
            addresses,
        });
        let first = resolver.addresses("two.test", 80).await.unwrap();
        let second = resolver.addresses("two.test", 80).await.unwrap();
        assert_eq!(first[0], second[1]);
        assert_eq!(first[1], second[0]);
    }
}
