//! Counters in the memory of one node, shared by its workers.
//!
//! Keys spread over shards by their hash. A take hashes once, holds one shard's lock for one lookup and, if
//! the key is known, allocates nothing. The number of keys is bounded: a shard that grew drops windows that
//! have ended, and one that is full gives up the window, of a few it looks at, that ends soonest.

use std::fmt;

use ahash::RandomState;
use indexmap::IndexMap;
use indexmap::map::raw_entry_v1::{RawEntryApiV1, RawEntryMut};
use parking_lot::Mutex;

use super::{Decision, LimitRequest, Limiter, Take};

/// Shards of a limiter: many more than worker threads, so that two rarely meet.
const SHARDS: usize = 64;

/// Most keys of [`LocalLimiter::default`]: about 150 MiB if all are used.
const KEYS_MAX: usize = 1 << 20;

/// Fewest keys at which a shard looks for windows that have ended.
const SWEEP_KEYS_MIN: usize = 64;

/// Windows a full shard looks at to find the one it gives up.
const CANDIDATES: usize = 8;

/// Counters in one place, for single nodes and as the node's own part of distributed ones.
pub struct LocalLimiter {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    shard_keys_max: usize,
}

#[derive(Default)]
struct Shard {
    counters: IndexMap<Box<str>, Counter, RandomState>,
    /// Number of keys at which the next sweep is due.
    sweep_at: usize,
    /// Where the search for a window to give up goes on.
    cursor: usize,
}

#[derive(Clone, Copy)]
struct Counter {
    count: u64,
    reset_ms: u64,
}

impl LocalLimiter {
    /// Makes a limiter that keeps about `keys_max` counters at most.
    #[must_use]
    pub fn new(keys_max: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            shard_keys_max: keys_max.div_ceil(SHARDS).max(1),
        }
    }

    /// Tells how many counters there are, those of ended windows included until they are swept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().counters.len())
            .sum()
    }

    /// Tells whether nothing was ever counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // The high bits: the map inside of the shard uses the low ones.
        &self.shards[((hash >> 48) % SHARDS as u64) as usize]
    }
}

impl Default for LocalLimiter {
    fn default() -> Self {
        Self::new(KEYS_MAX)
    }
}

impl fmt::Debug for LocalLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalLimiter")
            .field("keys", &self.len())
            .finish_non_exhaustive()
    }
}

impl Limiter for LocalLimiter {
    fn take(&self, request: &LimitRequest<'_>) -> Take {
        let hash = self.hasher.hash_one(request.key);
        let counter = self
            .shard(hash)
            .lock()
            .take(hash, request, self.shard_keys_max);
        Take::Decided(Decision {
            is_allowed: counter.count <= request.limit,
            count: counter.count,
            reset_ms: counter.reset_ms,
        })
    }
}

impl Shard {
    fn take(&mut self, hash: u64, request: &LimitRequest<'_>, keys_max: usize) -> Counter {
        let entry = self
            .counters
            .raw_entry_mut_v1()
            .from_key_hashed_nocheck(hash, request.key);
        if let RawEntryMut::Occupied(known) = entry {
            let counter = known.into_mut();
            if counter.reset_ms <= request.now_ms {
                *counter = Counter::open(request);
            }
            counter.count = counter.count.saturating_add(request.weight);
            return *counter;
        }
        self.make_room(request.now_ms, keys_max);
        let mut counter = Counter::open(request);
        counter.count = request.weight;
        if let RawEntryMut::Vacant(place) = self
            .counters
            .raw_entry_mut_v1()
            .from_key_hashed_nocheck(hash, request.key)
        {
            place.insert_hashed_nocheck(hash, request.key.into(), counter);
        }
        counter
    }

    fn make_room(&mut self, now_ms: u64, keys_max: usize) {
        let sweep_at = self.sweep_at.max(SWEEP_KEYS_MIN).min(keys_max);
        if self.counters.len() < sweep_at {
            return;
        }
        self.counters.retain(|_, counter| counter.reset_ms > now_ms);
        // Twice what is alive: sweeping costs a constant amount per new key.
        self.sweep_at = self.counters.len().saturating_mul(2);
        if self.counters.len() >= keys_max {
            self.give_up_one();
        }
    }

    fn give_up_one(&mut self) {
        let len = self.counters.len();
        let candidates = (0..CANDIDATES.min(len)).map(|step| (self.cursor + step) % len);
        let ends_soonest = candidates.min_by_key(|index| {
            let counter = self.counters.get_index(*index);
            counter.map_or(u64::MAX, |(_, counter)| counter.reset_ms)
        });
        self.cursor = (self.cursor + CANDIDATES) % len.max(1);
        if let Some(index) = ends_soonest {
            self.counters.swap_remove_index(index);
        }
    }
}

impl Counter {
    fn open(request: &LimitRequest<'_>) -> Self {
        Self {
            count: 0,
            reset_ms: request.window.end_ms(request.now_ms).unwrap_or(u64::MAX),
        }
    }
}
