//! Where an edge is: with its stream, with a transfer, with its newest view.

use super::{exchange::Preparation, receive::Receiving, walk::Walking};
use crate::pace::BeatPace;

#[derive(Debug)]
pub(super) enum Link {
    Down,
    Greeting { since_ms: u64 },
    Up(Box<Up>),
}

/// State that lives only as long as one stream.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) view_id: String,
    pub(super) beats: BeatPace,
    pub(super) transfer: Transfer,
    pub(super) progress_ms: u64,
    pub(super) behind_beats: u32,
    /// A delta already failed: the node has one more try, by Merkle diff.
    pub(super) has_diverged: bool,
}

#[derive(Debug)]
pub(super) enum Transfer {
    Idle,
    Receiving(Box<Receiving>),
    Walking(Box<Walking>),
}

/// Whether the newest stored view is active yet.
#[derive(Debug)]
pub(super) enum Stage {
    Settled,
    Preparing(Box<Preparation>),
    Prepared,
    Activating,
}
