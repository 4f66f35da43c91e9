//! The state machine of one stream, after `Hello` was accepted.

use std::sync::Arc;

use tidegate_proto::sync::v1::{
    Accept, EdgeMessage, NodeBeat, NodeMessage, Offer, SignedKeyset, Update, Want, edge_message,
    node_message,
};
use tidegate_view::{EMPTY_ROOT, Hash};

use super::{
    Delta, ObjectChange, PublishedView,
    offer::{Offering, Wanted},
    reply::{activate, nacked, send},
};
use crate::{
    edge::Position,
    limits::{CREDIT_BYTES, MAP_ENTRIES_MAX, TRANSFER_STALL_MS, shorten},
    pace::BeatPace,
    wire::{manifest_to_wire, position_from_wire, position_to_wire},
};

/// Everything known when a stream is accepted.
#[derive(Debug)]
pub struct Opening {
    /// Names the stream in logs of both sides.
    pub stream_id: String,
    /// The view the edge is entitled to.
    pub view_id: String,
    /// What the edge said it holds.
    pub held: Option<Position>,
    /// Newest published version, absent until the first one.
    pub newest: Option<Arc<PublishedView>>,
    /// Keysets newer than the edge's, oldest first.
    pub keysets: Vec<SignedKeyset>,
    /// Key of the environment's API-key hashes.
    pub api_key_pepper: bytes::Bytes,
    /// Interval of beats.
    pub beat_ms: u32,
    /// Spreads the beats of many streams.
    pub seed: u64,
}

/// What happens to a session.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one input lives at a time, and nearly all are messages: a box would cost an allocation each"
)]
pub enum Input {
    /// A message of the edge.
    Edge(EdgeMessage),
    /// A newer version of the view is published.
    Published(Arc<PublishedView>),
    /// Answer to [`Effect::LoadDelta`]; `None` when the start root is not kept here any more.
    Delta {
        /// Root the delta was asked for.
        from: Hash,
        /// The delta.
        delta: Option<Arc<Delta>>,
    },
    /// Answer to [`Effect::LoadObjects`]; `None` when an object is gone because the offered
    /// version was replaced.
    Objects(Option<Vec<ObjectChange>>),
    /// A newer keyset.
    Keysets(Vec<SignedKeyset>),
    /// The node is about to stop.
    Drain {
        /// Other nodes.
        addresses: Vec<String>,
        /// Time the edge has.
        deadline_ms: u32,
    },
    /// Time passed; due at [`NodeSession::deadline_ms`] at the latest.
    Tick,
}

/// What the driver must do.
#[derive(Debug)]
pub enum Effect {
    /// Send to the edge.
    Send(NodeMessage),
    /// Answer with [`Input::Delta`].
    LoadDelta {
        /// Start root; the empty root for a new edge.
        from: Hash,
        /// The version to reach.
        to: Arc<PublishedView>,
    },
    /// Answer with [`Input::Objects`], in the same order.
    LoadObjects {
        /// The version they belong to.
        of: Arc<PublishedView>,
        /// Leaves as (kind, id, object hash).
        wanted: Vec<Wanted>,
    },
    /// Tell the edge directory.
    Report(Report),
    /// End the stream after what was sent.
    Close(CloseReason),
}

/// What an edge told about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The edge is alive; its active position and alarms.
    Alive {
        /// Active at the edge.
        active: Option<Position>,
        /// Alarms since the start, by code.
        alarms: Vec<(String, u64)>,
    },
    /// A position is active.
    Active(Position),
    /// The edge refused a whole update.
    Refused {
        /// What it refused.
        position: Option<Position>,
        /// Stable code.
        code: String,
        /// Text for people.
        detail: String,
    },
    /// The edge could not use single objects of a version; replaces what it said before.
    Nacked {
        /// The version.
        position: Position,
        /// The objects.
        objects: Vec<RefusedObject>,
    },
}

/// One object an edge could not use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedObject {
    /// Object kind.
    pub kind: String,
    /// Object id.
    pub id: String,
    /// Hash of the refused bytes.
    pub object_hash: Hash,
    /// Stable code, upper snake case.
    pub code: String,
    /// Field inside the object.
    pub path: String,
    /// Text for people.
    pub message: String,
}

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The edge was silent for two and a half beats.
    #[error("the edge fell silent")]
    Dead,
    /// A transfer made no progress.
    #[error("the transfer stalled")]
    Stalled,
    /// The edge sent something it must not send.
    #[error("protocol violation: {0}")]
    Protocol(&'static str),
}

