//! JSON Schemas that load in every host: no references, no unions, every object closed.

use schemars::{
    JsonSchema, Schema,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform},
};
use serde_json::{Map, Value};

/// What hosts stumble over. `title` would repeat the name of a Rust type, `format` that of an
/// integer.
const DROPPED: [&str; 3] = ["$schema", "title", "format"];

/// The schema of what a tool takes.
pub(crate) fn of_arguments<T: JsonSchema>() -> Map<String, Value> {
    lean::<T>(SchemaSettings::draft2020_12().for_deserialize())
}

/// The schema of what a tool gives.
pub(crate) fn of_results<T: JsonSchema>() -> Map<String, Value> {
    lean::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn lean<T: JsonSchema>(settings: SchemaSettings) -> Map<String, Value> {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(simplify).transform(&mut schema);
    let mut schema = std::mem::take(schema.ensure_object());
    // The tool's own description says it better.
    schema.remove("description");
    schema
}

fn simplify(schema: &mut Schema) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    for keyword in DROPPED {
        schema.remove(keyword);
    }
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    // What may be left out is not required; that it may be null too needs no saying.
    if let Some(Value::Array(types)) = schema.get("type") {
        let kind = types.iter().find(|kind| *kind != "null").cloned();
        schema.insert("type".into(), kind.unwrap_or_default());
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if schema.get("type").is_some_and(|kind| kind == "object") {
        schema.insert("additionalProperties".into(), Value::Bool(false));
        schema
            .entry("properties")
            .or_insert_with(|| Map::new().into());
    }
}
