//! A response that came, but cannot be read.

use std::fmt;

/// A response that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    reason: String,
    excerpt: String,
    kind: DecodeErrorKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecodeErrorKind {
    /// Not one whole JSON object.
    Unreadable,
    /// Larger than the limit.
    TooLarge,
    /// Readable, but not what was asked for.
    Unexpected,
}

impl DecodeError {
    /// Both texts must be fit to be shown.
    pub(super) fn new(kind: DecodeErrorKind, reason: String, excerpt: String) -> Self {
        Self { reason, excerpt, kind }
    }

    /// Whether it is larger than [`max_response_bytes`](crate::LumaBuilder::max_response_bytes): the
    /// same call would meet it again.
    pub fn is_too_large(&self) -> bool {
        self.kind == DecodeErrorKind::TooLarge
    }

    /// Whether it could be read, but is not what was asked for.
    pub(crate) fn is_unexpected(&self) -> bool {
        self.kind == DecodeErrorKind::Unexpected
    }

    /// The beginning of the response, at most 200 characters.
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the response could not be read: {}", self.reason)?;
        match self.excerpt.as_str() {
            "" => Ok(()),
            excerpt => write!(f, "; it begins with {excerpt:?}"),
        }
    }
}

impl std::error::Error for DecodeError {}
