//! How a body becomes a value: one odd field costs that field, never the rest.

use super::lenient::{Lenient, as_object};
use crate::util::json;

/// Reads a body; an unreadable field or an odd text in it costs no more than itself.
///
/// # Errors
///
/// The parser's reason, if the body is not one whole JSON object.
pub(crate) fn decode<T: Lenient>(body: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(body).or_else(|reason| recover(body).ok_or(reason))
}

/// The second try, for a body that the strict parser refused.
pub(crate) fn recover<T: Lenient>(body: &[u8]) -> Option<T> {
    let value = serde_json::from_str(&json::repair(body)?).ok()?;
    Some(T::lenient(as_object(value).ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{
            answer::TaskAnswer,
            lenient::UNREADABLE,
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
        let Ok(TaskAnswer::Batch(batch)) = decode(body) else {
            panic!("not a batch");
        };
        let ids: Vec<_> = batch.items.iter().map(|task| task.id.as_deref()).collect();
        assert_eq!(ids, [Some("a"), Some("b")]);
        assert_eq!(batch.items[0].state(), TaskState::Completed);
        // The odd field is kept, and can be stored.
        assert_eq!(batch.items[0].extra[UNREADABLE], json!({ "trace_id": 7 }));
        let stored = serde_json::to_string(&batch.items[0]).expect("JSON");
        let again: Task = serde_json::from_str(&stored).expect("a task");
        assert_eq!(again.extra, batch.items[0].extra);
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
            assert!(decode::<TaskAnswer>(body.as_bytes()).is_err(), "{body}");
            assert!(decode::<VideoResult>(body.as_bytes()).is_err(), "{body}");
        }
    }
}
