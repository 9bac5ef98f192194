//! Names, texts and schemas.

use std::collections::BTreeSet;

use luma_client::mcp::{Annotations, tools};
use serde_json::{Value, json};

use super::*;

const NAMES: [&str; 9] = [
    "luma_generate_video",
    "luma_generate_video_from_image",
    "luma_extend_video",
    "luma_extend_video_from_url",
    "luma_get_task",
    "luma_get_tasks_batch",
    "luma_list_tasks",
    "luma_list_aspect_ratios",
    "luma_list_actions",
];

/// Calls `visit` with every schema in a schema, itself included, and the way to it.
fn walk(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}/{name}"), visit);
    }
    if let Some(items) = schema.get("items") {
        walk(items, &format!("{path}/items"), visit);
    }
}

#[test]
fn tool_list_of_mcp_is_unchanged() {
    for tool in tools() {
        insta::assert_json_snapshot!(tool.name, tool);
    }
}

#[test]
fn names_of_the_tools_are_fixed() {
    let names: Vec<_> = tools().iter().map(|tool| tool.name).collect();
    assert_eq!(names, NAMES);
}

/// The vendor's server, as released, which has no list of tasks: a star is a required property.
#[test]
fn properties_are_those_of_the_vendors_server() {
    for (name, expected) in [
        ("luma_generate_video", "aspect_ratio callback_url enhancement loop prompt* timeout"),
        (
            "luma_generate_video_from_image",
            "aspect_ratio callback_url end_image_url enhancement loop prompt* start_image_url \
             timeout",
        ),
        ("luma_extend_video", "callback_url end_image_url prompt* video_id*"),
        ("luma_extend_video_from_url", "callback_url end_image_url prompt* video_url*"),
        ("luma_get_task", "task_id*"),
        ("luma_get_tasks_batch", "task_ids*"),
        ("luma_list_tasks", "cursor since state"),
        ("luma_list_aspect_ratios", ""),
        ("luma_list_actions", ""),
    ] {
        let schema = json!(tool(name).input_schema);
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let properties = schema["properties"].as_object().expect("properties");
        let mut got: Vec<_> = properties
            .keys()
            .map(|property| match required.contains(&json!(property)) {
                true => format!("{property}*"),
                false => property.clone(),
            })
            .collect();
        got.sort();
        assert_eq!(got.join(" "), expected, "{name}");
        assert_eq!(json!(tool(name).output_schema)["required"], json!(["result"]));
    }
}

#[test]
fn schemas_load_everywhere() {
    const ALLOWED: [&str; 13] = [
        "type",
        "description",
        "enum",
        "default",
        "items",
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "minimum",
        "properties",
        "required",
        "maximum",
    ];
    for tool in tools() {
        for schema in [&tool.input_schema, &tool.output_schema] {
            let schema = json!(schema);
            assert_eq!(schema["type"], "object");
            assert_eq!(schema.get("description"), None);
            walk(&schema, tool.name, &mut |path, schema| {
                let schema = schema.as_object().unwrap_or_else(|| panic!("{path}"));
                for keyword in schema.keys() {
                    assert!(ALLOWED.contains(&keyword.as_str()), "{path}: {keyword}");
                }
                let kind = schema["type"].as_str();
                let kind = kind.unwrap_or_else(|| panic!("{path}: one type"));
                if kind == "object" {
                    assert!(schema["properties"].is_object(), "{path}");
                }
                assert_eq!(kind == "array", schema.contains_key("items"), "{path}");
            });
        }
    }
}

#[test]
fn schemas_and_tools_are_valid() {
    // The definition of a tool in MCP, as far as it concerns these.
    let definition = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "pattern": "^[a-z_]{1,64}$" },
            "title": { "type": "string", "minLength": 1 },
            "description": { "type": "string", "minLength": 1, "maxLength": 1024 },
            "inputSchema": { "type": "object", "properties": { "type": { "const": "object" } } },
            "outputSchema": { "type": "object", "properties": { "type": { "const": "object" } } },
            "annotations": {
                "type": "object",
                "properties": {
                    "readOnlyHint": { "type": "boolean" },
                    "destructiveHint": { "type": "boolean" },
                    "idempotentHint": { "type": "boolean" },
                    "openWorldHint": { "type": "boolean" },
                },
                "additionalProperties": false,
                "minProperties": 4,
            },
        },
        "required":
            ["name", "title", "description", "inputSchema", "outputSchema", "annotations"],
        "additionalProperties": false,
    });
    let definition = jsonschema::draft202012::new(&definition).expect("a schema");
    for tool in tools() {
        for schema in [&tool.input_schema, &tool.output_schema] {
            if let Err(error) = jsonschema::draft202012::meta::validate(&json!(schema)) {
                panic!("{}: {error}", tool.name);
            }
        }
        if let Err(error) = definition.validate(&json!(tool)) {
            panic!("{}: {error}", tool.name);
        }
    }
}

#[test]
fn limits_of_texts_and_lists_are_in_the_schema() {
    for tool in tools() {
        for (name, property) in
            json!(tool.input_schema)["properties"].as_object().expect("properties")
        {
            let path = format!("{}/{name}", tool.name);
            let is_url = name.ends_with("_url");
            let (least, most) = match name.as_str() {
                "prompt" => (json!(1), json!(10_000)),
                "video_url" => (json!(1), json!(8_192)),
                // An empty one counts as left out.
                _ if is_url => (Value::Null, json!(8_192)),
                _ if name.ends_with("_id") => (json!(1), json!(200)),
                _ => (Value::Null, Value::Null),
            };
            assert_eq!(property["minLength"], least, "{path}");
            assert_eq!(property["maxLength"], most, "{path}");
            if is_url {
                let text = text_of(&property["description"]);
                assert!(text.contains("http or https"), "{path}: {text}");
            }
            if property["type"] == "array" {
                assert_eq!(property["minItems"], 1, "{path}");
                assert_eq!(property["maxItems"], 50, "{path}");
                assert_eq!(property["items"]["minLength"], 1, "{path}");
                assert_eq!(property["items"]["maxLength"], 200, "{path}");
            }
        }
    }
}

