//! Where a body ends: decodes what is received and frames what is sent.

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use super::chunked::{ChunkDecoder, Decoded};
use super::encode;
use super::{ChunkError, Outgoing};

/// How the end of a body is known (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    Empty,
    /// So many bytes, at least one.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Everything until the connection closes; responses only.
    UntilClose,
}

/// Decodes a body by its framing.
#[derive(Debug)]
pub(crate) enum BodyDecoder {
    Done,
    Length(u64),
    Chunked(Box<ChunkDecoder>),
    UntilClose,
}

impl BodyDecoder {
    pub(crate) fn new(framing: Framing) -> BodyDecoder {
        match framing {
            Framing::Empty => BodyDecoder::Done,
            Framing::Length(length) => BodyDecoder::Length(length),
            Framing::Chunked => BodyDecoder::Chunked(Box::default()),
            Framing::UntilClose => BodyDecoder::UntilClose,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, BodyDecoder::Done)
    }

    /// Takes the next piece off the front of `input`.
    pub(crate) fn decode(&mut self, input: &mut BytesMut) -> Result<Decoded, ChunkError> {
        match self {
            BodyDecoder::Done => Ok(Decoded::End),
            BodyDecoder::Length(remaining) => {
                if input.is_empty() {
                    return Ok(Decoded::More);
                }
                let length = usize::try_from(*remaining)
                    .unwrap_or(usize::MAX)
                    .min(input.len());
                *remaining -= length as u64;
                if *remaining == 0 {
                    *self = BodyDecoder::Done;
                }
                Ok(Decoded::Data(input.split_to(length).freeze()))
            }
            BodyDecoder::Chunked(decoder) => {
                let decoded = decoder.decode(input)?;
                if decoder.is_done() {
                    *self = BodyDecoder::Done;
                }
                Ok(decoded)
            }
            BodyDecoder::UntilClose if input.is_empty() => Ok(Decoded::More),
            BodyDecoder::UntilClose => Ok(Decoded::Data(input.split().freeze())),
        }
    }

    /// Takes note that the peer closed; returns whether the body is complete by that.
    pub(crate) fn finish(&mut self) -> bool {
        if matches!(self, BodyDecoder::UntilClose) {
            *self = BodyDecoder::Done;
        }
        self.is_done()
    }

    /// What is known of the bytes still to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            BodyDecoder::Done => SizeHint::with_exact(0),
            BodyDecoder::Length(remaining) => SizeHint::with_exact(*remaining),
            BodyDecoder::Chunked(_) | BodyDecoder::UntilClose => SizeHint::default(),
        }
    }
}

/// The content does not have the length that the head announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("content does not have the announced length")]
pub(crate) struct LengthMismatch;

/// Frames a body that is sent.
#[derive(Debug)]
pub(crate) struct BodyEncoder {
    framing: Framing,
    finished: bool,
}

impl BodyEncoder {
    pub(crate) fn new(framing: Framing) -> BodyEncoder {
        BodyEncoder {
            framing,
            finished: false,
        }
    }

    /// Whether the peer has, or will have with what is queued, the whole body.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Queues one frame. Trailers end the body; where the framing has no place for them they are dropped.
    pub(crate) fn push(
        &mut self,
        frame: Frame<Bytes>,
        out: &mut Outgoing,
    ) -> Result<(), LengthMismatch> {
        match frame.into_data() {
            Ok(data) => self.push_data(data, out),
            Err(frame) => match (frame.into_trailers(), self.framing) {
                (Ok(trailers), Framing::Chunked) if !self.finished => {
                    encode::last_chunk(Some(&trailers), out.head());
                    self.finished = true;
                    Ok(())
                }
                _ => Ok(()),
            },
        }
    }

    fn push_data(&mut self, data: Bytes, out: &mut Outgoing) -> Result<(), LengthMismatch> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.framing {
            Framing::Empty => return Err(LengthMismatch),
            Framing::Length(remaining) => {
                *remaining = remaining
                    .checked_sub(data.len() as u64)
                    .ok_or(LengthMismatch)?;
                out.push(data);
            }
            Framing::Chunked => {
                encode::chunk_size(data.len(), out.head());
                out.push(data);
                out.head().extend_from_slice(b"\r\n");
            }
            Framing::UntilClose => out.push(data),
        }
        Ok(())
    }

    /// Queues what ends the body.
    pub(crate) fn finish(&mut self, out: &mut Outgoing) -> Result<(), LengthMismatch> {
        if self.finished {
            return Ok(());
        }
        match self.framing {
            Framing::Length(remaining) if remaining > 0 => return Err(LengthMismatch),
            Framing::Chunked => encode::last_chunk(None, out.head()),
            Framing::Empty | Framing::Length(_) | Framing::UntilClose => {}
        }
        self.finished = true;
        Ok(())
    }
}
