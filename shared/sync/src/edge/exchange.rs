//! What goes into an edge session and what comes out of it.

use std::sync::Arc;

use bytes::Bytes;
use tidegate_proto::sync::v1::{EdgeMessage, NodeMessage};
use tidegate_view::{Hash, RootPin, SignedKeyset, SignedManifest, TrustedKeyset, VerifiedView};

use super::{Alarm, Floors, Position};
use crate::node::ObjectChange;

/// What an edge says about itself.
#[derive(Debug, Clone, Default)]
pub struct EdgeFacts {
    /// Stable name.
    pub edge_id: String,
    /// New at every start.
    pub boot_id: String,
    /// Version of the binary.
    pub version: String,
    /// Region label.
    pub region: String,
    /// Environment id.
    pub environment: String,
    /// Sharding tags as configured.
    pub tags: Vec<String>,
    /// Addresses for display.
    pub addresses: Vec<(String, String)>,
}

/// What an edge knows when it starts.
#[derive(Debug)]
pub struct Boot {
    /// The edge itself.
    pub facts: EdgeFacts,
    /// The only root of trust.
    pub pin: RootPin,
    /// Keysets from the cache, oldest first, already accepted by [`TrustedKeyset`].
    pub trust: Option<(TrustedKeyset, Vec<SignedKeyset>)>,
    /// The newest verified view of the cache; the base of the next delta.
    pub held: Option<Arc<VerifiedView>>,
    /// True if `held` is already active.
    pub is_active: bool,
    /// Objects of `held` that could not be compiled.
    pub refusals: Vec<PreparedObjectRefusal>,
    /// Positions that were active before.
    pub floors: Floors,
    /// Spreads the beats of many edges.
    pub seed: u64,
}

/// What happens to the session.
#[derive(Debug)]
pub enum Input {
    /// A stream is open; the edge speaks first.
    Connected,
    /// The stream is gone.
    Disconnected,
    /// A message of the node.
    Node(NodeMessage),
    /// Answer to [`Effect::Prepare`]: the view is stored and compiled, with these exceptions.
    Prepared {
        /// Objects that could not be used.
        refusals: Vec<PreparedObjectRefusal>,
        /// Time from receipt to readiness.
        apply_ms: u32,
    },
    /// Answer to [`Effect::Activate`]: requests see the view, and the floor is on disk.
    Activated,
    /// Time passed; due at [`EdgeSession::deadline_ms`](super::EdgeSession::deadline_ms) at the latest.
    Tick,
}

/// An object that could not be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedObjectRefusal {
    /// Object kind.
    pub kind: String,
    /// Object id.
    pub id: String,
    /// Stable code, upper snake case.
    pub code: String,
    /// Field inside the object.
    pub path: String,
    /// Text for people.
    pub message: String,
}

/// A verified view to store and compile.
#[derive(Debug, Clone)]
pub struct Preparation {
    /// The view.
    pub view: Arc<VerifiedView>,
    /// Its manifest as signed, for the cache.
    pub signed: SignedManifest,
    /// Root the changes start from.
    pub from: Hash,
    /// How the view differs from `from`.
    pub changes: Vec<ObjectChange>,
}

/// What the driver must do, in order.
#[derive(Debug)]
pub enum Effect {
    /// Send to the node.
    Send(EdgeMessage),
    /// Send a beat with this position; the driver adds its counters.
    Beat(Option<Position>),
    /// Store, compile, then answer with [`Input::Prepared`].
    Prepare(Preparation),
    /// Swap, raise the floor, then answer with [`Input::Activated`].
    Activate(Arc<VerifiedView>),
    /// Keep this chain for the next start.
    KeepKeysets(Vec<SignedKeyset>),
    /// Keep and use this key of the environment's API-key hashes.
    KeepPepper(Bytes),
    /// Raise an alarm.
    Alarm(Alarm),
    /// The node will stop; its peers may be used instead.
    Move(Vec<String>),
    /// End the stream after what was sent.
    Close(CloseReason),
}

/// Why a stream ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The node was silent for two and a half beats.
    #[error("the node fell silent")]
    Dead,
    /// The node announced newer versions without sending them, or stopped amid a transfer.
    #[error("the node makes no progress")]
    Stalled,
    /// The node does not take this edge.
    #[error("rejected with {code}: {detail}")]
    Rejected {
        /// Code of the node.
        code: String,
        /// Text of the node.
        detail: String,
    },
    /// The node asked the edge to move.
    #[error("the node drains")]
    Drained,
    /// The node offered something untrue: it is not asked again for a while.
    #[error("untrusted source: {0}")]
    Untrusted(&'static str),
}