#[derive(Debug)]
enum Transfer {
    Idle,
    Loading {
        from: Hash,
        target: Arc<PublishedView>,
    },
    Sending {
        delta: Arc<Delta>,
        next: usize,
    },
    Offering(Offering),
    /// All is sent; the edge compiles.
    Awaiting {
        target: Arc<PublishedView>,
    },
}

/// The node's half of one stream.
#[derive(Debug)]
pub struct NodeSession {
    beats: BeatPace,
    held: Option<Position>,
    newest: Option<Arc<PublishedView>>,
    /// A version the edge refused as a whole: not sent again.
    refused: Option<Position>,
    /// A version whose delta did not lead to its root at the edge: sent by Merkle diff, once.
    diverged: Option<Position>,
    transfer: Transfer,
    credit: Credit,
    progress_ms: u64,
}

/// Flow control: payload sent and not yet consumed.
#[derive(Debug, Default)]
pub(super) struct Credit {
    in_flight: usize,
}

impl Credit {
    /// One message larger than the whole credit may travel alone.
    pub(super) fn allows(&self, bytes: usize) -> bool {
        self.in_flight == 0 || self.in_flight + bytes <= CREDIT_BYTES as usize
    }

    pub(super) fn spend(&mut self, bytes: usize) {
        self.in_flight += bytes;
    }
}

impl NodeSession {
    /// Accepts an edge; the effects begin with `Accept`.
    #[must_use]
    pub fn open(opening: Opening, now_ms: u64) -> (Self, Vec<Effect>) {
        let accept = Accept {
            stream_id: opening.stream_id,
            beat_ms: opening.beat_ms,
            view_id: opening.view_id,
            keysets: opening.keysets,
            api_key_pepper: opening.api_key_pepper,
            credit_bytes: CREDIT_BYTES,
        };
        let mut session = Self {
            beats: BeatPace::new(opening.beat_ms, opening.seed, now_ms),
            held: opening.held,
            newest: opening.newest,
            refused: None,
            diverged: None,
            transfer: Transfer::Idle,
            credit: Credit::default(),
            progress_ms: now_ms,
        };
        let mut effects = vec![send(node_message::Kind::Accept(accept))];
        // The stream may have been lost between PREPARED and Activate: an edge that holds the
        // newest version may not run it yet. Activating twice is harmless.
        if let (Some(held), Some(newest)) = (&session.held, &session.newest)
            && *held == newest.position
        {
            effects.push(activate(held));
        }
        session.advance(now_ms, &mut effects);
        (session, effects)
    }

    /// Takes one input and says what to do, in order.
    pub fn handle(&mut self, input: Input, now_ms: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        let outcome = self.take(input, now_ms, &mut effects);
        match outcome {
            Ok(()) => self.advance(now_ms, &mut effects),
            Err(reason) => effects.push(Effect::Close(reason)),
        }
        effects
    }

    /// When the next [`Input::Tick`] is due.
    #[must_use]
    pub fn deadline_ms(&self) -> u64 {
        match self.transfer {
            Transfer::Idle => self.beats.deadline_ms(),
            _ => self
                .beats
                .deadline_ms()
                .min(self.progress_ms + TRANSFER_STALL_MS + 1),
        }
    }

    fn take(
        &mut self,
        input: Input,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), CloseReason> {
        match input {
            Input::Edge(message) => {
                self.beats.heard(now_ms);
                self.edge_says(message, now_ms, effects)
            }
            Input::Published(version) => {
                self.newest = Some(version);
                Ok(())
            }
            Input::Delta { from, delta } => {
                self.delta_loaded(from, delta, now_ms, effects);
                Ok(())
            }
            Input::Objects(objects) => {
                self.objects_loaded(objects, now_ms, effects);
                Ok(())
            }
            Input::Keysets(keysets) => {
                let update = tidegate_proto::sync::v1::KeysetUpdate { keysets };
                effects.push(send(node_message::Kind::Keyset(update)));
                Ok(())
            }
            Input::Drain {
                addresses,
                deadline_ms,
            } => {
                let drain = tidegate_proto::sync::v1::Drain {
                    addresses,
                    deadline_ms,
                };
                effects.push(send(node_message::Kind::Drain(drain)));
                Ok(())
            }
            Input::Tick => self.tick(now_ms, effects),
        }
    }

