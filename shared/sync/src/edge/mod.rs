//! The edge's half: what an edge believes, stores and runs.
//!
//! ```text
//!  Down ──Connected──▶ Greeting ──Accept──▶ Up: Idle ──Update──▶ Receiving ──▶ Preparing
//!   ▲                                        ▲   └───Offer──▶ Walking ────────────▲ │
//!   │                                        │                                      ▼
//!   └── Disconnected, Close                  └────── Ack{ACTIVE} ◀── Activate ── Prepared
//! ```
//! Architecture invariant: a view becomes active only as a `VerifiedView`, and only one that is
//! not below the floor. Every other byte of a stream is untrusted.

mod alarm;
mod exchange;
mod floor;
mod link;
mod outbox;
mod receive;
mod reply;
mod session;
mod trust;
mod walk;

pub use tidegate_view::Position;

pub use alarm::{Alarm, AlarmCode};
pub use exchange::{
    Boot, CloseReason, EdgeFacts, Effect, Input, Preparation, PreparedObjectRefusal,
};
pub use floor::Floors;
pub use session::EdgeSession;
