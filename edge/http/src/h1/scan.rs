//! Finds the end of a head in bytes that arrive piece by piece.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::HeadError;

/// The end of the last line with the empty line behind it.
static END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));

/// Remembers how far a head was looked through, so that each byte is looked at once however it arrives.
#[derive(Debug, Default)]
pub(crate) struct HeadScan {
    scanned: usize,
}

impl HeadScan {
    /// Looks for the empty line that ends the head at the front of `input`.
    ///
    /// Returns the head's length with that line, or `None` if more bytes are needed. `input` may only grow between
    /// two calls. Lines must end with CR LF (RFC 9112 §2.2 allows to accept a bare LF; two parsers that differ on
    /// it are a smuggling hole, so it is refused, and at once: the empty line may never come). In a head that is
    /// complete, the parser of its lines finds one.
    pub(crate) fn find_end(
        &mut self,
        input: &[u8],
        bytes_max: usize,
    ) -> Result<Option<usize>, HeadError> {
        if input.len() == self.scanned && input.len() < bytes_max {
            return Ok(None);
        }
        let window = &input[..input.len().min(bytes_max)];
        if window.starts_with(b"\r\n") {
            return Ok(Some(2));
        }
        let from = self.scanned.saturating_sub(3);
        if let Some(offset) = END.find(&window[from..]) {
            self.scanned = 0;
            return Ok(Some(from + offset + 4));
        }
        let mut feeds = memchr::memchr_iter(b'\n', &window[self.scanned..]);
        let is_bare = |feed: usize| feed == 0 || window[feed - 1] != b'\r';
        if feeds.any(|offset| is_bare(self.scanned + offset)) {
            return Err(HeadError::BareLineFeed);
        }
        self.scanned = window.len();
        if input.len() >= bytes_max {
            Err(HeadError::TooLarge)
        } else {
            Ok(None)
        }
    }
}
