//! A callback is refused, or names a task whose state is the same after it was stored as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use luma_client::{TaskId, TaskState, webhook};

fuzz_target!(|body: &[u8]| {
    let Ok(task) = webhook::parse(body) else {
        return;
    };
    let id = task.id.as_deref().expect("a callback names its task");
    id.parse::<TaskId>().expect("by an id");
    let state = task.state();
    assert_eq!(task.video().is_some(), state == TaskState::Completed);
    assert_eq!(task.failure().is_some(), state == TaskState::Failed);
    let json = serde_json::to_vec(task.response.as_ref().expect("a response")).expect("JSON");
    let again = webhook::parse(&json).expect("a callback");
    assert_eq!(again.state(), state);
});
