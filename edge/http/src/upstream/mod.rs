//! The upstream side: keeps connections to backends and exchanges requests for responses over them.
//!
//! Nothing here chooses an endpoint: the target is given.

mod error;
mod target;
mod tls;

pub use self::error::{TimeoutPhase, UpstreamError};
pub use self::target::{Http2Options, TargetError, TargetOptions, UpstreamTarget, UpstreamVersion};
pub use self::tls::{ClientIdentity, TlsError, TlsOptions, Verification};
