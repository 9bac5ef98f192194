//! The parts of a response whose JSON type decides what they are.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::decode::{Lenient, read_object};
use crate::api::types::{DeletedTask, Task, TaskBatch, VideoResult};

/// The `response` of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "AnyResponse", untagged)]
pub enum TaskResponse {
    /// An object: what is known of the video.
    Result(Box<VideoResult>),
    /// Another JSON type, kept as sent. It says nothing about the task.
    Other(Value),
}

impl TaskResponse {
    /// What is known of the video, if the response is an object.
    pub fn result(&self) -> Option<&VideoResult> {
        match self {
            Self::Result(result) => Some(result),
            Self::Other(_) => None,
        }
    }
}

impl From<VideoResult> for TaskResponse {
    fn from(result: VideoResult) -> Self {
        Self::Result(Box::new(result))
    }
}

/// A response before its odd fields are left out. Without odd fields no `Value` is built.
#[derive(Deserialize)]
#[serde(untagged)]
enum AnyResponse {
    Result(Box<VideoResult>),
    Other(Value),
}

impl From<AnyResponse> for TaskResponse {
    fn from(response: AnyResponse) -> Self {
        match response {
            AnyResponse::Result(result) => Self::Result(result),
            AnyResponse::Other(Value::Object(object)) => VideoResult::lenient(object).into(),
            AnyResponse::Other(other) => Self::Other(other),
        }
    }
}

/// The response to a task query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Option<AnyAnswer>", untagged)]
#[non_exhaustive]
pub enum TaskAnswer {
    /// Several tasks.
    Batch(TaskBatch),
    /// A deletion.
    Deleted(DeletedTask),
    /// One task; an empty one if no task has the id.
    Task(Box<Task>),
}

/// Every field that a response to a task query may have. The fields decide which kind it is.
#[derive(Default, Deserialize)]
struct AnyAnswer {
    items: Option<Vec<Task>>,
    deleted: Option<Value>,
    #[serde(flatten)]
    task: Task,
}

impl From<Option<AnyAnswer>> for TaskAnswer {
    fn from(answer: Option<AnyAnswer>) -> Self {
        let AnyAnswer { items, deleted, mut task } = answer.unwrap_or_default();
        if let Some(items) = items {
            let count =
                task.extra.remove("count").and_then(|count| serde_json::from_value(count).ok());
            return Self::Batch(TaskBatch { items, count, extra: task.extra });
        }
        let parse = |value: Value| value.as_bool().or_else(|| value.as_str()?.parse().ok());
        match deleted.and_then(parse) {
            Some(deleted) => {
                Self::Deleted(DeletedTask { id: task.id.unwrap_or_default(), deleted })
            }
            None => Self::Task(Box::new(task)),
        }
    }
}

impl Lenient for TaskAnswer {
    fn lenient(mut object: Map<String, Value>) -> Self {
        let items = object.remove("items").and_then(|items| match items {
            Value::Array(items) => Some(items.into_iter().filter_map(read_object).collect()),
            _ => None,
        });
        let deleted = object.remove("deleted");
        Some(AnyAnswer { items, deleted, task: Task::lenient(object) }).into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> TaskAnswer {
        serde_json::from_str(&value.to_string()).unwrap_or_else(|error| panic!("{value}: {error}"))
    }

    #[test]
    fn answer_of_nothing_is_an_empty_task() {
        for nothing in [json!(null), json!({})] {
            assert_eq!(read(nothing), TaskAnswer::Task(Box::default()));
        }
    }

    #[test]
    fn answer_with_items_in_any_place_is_a_batch() {
        for text in [
            r#"{"items":[{"id":"a"},{"id":"b"}],"count":2}"#,
            r#"{"count":2,"items":[{"id":"a"},{"id":"b"}]}"#,
            r#"{"success":true,"count":"2","items":[{"id":"a"},{"id":"b"}]}"#,
        ] {
            let TaskAnswer::Batch(batch) = serde_json::from_str(text).expect(text) else {
                panic!("{text} is not a batch");
            };
            let ids: Vec<_> = batch.items.iter().map(|task| task.id.as_deref()).collect();
            assert_eq!(ids, [Some("a"), Some("b")], "{text}");
            assert_eq!(batch.count.and_then(|count| count.as_f64()), Some(2.0));
        }
    }

    #[test]
    fn answer_with_deleted_in_any_form_is_a_deletion() {
        for (text, expected) in [
            (r#"{"id":"a","deleted":true}"#, true),
            (r#"{"deleted":true,"id":"a"}"#, true),
            (r#"{"deleted":"false","id":"a"}"#, false),
            (r#"{"deleted":true}"#, true),
        ] {
            let answer: TaskAnswer = serde_json::from_str(text).expect(text);
            let TaskAnswer::Deleted(deleted) = answer else {
                panic!("{text} is not a deletion");
            };
            assert_eq!(deleted.deleted, expected, "{text}");
        }
    }

    #[test]
    fn unknown_fields_of_a_task_are_kept() {
        let sent = json!({"id": "a", "_id": "x", "brand_new": [1, {"b": 2}],
            "response": {"state": "completed", "fps": 24}});
        let TaskAnswer::Task(task) = read(sent.clone()) else {
            panic!("not a task");
        };
        assert_eq!(task.extra["brand_new"], sent["brand_new"]);
        assert_eq!(serde_json::to_value(&task).expect("JSON"), sent);
    }

    #[test]
    fn response_of_another_type_is_kept() {
        for other in [json!([1, 2]), json!("soon"), json!(7), json!(-7), json!(0.5), json!(true)] {
            let TaskAnswer::Task(task) = read(json!({"id": "a", "response": other})) else {
                panic!("not a task");
            };
            assert!(matches!(task.response, Some(TaskResponse::Other(kept)) if kept == other));
        }
    }

    #[test]
    fn answer_of_another_type_is_an_error() {
        for text in ["[]", "\"no\"", "5", "", "{\"id\":"] {
            assert!(serde_json::from_str::<TaskAnswer>(text).is_err(), "{text}");
        }
    }
}
