//! The circuit as a state machine: closed, open, and half open while it is tried.
//!
//! It looks at the last calls, from the first one on. Once it has been open long enough a few calls try it;
//! the first of them to end decides. Time comes from outside, in nanoseconds of a clock that only grows.

use std::time::Duration;

/// Calls that may try a circuit at a time.
const TRIALS_MAX: usize = 10;

/// When a circuit opens and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thresholds {
    /// Percentage of failed calls.
    pub(super) failed_percent: u64,
    /// Percentage of slow calls.
    pub(super) slow_percent: u64,
    /// How many of the last calls are looked at, at least 1.
    pub(super) window: usize,
    /// How long the circuit stays open.
    pub(super) open_for: Duration,
}

/// How a call went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) is_failed: bool,
    pub(super) is_slow: bool,
}

/// The state of one circuit.
#[derive(Debug)]
pub(super) struct Circuit {
    thresholds: Thresholds,
    state: State,
    /// Grows with each change of state: calls that began before one do not count after it.
    generation: u64,
}

#[derive(Debug)]
enum State {
    Closed(Window),
    Open { since_nanos: u64 },
    HalfOpen { trials: usize },
}

/// The last calls, the oldest replaced first.
#[derive(Debug, Default)]
struct Window {
    calls: Vec<Call>,
    next: usize,
    failed: u64,
    slow: u64,
}

/// The right to call; it is given back with [`Circuit::ended`] or [`Circuit::left`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Permit {
    generation: u64,
}

impl Circuit {
    pub(super) fn new(thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            state: State::Closed(Window::default()),
            generation: 0,
        }
    }

    /// Asks to call; `None` while the circuit is open.
    pub(super) fn begin(&mut self, now_nanos: u64) -> Option<Permit> {
        if let State::Open { since_nanos } = self.state {
            let open_for = Duration::from_nanos(now_nanos.saturating_sub(since_nanos));
            if open_for < self.thresholds.open_for {
                return None;
            }
            self.change(State::HalfOpen { trials: 0 });
        }
        if let State::HalfOpen { trials } = &mut self.state {
            if *trials >= TRIALS_MAX {
                return None;
            }
            *trials += 1;
        }
        Some(Permit {
            generation: self.generation,
        })
    }

    /// Notes how a call went.
    pub(super) fn ended(&mut self, permit: Permit, call: Call, now_nanos: u64) {
        if permit.generation != self.generation {
            return;
        }
        let opens = match &mut self.state {
            State::Open { .. } => return,
            State::Closed(window) => {
                window.push(call, self.thresholds.window);
                window.passes(&self.thresholds)
            }
            State::HalfOpen { .. } => {
                let mut first = Window::default();
                first.push(call, 1);
                let opens = first.passes(&self.thresholds);
                if !opens {
                    self.change(State::Closed(Window::default()));
                }
                opens
            }
        };
        if opens {
            self.change(State::Open {
                since_nanos: now_nanos,
            });
        }
    }

    /// Gives a permit back without a word on how the call went: its client left.
    pub(super) fn left(&mut self, permit: Permit) {
        if permit.generation == self.generation
            && let State::HalfOpen { trials } = &mut self.state
        {
            *trials = trials.saturating_sub(1);
        }
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
    }
}

impl Window {
    fn push(&mut self, call: Call, size: usize) {
        if self.calls.len() < size {
            self.calls.push(call);
        } else {
            let oldest = std::mem::replace(&mut self.calls[self.next], call);
            self.failed -= u64::from(oldest.is_failed);
            self.slow -= u64::from(oldest.is_slow);
        }
        self.next = (self.next + 1) % size;
        self.failed += u64::from(call.is_failed);
        self.slow += u64::from(call.is_slow);
    }

    fn passes(&self, thresholds: &Thresholds) -> bool {
        let total = self.calls.len() as u64;
        let reaches = |count: u64, percent: u64| count > 0 && count * 100 >= percent * total;
        reaches(self.failed, thresholds.failed_percent)
            || reaches(self.slow, thresholds.slow_percent)
    }
}
