//! The state machine of an edge towards the control plane, across any number of streams.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use tidegate_proto::sync::v1::{
    Accept, Activate, Hello, Nack, NackItem, NodeMessage, Update, ack::Phase, edge_message,
    node_message,
};
use tidegate_view::{EMPTY_ROOT, Hash, VerifiedView};

use super::{
    Alarm, AlarmCode, Floors, Position,
    exchange::{Boot, CloseReason, EdgeFacts, Effect, Input, Preparation, PreparedObjectRefusal},
    link::{Link, Stage, Transfer, Up},
    outbox::Outbox,
    receive::{Complete, Received, Receiving, Target},
    reply::{credit, nack_items, refusal, send},
    trust::Trust,
    walk::{Walked, Walking},
};
use crate::{
    entitlement::grants_view,
    limits::{
        BEAT_MS, FEATURE_LEVEL, TRANSFER_STALL_MS, VIEW_BYTES_MAX, VIEW_OBJECTS_MAX, dead_after_ms,
        shorten,
    },
    pace::BeatPace,
    wire::{keyset_from_wire, manifest_from_wire, position_from_wire, position_to_wire},
};

/// Beats that may announce a newer version before the stream counts as stalled.
const BEHIND_BEATS_MAX: u32 = 3;
/// Longest beat interval a node may impose; beyond it a dead node would go unnoticed.
const BEAT_MS_MAX: u32 = 60_000;

/// The edge's half of the protocol.
#[derive(Debug)]
pub struct EdgeSession {
    facts: EdgeFacts,
    trust: Trust,
    floors: Floors,
    /// Newest stored view, the base of deltas.
    held: Option<Arc<VerifiedView>>,
    /// Objects of `held` that could not be compiled; every node that serves this edge is told.
    refusals: Vec<NackItem>,
    active: Option<Position>,
    stage: Stage,
    link: Link,
    outbox: Outbox,
    seed: u64,
}

impl EdgeSession {
    /// Starts from what the cache held.
    #[must_use]
    pub fn new(boot: Boot, now_ms: u64) -> Self {
        let active = match (&boot.held, boot.is_active) {
            (Some(held), true) => Some(position_of(held)),
            _ => None,
        };
        let refusals = match &boot.held {
            Some(held) => nack_items(held, boot.refusals),
            None => Vec::new(),
        };
        Self {
            facts: boot.facts,
            trust: Trust::new(boot.pin, boot.trust),
            floors: boot.floors,
            held: boot.held,
            refusals,
            active,
            stage: if active.is_some() {
                Stage::Settled
            } else {
                Stage::Prepared
            },
            link: Link::Down,
            outbox: Outbox::new(now_ms),
            seed: boot.seed,
        }
    }

    /// Position of the active view.
    #[must_use]
    pub fn active(&self) -> Option<Position> {
        self.active
    }

    /// Position of the newest stored view.
    #[must_use]
    pub fn held(&self) -> Option<Position> {
        self.held.as_deref().map(position_of)
    }

    /// Floors as they are now.
    #[must_use]
    pub fn floors(&self) -> &Floors {
        &self.floors
    }

