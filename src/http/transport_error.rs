//! A response that did not come.

use std::fmt;

/// There was no whole response.
#[derive(Debug)]
pub struct TransportError(Reason);

#[derive(Debug)]
enum Reason {
    Http(reqwest::Error),
    ShutDown,
}

impl TransportError {
    pub(crate) fn new(source: reqwest::Error) -> Self {
        // The URL says nothing new, and a base URL may be private.
        Self(Reason::Http(source.without_url()))
    }

    pub(super) fn shut_down() -> Self {
        Self(Reason::ShutDown)
    }

    /// Whether nothing was sent: the connection could not be made, or the client was shut down.
    pub fn is_not_sent(&self) -> bool {
        match &self.0 {
            Reason::Http(error) => error.is_connect(),
            Reason::ShutDown => true,
        }
    }

    /// Whether the connection could not be made.
    pub fn is_connect(&self) -> bool {
        matches!(&self.0, Reason::Http(error) if error.is_connect())
    }

    /// Whether the time for the call ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(&self.0, Reason::Http(error) if error.is_timeout())
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Reason::ShutDown => "the client was shut down: no further request was sent",
            Reason::Http(error) if error.is_connect() => "could not connect to the service",
            Reason::Http(error) if error.is_timeout() => "the service did not answer in time",
            Reason::Http(_) => "the connection to the service broke",
        })
    }
}

impl std::error::Error for TransportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Reason::Http(error) => Some(error),
            Reason::ShutDown => None,
        }
    }
}
