//! An answer that did not come.

/// There was no whole answer.
#[derive(Debug, thiserror::Error)]
#[error("{}", describe(.source))]
pub struct TransportError {
    source: reqwest::Error,
}

impl TransportError {
    pub(crate) fn new(source: reqwest::Error) -> Self {
        Self { source }
    }

    /// Whether the connection could not even be made, so that the service saw nothing.
    pub fn is_connect(&self) -> bool {
        self.source.is_connect()
    }

    /// Whether the time for the call ran out.
    pub fn is_timeout(&self) -> bool {
        self.source.is_timeout()
    }
}

fn describe(error: &reqwest::Error) -> &'static str {
    if error.is_connect() {
        "could not connect to the service"
    } else if error.is_timeout() {
        "the service did not answer in time"
    } else {
        "the connection to the service broke"
    }
}
