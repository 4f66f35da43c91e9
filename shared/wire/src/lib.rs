//! What errors look like on the wire, written and read in one place.
//!
//! Messages of the sync stream are converted in `tidegate-sync`, next to the state machines that alone use them.

#![warn(missing_docs)]

pub mod status;
