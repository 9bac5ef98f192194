//! A `Retry-After` is ignored, or at most a year: four bytes of clock, then the value.
#![no_main]

use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use luma_client::fuzzing;

fuzz_target!(|input: &[u8]| {
    let Some((clock, value)) = input.split_first_chunk() else {
        return;
    };
    let since = Duration::from_secs(u32::from_be_bytes(*clock).into());
    let after = fuzzing::retry_after(value, SystemTime::UNIX_EPOCH + since);
    assert!(after.is_none_or(|after| after <= Duration::from_secs(365 * 24 * 3_600)));
});
