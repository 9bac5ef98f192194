//! The tool list in the format of each host, for the field `tools` of a request.
//!
//! ```
//! let tools = luma_client::mcp::export::anthropic();
//! assert_eq!(tools[0]["name"], "luma_generate_video");
//! ```

use serde_json::{Map, Value, json};

use super::tools::{Tool, tools};

/// Returns the `tools` of MCP's `tools/list` result.
pub fn mcp() -> Value {
    json!(tools())
}

/// Returns the tools for OpenAI's Chat Completions and compatible services. All are `strict`.
pub fn openai_chat() -> Value {
    each(|tool| json!({ "type": "function", "function": strict_function(tool) }))
}

/// Returns the tools for OpenAI's Responses. All are `strict`.
pub fn openai_responses() -> Value {
    each(|tool| {
        let mut function = strict_function(tool);
        function["type"] = "function".into();
        function
    })
}

fn strict_function(tool: &Tool) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "parameters": strict(&tool.input_schema),
        "strict": true,
    })
}

/// Returns the tools for Anthropic's Messages.
pub fn anthropic() -> Value {
    each(|tool| {
        json!({
            "name": tool.name,
            "description": tool.description,
            "input_schema": tool.input_schema,
        })
    })
}

/// Returns the tools for Gemini: one entry with all function declarations.
pub fn gemini() -> Value {
    let declarations = each(|tool| {
        let mut declaration = json!({ "name": tool.name, "description": tool.description });
        // Gemini refuses a schema without properties; no schema means no parameters.
        if has_properties(&tool.input_schema) {
            declaration["parametersJsonSchema"] =
                Value::Object(keep(&tool.input_schema, &GEMINI_KEYWORDS));
        }
        declaration
    });
    json!([{ "functionDeclarations": declarations }])
}

fn each(export: impl Fn(&Tool) -> Value) -> Value {
    tools().iter().map(export).collect()
}

fn has_properties(schema: &Map<String, Value>) -> bool {
    schema["properties"].as_object().is_some_and(|properties| !properties.is_empty())
}

/// Keywords that every strict host accepts. Some refuse lengths and limits: those are said in the
/// descriptions, and checked when a call comes.
const STRICT_KEYWORDS: [&str; 6] =
    ["type", "description", "enum", "items", "properties", "required"];

/// Keywords that Gemini documents for `parametersJsonSchema`. Not among them: `default`, `minLength`,
/// `maxLength`.
const GEMINI_KEYWORDS: [&str; 10] = [
    "type",
    "description",
    "enum",
    "items",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "properties",
    "required",
];

/// Returns the schema with only these keywords. The limits in other keywords move to the description.
fn keep(schema: &Map<String, Value>, keywords: &[&str]) -> Map<String, Value> {
    let below = |schema: &Value| match schema {
        Value::Object(schema) => Value::Object(keep(schema, keywords)),
        other => other.clone(),
    };
    let mut kept: Map<_, _> = schema
        .iter()
        .filter(|(keyword, _)| keywords.contains(&keyword.as_str()))
        .map(|(keyword, value)| {
            let value = match (keyword.as_str(), value) {
                ("properties", Value::Object(properties)) => {
                    properties.iter().map(|(name, schema)| (name.clone(), below(schema))).collect()
                }
                ("items", schema) => below(schema),
                (_, value) => value.clone(),
            };
            (keyword.clone(), value)
        })
        .collect();
    let limits = limits(schema, keywords);
    if !limits.is_empty() {
        let text = schema.get("description").and_then(Value::as_str);
        let texts = text.into_iter().chain(limits.iter().map(String::as_str));
        let text = texts.collect::<Vec<_>>().join(" ");
        kept.insert("description".into(), text.into());
    }
    kept
}

/// The limits and the default of a schema that these keywords cannot express, in words.
fn limits(schema: &Map<String, Value>, keywords: &[&str]) -> Vec<String> {
    let lost = |keyword: &str| schema.get(keyword).filter(|_| !keywords.contains(&keyword));
    let default = lost("default").map(|value| match value.as_str() {
        Some(text) => format!("Default {text}."),
        None => format!("Default {value}."),
    });
    [
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
        ("minimum", "maximum", ""),
    ]
    .into_iter()
    .filter_map(|(least, most, what)| match (lost(least), lost(most)) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}{what}.")),
        (None, Some(most)) => Some(format!("At most {most}{what}.")),
        (Some(least), None) => Some(format!("At least {least}{what}.")),
        (None, None) => None,
    })
    .chain(default)
    .collect()
}

/// The schema for strict hosts: closed, every property required, and optional ones nullable.
fn strict(schema: &Map<String, Value>) -> Value {
    let mut schema = keep(schema, &STRICT_KEYWORDS);
    let required = schema.remove("required").unwrap_or_default();
    let is_required = |name: &str| {
        let names = required.as_array();
        names.is_some_and(|names| names.iter().any(|required| required == name))
    };
    let mut names = Vec::new();
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (name, property) in properties.iter_mut() {
            names.push(name.clone());
            if !is_required(name) {
                let kind = property["type"].take();
                property["type"] = json!([kind, "null"]);
                if let Some(Value::Array(values)) = property.get_mut("enum") {
                    values.push(Value::Null);
                }
            }
        }
    }
    schema.insert("required".into(), names.into());
    schema.insert("additionalProperties".into(), false.into());
    Value::Object(schema)
}
