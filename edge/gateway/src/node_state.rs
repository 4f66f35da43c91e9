//! What the edge tells about itself: readiness, positions, alarms. Written by the control side,
//! read by the technical API; the data plane touches none of it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use arc_swap::{ArcSwap, ArcSwapOption};
use tidegate_sync::edge::{Alarm, Position};

/// One API of the active configuration, for display.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiFacts {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) started: bool,
    pub(crate) deployment_number: u64,
}

/// The active configuration, for display.
#[derive(Debug, Clone)]
pub(crate) struct ActiveFacts {
    pub(crate) view_id: String,
    pub(crate) position: Position,
    pub(crate) apis: Vec<ApiFacts>,
    pub(crate) subscriptions: usize,
    /// Objects that could not be compiled.
    pub(crate) refused: usize,
}

/// Shared facts about this edge.
#[derive(Debug, Default)]
pub(crate) struct NodeState {
    active: ArcSwapOption<ActiveFacts>,
    control: ArcSwap<String>,
    is_connected: AtomicBool,
    is_draining: AtomicBool,
    full_transfers: AtomicU64,
    alarms: Mutex<BTreeMap<&'static str, u64>>,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

impl NodeState {
    /// Ready: a whole view is active, and no stop has begun.
    pub(crate) fn is_ready(&self) -> bool {
        self.active.load().is_some() && !self.is_draining.load(Ordering::Acquire)
    }

    pub(crate) fn active(&self) -> Option<Arc<ActiveFacts>> {
        self.active.load_full()
    }

    pub(crate) fn set_active(&self, facts: ActiveFacts) {
        self.active.store(Some(Arc::new(facts)));
    }

    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Relaxed)
    }

    /// The node this edge follows, or followed last.
    pub(crate) fn control(&self) -> Arc<String> {
        self.control.load_full()
    }

    pub(crate) fn connected(&self, url: &str) {
        self.control.store(Arc::new(url.to_owned()));
        self.is_connected.store(true, Ordering::Relaxed);
    }

    pub(crate) fn disconnected(&self) {
        self.is_connected.store(false, Ordering::Relaxed);
    }

    pub(crate) fn full_transfer(&self) {
        self.full_transfers.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn full_transfers(&self) -> u64 {
        self.full_transfers.load(Ordering::Relaxed)
    }

    /// Logs an alarm by its name and counts it.
    pub(crate) fn raise(&self, alarm: &Alarm) {
        let code = alarm.code.as_str();
        tracing::error!(alarm = code, detail = alarm.detail, "alarm");
        count(&self.alarms, code);
    }

    /// Counts a view that was refused as a whole.
    pub(crate) fn refused_view(&self, code: &'static str) {
        count(&self.refusals, code);
    }

    pub(crate) fn alarms(&self) -> BTreeMap<&'static str, u64> {
        self.alarms
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn refusals(&self) -> BTreeMap<&'static str, u64> {
        self.refusals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn count(counters: &Mutex<BTreeMap<&'static str, u64>>, code: &'static str) {
    let mut counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
    *counters.entry(code).or_default() += 1;
}
