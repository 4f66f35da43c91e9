//! Finds the end of a head in bytes that arrive piece by piece.

use super::HeadError;

/// Remembers how far a head was looked through, so that each byte is looked at once however it arrives.
#[derive(Debug, Default)]
pub(crate) struct HeadScan {
    scanned: usize,
    line_start: usize,
}

impl HeadScan {
    /// Looks for the empty line that ends the head at the front of `input`.
    ///
    /// Returns the head's length with that line, or `None` if more bytes are needed. `input` may only grow between
    /// two calls. Lines must end with CR LF (RFC 9112 §2.2 allows to accept a bare LF; two parsers that differ on
    /// it are a smuggling hole, so it is refused, and at once: the empty line may never come).
    pub(crate) fn find_end(
        &mut self,
        input: &[u8],
        bytes_max: usize,
    ) -> Result<Option<usize>, HeadError> {
        let window = &input[..input.len().min(bytes_max)];
        while let Some(offset) = memchr::memchr(b'\n', &window[self.scanned..]) {
            let end = self.scanned + offset;
            if end == 0 || window[end - 1] != b'\r' {
                return Err(HeadError::BareLineFeed);
            }
            let line_is_empty = self.line_start == end - 1;
            self.scanned = end + 1;
            self.line_start = end + 1;
            if line_is_empty {
                *self = HeadScan::default();
                return Ok(Some(end + 1));
            }
        }
        self.scanned = window.len();
        if input.len() >= bytes_max {
            Err(HeadError::TooLarge)
        } else {
            Ok(None)
        }
    }
}
