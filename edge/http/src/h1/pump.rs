//! Moves a body into a socket: the same loop for requests to upstreams and responses to clients.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::Body as _;

use super::framing::LengthMismatch;
use super::{BodyEncoder, Outgoing};
use crate::body::{Body, BodyError};

/// Why a body could not be sent whole.
#[derive(Debug)]
pub(crate) enum PumpError {
    /// The body itself failed.
    Body(BodyError),
    /// The body is not as long as was announced.
    Length(LengthMismatch),
    /// The receiver failed; why makes no difference, the connection is over.
    Io,
}

/// Why the pump does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocked {
    /// The body has nothing yet, and all it gave is written.
    Body,
    /// The receiver takes no more at the moment.
    Io,
}

/// Pumps until the body is sent (`Ok(None)`) or something blocks; wakes the task when that changes.
///
/// What is ready is gathered before a write, so a head and a small body leave in one write. `write` writes all that
/// is queued; it is a call, not a stream, because the body may read from the same stream's other half.
pub(crate) fn poll_pump(
    body: &mut Body,
    encoder: &mut BodyEncoder,
    out: &mut Outgoing,
    cx: &mut Context<'_>,
    mut write: impl FnMut(&mut Outgoing, &mut Context<'_>) -> Poll<io::Result<()>>,
) -> Result<Option<Blocked>, PumpError> {
    loop {
        let mut body_blocks = false;
        while !encoder.is_finished() && out.has_room() {
            if body.is_end_stream() {
                encoder.finish(out).map_err(PumpError::Length)?;
                break;
            }
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    encoder.push(frame, out).map_err(PumpError::Length)?;
                }
                Poll::Ready(Some(Err(error))) => return Err(PumpError::Body(error)),
                Poll::Ready(None) => encoder.finish(out).map_err(PumpError::Length)?,
                Poll::Pending => {
                    body_blocks = true;
                    break;
                }
            }
        }
        match write(out, cx) {
            Poll::Ready(Ok(())) if encoder.is_finished() => return Ok(None),
            Poll::Ready(Ok(())) if body_blocks => return Ok(Some(Blocked::Body)),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return Err(PumpError::Io),
            Poll::Pending => return Ok(Some(Blocked::Io)),
        }
    }
}
