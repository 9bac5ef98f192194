//! An answer that came, but cannot be read.

use std::fmt;

use serde::Serialize;

use super::text::{EXCERPT, excerpt, quoted, tidy};

/// An answer that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the answer could not be read: {reason}{}",
    quoted("; it begins with ", excerpt)
)]
pub struct DecodeError {
    reason: String,
    excerpt: String,
    kind: DecodeErrorKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DecodeErrorKind {
    Unreadable,
    /// Larger than the limit.
    TooLarge,
    /// Readable, but not what was asked for.
    Other,
}

impl DecodeError {
    pub(crate) fn new(reason: impl fmt::Display, body: &[u8]) -> Self {
        Self {
            // Serde's reasons quote values, however long.
            reason: tidy(&reason.to_string(), EXCERPT),
            excerpt: excerpt(body),
            kind: DecodeErrorKind::Unreadable,
        }
    }

    pub(super) fn too_large(limit: usize, body: &[u8]) -> Self {
        let reason = format!("it is larger than the limit of {limit} bytes");
        Self {
            kind: DecodeErrorKind::TooLarge,
            ..Self::new(reason, body)
        }
    }

    /// The answer can be read, but is not what was asked for.
    pub(crate) fn other(reason: &str, answer: &impl Serialize) -> Self {
        Self {
            kind: DecodeErrorKind::Other,
            ..Self::new(reason, &serde_json::to_vec(answer).unwrap_or_default())
        }
    }

    /// Whether it is larger than [`max_response_bytes`](crate::LumaBuilder::max_response_bytes),
    /// which the same call would find again.
    pub fn is_too_large(&self) -> bool {
        self.kind == DecodeErrorKind::TooLarge
    }

    /// Whether it can be read, but is not what was asked for.
    pub(crate) fn is_other(&self) -> bool {
        self.kind == DecodeErrorKind::Other
    }

    /// The beginning of the answer, at most 200 characters.
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }
}
