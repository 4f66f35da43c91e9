//! One record of a slot: a signed manifest and the changes that lead to it, in sealed blocks.
//!
//! ```text
//! record  = u32 header length | header (clear, authenticated by every block) | block… | block*
//! block   = u32 sealed length | nonce, XChaCha20-Poly1305(plain ≤ 256 KiB)
//! block*  = the last one: the signed manifest
//! context = "tidegate/cache/v1" | header | u64 block number | u8 kind
//! ```
//! A block moved to another place, record or slot does not open; a missing one shows at the next.
//! All integers are big-endian.

use std::io::{self, Read};

use bytes::Bytes;
use prost::Message as _;
use tidegate_sync::node::ObjectChange;
use tidegate_view::SignedManifest;

use super::{
    disk::DiskFile,
    seal::{OVERHEAD_BYTES, SealError, Sealer},
};

/// Plain bytes of one block.
const BLOCK_BYTES: usize = 256 * 1024;
/// A header names a trust domain, a view and a position.
const HEADER_BYTES_MAX: usize = 16 * 1024;
const CONTEXT: &[u8] = b"tidegate/cache/v1";
const KIND_CHANGES: u8 = 0;
const KIND_MANIFEST: u8 = 1;

/// Why a record cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// The file ends inside the record: the write was cut short.
    #[error("a cache record is cut short")]
    Torn,
    /// A block does not open.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// Lengths or messages that no writer makes.
    #[error("a cache record is malformed")]
    Malformed,
    /// The disk failed.
    #[error("the cache cannot be read or written")]
    Io(#[source] io::Error),
}

/// Where a record belongs; in clear, but every block authenticates it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct RecordHeader {
    #[prost(string, tag = "1")]
    pub(crate) trust_domain: String,
    #[prost(string, tag = "2")]
    pub(crate) view_id: String,
    #[prost(uint64, tag = "3")]
    pub(crate) epoch: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) revision: u64,
    /// Random, one per slot file.
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) slot_id: Vec<u8>,
    /// 0 for the full view, then one more per delta.
    #[prost(uint64, tag = "6")]
    pub(crate) number: u64,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct StoredChange {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    id: String,
    #[prost(bytes = "bytes", optional, tag = "3")]
    object: Option<Bytes>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct StoredManifest {
    #[prost(bytes = "vec", tag = "1")]
    manifest: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    signature: Vec<u8>,
    #[prost(string, tag = "3")]
    key_id: String,
    /// Number of changes, so that a record of whole blocks cannot be shortened.
    #[prost(uint64, tag = "4")]
    changes: u64,
}

/// Writes one record and makes it durable: blocks, fsync, manifest, fsync.
pub(crate) fn write_record(
    file: &mut dyn DiskFile,
    sealer: &Sealer,
    header: &RecordHeader,
    changes: impl Iterator<Item = ObjectChange>,
    signed: &SignedManifest,
) -> Result<u64, RecordError> {
    let encoded = header.encode_to_vec();
    let mut written = put_framed(file, &encoded)?;
    let mut blocks = Blocks {
        sealer,
        header: &encoded,
        number: 0,
    };
    let mut plain = Vec::with_capacity(BLOCK_BYTES);
    let mut count = 0;
    for change in changes {
        let change = StoredChange {
            kind: change.kind,
            id: change.id,
            object: change.object,
        };
        change
            .encode_length_delimited(&mut plain)
            .map_err(|_full| RecordError::Malformed)?;
        count += 1;
        while plain.len() >= BLOCK_BYTES {
            let rest = plain.split_off(BLOCK_BYTES);
            written += put_framed(file, &blocks.seal(KIND_CHANGES, &plain)?)?;
            plain = rest;
        }
    }
    if !plain.is_empty() {
        written += put_framed(file, &blocks.seal(KIND_CHANGES, &plain)?)?;
    }
    file.sync().map_err(RecordError::Io)?;
    let manifest = StoredManifest {
        manifest: signed.manifest.to_vec(),
        signature: signed.signature.clone(),
        key_id: signed.key_id.clone(),
        changes: count,
    };
    written += put_framed(
        file,
        &blocks.seal(KIND_MANIFEST, &manifest.encode_to_vec())?,
    )?;
    file.sync().map_err(RecordError::Io)?;
    Ok(written)
}

/// Reads the next record, giving each change to `apply`; `None` at a clean end of the file.
pub(crate) fn read_record<E: From<RecordError>>(
    file: &mut impl Read,
    sealer: &Sealer,
    mut apply: impl FnMut(&RecordHeader, ObjectChange) -> Result<(), E>,
) -> Result<Option<(RecordHeader, SignedManifest)>, E> {
    let Some(encoded) = get_framed(file, HEADER_BYTES_MAX)? else {
        return Ok(None);
    };
    let header = RecordHeader::decode(encoded.as_slice()).map_err(|_bad| RecordError::Malformed)?;
    let mut blocks = Blocks {
        sealer,
        header: &encoded,
        number: 0,
    };
    let mut plain: Vec<u8> = Vec::new();
    let mut count = 0;
    loop {
        let sealed = get_framed(file, BLOCK_BYTES + OVERHEAD_BYTES)?.ok_or(RecordError::Torn)?;
        let (kind, block) = blocks.open(&sealed).map_err(RecordError::from)?;
        if kind == KIND_MANIFEST {
            let stored =
                StoredManifest::decode(block.as_slice()).map_err(|_bad| RecordError::Malformed)?;
            if !plain.is_empty() || stored.changes != count {
                return Err(RecordError::Malformed.into());
            }
            let signed = SignedManifest {
                manifest: stored.manifest.into(),
                signature: stored.signature,
                key_id: stored.key_id,
            };
            return Ok(Some((header, signed)));
        }
        plain.extend_from_slice(&block);
        for change in complete_changes(&mut plain)? {
            count += 1;
            apply(&header, change)?;
        }
    }
}

/// Takes the changes off the front of `plain` that are there as a whole.
fn complete_changes(plain: &mut Vec<u8>) -> Result<Vec<ObjectChange>, RecordError> {
    let mut changes = Vec::new();
    let mut rest = Bytes::from(std::mem::take(plain));
    while let Ok(length) = prost::decode_length_delimiter(rest.as_ref()) {
        if length > tidegate_sync::limits::MESSAGE_BYTES_MAX {
            return Err(RecordError::Malformed);
        }
        let whole = prost::length_delimiter_len(length) + length;
        if rest.len() < whole {
            break;
        }
        let mut message = rest.split_to(whole);
        // An own buffer per object: a slice would keep the whole block alive.
        let stored = StoredChange::decode_length_delimited(&mut message)
            .map_err(|_bad| RecordError::Malformed)?;
        let object = stored.object.map(|object| Bytes::copy_from_slice(&object));
        changes.push(ObjectChange {
            kind: stored.kind,
            id: stored.id,
            object,
        });
    }
    *plain = rest.to_vec();
    Ok(changes)
}

/// Seals and opens the blocks of one record in order.
struct Blocks<'a> {
    sealer: &'a Sealer,
    header: &'a [u8],
    number: u64,
}