#[test]
fn texts_are_complete() {
    let mut titles = BTreeSet::new();
    for tool in tools() {
        let text = &tool.description;
        assert!(text.chars().count() <= 1024, "{} is too long", tool.name);
        assert!(!text.contains("  ") && !text.contains('\n'), "{text}");
        assert!(tool.title.len() > tool.name.len(), "{}", tool.title);
        assert!(titles.insert(tool.title));
        let names_sibling = NAMES.iter().any(|name| {
            *name != tool.name
                && text
                    .split(|c: char| !c.is_ascii_lowercase() && c != '_')
                    .any(|word| word == *name)
        });
        assert!(names_sibling, "{} names no sibling", tool.name);
        let lower = text.to_lowercase();
        let has_when_not = lower.contains("not ") || lower.contains("never ");
        assert!(has_when_not, "{} has no when-not", tool.name);
        let costs = lower.contains("credits");
        assert!(costs, "{} does not say what it costs", tool.name);

        for (name, property) in
            json!(tool.input_schema)["properties"].as_object().expect("properties")
        {
            let text = text_of(&property["description"]);
            assert!(text.len() > 60, "{}/{name}: {text}", tool.name);
        }
    }
}

/// Every word that looks like a tool is one.
#[test]
fn texts_name_only_what_exists() {
    let all = json!(tools()).to_string();
    for word in all.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        if word.starts_with("luma_") {
            assert!(NAMES.contains(&word), "{word}");
        }
    }
}

#[test]
fn annotations_follow_from_what_a_tool_does() {
    for tool in tools() {
        let Annotations {
            read_only_hint, destructive_hint, idempotent_hint, open_world_hint, ..
        } = tool.annotations;
        let submits = tool.name.contains("generate") || tool.name.contains("extend");
        assert_eq!(read_only_hint, !submits, "{}", tool.name);
        assert_eq!(idempotent_hint, !submits, "{}", tool.name);
        assert!(!destructive_hint, "{}", tool.name);
        let is_list = tool.name.contains("_list_") && tool.name != "luma_list_tasks";
        assert_eq!(open_world_hint, !is_list, "{}", tool.name);
    }
}

/// Follows `allOf` and `$ref`; what stands beside them wins.
fn resolved(document: &Value, schema: &Value) -> Value {
    let mut merged = serde_json::Map::new();
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(&reference[1..]).expect("a reference");
        return resolved(document, target);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        merged.extend(resolved(document, part).as_object().cloned().expect("it"));
    }
    merged.extend(schema.as_object().cloned().expect("an object"));
    Value::Object(merged)
}

#[test]
fn arguments_are_those_of_the_spec() {
    let document = std::fs::read_to_string("../openapi/luma.json").expect("the spec");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let schemas = &document["components"]["schemas"];
    let mut offered = BTreeSet::new();
    for tool in tools() {
        let submits = !tool.annotations.read_only_hint;
        for (name, property) in
            json!(tool.input_schema)["properties"].as_object().expect("properties")
        {
            let (schema, field) = match (submits, name.as_str()) {
                (true, name) => ("VideoRequest", name),
                (false, "task_id") => ("TaskQuery", "id"),
                (false, "task_ids") => ("TaskQuery", "ids"),
                // The tool itself filters and turns the pages.
                (false, "state" | "since" | "cursor") => continue,
                (false, name) => panic!("{name} has no place in the spec"),
            };
            offered.insert(format!("{schema}.{field}"));
            let path = format!("{}/{name}", tool.name);
            let spec = &schemas[schema]["properties"][field];
            assert!(spec.is_object(), "{path} is not in the spec");
            let spec = resolved(&document, spec);
            assert_eq!(property["type"], spec["type"], "{path}");
            let items = spec.get("items").map(|items| resolved(&document, items));
            let type_of_items = items.as_ref().and_then(|items| items.get("type"));
            assert_eq!(property["items"].get("type"), type_of_items, "{path}");
            for keyword in ["enum", "minimum", "maximum"] {
                assert_eq!(property.get(keyword), spec.get(keyword), "{path}: {keyword}");
            }
            // The spec's is for calls that are held, and no tool holds one unless asked to.
            if name != "timeout" {
                assert_eq!(property.get("default"), spec.get("default"), "{path}");
            }
        }
    }
    // What the tools themselves decide.
    let decided = ["VideoRequest.action", "VideoRequest.async"];
    let fields = schemas["VideoRequest"]["properties"].as_object();
    for field in fields.expect("fields").keys() {
        let field = format!("VideoRequest.{field}");
        let known = offered.contains(&field) || decided.contains(&field.as_str());
        assert!(known, "{field} is in no tool");
    }
    // No limit of the service's own, so that it has no keyword.
    let ids = &schemas["TaskQuery"]["properties"]["ids"];
    let batch = json!(tool("luma_get_tasks_batch").input_schema);
    let most = &batch["properties"]["task_ids"]["maxItems"];
    assert_eq!((most, most), (&ids["x-advised-max-items"], &json!(50)));
}
