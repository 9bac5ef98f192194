//! Reads JSON whose fields are not of the documented types, as far as it goes.
//!
//! The second try only: a paid task id, or 49 good tasks of a batch, must not be lost because some
//! other field has an unexpected type.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{TaskAnswer, TaskResponse};
use crate::api::types::{Task, TaskBatch, VideoResult};

/// The answer to a task query; `None` where it is no JSON object.
pub(crate) fn answer(body: &[u8]) -> Option<TaskAnswer> {
    let mut map = object(serde_json::from_slice(body).ok()?)?;
    let Some(items) = map.remove("items") else {
        return Some(TaskAnswer::Task(Box::new(task(map))));
    };
    let items = match items {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        _ => return None,
    };
    Some(TaskAnswer::Batch(TaskBatch {
        items: items.into_iter().filter_map(object).map(task).collect(),
        count: None,
        extra: map,
    }))
}

/// The answer to a submit; `None` where it is no JSON object.
pub(crate) fn result(body: &[u8]) -> Option<VideoResult> {
    Some(video_result(object(serde_json::from_slice(body).ok()?)?))
}

fn video_result(map: Map<String, Value>) -> VideoResult {
    readable_fields(map, |result: &mut VideoResult| &mut result.extra)
}

fn task(mut map: Map<String, Value>) -> Task {
    let response = map.remove("response");
    let mut task = readable_fields(map, |task: &mut Task| &mut task.extra);
    task.response = response.map(|response| match response {
        Value::Object(map) => TaskResponse::from(video_result(map)),
        other => TaskResponse::Other(other),
    });
    task
}

/// Where the fields are kept that could not be read. Not under their own names: what is read must be
/// readable again once it was stored.
const UNREADABLE: &str = "unreadable";

/// Reads a struct of optional fields from those fields that can be read, and keeps the others.
fn readable_fields<T: DeserializeOwned + Default>(
    map: Map<String, Value>,
    extra: impl Fn(&mut T) -> &mut Map<String, Value>,
) -> T {
    let (readable, odd): (Map<_, _>, Map<_, _>) = map.into_iter().partition(|(name, value)| {
        let alone = Map::from_iter([(name.to_string(), value.clone())]);
        let is_readable = serde_json::from_value::<T>(alone.into()).is_ok();
        if !is_readable {
            tracing::warn!(field = name, "a field of an unexpected type");
        }
        is_readable
    });
    let mut read: T = serde_json::from_value(Value::Object(readable)).unwrap_or_default();
    if !odd.is_empty() {
        extra(&mut read).insert(UNREADABLE.to_owned(), odd.into());
    }
    read
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_odd_task_does_not_spoil_the_batch() {
        let body = br#"{"items":[
            {"id":"a","trace_id":7,"response":{"state":"completed","video_url":"u","prompt":5}},
            "odd",
            {"id":"b","response":[1]}]}"#;
        assert!(serde_json::from_slice::<TaskAnswer>(body).is_err());
        let Some(TaskAnswer::Batch(batch)) = answer(body) else {
            panic!("no batch");
        };
        let ids: Vec<_> = batch.items.iter().map(|task| task.id.as_deref()).collect();
        assert_eq!(ids, [Some("a"), Some("b")]);
        assert_eq!(batch.items[0].state(), crate::TaskState::Completed);
        // What could not be read is kept, and can be stored.
        assert_eq!(batch.items[0].extra[UNREADABLE], json!({ "trace_id": 7 }));
        let stored = serde_json::to_string(&batch.items[0]).expect("JSON");
        let again: Task = serde_json::from_str(&stored).expect("a task");
        assert_eq!(again.extra, batch.items[0].extra);
    }

    #[test]
    fn a_task_id_is_never_lost() {
        let result = result(br#"{"task_id":"a","success":"yes","video_url":[]}"#);
        assert_eq!(
            result.and_then(|result| result.task_id).as_deref(),
            Some("a")
        );
    }

    #[test]
    fn what_is_no_object_is_not_salvaged() {
        for body in ["", "[]", "5", "<html>", "{\"a\":", "{\"items\":5}"] {
            assert!(answer(body.as_bytes()).is_none(), "{body}");
        }
        for body in ["", "[]", "null", "{\"a\":"] {
            assert!(result(body.as_bytes()).is_none(), "{body}");
        }
    }
}
