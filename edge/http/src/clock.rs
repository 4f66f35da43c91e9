//! Time and randomness of the real world, for expressions and records.

use std::{
    sync::OnceLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use rand::RngCore as _;
use tidegate_expression::Ambient;

/// The system's clocks and a thread-local generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemAmbient;

static STARTED: OnceLock<Instant> = OnceLock::new();

impl Ambient for SystemAmbient {
    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn nanos(&self) -> u64 {
        let started = STARTED.get_or_init(Instant::now);
        u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn random(&self) -> u64 {
        rand::rng().next_u64()
    }
}

/// Milliseconds since 1970; 0 on a clock set before.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
