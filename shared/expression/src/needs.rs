//! What a compiled expression touches, found at compile time.

use std::ops::{BitOr, BitOrAssign};

/// Bodies that must be buffered before evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The request body is read.
    pub request_content: bool,
    /// The response body is read.
    pub response_content: bool,
}

impl Needs {
    /// Nothing is needed.
    pub const NONE: Self = Self {
        request_content: false,
        response_content: false,
    };
}

impl BitOr for Needs {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            request_content: self.request_content || other.request_content,
            response_content: self.response_content || other.response_content,
        }
    }
}

impl BitOrAssign for Needs {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}
