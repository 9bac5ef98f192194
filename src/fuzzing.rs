//! What fuzz targets reach that is not public.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};

use crate::ApiError;

/// Reads any answer as an error.
pub fn api_error(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ApiError {
    ApiError::read(status, headers, body)
}

/// Reads a `Retry-After`.
pub fn retry_after(value: &[u8], now: SystemTime) -> Option<Duration> {
    crate::retry::retry_after_at(value, now)
}
