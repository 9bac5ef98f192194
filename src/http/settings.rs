//! What every request of the generated client needs.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{retry::RetryPolicy, token::Token};

pub(crate) const AGENT: &str = concat!("luma-client/", env!("CARGO_PKG_VERSION"));

/// The settings of a client, which its hooks apply to each request.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) token: Arc<Token>,
    /// For one attempt, from connecting to the last byte.
    pub(crate) timeout: Duration,
    /// For the body of a response, in bytes.
    pub(crate) max_response_bytes: usize,
    pub(crate) retry: RetryPolicy,
    /// After it is cancelled, no attempt begins.
    pub(crate) shutdown: CancellationToken,
}
