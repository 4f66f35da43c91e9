//! Bounds of the protocol. A message beyond them ends the stream; no peer can make the other grow.

/// Target size of one chunk of objects or tree nodes; a single larger object travels alone.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// Largest object.
pub const OBJECT_BYTES_MAX: usize = tidegate_view::OBJECT_BYTES_MAX;
/// Largest message either side decodes: one object and its framing.
pub const MESSAGE_BYTES_MAX: usize = OBJECT_BYTES_MAX + 64 * 1024;
/// Unacknowledged payload a node keeps in flight on one stream.
pub const CREDIT_BYTES: u32 = 1024 * 1024;
/// Largest view an edge takes, by the sum of its object bytes.
pub const VIEW_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Most objects in one view.
pub const VIEW_OBJECTS_MAX: u64 = 5_000_000;
/// Paths and objects of one `Want`, each.
pub const WANT_ITEMS_MAX: usize = 4096;
/// Depth of the tree in nibbles: keys are 32-byte hashes.
pub const PATH_NIBBLES_MAX: usize = 64;
/// Tree nodes answered in one `Nodes` message; 64 full nodes stay below [`CHUNK_BYTES`].
pub const NODES_PER_MESSAGE: usize = 64;
/// Objects an edge reports as refused in one `Nack`.
pub const NACK_ITEMS_MAX: usize = 1024;
/// Characters kept of any text a peer sends for display.
pub const TEXT_CHARS_MAX: usize = 512;
/// Characters of an edge id.
pub const EDGE_ID_CHARS_MAX: usize = 128;
/// Entries of a map a peer sends (addresses, alarms).
pub const MAP_ENTRIES_MAX: usize = 32;
/// Sharding tags one edge may name.
pub const TAGS_MAX: usize = 64;
/// Keysets in one chain.
pub const KEYSET_CHAIN_MAX: usize = 64;
/// Interval of beats unless configured otherwise.
pub const BEAT_MS: u32 = 10_000;
/// Acknowledgements an edge sends per second, also the burst.
pub const ACKS_PER_SECOND: u32 = 5;
/// A transfer without any progress for so long is given up.
pub const TRANSFER_STALL_MS: u64 = 60_000;
/// Highest feature level of the objects this build reads and writes.
pub const FEATURE_LEVEL: u32 = 1;

/// Shortens `text` to [`TEXT_CHARS_MAX`] characters.
#[must_use]
pub fn shorten(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

/// Milliseconds of silence after which the peer counts as dead: two and a half beats.
#[must_use]
pub const fn dead_after_ms(beat_ms: u32) -> u64 {
    // `u64::from` is not const yet.
    beat_ms as u64 * 5 / 2
}