    fn tick(&mut self, now_ms: u64, effects: &mut Vec<Effect>) -> Result<(), CloseReason> {
        if self.beats.peer_is_dead(now_ms) {
            return Err(CloseReason::Dead);
        }
        let busy = !matches!(self.transfer, Transfer::Idle);
        if busy && now_ms.saturating_sub(self.progress_ms) > TRANSFER_STALL_MS {
            return Err(CloseReason::Stalled);
        }
        if self.beats.due(now_ms) {
            let published = self
                .newest
                .as_ref()
                .map(|newest| position_to_wire(&newest.position));
            // The time is for display at the edge; its driver fills it in.
            let beat = NodeBeat {
                published,
                now_ms: 0,
            };
            effects.push(send(node_message::Kind::Beat(beat)));
        }
        Ok(())
    }

    fn edge_says(
        &mut self,
        message: EdgeMessage,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), CloseReason> {
        use edge_message::Kind;
        match message.kind {
            // An unknown kind comes from a newer edge and is not for this node.
            None => Ok(()),
            Some(Kind::Hello(_)) => Err(CloseReason::Protocol("second Hello")),
            Some(Kind::Credit(credit)) => {
                self.credit.in_flight = self.credit.in_flight.saturating_sub(credit.bytes as usize);
                self.progress_ms = now_ms;
                Ok(())
            }
            Some(Kind::Want(want)) => self.wanted(want, now_ms),
            Some(Kind::Ack(ack)) => self.acknowledged(&ack, now_ms, effects),
            Some(Kind::Nack(nack)) => nacked(nack, effects),
            Some(Kind::Refuse(refuse)) => {
                self.update_refused(&refuse, now_ms, effects);
                Ok(())
            }
            Some(Kind::Beat(beat)) => {
                let mut alarms: Vec<_> = beat
                    .alarms
                    .into_iter()
                    .take(MAP_ENTRIES_MAX)
                    .map(|(code, count)| (shorten(&code), count))
                    .collect();
                alarms.sort();
                let active = beat.active.as_ref().and_then(position_from_wire);
                effects.push(Effect::Report(Report::Alive { active, alarms }));
                Ok(())
            }
        }
    }

    fn wanted(&mut self, want: Want, now_ms: u64) -> Result<(), CloseReason> {
        let Transfer::Offering(offering) = &mut self.transfer else {
            // A request that crossed a newer offer or a refusal.
            return Ok(());
        };
        if want.root.as_ref() != offering.target().position.root {
            return Ok(());
        }
        self.progress_ms = now_ms;
        if want.complete {
            let target = Arc::clone(offering.target());
            self.transfer = Transfer::Awaiting { target };
            return Ok(());
        }
        offering.want(want)
    }

    fn acknowledged(
        &mut self,
        ack: &tidegate_proto::sync::v1::Ack,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), CloseReason> {
        use tidegate_proto::sync::v1::ack::Phase;
        let position = ack.position.as_ref().and_then(position_from_wire);
        let Some(position) = position else {
            return Err(CloseReason::Protocol("Ack without a position"));
        };
        let awaited = matches!(&self.transfer,
            Transfer::Awaiting { target } if target.position == position);
        let prepared = matches!(ack.phase(), Phase::Prepared | Phase::Active);
        if awaited && prepared {
            self.transfer = Transfer::Idle;
            self.held = Some(position);
            self.progress_ms = now_ms;
            // Everything sent before is consumed, whatever the edge counted.
            self.credit.in_flight = 0;
            effects.push(activate(&position));
        }
        if ack.phase() == Phase::Active {
            effects.push(Effect::Report(Report::Active(position)));
        }
        Ok(())
    }

