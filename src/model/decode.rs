//! Lenient reading: an unreadable field costs that field, never the rest.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, error::Category};

use crate::{
    api::types::{Task, VideoResult},
    util::json,
};

/// A type that is read from an object, whatever single fields hold.
pub(crate) trait Lenient: DeserializeOwned {
    fn lenient(object: Map<String, Value>) -> Self;
}

impl Lenient for VideoResult {
    fn lenient(object: Map<String, Value>) -> Self {
        readable_fields(object, |result: &mut Self| &mut result.extra)
    }
}

/// Reads a body; an unreadable field or an odd text in it costs no more than itself.
///
/// # Errors
///
/// What the body is, if it is not one whole JSON object. The parser's own words name types of this crate.
pub(crate) fn decode<T: Lenient>(body: &[u8]) -> Result<T, &'static str> {
    let reason = match serde_json::from_slice(body) {
        Ok(value) => return Ok(value),
        Err(_) if body.trim_ascii().is_empty() => "it is empty",
        Err(error) => match error.classify() {
            Category::Eof => "it ends too early",
            Category::Data => "it is not a JSON object",
            _ => "it is not JSON",
        },
    };
    json::read(body).and_then(read_object).ok_or(reason)
}

pub(super) fn read_object<T: Lenient>(value: Value) -> Option<T> {
    match value {
        Value::Object(object) => Some(T::lenient(object)),
        _ => None,
    }
}

/// Where fields are kept that could not be read. Not under their own names: a stored task must be
/// readable again.
const UNREADABLE: &str = "unreadable";

/// What stands for a task in a list, but is no object.
pub(super) fn unreadable(value: Value) -> Task {
    Task { extra: Map::from_iter([(UNREADABLE.to_owned(), value)]), ..Task::default() }
}

/// Reads a struct of optional fields from the readable ones, and keeps the others in `extra`.
pub(super) fn readable_fields<T: DeserializeOwned + Default>(
    object: Map<String, Value>,
    extra: impl Fn(&mut T) -> &mut Map<String, Value>,
) -> T {
    if let Ok(read) = T::deserialize(&object) {
        return read;
    }
    let (readable, odd): (Map<_, _>, Map<_, _>) = object.into_iter().partition(|(name, value)| {
        T::deserialize(&Map::from_iter([(name.clone(), value.clone())]))
            .inspect_err(|_| {
                tracing::debug!(field = name, "a response field of an unexpected type")
            })
            .is_ok()
    });
    let mut read = T::deserialize(&readable).unwrap_or_default();
    if !odd.is_empty() {
        extra(&mut read).insert(UNREADABLE.to_owned(), odd.into());
    }
    read
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{
            response::QueryResponse,
            task::{Task, TaskState},
        },
        *,
    };
    use crate::api::types::VideoResult;

    #[test]
    fn odd_task_in_a_batch_costs_only_its_odd_fields() {
        let body = br#"{"items":[
            {"id":"a","trace_id":7,"response":{"state":"completed","video_url":"u","prompt":5}},
            "odd",
            {"id":"b","response":[1]}]}"#;
        let Ok(QueryResponse::Batch(batch)) = decode(body) else {
            panic!("not a batch");
        };
        let ids: Vec<_> = batch.items.iter().map(|task| task.id.as_deref()).collect();
        // What is no task keeps its place.
        assert_eq!(ids, [Some("a"), None, Some("b")]);
        assert_eq!(batch.items[1].extra[UNREADABLE], "odd");
        assert_eq!(batch.items[0].state(), TaskState::Completed);
        // The odd field is kept, and can be stored.
        assert_eq!(batch.items[0].extra[UNREADABLE], json!({ "trace_id": 7 }));
        let stored = serde_json::to_string(&batch.items[0]).expect("JSON");
        let again: Task = serde_json::from_str(&stored).expect("a task");
        assert_eq!(again.extra, batch.items[0].extra);
    }

    #[test]
    fn unreadable_body_is_described_without_names_of_types() {
        for (body, expected) in [
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("[]", "it is not a JSON object"),
            ("7", "it is not a JSON object"),
            ("\"text\"", "it is not a JSON object"),
            ("{\"id\":", "it ends too early"),
            ("<html>", "it is not JSON"),
            ("{]", "it is not JSON"),
        ] {
            assert_eq!(decode::<QueryResponse>(body.as_bytes()).err(), Some(expected), "{body}");
            assert_eq!(decode::<VideoResult>(body.as_bytes()).err(), Some(expected), "{body}");
        }
    }

    #[test]
    fn task_id_beside_anything_odd_is_read() {
        for odd in [
            r#""success":"yes","video_url":[]"#,
            r#""prompt":"cut \ud83d""#,
            "\"prompt\":\"raw\nline\"",
            r#""elapsed":NaN,"video_width":1e999"#,
        ] {
            let body = format!(r#"{{"task_id":"a",{odd}}}"#);
            let result: VideoResult = decode(body.as_bytes()).expect(odd);
            assert_eq!(result.task_id.as_deref(), Some("a"), "{odd}");
        }
        let deep = format!(r#"{{"x":{}{},"task_id":"a"}}"#, "[".repeat(300), "]".repeat(300));
        let result: VideoResult = decode(deep.as_bytes()).expect("deep");
        assert_eq!(result.task_id.as_deref(), Some("a"));
    }

    #[test]
    fn body_that_is_cut_or_no_object_is_an_error() {
        for body in ["", "[]", "5", "<html>", "{\"a\":"] {
            assert!(decode::<QueryResponse>(body.as_bytes()).is_err(), "{body}");
            assert!(decode::<VideoResult>(body.as_bytes()).is_err(), "{body}");
        }
    }
}
