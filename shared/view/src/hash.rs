//! The hashes of a view, each domain-separated by its first byte.
//!
//! ```text
//! path of a key  H(0x02 || kind || 0x00 || id)                        64 nibbles, high one first
//! leaf           H(0x00 || kind || 0x00 || id || 0x00 || object hash)
//! inner node     H(0x01 || 16 child hashes), 32 zero bytes for an empty child
//! object         H(bytes)                                             H = BLAKE3-256
//! ```

/// A BLAKE3-256 hash.
pub type Hash = [u8; 32];

/// Root of the empty view.
pub const EMPTY_ROOT: Hash = [0; 32];

/// Nibbles of a path: no inner node is deeper.
pub(crate) const DEPTH_MAX: usize = 64;

const LEAF: u8 = 0x00;
const INNER: u8 = 0x01;
const PATH: u8 = 0x02;

/// Longest object kind, in bytes.
const KIND_BYTES_MAX: usize = 64;
/// Longest object id, in bytes.
const ID_BYTES_MAX: usize = 1024;

/// An object kind or id that cannot be part of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("object kind or id is empty, too long, or has control characters")]
pub struct ObjectKeyError;

/// Demands a kind of 1 to 64 and an id of 1 to 1024 bytes, both without control characters.
///
/// # Errors
/// When one of them is not so.
pub fn check_object_key(kind: &str, id: &str) -> Result<(), ObjectKeyError> {
    let fits = |text: &str, bytes_max: usize| {
        // A zero byte inside would make two keys hash alike.
        !text.is_empty() && text.len() <= bytes_max && !text.chars().any(char::is_control)
    };
    if fits(kind, KIND_BYTES_MAX) && fits(id, ID_BYTES_MAX) {
        Ok(())
    } else {
        Err(ObjectKeyError)
    }
}

/// Hashes the bytes of an object.
pub fn object_hash(bytes: &[u8]) -> Hash {
    *blake3::hash(bytes).as_bytes()
}

pub(crate) fn path_of(kind: &str, id: &str) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&[PATH])
        .update(kind.as_bytes())
        .update(&[0])
        .update(id.as_bytes());
    *hasher.finalize().as_bytes()
}

pub(crate) fn leaf_hash(kind: &str, id: &str, object_hash: &Hash) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&[LEAF])
        .update(kind.as_bytes())
        .update(&[0])
        .update(id.as_bytes());
    hasher.update(&[0]).update(object_hash);
    *hasher.finalize().as_bytes()
}

pub(crate) fn inner_hash(children: impl Iterator<Item = Hash>) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[INNER]);
    for child in children {
        hasher.update(&child);
    }
    *hasher.finalize().as_bytes()
}

/// Gives the nibble of a path at a depth below [`DEPTH_MAX`]; 0 beyond.
pub(crate) fn nibble(path: &Hash, depth: usize) -> u8 {
    let byte = path.get(depth / 2).copied().unwrap_or_default();
    if depth.is_multiple_of(2) {
        byte >> 4
    } else {
        byte & 0x0f
    }
}

/// Says whether a path begins with these nibbles.
pub(crate) fn starts_with(path: &Hash, nibbles: &[u8]) -> bool {
    nibbles.len() <= DEPTH_MAX
        && nibbles
            .iter()
            .enumerate()
            .all(|(depth, expected)| nibble(path, depth) == *expected)
}
