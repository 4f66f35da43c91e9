//! The protocol between a control-plane node and an edge, as two state machines without I/O.
//!
//! Each half is `handle(input, now) -> effects`: sockets, timers, disks, compilation and signatures'
//! keys belong to the programs that drive them. What an edge accepts is decided in
//! [`edge::EdgeSession`]; what a node sends, and when, in [`node::NodeSession`].
//!
//! Times are milliseconds of a monotonic clock with an arbitrary origin, given by the caller.

#![warn(missing_docs)]

pub mod edge;
mod entitlement;
pub mod limits;
pub mod node;
mod pace;
mod wire;

pub use entitlement::{TagsRefused, granted, grants_view, view_id};
pub use wire::{keyset_from_wire, keyset_to_wire, manifest_from_wire, manifest_to_wire};

#[cfg(test)]
mod pair_tests;
