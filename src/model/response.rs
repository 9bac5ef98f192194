//! The parts of a response whose meaning depends on their JSON type.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::{Map, Value};

use super::decode::{Lenient, readable_fields, unreadable};
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
    /// Returns what is known of the video, if the response is an object.
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
        deserializer.deserialize_any(ObjectOrOther)
    }
}

/// Reads an object in one pass, without a `Value` of it.
struct ObjectOrOther;

macro_rules! visit_other {
    ($($method:ident: $kind:ty,)*) => {
        $(fn $method<E>(self, value: $kind) -> Result<TaskResponse, E> {
            Ok(TaskResponse::Other(value.into()))
        })*
    };
}

impl<'de> Visitor<'de> for ObjectOrOther {
    type Value = TaskResponse;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TaskResponse, A::Error> {
        VideoResult::deserialize(MapAccessDeserializer::new(map)).map(TaskResponse::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<TaskResponse, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(list)).map(TaskResponse::Other)
    }

    fn visit_unit<E>(self) -> Result<TaskResponse, E> {
        Ok(TaskResponse::Other(Value::Null))
    }

    visit_other! {
        visit_bool: bool,
        visit_i64: i64,
        visit_u64: u64,
        visit_f64: f64,
        visit_str: &str,
    }
}

/// The response to a task query.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum QueryResponse {
    /// Several tasks.
    Batch(TaskBatch),
    /// A deletion.
    Deleted(DeletedTask),
    /// One task; an empty one if no task has the id.
    Task(Box<Task>),
}

impl<'de> Deserialize<'de> for QueryResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyResponse)
    }
}

/// Reads a batch in one pass if its first field shows that it is one, and any other object as a task.
struct AnyResponse;

impl<'de> Visitor<'de> for AnyResponse {
    type Value = QueryResponse;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or null")
    }

    fn visit_unit<E>(self) -> Result<QueryResponse, E> {
        Ok(QueryResponse::Task(Box::default()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<QueryResponse, A::Error> {
        let Some(first) = map.next_key::<String>()? else {
            return self.visit_unit();
        };
        let is_batch = matches!(first.as_str(), "items" | "count");
        let object = MapAccessDeserializer::new(Peeked { first: Some(first), rest: map });
        match is_batch {
            true => TaskBatch::deserialize(object).map(QueryResponse::Batch),
            false => Ok(Task::deserialize(object)?.into()),
        }
    }
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

/// What was read as a task may still be a batch or a deletion: the fields of an object have no order.
impl From<Task> for QueryResponse {
    fn from(mut task: Task) -> Self {
        if let Some(Value::Array(items)) = task.extra.remove("items") {
            let read = |item| match item {
                Value::Object(object) => Task::lenient(object),
                other => unreadable(other),
            };
            let items = items.into_iter().map(read).collect();
            let count =
                task.extra.remove("count").and_then(|count| serde_json::from_value(count).ok());
            return Self::Batch(TaskBatch { items, count, extra: task.extra });
        }
        let parse = |value: &Value| value.as_bool().or_else(|| value.as_str()?.parse().ok());
        match task.extra.get("deleted").and_then(parse) {
            Some(deleted) => {
                Self::Deleted(DeletedTask { id: task.id.unwrap_or_default(), deleted })
            }
            None => Self::Task(Box::new(task)),
        }
    }
}

impl Lenient for Task {
    fn lenient(mut object: Map<String, Value>) -> Self {
        let response = object.remove("response");
        let mut task = readable_fields(object, |task: &mut Self| &mut task.extra);
        task.response = response.map(|response| match response {
            Value::Object(object) => VideoResult::lenient(object).into(),
            other => TaskResponse::Other(other),
        });
        task
    }
}

impl Lenient for QueryResponse {
    fn lenient(object: Map<String, Value>) -> Self {
        Task::lenient(object).into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> QueryResponse {
        serde_json::from_str(&value.to_string()).unwrap_or_else(|error| panic!("{value}: {error}"))
    }

    #[test]
    fn response_of_nothing_is_an_empty_task() {
        for nothing in [json!(null), json!({})] {
            assert_eq!(read(nothing), QueryResponse::Task(Box::default()));
        }
    }

    #[test]
    fn response_with_items_in_any_place_is_a_batch() {
        for text in [
            r#"{"items":[{"id":"a"},{"id":"b"}],"count":2}"#,
            r#"{"count":2,"items":[{"id":"a"},{"id":"b"}]}"#,
            r#"{"success":true,"count":"2","items":[{"id":"a"},{"id":"b"}]}"#,
        ] {
            let QueryResponse::Batch(batch) = serde_json::from_str(text).expect(text) else {
                panic!("{text} is not a batch");
            };
            let ids: Vec<_> = batch.items.iter().map(|task| task.id.as_deref()).collect();
            assert_eq!(ids, [Some("a"), Some("b")], "{text}");
            assert_eq!(batch.count.and_then(|count| count.as_f64()), Some(2.0));
        }
    }

    #[test]
    fn response_with_deleted_in_any_form_is_a_deletion() {
        for (text, expected) in [
            (r#"{"id":"a","deleted":true}"#, true),
            (r#"{"deleted":true,"id":"a"}"#, true),
            (r#"{"deleted":"false","id":"a"}"#, false),
            (r#"{"deleted":true}"#, true),
        ] {
            let answer: QueryResponse = serde_json::from_str(text).expect(text);
            let QueryResponse::Deleted(deleted) = answer else {
                panic!("{text} is not a deletion");
            };
            assert_eq!(deleted.deleted, expected, "{text}");
        }
    }

    #[test]
    fn unknown_fields_of_a_task_are_kept() {
        let sent = json!({"id": "a", "_id": "x", "brand_new": [1, {"b": 2}],
            "response": {"state": "completed", "fps": 24}});
        let QueryResponse::Task(task) = read(sent.clone()) else {
            panic!("not a task");
        };
        assert_eq!(task.extra["brand_new"], sent["brand_new"]);
        assert_eq!(serde_json::to_value(&task).expect("JSON"), sent);
    }

    #[test]
    fn response_of_another_type_is_kept() {
        for other in [json!([1, 2]), json!("soon"), json!(7), json!(-7), json!(0.5), json!(true)] {
            let QueryResponse::Task(task) = read(json!({"id": "a", "response": other})) else {
                panic!("not a task");
            };
            assert!(matches!(task.response, Some(TaskResponse::Other(kept)) if kept == other));
        }
    }

    #[test]
    fn response_of_another_type_is_an_error() {
        for text in ["[]", "\"no\"", "5", "", "{\"id\":"] {
            assert!(serde_json::from_str::<QueryResponse>(text).is_err(), "{text}");
        }
    }
}
