//! Any response read as an error: two bytes of status, a line of `Retry-After`, then the body.
#![no_main]

use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use luma_client::fuzzing;

fuzz_target!(|input: &[u8]| {
    let Some(([high, low], rest)) = input.split_first_chunk() else {
        return;
    };
    let status = 100 + u16::from_be_bytes([*high, *low]) % 900;
    let status = StatusCode::from_u16(status).expect("from 100 to 999");
    let mut parts = rest.splitn(2, |byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    if let Some(Ok(value)) = parts.next().map(HeaderValue::from_bytes) {
        headers.insert("retry-after", value);
    }
    let error = fuzzing::api_error(status, &headers, parts.next().unwrap_or_default());
    let shown = error.to_string();
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    assert!(shown.chars().count() < 1_500, "{shown}");
});
