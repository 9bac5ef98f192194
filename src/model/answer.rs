//! The parts of a response whose JSON type decides what they are.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::lenient::{Lenient, as_object};
use crate::api::types::{DeletedTask, Task, TaskBatch, VideoResult};

/// The `response` of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
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

impl<'de> Deserialize<'de> for TaskResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match as_object(Value::deserialize(deserializer)?) {
            Ok(object) => VideoResult::lenient(object).into(),
            Err(other) => Self::Other(other),
        })
    }
}

/// The response to a task query.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
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
#[derive(Deserialize)]
struct AnyAnswer {
    items: Option<Vec<Task>>,
    deleted: Option<Value>,
    #[serde(flatten)]
    task: Task,
}

impl<'de> Deserialize<'de> for TaskAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Some(answer) = Option::<AnyAnswer>::deserialize(deserializer)? else {
            return Ok(Self::Task(Box::default()));
        };
        Ok(Self::from_parts(answer.items, answer.deleted, answer.task))
    }
}

impl TaskAnswer {
    fn from_parts(items: Option<Vec<Task>>, deleted: Option<Value>, mut task: Task) -> Self {
        if let Some(items) = items {
            return Self::Batch(TaskBatch {
                items,
                count: task.extra.remove("count").map(Into::into),
                extra: task.extra,
            });
        }
        let deleted = deleted.and_then(|deleted| {
            let parse = || deleted.as_str()?.parse().ok();
            deleted.as_bool().or_else(parse)
        });
        match deleted {
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
            Value::Array(items) => {
                let objects = items.into_iter().filter_map(|item| as_object(item).ok());
                Some(objects.map(Task::lenient).collect())
            }
            _ => None,
        });
        let deleted = object.remove("deleted");
        Self::from_parts(items, deleted, Task::lenient(object))
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
