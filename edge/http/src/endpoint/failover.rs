//! Failover of an API: how often a call is repeated, and the circuit breaker around it.
//! Source: `gravitee-v4.md` §1.5.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use ahash::RandomState;
use parking_lot::Mutex;
use tidegate_model::api::Failover as Definition;

/// Circuits of callers whose last call failed. Beyond this, further callers are not guarded, so that
/// nobody can fill the memory with addresses.
const CIRCUITS_MAX: usize = 10_000;

/// Failover, shared by all workers.
#[derive(Debug)]
pub struct Failover {
    /// Attempts after the first.
    pub retries_max: u32,
    /// Time to the response head after which an attempt has failed.
    pub slow_call: Duration,
    /// Whether each caller has a circuit of its own.
    pub is_per_caller: bool,
    breaker: Breaker,
}

impl Failover {
    /// Compiles the definition's settings; `None` if failover is off.
    #[must_use]
    pub fn compile(definition: Option<&Definition>) -> Option<Self> {
        let definition = definition.filter(|failover| failover.enabled)?;
        Some(Self {
            retries_max: definition.max_retries,
            slow_call: millis(definition.slow_call_duration_ms),
            is_per_caller: definition.per_subscription,
            breaker: Breaker {
                failures_max: definition.max_failures,
                open_for: millis(definition.open_state_duration_ms),
                circuits: Mutex::default(),
                failing: AtomicUsize::new(0),
            },
        })
    }

    /// Lets a call through; `None` while the caller's circuit is open.
    pub(crate) fn admit<'a>(&'a self, caller: &'a str) -> Option<Permit<'a>> {
        self.breaker.admit(caller, Instant::now())
    }
}

fn millis(millis: u32) -> Duration {
    Duration::from_millis(u64::from(millis))
}

/// One circuit per caller. A closed circuit whose last call succeeded is not stored at all.
#[derive(Debug)]
struct Breaker {
    /// The count window, of which all must be failures.
    failures_max: u32,
    open_for: Duration,
    circuits: Mutex<HashMap<Box<str>, Circuit, RandomState>>,
    /// Number of circuits: while nothing fails, no lock is taken.
    failing: AtomicUsize,
}

#[derive(Debug)]
enum Circuit {
    /// Failures in a row, fewer than the window.
    Closed(u32),
    /// Nothing passes until then.
    Open(Instant),
    /// One call is out to see whether it succeeds.
    Trial,
}

/// A call that was let through. Dropped without a verdict, it leaves the circuit as it found it.
#[derive(Debug)]
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    caller: &'a str,
    is_trial: bool,
    is_settled: bool,
}

impl Breaker {
    fn admit<'a>(&'a self, caller: &'a str, now: Instant) -> Option<Permit<'a>> {
        let mut is_trial = false;
        if self.failing.load(Ordering::Acquire) > 0
            && let Some(circuit) = self.circuits.lock().get_mut(caller)
        {
            match circuit {
                Circuit::Closed(_) => {}
                Circuit::Open(until) if *until <= now => {
                    *circuit = Circuit::Trial;
                    is_trial = true;
                }
                Circuit::Open(_) | Circuit::Trial => return None,
            }
        }
        Some(Permit {
            breaker: self,
            caller,
            is_trial,
            is_settled: false,
        })
    }

    fn succeeded(&self, caller: &str) {
        if self.failing.load(Ordering::Acquire) > 0 {
            let mut circuits = self.circuits.lock();
            // A late success of an earlier call does not close a circuit that has opened since.
            if !matches!(circuits.get(caller), Some(Circuit::Open(_))) {
                circuits.remove(caller);
            }
            self.failing.store(circuits.len(), Ordering::Release);
        }
    }

    fn failed(&self, caller: &str, is_trial: bool, now: Instant) {
        let mut circuits = self.circuits.lock();
        if !circuits.contains_key(caller) && circuits.len() >= CIRCUITS_MAX {
            circuits.retain(|_, circuit| !matches!(circuit, Circuit::Open(until) if *until <= now));
            if circuits.len() >= CIRCUITS_MAX {
                return;
            }
        }
        let circuit = circuits.entry(caller.into()).or_insert(Circuit::Closed(0));
        match circuit {
            Circuit::Closed(failures) => {
                *failures += 1;
                if *failures >= self.failures_max {
                    *circuit = Circuit::Open(now + self.open_for);
                }
            }
            Circuit::Trial if is_trial => *circuit = Circuit::Open(now + self.open_for),
            Circuit::Open(_) | Circuit::Trial => {}
        }
        self.failing.store(circuits.len(), Ordering::Release);
    }
}

impl Permit<'_> {
    /// The call brought a response, whatever its status.
    pub(crate) fn succeeded(mut self) {
        self.is_settled = true;
        if self.is_trial {
            // The trial's own circuit is neither open nor another call's.
            self.breaker.circuits.lock().remove(self.caller);
        }
        self.breaker.succeeded(self.caller);
    }

    /// No attempt brought a response.
    pub(crate) fn failed(mut self) {
        self.is_settled = true;
        self.breaker
            .failed(self.caller, self.is_trial, Instant::now());
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_trial && !self.is_settled {
            // The client left before the trial had a result: the next call is the trial.
            let mut circuits = self.breaker.circuits.lock();
            if let Some(circuit) = circuits.get_mut(self.caller) {
                *circuit = Circuit::Open(Instant::now());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker(failures_max: u32) -> Breaker {
        Breaker {
            failures_max,
            open_for: Duration::from_secs(10),
            circuits: Mutex::default(),
            failing: AtomicUsize::new(0),
        }
    }

    #[test]
    fn failures_in_a_row_open_the_circuit_of_their_caller_only() {
        let breaker = breaker(2);
        let now = Instant::now();
        breaker.admit("a", now).unwrap().failed();
        breaker.admit("a", now).unwrap().succeeded();
        breaker.admit("a", now).unwrap().failed();
        assert!(breaker.admit("a", now).is_some());
        breaker.admit("a", now).unwrap().failed();
        assert!(breaker.admit("a", now).is_none());
        assert!(breaker.admit("b", now).is_some());
    }

    #[test]
    fn one_trial_decides_after_the_open_time() {
        let breaker = breaker(1);
        let now = Instant::now();
        breaker.admit("a", now).unwrap().failed();
        let later = now + Duration::from_secs(11);
        let trial = breaker.admit("a", later).unwrap();
        assert!(breaker.admit("a", later).is_none(), "one trial at a time");
        trial.failed();
        assert!(breaker.admit("a", now).is_none());
        let later = now + Duration::from_secs(30);
        drop(breaker.admit("a", later).unwrap());
        let trial = breaker.admit("a", later).unwrap();
        trial.succeeded();
        assert!(breaker.admit("a", later).is_some());
        assert_eq!(breaker.failing.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn callers_beyond_the_limit_take_no_memory() {
        let breaker = breaker(1);
        let now = Instant::now();
        for caller in 0..CIRCUITS_MAX + 10 {
            breaker.admit(&caller.to_string(), now).unwrap().failed();
        }
        assert_eq!(breaker.circuits.lock().len(), CIRCUITS_MAX);
    }
}
