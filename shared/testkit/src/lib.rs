//! A whole running system, a raw HTTP client, stand-in upstreams, and waiting for conditions. For
//! tests only; everything is blocking and plain, so that a test reads as a list of steps.

pub mod http;
mod system;
mod upstream;
mod wait;

pub use system::{Ran, Stopped, System};
pub use upstream::Upstream;
pub use wait::{eventually, wait_for};
