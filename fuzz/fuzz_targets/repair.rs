//! Almost-JSON: a repair never panics, keeps readable values, and gives no more than it got.
#![no_main]

use libfuzzer_sys::fuzz_target;
use luma_client::fuzzing;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let repaired = fuzzing::repair(body);
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    if value.is_object() {
        let repaired = repaired.expect("JSON is whole");
        assert!(repaired.len() <= 6 * body.len() + 6);
        serde_json::from_str::<Value>(&repaired).expect("JSON stays JSON");
    }
});