    fn update_refused(
        &mut self,
        refuse: &tidegate_proto::sync::v1::Refuse,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) {
        let position = refuse.position.as_ref().and_then(position_from_wire);
        let code = shorten(&refuse.code);
        let from_delta = matches!(
            self.transfer,
            Transfer::Sending { .. } | Transfer::Awaiting { .. }
        );
        if let Some(target) = self.target()
            && position.is_none_or(|position| position == target.position)
        {
            let again = code == "DIVERGED" && from_delta && self.diverged != Some(target.position);
            if again {
                self.diverged = Some(target.position);
                self.offer(target, now_ms, effects);
            } else {
                self.refused = Some(target.position);
                self.transfer = Transfer::Idle;
            }
        }
        let detail = shorten(&refuse.detail);
        effects.push(Effect::Report(Report::Refused {
            position,
            code,
            detail,
        }));
    }

    fn target(&self) -> Option<Arc<PublishedView>> {
        match &self.transfer {
            Transfer::Idle => None,
            Transfer::Loading { target, .. } | Transfer::Awaiting { target } => {
                Some(Arc::clone(target))
            }
            Transfer::Sending { delta, .. } => Some(Arc::clone(&delta.target)),
            Transfer::Offering(offering) => Some(Arc::clone(offering.target())),
        }
    }

    fn delta_loaded(
        &mut self,
        from: Hash,
        delta: Option<Arc<Delta>>,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) {
        let target = match &self.transfer {
            Transfer::Loading {
                from: expected,
                target,
            } if *expected == from => Arc::clone(target),
            _ => return,
        };
        self.progress_ms = now_ms;
        let Some(delta) = delta else {
            self.offer(target, now_ms, effects);
            return;
        };
        let update = Update {
            target: Some(manifest_to_wire(&delta.target.manifest)),
            from_root: bytes::Bytes::copy_from_slice(&delta.from_root),
            change_count: delta.change_count,
            byte_count: delta.byte_count,
        };
        effects.push(send(node_message::Kind::Update(update)));
        self.transfer = Transfer::Sending { delta, next: 0 };
    }

    fn offer(&mut self, target: Arc<PublishedView>, now_ms: u64, effects: &mut Vec<Effect>) {
        let offer = Offer {
            target: Some(manifest_to_wire(&target.manifest)),
        };
        effects.push(send(node_message::Kind::Offer(offer)));
        self.progress_ms = now_ms;
        self.transfer = Transfer::Offering(Offering::new(target));
    }

    fn objects_loaded(
        &mut self,
        objects: Option<Vec<ObjectChange>>,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) {
        let Transfer::Offering(offering) = &mut self.transfer else {
            return;
        };
        self.progress_ms = now_ms;
        match objects {
            Some(objects) => effects.push(offering.loaded(objects, &mut self.credit)),
            // Start over with what is published now; the edge keeps the objects it has.
            None => {
                let target = self
                    .newest
                    .clone()
                    .unwrap_or_else(|| Arc::clone(offering.target()));
                self.offer(target, now_ms, effects);
            }
        }
    }

    /// Starts or continues whatever is possible now.
    fn advance(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        if matches!(self.transfer, Transfer::Idle) {
            self.start(now_ms, effects);
        }
        match &mut self.transfer {
            Transfer::Sending { delta, next } => {
                while let Some(chunk) = delta.chunks.get(*next)
                    && self.credit.allows(chunk.len())
                {
                    self.credit.spend(chunk.len());
                    *next += 1;
                    effects.push(send(node_message::Kind::Changes(chunk.clone())));
                }
                if *next == delta.chunks.len() {
                    let target = Arc::clone(&delta.target);
                    self.transfer = Transfer::Awaiting { target };
                }
            }
            Transfer::Offering(offering) => offering.pump(&mut self.credit, effects),
            Transfer::Idle | Transfer::Loading { .. } | Transfer::Awaiting { .. } => {}
        }
    }

    fn start(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        let Some(newest) = &self.newest else { return };
        let behind = self
            .held
            .is_none_or(|held| held.is_before(&newest.position));
        if !behind || self.refused == Some(newest.position) {
            return;
        }
        let from = self.held.map_or(EMPTY_ROOT, |held| held.root);
        self.progress_ms = now_ms;
        effects.push(Effect::LoadDelta {
            from,
            to: Arc::clone(newest),
        });
        self.transfer = Transfer::Loading {
            from,
            target: Arc::clone(newest),
        };
    }
}
