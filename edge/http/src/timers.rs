//! Coarse deadlines of one worker thread: arming one is two stores, and expiry is a flag.
//!
//! A thread has one ticker task. Every [`TICK`] it walks the registered deadlines and wakes the tasks whose time has
//! come, so a deadline is never early by more than a scheduling delay and never late by more than two ticks. This
//! replaces a runtime timer per request, which costs a locked insertion and removal in the runtime's wheel.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use http::HeaderValue;

/// Resolution of all deadlines.
pub(crate) const TICK: Duration = Duration::from_millis(100);
const TICK_MS: u128 = 100;
const TICKS_PER_SECOND: u64 = 10;
const UNARMED: u64 = u64::MAX;

thread_local! {
    static TIMERS: Timers = Timers::new();
}

struct Timers {
    started: Instant,
    tick: Cell<u64>,
    ticking: Cell<bool>,
    entries: RefCell<Vec<Rc<Entry>>>,
    date: RefCell<Option<(u64, HeaderValue)>>,
}

struct Entry {
    /// Position in `Timers::entries`, so that removal is a swap.
    index: Cell<usize>,
    due: Cell<u64>,
    expired: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Timers {
    fn new() -> Timers {
        Timers {
            started: Instant::now(),
            tick: Cell::new(0),
            ticking: Cell::new(false),
            entries: RefCell::new(Vec::new()),
            date: RefCell::new(None),
        }
    }

    fn advance(&self) {
        let tick = self.started.elapsed().as_millis() / TICK_MS;
        self.tick.set(u64::try_from(tick).unwrap_or(UNARMED - 1));
    }

    fn expire(&self) {
        let now = self.tick.get();
        for entry in self.entries.borrow().iter() {
            if entry.due.get() <= now {
                entry.due.set(UNARMED);
                entry.expired.set(true);
                if let Some(waker) = entry.waker.borrow().as_ref() {
                    waker.wake_by_ref();
                }
            }
        }
    }
}

/// Wakes every task of this thread that holds a deadline, so that it looks at its state again (used to drain).
pub(crate) fn wake_all() {
    TIMERS.with(|timers| {
        for entry in timers.entries.borrow().iter() {
            if let Some(waker) = entry.waker.borrow().as_ref() {
                waker.wake_by_ref();
            }
        }
    });
}

/// The current time as an HTTP date (RFC 9110 §5.6.7), computed at most once a second.
pub(crate) fn http_date() -> HeaderValue {
    TIMERS.with(|timers| {
        if !timers.ticking.get() {
            timers.advance();
        }
        let second = timers.tick.get() / TICKS_PER_SECOND;
        let mut cached = timers.date.borrow_mut();
        if let Some((at, value)) = cached.as_ref()
            && *at == second
        {
            return value.clone();
        }
        let text = httpdate::fmt_http_date(SystemTime::now());
        let value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
        *cached = Some((second, value.clone()));
        value
    })
}

/// Ticks since this thread began to count: a clock that costs no system call, and is up to two ticks behind.
pub(crate) fn ticks() -> u64 {
    TIMERS.with(|timers| {
        if !timers.ticking.get() {
            timers.advance();
        }
        timers.tick.get()
    })
}

/// How many ticks a time takes, rounded up.
pub(crate) fn ticks_of(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(TICK_MS)).unwrap_or(UNARMED / 2)
}

/// One deadline of one task. Registered from creation to drop; create it inside a local runtime.
pub(crate) struct Deadline {
    entry: Rc<Entry>,
}

impl Deadline {
    /// Registers an unarmed deadline.
    pub(crate) fn new() -> Deadline {
        let entry = TIMERS.with(|timers| {
            let mut entries = timers.entries.borrow_mut();
            let entry = Rc::new(Entry {
                index: Cell::new(entries.len()),
                due: Cell::new(UNARMED),
                expired: Cell::new(false),
                waker: RefCell::new(None),
            });
            entries.push(Rc::clone(&entry));
            if !timers.ticking.replace(true) {
                timers.advance();
                tokio::task::spawn_local(tick());
            }
            entry
        });
        Deadline { entry }
    }

    /// Arms the deadline `after` from now, replacing what was armed.
    pub(crate) fn arm(&self, after: Duration) {
        let now = TIMERS.with(|timers| timers.tick.get());
        let due = now.saturating_add(ticks_of(after)).saturating_add(1);
        self.entry.due.set(due);
        self.entry.expired.set(false);
    }

    /// Arms the deadline unless it is armed or has expired.
    pub(crate) fn arm_once(&self, after: Duration) {
        if self.entry.due.get() == UNARMED && !self.entry.expired.get() {
            self.arm(after);
        }
    }

    /// Disarms the deadline.
    pub(crate) fn disarm(&self) {
        self.entry.due.set(UNARMED);
        self.entry.expired.set(false);
    }

    /// Becomes ready once the armed time has passed, and stays so until armed again.
    pub(crate) fn poll_expired(&self, cx: &Context<'_>) -> Poll<()> {
        if self.entry.expired.get() {
            return Poll::Ready(());
        }
        let mut waker = self.entry.waker.borrow_mut();
        match waker.as_mut() {
            Some(known) => known.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        // At thread exit the thread-local may be gone before the last deadline: nothing to unregister then.
        let _ = TIMERS.try_with(|timers| {
            let mut entries = timers.entries.borrow_mut();
            let index = self.entry.index.get();
            if index < entries.len() && Rc::ptr_eq(&entries[index], &self.entry) {
                entries.swap_remove(index);
                if let Some(moved) = entries.get(index) {
                    moved.index.set(index);
                }
            }
        });
    }
}

/// Marks the ticker as gone however its task ends, so that the next deadline starts a new one.
struct Ticking;

impl Drop for Ticking {
    fn drop(&mut self) {
        let _ = TIMERS.try_with(|timers| timers.ticking.set(false));
    }
}

async fn tick() {
    let _ticking = Ticking;
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let idle = TIMERS.with(|timers| {
            timers.advance();
            timers.expire();
            timers.entries.borrow().is_empty()
        });
        if idle {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn run(future: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(Default::default())
            .unwrap();
        runtime.block_on(future);
    }

    #[test]
    fn a_deadline_expires_no_earlier_than_asked_and_not_much_later() {
        run(async {
            let deadline = Deadline::new();
            let start = Instant::now();
            deadline.arm(Duration::from_millis(150));
            poll_fn(|cx| deadline.poll_expired(cx)).await;
            assert!(start.elapsed() >= Duration::from_millis(150));
            assert!(start.elapsed() < Duration::from_secs(2));
        });
    }

    #[test]
    fn disarming_and_rearming_replace_what_was_armed() {
        run(async {
            let deadline = Deadline::new();
            deadline.arm(Duration::from_millis(1));
            poll_fn(|cx| deadline.poll_expired(cx)).await;
            deadline.disarm();
            let pending = poll_fn(|cx| Poll::Ready(deadline.poll_expired(cx).is_pending())).await;
            assert!(pending);
        });
    }

    #[test]
    fn dropping_deadlines_in_any_order_keeps_the_others_registered() {
        run(async {
            let mut deadlines: Vec<Deadline> = (0..5).map(|_| Deadline::new()).collect();
            deadlines.remove(1);
            deadlines.remove(0);
            for deadline in &deadlines {
                deadline.arm(Duration::from_millis(1));
            }
            for deadline in &deadlines {
                poll_fn(|cx| deadline.poll_expired(cx)).await;
            }
            drop(deadlines);
            TIMERS.with(|timers| assert!(timers.entries.borrow().is_empty()));
        });
    }
}