impl Blocks<'_> {
    fn context(&self, kind: u8) -> Vec<u8> {
        [CONTEXT, self.header, &self.number.to_be_bytes(), &[kind]].concat()
    }

    fn seal(&mut self, kind: u8, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let sealed = self.sealer.seal(&self.context(kind), plain)?;
        self.number += 1;
        Ok([&[kind], sealed.as_slice()].concat())
    }

    fn open(&mut self, sealed: &[u8]) -> Result<(u8, Vec<u8>), SealError> {
        let (kind, sealed) = sealed.split_first().ok_or(SealError::Tampered)?;
        let plain = self.sealer.open(&self.context(*kind), sealed)?;
        self.number += 1;
        Ok((*kind, plain))
    }
}

fn put_framed(file: &mut dyn DiskFile, bytes: &[u8]) -> Result<u64, RecordError> {
    let length = u32::try_from(bytes.len()).map_err(|_too_long| RecordError::Malformed)?;
    file.write_all(&length.to_be_bytes())
        .map_err(RecordError::Io)?;
    file.write_all(bytes).map_err(RecordError::Io)?;
    Ok(4 + u64::from(length))
}

/// `None` at a clean end; [`RecordError::Torn`] when the file ends inside the frame.
fn get_framed(file: &mut impl Read, bytes_max: usize) -> Result<Option<Vec<u8>>, RecordError> {
    let mut length = [0; 4];
    match fill(file, &mut length)? {
        0 => return Ok(None),
        4 => {}
        _ => return Err(RecordError::Torn),
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > bytes_max + 1 {
        return Err(RecordError::Malformed);
    }
    let mut bytes = vec![0; length];
    if fill(file, &mut bytes)? == length {
        Ok(Some(bytes))
    } else {
        Err(RecordError::Torn)
    }
}

fn fill(file: &mut impl Read, buffer: &mut [u8]) -> Result<usize, RecordError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(RecordError::Io(error)),
        }
    }
    Ok(filled)
}
