//! Acknowledgements on their way: at most five per second, a later one of a phase replaces an
//! earlier one.

use std::collections::BTreeMap;

use tidegate_proto::sync::v1::{Ack, ack::Phase, edge_message};

use super::{Position, exchange::Effect, reply::send};
use crate::{pace::AckPace, wire::position_to_wire};

/// Acknowledgements that wait for their turn.
#[derive(Debug)]
pub(super) struct Outbox {
    pace: AckPace,
    /// By phase, so that PREPARED goes out before ACTIVE.
    waiting: BTreeMap<i32, Ack>,
}

impl Outbox {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            pace: AckPace::new(now_ms),
            waiting: BTreeMap::new(),
        }
    }

    pub(super) fn put(&mut self, position: Position, phase: Phase, apply_ms: u32) {
        let position = Some(position_to_wire(&position));
        let ack = Ack {
            position,
            phase: phase.into(),
            apply_ms,
        };
        self.waiting.insert(phase.into(), ack);
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// When the next one may go; `None` when none waits.
    pub(super) fn ready_ms(&self) -> Option<u64> {
        (!self.waiting.is_empty()).then(|| self.pace.ready_ms())
    }

    pub(super) fn flush(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        while !self.waiting.is_empty() && self.pace.take(now_ms) {
            if let Some((_, ack)) = self.waiting.pop_first() {
                effects.push(send(edge_message::Kind::Ack(ack)));
            }
        }
    }
}
