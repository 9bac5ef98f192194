use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{
        self, DeserializeSeed, IntoDeserializer, MapAccess, Visitor, value::MapAccessDeserializer,
    },
};
use serde_json::Value;

use crate::api::types::{DeletedTask, Task, TaskBatch, VideoResult};

/// The `response` of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskResponse {
    /// An object: what is known of the video.
    Result(Box<VideoResult>),
    /// Another JSON type. It says nothing about the task.
    Other(Value),
}

impl TaskResponse {
    /// What is known of the video, where that is an object.
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

impl Serialize for TaskResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Result(result) => result.serialize(serializer),
            Self::Other(value) => value.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for TaskResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Response;

        impl<'de> Visitor<'de> for Response {
            type Value = TaskResponse;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TaskResponse, A::Error> {
                VideoResult::deserialize(MapAccessDeserializer::new(map)).map(TaskResponse::from)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<TaskResponse, A::Error> {
                Value::deserialize(de::value::SeqAccessDeserializer::new(list))
                    .map(TaskResponse::Other)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TaskResponse, E> {
                Ok(TaskResponse::Other(text.into()))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<TaskResponse, E> {
                Ok(TaskResponse::Other(value.into()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<TaskResponse, E> {
                Ok(TaskResponse::Other(number.into()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<TaskResponse, E> {
                Ok(TaskResponse::Other(number.into()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<TaskResponse, E> {
                Ok(TaskResponse::Other(number.into()))
            }

            fn visit_unit<E: de::Error>(self) -> Result<TaskResponse, E> {
                Ok(TaskResponse::Other(Value::Null))
            }
        }

        deserializer.deserialize_any(Response)
    }
}

/// The answer to a task query.
///
/// Read in one pass: serde's untagged enums would hold the whole answer in memory a second time.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TaskAnswer {
    /// Several tasks.
    Batch(TaskBatch),
    /// A deletion.
    Deleted(DeletedTask),
    /// One task; an empty one where no task has the id.
    Task(Box<Task>),
}

impl Serialize for TaskAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Batch(batch) => batch.serialize(serializer),
            Self::Deleted(deleted) => deleted.serialize(serializer),
            Self::Task(task) => task.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for TaskAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Answer;

        impl<'de> Visitor<'de> for Answer {
            type Value = TaskAnswer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or null")
            }

            fn visit_unit<E>(self) -> Result<TaskAnswer, E> {
                Ok(TaskAnswer::Task(Box::default()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TaskAnswer, A::Error> {
                let Some(first) = map.next_key::<String>()? else {
                    return self.visit_unit();
                };
                let is_batch = matches!(first.as_str(), "items" | "count");
                let whole = MapAccessDeserializer::new(Peeked {
                    first: Some(first),
                    rest: map,
                });
                if is_batch {
                    return TaskBatch::deserialize(whole).map(TaskAnswer::Batch);
                }
                settle(Task::deserialize(whole)?).map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_any(Answer)
    }
}

/// What began like a task may still turn out to be a batch or a deletion: keys have no order.
fn settle(mut task: Task) -> Result<TaskAnswer, serde_json::Error> {
    if task.extra.contains_key("items") {
        let mut batch = std::mem::take(&mut task.extra);
        let items = serde_json::from_value(batch.remove("items").unwrap_or_default())?;
        let count = serde_json::from_value(batch.remove("count").unwrap_or_default())?;
        return Ok(TaskAnswer::Batch(TaskBatch {
            items,
            count,
            extra: batch,
        }));
    }
    if let (Some(id), Some(Value::Bool(deleted))) = (&task.id, task.extra.get("deleted")) {
        return Ok(TaskAnswer::Deleted(DeletedTask {
            id: id.clone(),
            deleted: *deleted,
        }));
    }
    Ok(TaskAnswer::Task(Box::new(task)))
}

/// A map whose first key was read already.
struct Peeked<A> {
    first: Option<String>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Peeked<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(key) => seed.deserialize(key.into_deserializer()).map(Some),
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.rest.next_value_seed(seed)
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
    fn nothing_is_an_empty_task() {
        for nothing in [json!(null), json!({})] {
            let TaskAnswer::Task(task) = read(nothing) else {
                panic!("not a task");
            };
            assert_eq!(task.id, None);
        }
    }

    #[test]
    fn a_batch_is_known_by_its_items_wherever_they_stand() {
        for text in [
            r#"{"items":[{"id":"a"},{"id":"b"}],"count":2}"#,
            r#"{"count":2,"items":[{"id":"a"},{"id":"b"}]}"#,
            r#"{"success":true,"count":"2","items":[{"id":"a"},{"id":"b"}]}"#,
        ] {
            let answer = serde_json::from_str(text).expect(text);
            let TaskAnswer::Batch(batch) = answer else {
                panic!("{text} is not a batch");
            };
            let ids: Vec<_> = batch.items.iter().map(|task| task.id.as_deref()).collect();
            assert_eq!(ids, [Some("a"), Some("b")], "{text}");
            assert_eq!(batch.count.and_then(|count| count.as_f64()), Some(2.0));
        }
    }

    #[test]
    fn a_deletion_is_no_task() {
        for text in [
            r#"{"id":"a","deleted":true}"#,
            r#"{"deleted":true,"id":"a"}"#,
        ] {
            let answer: TaskAnswer = serde_json::from_str(text).expect(text);
            assert!(matches!(answer, TaskAnswer::Deleted(deleted) if deleted.deleted));
        }
    }

    #[test]
    fn unknown_fields_are_kept() {
        let sent = json!({"id": "a", "_id": "x", "brand_new": [1, {"b": 2}],
            "response": {"state": "completed", "fps": 24}});
        let TaskAnswer::Task(task) = read(sent.clone()) else {
            panic!("not a task");
        };
        assert_eq!(task.extra["brand_new"], sent["brand_new"]);
        assert_eq!(
            serde_json::to_value(&task).expect("a task serializes"),
            sent
        );
    }

    #[test]
    fn a_response_of_another_type_is_kept() {
        for other in [
            json!([1, 2]),
            json!("soon"),
            json!(7),
            json!(-7),
            json!(0.5),
            json!(true),
        ] {
            let TaskAnswer::Task(task) = read(json!({"id": "a", "response": other})) else {
                panic!("not a task");
            };
            assert!(matches!(task.response, Some(TaskResponse::Other(kept)) if kept == other));
        }
    }

    #[test]
    fn an_answer_of_another_type_is_an_error() {
        for text in ["[]", "\"no\"", "5", "", "{\"id\":"] {
            assert!(serde_json::from_str::<TaskAnswer>(text).is_err(), "{text}");
        }
    }
}
