//! Logging set-up, owned tasks and metric names. No domain types, no network.

#![warn(missing_docs)]

mod logging;
pub mod names;
pub mod tasks;

pub use logging::{LogFormat, LoggingError, init};
