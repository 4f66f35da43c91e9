//! Decodes chunked bodies (RFC 9112 §7.1) from bytes that arrive piece by piece.
//!
//! ```text
//! Size ──digits──▶ (Extension) ──CR──▶ SizeEnd ──LF──▶ Data ──all──▶ DataEnd ──CR LF──▶ Size
//!                                                  └─ size 0 ─▶ Trailers ──empty line──▶ Done
//! ```

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::fields::parse_trailers;
use super::{ChunkError, HeadScan};

/// Most bytes of chunk extensions in one message: nobody uses them but to exhaust readers (CVE-2023-39326).
const EXTENSION_BYTES_MAX: usize = 4 * 1024;

/// Largest trailer section in bytes.
const TRAILER_BYTES_MAX: usize = 16 * 1024;

/// Most trailer fields.
const TRAILER_FIELDS_MAX: usize = 64;

/// What a decoder found at the front of its input.
#[derive(Debug)]
pub enum Decoded {
    /// Content, taken from the input without a copy.
    Data(Bytes),
    /// The trailer fields; only the end follows.
    Trailers(HeaderMap),
    /// The body is complete. What is left of the input belongs to the next message.
    End,
    /// The input is used up.
    More,
}

/// Decodes one chunked body. Gives the same content however the bytes were split.
#[derive(Debug, Default)]
pub struct ChunkDecoder {
    state: State,
    extension_bytes: usize,
    trailer: HeadScan,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    SizeStart,
    Size(u64),
    Extension(u64),
    SizeEnd(u64),
    Data(u64),
    DataEnd,
    DataLineFeed,
    Trailers,
    Done,
}

impl ChunkDecoder {
    /// Whether the body is complete.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Takes the next piece off the front of `input`.
    ///
    /// # Errors
    /// [`ChunkError`]; the connection cannot be used any more.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Decoded, ChunkError> {
        loop {
            match self.state {
                State::Data(remaining) => return Ok(self.take_data(remaining, input)),
                State::Trailers => return self.take_trailers(input),
                State::Done => return Ok(Decoded::End),
                State::SizeStart
                | State::Size(_)
                | State::Extension(_)
                | State::SizeEnd(_)
                | State::DataEnd
                | State::DataLineFeed => {
                    if !self.step_line(input)? {
                        return Ok(Decoded::More);
                    }
                }
            }
        }
    }

    /// Consumes bytes between two pieces of content; returns whether they sufficed.
    fn step_line(&mut self, input: &mut BytesMut) -> Result<bool, ChunkError> {
        let mut used = 0;
        for byte in input.iter() {
            used += 1;
            self.step(*byte)?;
            if matches!(self.state, State::Data(_) | State::Trailers) {
                bytes::Buf::advance(input, used);
                return Ok(true);
            }
        }
        input.clear();
        Ok(false)
    }

    fn step(&mut self, byte: u8) -> Result<(), ChunkError> {
        self.state = match (&self.state, byte) {
            (State::SizeStart, _) => State::Size(hex(byte).ok_or(ChunkError::Size)?),
            (State::Size(size), b'\r') => State::SizeEnd(*size),
            (State::Size(size), b';') => State::Extension(*size),
            (State::Size(size), _) => {
                let digit = hex(byte).ok_or(ChunkError::Size)?;
                let shifted = size.checked_mul(16).ok_or(ChunkError::SizeOverflow)?;
                State::Size(shifted | digit)
            }
            (State::Extension(size), b'\r') => State::SizeEnd(*size),
            (State::Extension(_), b'\n') => return Err(ChunkError::LineEnd),
            (State::Extension(size), _) => {
                if byte < b' ' && byte != b'\t' || byte == 0x7f {
                    return Err(ChunkError::Extension);
                }
                self.extension_bytes += 1;
                if self.extension_bytes > EXTENSION_BYTES_MAX {
                    return Err(ChunkError::ExtensionTooLarge);
                }
                State::Extension(*size)
            }
            (State::SizeEnd(0), b'\n') => State::Trailers,
            (State::SizeEnd(size), b'\n') => State::Data(*size),
            (State::DataEnd, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => State::SizeStart,
            _ => return Err(ChunkError::LineEnd),
        };
        Ok(())
    }

    fn take_data(&mut self, remaining: u64, input: &mut BytesMut) -> Decoded {
        if input.is_empty() {
            return Decoded::More;
        }
        let length = usize::try_from(remaining)
            .unwrap_or(usize::MAX)
            .min(input.len());
        let left = remaining - length as u64;
        self.state = if left == 0 {
            State::DataEnd
        } else {
            State::Data(left)
        };
        Decoded::Data(input.split_to(length).freeze())
    }

    fn take_trailers(&mut self, input: &mut BytesMut) -> Result<Decoded, ChunkError> {
        let end = self
            .trailer
            .find_end(input, TRAILER_BYTES_MAX)
            .map_err(ChunkError::Trailer)?;
        let Some(end) = end else {
            return Ok(Decoded::More);
        };
        self.state = State::Done;
        let section = input.split_to(end).freeze();
        if end == 2 {
            return Ok(Decoded::End);
        }
        let trailers = parse_trailers(&section, TRAILER_FIELDS_MAX).map_err(ChunkError::Trailer)?;
        Ok(if trailers.is_empty() {
            Decoded::End
        } else {
            Decoded::Trailers(trailers)
        })
    }
}

fn hex(byte: u8) -> Option<u64> {
    match byte {
        b'0'..=b'9' => Some(u64::from(byte - b'0')),
        b'a'..=b'f' => Some(u64::from(byte - b'a' + 10)),
        b'A'..=b'F' => Some(u64::from(byte - b'A' + 10)),
        _ => None,
    }
}
