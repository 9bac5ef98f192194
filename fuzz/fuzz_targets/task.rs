//! The response to a lookup: it is consistent, and the same after it was stored as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use luma_client::{Task, TaskState, fields::QueryResponse};

fuzz_target!(|body: &[u8]| {
    match serde_json::from_slice(body) {
        Ok(QueryResponse::Task(task)) => check(&task),
        Ok(QueryResponse::Batch(batch)) => batch.items.iter().for_each(check),
        Ok(_) | Err(_) => {}
    }
});

fn check(task: &Task) {
    let state = task.state();
    assert_eq!(task.video().is_some(), state == TaskState::Completed);
    assert_eq!(task.failure().is_some(), state == TaskState::Failed);
    let json = serde_json::to_string(task).expect("a task is JSON");
    let mut again: Task = serde_json::from_str(&json).expect("and JSON a task");
    assert_eq!(again.state(), state);
    again.extra.insert("x_unknown".into(), true.into());
    assert_eq!(again.state(), state);
}
