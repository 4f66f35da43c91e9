//! `cache`: values in the memory of this edge.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache as Entries;
use tidegate_policies::resources::CacheConfig;
use tidegate_policy::{BoxFuture, Cache, ResourceError, Services};

/// Most bytes of one cache.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

const ENTRIES_DEFAULT: u64 = 1000;

/// Most entries that can be configured.
const ENTRIES_MAX: u64 = 1_000_000;

/// A bounded cache.
#[derive(Debug)]
pub(crate) struct MemoryCache {
    entries: Entries<Arc<str>, Arc<Entry>, Weight>,
    idle_ms: Option<u64>,
    life_ms: Option<u64>,
}

#[derive(Debug)]
struct Entry {
    value: Bytes,
    expires_ms: u64,
    used_ms: AtomicU64,
}

/// An entry weighs its bytes, and never less than its share of the cache: so both bounds hold.
#[derive(Clone, Copy, Debug)]
struct Weight {
    share: u64,
}

impl Weighter<Arc<str>, Arc<Entry>> for Weight {
    fn weight(&self, key: &Arc<str>, entry: &Arc<Entry>) -> u64 {
        u64::try_from(key.len() + entry.value.len())
            .unwrap_or(u64::MAX)
            .max(self.share)
    }
}

impl MemoryCache {
    pub(crate) fn new(config: &CacheConfig) -> Self {
        let most = config.max_entries_local_heap.unwrap_or(ENTRIES_DEFAULT);
        let most = if most == 0 { ENTRIES_DEFAULT } else { most }.min(ENTRIES_MAX);
        let share = BYTES_MAX / most;
        let millis = |seconds: Option<u64>| {
            let seconds = seconds.filter(|seconds| *seconds > 0)?;
            Some(seconds.saturating_mul(1000))
        };
        Self {
            entries: Entries::with_weighter(
                usize::try_from(most).unwrap_or(usize::MAX),
                BYTES_MAX,
                Weight { share },
            ),
            idle_ms: millis(config.time_to_idle_seconds),
            life_ms: millis(config.time_to_live_seconds),
        }
    }

    fn find(&self, key: &str, now_ms: u64) -> Option<Bytes> {
        let entry = self.entries.get(key)?;
        let is_idle = self.idle_ms.is_some_and(|idle_ms| {
            now_ms.saturating_sub(entry.used_ms.load(Ordering::Relaxed)) >= idle_ms
        });
        if is_idle || entry.expires_ms <= now_ms {
            self.entries.remove(key);
            return None;
        }
        if self.idle_ms.is_some() {
            entry.used_ms.store(now_ms, Ordering::Relaxed);
        }
        Some(entry.value.clone())
    }

    /// The shorter one of the caller's time to live and the configured one counts.
    fn keep(&self, key: &str, value: Bytes, life: Option<Duration>, now_ms: u64) {
        let wanted = life.map(|life| u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
        let life_ms = match (wanted, self.life_ms) {
            (Some(wanted), Some(configured)) => wanted.min(configured),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => u64::MAX,
        };
        let entry = Entry {
            value,
            expires_ms: now_ms.saturating_add(life_ms),
            used_ms: AtomicU64::new(now_ms),
        };
        self.entries.insert(Arc::from(key), Arc::new(entry));
    }
}

impl Cache for MemoryCache {
    fn get<'a>(
        &'a self,
        key: &'a str,
        services: &'a Services,
    ) -> BoxFuture<'a, Result<Option<Bytes>, ResourceError>> {
        let found = self.find(key, services.ambient.now_ms());
        Box::pin(std::future::ready(Ok(found)))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        time_to_live: Option<Duration>,
        services: &'a Services,
    ) -> BoxFuture<'a, Result<(), ResourceError>> {
        self.keep(key, value, time_to_live, services.ambient.now_ms());
        Box::pin(std::future::ready(Ok(())))
    }

    fn evict<'a>(
        &'a self,
        key: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<(), ResourceError>> {
        self.entries.remove(key);
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(idle: u64, life: u64, entries: u64) -> MemoryCache {
        MemoryCache::new(&CacheConfig {
            time_to_idle_seconds: Some(idle),
            time_to_live_seconds: Some(life),
            max_entries_local_heap: Some(entries),
        })
    }

    #[test]
    fn values_end_with_the_shorter_life_and_without_use() {
        let value = || Bytes::from_static(b"v");
        for (idle, life, wanted, read_at, is_there) in [
            (0, 0, None, u64::MAX - 1, true),
            (0, 2, None, 1999, true),
            (0, 2, None, 2000, false),
            (0, 2, Some(1), 1000, false),
            (0, 2, Some(9), 2000, false),
            (0, 0, Some(1), 999, true),
            (1, 0, None, 999, true),
            (1, 0, None, 1000, false),
        ] {
            let cache = cache(idle, life, 10);
            cache.keep("k", value(), wanted.map(Duration::from_secs), 0);
            let found = cache.find("k", read_at).is_some();
            assert_eq!(found, is_there, "{idle} {life} {wanted:?} {read_at}");
        }
        let used = cache(1, 0, 10);
        used.keep("k", value(), None, 0);
        assert!(used.find("k", 900).is_some() && used.find("k", 1800).is_some());
        assert!(used.find("k", 2800).is_none());
    }

    #[test]
    fn neither_many_nor_large_values_exceed_the_bounds() {
        let many = cache(0, 0, 100);
        for number in 0..1000 {
            many.keep(&number.to_string(), Bytes::from_static(b"v"), None, 0);
        }
        assert!(many.entries.len() <= 100);
        let large = cache(0, 0, 100_000);
        for number in 0..100 {
            large.keep(&number.to_string(), vec![0; 2 << 20].into(), None, 0);
        }
        assert!(large.entries.weight() <= BYTES_MAX);
    }
}
