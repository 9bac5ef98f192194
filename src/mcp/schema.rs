//! JSON Schemas that load in every host: no references, no unions, one type each.

use schemars::{
    JsonSchema, Schema,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform},
};
use serde_json::{Map, Value};

/// Keywords that some hosts reject. `title` repeats the name of a Rust type, `format` that of an integer;
/// google-genai cannot convert a tool with `additionalProperties`.
const DROPPED: [&str; 4] = ["$schema", "title", "format", "additionalProperties"];

/// The schema of the arguments or the results of a tool. What can be none is not required.
pub(crate) fn schema_of<T: JsonSchema>() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().for_deserialize().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(simplify).transform(&mut schema);
    let mut schema = std::mem::take(schema.ensure_object());
    // The tool has its own description.
    schema.remove("description");
    schema
}

fn simplify(schema: &mut Schema) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    schema.retain(|keyword, _| !DROPPED.contains(&keyword.as_str()));
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    // An optional value is not required; that it may also be null needs no union.
    if let Some(Value::Array(types)) = schema.get("type") {
        let kind = types.iter().find(|kind| *kind != "null").cloned();
        schema.insert("type".into(), kind.unwrap_or_default());
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if schema.get("type").is_some_and(|kind| kind == "object") {
        schema.entry("properties").or_insert_with(|| Map::new().into());
    }
}
