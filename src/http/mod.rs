//! How the generated client sends requests, and the errors of a request without a result.

mod api_error;
pub(crate) mod config;
mod encoding;
mod error;
mod hooks;
mod media;
mod retry;
mod settings;
mod token;

pub use self::{
    api_error::ApiError,
    config::{BASE_URL_VARIABLE, ConfigError, DEFAULT_BASE_URL, TOKEN_VARIABLE},
    error::{DecodeError, RequestError, TransportError},
    retry::RetryPolicy,
    settings::Settings,
};
pub(crate) use self::{
    error::receive,
    media::{MediaClients, build_client, http_client},
    settings::AGENT,
    token::Token,
};

#[cfg(test)]
mod error_tests;