    /// True while an [`Effect::Prepare`] or [`Effect::Activate`] is unanswered. The driver must
    /// not give [`Input::Connected`] meanwhile: the answer changes what the edge holds.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.stage, Stage::Preparing(_) | Stage::Activating)
    }

    /// When the next [`Input::Tick`] is due; `None` while no stream is open.
    #[must_use]
    pub fn deadline_ms(&self) -> Option<u64> {
        match &self.link {
            Link::Down => None,
            Link::Greeting { since_ms } => Some(since_ms + dead_after_ms(BEAT_MS) + 1),
            Link::Up(up) => {
                let mut deadline = up.beats.deadline_ms();
                if !matches!(up.transfer, Transfer::Idle) {
                    deadline = deadline.min(up.progress_ms + TRANSFER_STALL_MS + 1);
                }
                if let Some(ready) = self.outbox.ready_ms() {
                    deadline = deadline.min(ready);
                }
                Some(deadline)
            }
        }
    }

    /// Takes one input and says what to do, in order.
    pub fn handle(&mut self, input: Input, now_ms: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        let outcome = match input {
            Input::Connected => {
                self.link = Link::Greeting { since_ms: now_ms };
                effects.push(send(edge_message::Kind::Hello(self.hello())));
                Ok(())
            }
            Input::Disconnected => {
                self.link = Link::Down;
                Ok(())
            }
            Input::Node(message) => self.node_says(message, now_ms, &mut effects),
            Input::Prepared { refusals, apply_ms } => {
                self.prepared(refusals, apply_ms, &mut effects);
                Ok(())
            }
            Input::Activated => {
                self.activated();
                Ok(())
            }
            Input::Tick => self.tick(now_ms, &mut effects),
        };
        if let Err(reason) = outcome {
            self.link = Link::Down;
            effects.push(Effect::Close(reason));
        }
        if matches!(self.link, Link::Up(_)) {
            self.outbox.flush(now_ms, &mut effects);
        } else {
            // A new stream begins with Hello, which says what is held.
            self.outbox.clear();
        }
        effects
    }

    fn hello(&self) -> Hello {
        Hello {
            edge_id: self.facts.edge_id.clone(),
            boot_id: self.facts.boot_id.clone(),
            version: self.facts.version.clone(),
            region: self.facts.region.clone(),
            environment: self.facts.environment.clone(),
            tags: self.facts.tags.clone(),
            feature_level: FEATURE_LEVEL,
            held: self.held().as_ref().map(position_to_wire),
            held_view_id: self
                .held
                .as_ref()
                .map(|held| held.manifest().view_id.clone())
                .unwrap_or_default(),
            keyset_version: self.trust.version(),
            addresses: self.facts.addresses.iter().cloned().collect(),
        }
    }

    fn tick(&mut self, now_ms: u64, effects: &mut Vec<Effect>) -> Result<(), CloseReason> {
        match &mut self.link {
            Link::Down => Ok(()),
            Link::Greeting { since_ms } => {
                let waited_ms = now_ms.saturating_sub(*since_ms);
                if waited_ms > dead_after_ms(BEAT_MS) {
                    Err(CloseReason::Dead)
                } else {
                    Ok(())
                }
            }
            Link::Up(up) => {
                if up.beats.peer_is_dead(now_ms) {
                    return Err(CloseReason::Dead);
                }
                let busy = !matches!(up.transfer, Transfer::Idle);
                if busy && now_ms.saturating_sub(up.progress_ms) > TRANSFER_STALL_MS {
                    return Err(CloseReason::Stalled);
                }
                if up.beats.due(now_ms) {
                    effects.push(Effect::Beat(self.active));
                }
                Ok(())
            }
        }
    }

    fn node_says(
        &mut self,
        message: NodeMessage,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), CloseReason> {
        use node_message::Kind;
        let Some(kind) = message.kind else {
            // An unknown kind comes from a newer node and is not for this edge.
            return Ok(());
        };
        if let Link::Up(up) = &mut self.link {
            up.beats.heard(now_ms);
        }
        let outcome = match (kind, &mut self.link) {
            (_, Link::Down) => Ok(()),
            (Kind::Accept(accept), Link::Greeting { .. }) => self.accepted(accept, now_ms, effects),
            (Kind::Reject(reject), Link::Greeting { .. }) => {
                if !reject.addresses.is_empty() {
                    effects.push(Effect::Move(
                        reject.addresses.into_iter().take(32).collect(),
                    ));
                }
                let (code, detail) = (shorten(&reject.code), shorten(&reject.detail));
                return Err(CloseReason::Rejected { code, detail });
            }
            (Kind::Update(update), Link::Up(_)) => self.update(update, now_ms),
            (Kind::Changes(chunk), Link::Up(_)) => self.changes(&chunk, now_ms, effects),
            (Kind::Offer(offer), Link::Up(_)) => self.offered(offer.target, now_ms, effects),
            (Kind::Nodes(nodes), Link::Up(_)) => {
                credit(nodes.encoded_len(), effects);
                self.walk(now_ms, effects, |walking| walking.nodes(nodes))
            }
            (Kind::Objects(objects), Link::Up(_)) => {
                credit(objects.encoded_len(), effects);
                self.walk(now_ms, effects, |walking| walking.objects(objects))
            }
            (Kind::Activate(activate), Link::Up(_)) => self.activate(&activate, effects),
            (Kind::Beat(beat), Link::Up(_)) => {
                let published = beat.published.as_ref().and_then(position_from_wire);
                return self.beaten(published);
            }
            (Kind::Drain(drain), Link::Up(_)) => {
                effects.push(Effect::Move(drain.addresses.into_iter().take(32).collect()));
                return if self.is_busy() {
                    Ok(())
                } else {
                    Err(CloseReason::Drained)
                };
            }
            (Kind::Keyset(update), Link::Up(_)) => {
                let keysets = update.keysets.into_iter().map(keyset_from_wire).collect();
                self.trust.follow(keysets, &mut self.floors, effects);
                Ok(())
            }
            _ => Err(Alarm::new(AlarmCode::Malformed, "a message out of order")),
        };
        outcome.or_else(|alarm| self.refuse(alarm, effects))
    }

    fn accepted(
        &mut self,
        accept: Accept,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Alarm> {
        let facts = &self.facts;
        if !grants_view(&facts.environment, &facts.tags, &accept.view_id) {
            let detail = format!(
                "the view {:?} is not one this edge asked for",
                accept.view_id
            );
            return Err(Alarm::new(AlarmCode::Malformed, shorten(&detail)));
        }
        let beat_ms = accept.beat_ms.clamp(1, BEAT_MS_MAX);
        let seed = self.seed;
        self.seed = self.seed.wrapping_add(1);
        self.link = Link::Up(Box::new(Up {
            view_id: accept.view_id,
            beats: BeatPace::new(beat_ms, seed, now_ms),
            transfer: Transfer::Idle,
            progress_ms: now_ms,
            behind_beats: 0,
            has_diverged: false,
        }));
        let keysets = accept.keysets.into_iter().map(keyset_from_wire).collect();
        self.trust.follow(keysets, &mut self.floors, effects);
        if self.trust.keyset().is_none() {
            return Err(Alarm::new(
                AlarmCode::Keyset,
                "no keyset leads to the pinned root",
            ));
        }
        if !accept.api_key_pepper.is_empty() {
            effects.push(Effect::KeepPepper(accept.api_key_pepper));
        }
        if !self.refusals.is_empty() {
            self.nack(effects);
        }
        Ok(())
    }

    fn verify(
        &self,
        target: Option<tidegate_proto::sync::v1::SignedManifest>,
    ) -> Result<Target, Alarm> {
        let (Link::Up(up), Some(keyset)) = (&self.link, self.trust.keyset()) else {
            return Err(Alarm::new(AlarmCode::Malformed, "a manifest out of order"));
        };
        let signed = target
            .map(manifest_from_wire)
            .ok_or_else(|| Alarm::new(AlarmCode::Malformed, "a transfer without a manifest"))?;
        let floor = self.floor(&up.view_id);
        let manifest = keyset.verify(&signed, &up.view_id, floor.as_ref(), FEATURE_LEVEL)?;
        if manifest.objects > VIEW_OBJECTS_MAX || manifest.bytes > VIEW_BYTES_MAX {
            return Err(Alarm::new(
                AlarmCode::Incompatible,
                "the view is larger than an edge takes",
            ));
        }
        Ok(Target { signed, manifest })
    }

    /// The higher of what was active and what is stored of this view.
    fn floor(&self, view_id: &str) -> Option<Position> {
        let held = self
            .held
            .as_deref()
            .filter(|held| held.manifest().view_id == view_id);
        let held = held.map(position_of);
        match (self.floors.of(view_id), held) {
            (Some(floor), Some(held)) if floor.is_before(&held) => Some(held),
            (Some(floor), _) => Some(floor),
            (None, held) => held,
        }
    }

    fn update(&mut self, update: Update, now_ms: u64) -> Result<(), Alarm> {
        let target = self.verify(update.target)?;
        let held = self.held.as_deref();
        let from = Hash::try_from(update.from_root.as_ref())
            .map_err(|_wrong_length| Alarm::new(AlarmCode::Malformed, "a delta without a root"))?;
        let base = match held {
            Some(held) if held.manifest().root == from => Some(held),
            _ if from == EMPTY_ROOT => None,
            _ => {
                return Err(Alarm::new(
                    AlarmCode::Malformed,
                    "a delta from another root",
                ));
            }
        };
        let receiving = Receiving::new(target, from, base);
        self.begin(Transfer::Receiving(Box::new(receiving)), now_ms)
    }

    /// One transfer at a time: the node sends the next one only after PREPARED.
    fn begin(&mut self, transfer: Transfer, now_ms: u64) -> Result<(), Alarm> {
        if self.is_busy() {
            return Err(Alarm::new(
                AlarmCode::Malformed,
                "a transfer before the last was prepared",
            ));
        }
        if let Link::Up(up) = &mut self.link {
            up.transfer = transfer;
            up.progress_ms = now_ms;
            up.behind_beats = 0;
        }
        Ok(())
    }

    fn changes(
        &mut self,
        chunk: &Bytes,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Alarm> {
        // Also what arrives after a refusal counts as consumed.
        credit(chunk.len(), effects);
        let Link::Up(up) = &mut self.link else {
            return Ok(());
        };
        let receiving = match std::mem::replace(&mut up.transfer, Transfer::Idle) {
            Transfer::Receiving(receiving) => receiving,
            other => {
                up.transfer = other;
                return Ok(());
            }
        };
        up.progress_ms = now_ms;
        let target = position_of_manifest(&receiving.target);
        match receiving.take(chunk) {
            Ok(Received::More(receiving)) => up.transfer = Transfer::Receiving(receiving),
            Ok(Received::Complete(complete)) => self.prepare(*complete, effects),
            Err(alarm) if alarm.code == AlarmCode::Diverged && !up.has_diverged => {
                up.has_diverged = true;
                effects.push(refusal(&alarm, Some(&target)));
                effects.push(Effect::Alarm(alarm));
            }
            Err(alarm) => return Err(alarm),
        }
        Ok(())
    }

    fn offered(
        &mut self,
        target: Option<tidegate_proto::sync::v1::SignedManifest>,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Alarm> {
        let target = self.verify(target)?;
        self.begin(Transfer::Idle, now_ms)?;
        let walked = Walking::start(target, self.held.as_deref())?;
        self.walked(walked, effects);
        Ok(())
    }

    fn walk(
        &mut self,
        now_ms: u64,
        effects: &mut Vec<Effect>,
        step: impl FnOnce(Box<Walking>) -> Result<Walked, Alarm>,
    ) -> Result<(), Alarm> {
        let Link::Up(up) = &mut self.link else {
            return Ok(());
        };
        let walking = match std::mem::replace(&mut up.transfer, Transfer::Idle) {
            Transfer::Walking(walking) => walking,
            other => {
                up.transfer = other;
                return Ok(());
            }
        };
        up.progress_ms = now_ms;
        let walked = step(walking)?;
        self.walked(walked, effects);
        Ok(())
    }

    fn walked(&mut self, walked: Walked, effects: &mut Vec<Effect>) {
        let walking = match walked {
            Walked::Waiting(walking) => walking,
            Walked::Ask(walking, want) => {
                effects.push(send(edge_message::Kind::Want(want)));
                walking
            }
            Walked::Complete(complete, want) => {
                effects.push(send(edge_message::Kind::Want(want)));
                self.prepare(*complete, effects);
                return;
            }
        };
        if let Link::Up(up) = &mut self.link {
            up.transfer = Transfer::Walking(walking);
        }
    }

    fn prepare(&mut self, complete: Complete, effects: &mut Vec<Effect>) {
        let preparation = Preparation {
            view: Arc::new(complete.view),
            signed: complete.signed,
            from: complete.from,
            changes: complete.changes,
        };
        self.stage = Stage::Preparing(Box::new(preparation.clone()));
        effects.push(Effect::Prepare(preparation));
    }

    fn prepared(
        &mut self,
        refusals: Vec<PreparedObjectRefusal>,
        apply_ms: u32,
        effects: &mut Vec<Effect>,
    ) {
        let Stage::Preparing(preparation) = std::mem::replace(&mut self.stage, Stage::Prepared)
        else {
            return;
        };
        let position = position_of(&preparation.view);
        let knew_refusals = !self.refusals.is_empty();
        self.refusals = nack_items(&preparation.view, refusals);
        self.held = Some(preparation.view);
        // An empty one takes back what was said about an older version.
        if knew_refusals || !self.refusals.is_empty() {
            self.nack(effects);
        }
        self.outbox.put(position, Phase::Prepared, apply_ms);
    }

    fn nack(&self, effects: &mut Vec<Effect>) {
        if let (Link::Up(_), Some(position)) = (&self.link, self.held()) {
            let position = Some(position_to_wire(&position));
            let nack = Nack {
                position,
                items: self.refusals.clone(),
            };
            effects.push(send(edge_message::Kind::Nack(nack)));
        }
    }

    fn activate(&mut self, activate: &Activate, effects: &mut Vec<Effect>) -> Result<(), Alarm> {
        let Some(held) = &self.held else {
            return Err(Alarm::new(AlarmCode::Malformed, "nothing is prepared"));
        };
        let position = position_of(held);
        if activate.root.as_ref() != position.root || activate.revision != position.revision {
            return Err(Alarm::new(
                AlarmCode::Malformed,
                "another view is to be activated",
            ));
        }
        match self.stage {
            Stage::Settled if self.active == Some(position) => {
                self.outbox.put(position, Phase::Active, 0);
            }
            Stage::Settled | Stage::Prepared => {
                let view_id = &held.manifest().view_id;
                if !self.floors.admits(view_id, &position) {
                    return Err(Alarm::new(
                        AlarmCode::Rollback,
                        "the stored view is below the floor",
                    ));
                }
                effects.push(Effect::Activate(Arc::clone(held)));
                self.floors.raise(view_id, position);
                self.stage = Stage::Activating;
            }
            Stage::Preparing(_) | Stage::Activating => {}
        }
        Ok(())
    }

    fn activated(&mut self) {
        if let (Stage::Activating, Some(position)) = (&self.stage, self.held()) {
            self.stage = Stage::Settled;
            self.active = Some(position);
            self.outbox.put(position, Phase::Active, 0);
        }
    }

    fn beaten(&mut self, published: Option<Position>) -> Result<(), CloseReason> {
        let held = self.held();
        let busy = self.is_busy();
        let Link::Up(up) = &mut self.link else {
            return Ok(());
        };
        let behind = match (held, published) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(held), Some(published)) => held.is_before(&published),
        };
        let waiting = behind && !busy && matches!(up.transfer, Transfer::Idle);
        up.behind_beats = if waiting { up.behind_beats + 1 } else { 0 };
        if up.behind_beats >= BEHIND_BEATS_MAX {
            Err(CloseReason::Stalled)
        } else {
            Ok(())
        }
    }

    /// Tells the node, raises the alarm and leaves: this source is not to be believed for a while.
    fn refuse(&self, alarm: Alarm, effects: &mut Vec<Effect>) -> Result<(), CloseReason> {
        effects.push(refusal(&alarm, None));
        let code = alarm.code.as_str();
        effects.push(Effect::Alarm(alarm));
        Err(CloseReason::Untrusted(code))
    }
}

fn position_of(view: &VerifiedView) -> Position {
    view.manifest().position()
}

fn position_of_manifest(target: &Target) -> Position {
    target.manifest.position()
}
