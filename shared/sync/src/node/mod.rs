//! The node's half: what one stream sends to one edge, and when.
//!
//! ```text
//!            newest ≠ held                loaded                 all sent
//!   Idle ───────────────▶ Loading ───────────────▶ Sending ───────────────▶ Awaiting
//!    ▲                       │ root not kept          │ Refuse{DIVERGED}       │
//!    │                       ▼                        ▼                        │
//!    │                    Offering ◀──────────────────┘                        │
//!    │                       └──────────── Want{complete} ────────────────────▶│
//!    └──────────────────── Ack{PREPARED} (answered by Activate) ◀──────────────┘
//! ```
//! Newer versions that appear during a transfer only replace `newest`: a slow edge skips what is
//! between, and nothing queues.

mod delta;
mod hello;
mod offer;
mod reply;
mod session;

pub use delta::{Delta, ObjectChange};
pub use hello::{HelloRefused, ValidHello, check_hello};
pub use offer::Wanted;
pub use session::{CloseReason, Effect, Input, NodeSession, Opening, RefusedObject, Report};

use tidegate_view::{SignedManifest, ViewTree};

use crate::edge::Position;

/// One published version of a view: the signed manifest and the tree it vouches for.
#[derive(Debug, Clone)]
pub struct PublishedView {
    /// Epoch, revision and root of the manifest.
    pub position: Position,
    /// What an edge verifies.
    pub manifest: SignedManifest,
    /// The tree whose root is `position.root`.
    pub tree: ViewTree,
}
