//! Entry points of the fuzz targets.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};

use crate::{
    ApiError,
    http::Token,
    util::{json, retry_after},
};

/// Reads any response as an error.
pub fn api_error(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ApiError {
    let token = Token::new("0123456789abcdef".into(), 1).expect("a token");
    ApiError::read(status, headers, body, &token)
}

/// Reads a `Retry-After`.
pub fn retry_after(value: &[u8], now: SystemTime) -> Option<Duration> {
    retry_after::parse(value, now)
}

/// Rewrites almost-JSON so that a strict parser reads it.
pub fn repair(body: &[u8]) -> Option<String> {
    json::repair(body)
}
