//! Structs that are read from an object field by field, as far as the fields are readable.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::api::types::{Task, VideoResult};

/// A type that is read from an object, whatever single fields hold.
pub(crate) trait Lenient: DeserializeOwned {
    fn lenient(object: Map<String, Value>) -> Self;
}

pub(super) fn as_object(value: Value) -> Result<Map<String, Value>, Value> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(other),
    }
}

impl Lenient for VideoResult {
    fn lenient(object: Map<String, Value>) -> Self {
        readable_fields(object, |result: &mut Self| &mut result.extra)
    }
}

impl Lenient for Task {
    fn lenient(object: Map<String, Value>) -> Self {
        readable_fields(object, |task: &mut Self| &mut task.extra)
    }
}

/// Where fields are kept that could not be read. Not under their own names: a stored task must be
/// readable again.
pub(super) const UNREADABLE: &str = "unreadable";

/// Reads a struct of optional fields from the readable ones, and keeps the others in `extra`.
fn readable_fields<T: DeserializeOwned + Default>(
    object: Map<String, Value>,
    extra: impl Fn(&mut T) -> &mut Map<String, Value>,
) -> T {
    if let Ok(read) = T::deserialize(&object) {
        return read;
    }
    let (readable, odd): (Map<_, _>, Map<_, _>) = object.into_iter().partition(|(name, value)| {
        let alone = Map::from_iter([(name.to_string(), value.clone())]);
        let is_readable = T::deserialize(&alone).is_ok();
        if !is_readable {
            tracing::debug!(field = name, "a response field of an unexpected type");
        }
        is_readable
    });
    let mut read = T::deserialize(&readable).unwrap_or_default();
    if !odd.is_empty() {
        extra(&mut read).insert(UNREADABLE.to_owned(), odd.into());
    }
    read
}
