//! Records of tables as one stream of bytes, cut anywhere by chunks. Pure.
//!
//! A record is: table number (1 byte), key length (4 bytes, big-endian), value length (4 bytes,
//! big-endian), key, value.

use bytes::{Buf as _, BytesMut};

use super::chunk::corrupt;
use crate::Error;

const PREFIX_BYTES: usize = 9;
/// Longest key the tables can have; far above what the rules allow.
const KEY_BYTES_MAX: usize = 64 << 10;
/// Largest value the tables can have; a log entry is smaller.
const VALUE_BYTES_MAX: usize = 64 << 20;

/// Appends one record to `out`.
pub(super) fn encode(out: &mut Vec<u8>, table: u8, key: &[u8], value: &[u8]) -> Result<(), Error> {
    let too_large = |_| corrupt(format!("record of {} + {} bytes", key.len(), value.len()));
    out.push(table);
    out.extend(u32::try_from(key.len()).map_err(too_large)?.to_be_bytes());
    out.extend(u32::try_from(value.len()).map_err(too_large)?.to_be_bytes());
    out.extend(key);
    out.extend(value);
    Ok(())
}

/// Puts records together again from chunks.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    buffer: BytesMut,
}

/// One decoded record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) table: u8,
    pub(super) key: BytesMut,
    pub(super) value: BytesMut,
}

impl Decoder {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete record, or none until more bytes are fed.
    pub(super) fn next(&mut self) -> Result<Option<Record>, Error> {
        let Some(mut prefix) = self.buffer.get(..PREFIX_BYTES) else {
            return Ok(None);
        };
        let table = prefix.get_u8();
        let key_len = prefix.get_u32() as usize;
        let value_len = prefix.get_u32() as usize;
        if key_len > KEY_BYTES_MAX || value_len > VALUE_BYTES_MAX {
            return Err(corrupt(format!("record of {key_len} + {value_len} bytes")));
        }
        if self.buffer.len() < PREFIX_BYTES + key_len + value_len {
            return Ok(None);
        }
        self.buffer.advance(PREFIX_BYTES);
        let key = self.buffer.split_to(key_len);
        let value = self.buffer.split_to(value_len);
        Ok(Some(Record { table, key, value }))
    }

    /// Fails when a record was cut off.
    pub(super) fn finish(&self) -> Result<(), Error> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        Err(corrupt("the last record is cut off"))
    }
}
