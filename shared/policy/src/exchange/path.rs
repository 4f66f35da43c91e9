//! The request path and its two halves.

use std::sync::Arc;

use http::uri::PathAndQuery;

/// The raw request path, split at the context path of the API.
#[derive(Clone, Debug)]
pub struct RequestPath {
    target: PathAndQuery,
    context_path: Arc<str>,
    info_start: usize,
}

impl RequestPath {
    /// Splits `target` at `context_path`, which begins and ends with a slash and prefixes the path
    /// (save for its last slash, which the client may have left out).
    #[must_use]
    pub fn new(target: PathAndQuery, context_path: Arc<str>) -> Self {
        let end = context_path.len().saturating_sub(1);
        let info_start = if target.path().is_char_boundary(end) {
            end
        } else {
            target.path().len()
        };
        Self {
            target,
            context_path,
            info_start,
        }
    }

    /// Returns the path as received, encoded.
    #[must_use]
    pub fn raw(&self) -> &str {
        self.target.path()
    }

    /// Returns path and query as received.
    #[must_use]
    pub fn uri(&self) -> &str {
        self.target.as_str()
    }

    /// Returns the context path with its trailing slash.
    #[must_use]
    pub fn context_path(&self) -> &str {
        &self.context_path
    }

    /// Returns the context path as shared text.
    pub(crate) fn shared_context_path(&self) -> Arc<str> {
        Arc::clone(&self.context_path)
    }

    /// Returns what follows the context path: begins with a slash, or is empty if the client called
    /// the context path without its trailing slash.
    #[must_use]
    pub fn info(&self) -> &str {
        &self.raw()[self.info_start..]
    }
}
