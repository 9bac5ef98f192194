//! `openapi/luma.json` is complete, and the hand-written types agree with it.

use luma_client::{AspectRatio, DEFAULT_BASE_URL, ErrorCode, api::types};
use serde_json::{Value, json};

fn document() -> Value {
    serde_json::from_str(include_str!("../../openapi/luma.json")).expect("JSON")
}

fn schema(name: &str) -> Value {
    document()["components"]["schemas"][name].clone()
}

fn operation(path: &str) -> Value {
    document()["paths"][path]["post"].clone()
}

#[test]
fn document_has_both_operations_and_needs_the_token() {
    let document = document();
    assert_eq!(document["openapi"], "3.0.3");
    assert_eq!(document["servers"][0]["url"], DEFAULT_BASE_URL);
    assert_eq!(document["security"], json!([{ "bearer": [] }]));
    let bearer = &document["components"]["securitySchemes"]["bearer"];
    assert_eq!((&bearer["type"], &bearer["scheme"]), (&json!("http"), &json!("bearer")));
    assert_eq!(operation("/luma/videos")["operationId"], "create_video");
    assert_eq!(operation("/luma/tasks")["operationId"], "query_tasks");
}

#[test]
fn every_field_has_a_description_and_a_type() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    for (name, schema) in schemas {
        assert!(schema["description"].is_string(), "{name}");
        let Some(fields) = schema["properties"].as_object() else {
            continue;
        };
        for (field, schema) in fields {
            assert!(schema["description"].is_string(), "{name}.{field}");
            let has_type = schema["type"].is_string() || schema["allOf"].is_array();
            assert!(
                has_type || (name, field) == (&"Task".into(), &"request".into()),
                "{name}.{field}"
            );
        }
    }
}

#[test]
fn defaults_of_a_submit_are_documented() {
    let fields = schema("VideoRequest")["properties"].clone();
    for (field, default) in [
        ("action", json!("generate")),
        ("prompt", Value::Null),
        ("aspect_ratio", json!("16:9")),
        ("loop", json!(false)),
        ("enhancement", json!(true)),
        ("start_image_url", Value::Null),
        ("end_image_url", Value::Null),
        ("video_id", Value::Null),
        ("video_url", Value::Null),
        ("timeout", json!(300)),
        ("callback_url", Value::Null),
        ("async", Value::Null),
    ] {
        assert!(fields[field].is_object(), "{field}");
        assert_eq!(fields[field]["default"], default, "{field}");
    }
}

#[test]
fn every_error_has_an_example() {
    for path in ["/luma/videos", "/luma/tasks"] {
        let responses = operation(path)["responses"].clone();
        for (status, codes) in [
            ("400", &["bad_request", "token_mismatched", "api_not_implemented"][..]),
            ("401", &["invalid_token", "token_expired", "no_token"]),
            ("402", &["payment_required"]),
            ("403", &["forbidden", "used_up", "disabled"]),
            ("429", &["too_many_requests"]),
            ("500", &["api_error"]),
            ("504", &["timeout"]),
        ] {
            let response = &responses[status];
            assert!(response["description"].is_string(), "{path} {status}");
            let examples = &response["content"]["application/json"]["examples"];
            for code in codes {
                let example = &examples[code]["value"]["error"];
                assert_eq!(example["code"], *code, "{path} {status}");
                assert!(example["message"].is_string(), "{path} {status} {code}");
                let known = ErrorCode::from(*code);
                assert!(!matches!(known, ErrorCode::Other(_)), "{code}");
            }
        }
        assert!(responses["429"]["headers"]["Retry-After"].is_object());
    }
    let unknown = &operation("/luma/tasks")["responses"]["404"];
    assert!(unknown["content"]["application/json"]["examples"]["not_found"].is_object());
}

#[test]
fn observed_fields_are_marked() {
    for (name, fields) in [
        (
            "TaskQuery",
            &[
                "trace_id",
                "trace_ids",
                "limit",
                "offset",
                "created_at_min",
                "created_at_max",
                "application_id",
                "user_id",
                "type",
            ][..],
        ),
        ("Task", &["state", "status", "success", "error"]),
        ("VideoResult", &["status"]),
    ] {
        let fields_of = schema(name)["properties"].clone();
        for field in fields {
            assert_eq!(fields_of[field]["x-observed"], true, "{name}.{field}");
        }
    }
    assert_eq!(schema("DeletedTask")["x-observed"], true);
}

#[test]
fn known_ratios_equal_the_documented_ones() {
    let known: Vec<String> = AspectRatio::KNOWN.iter().map(ToString::to_string).collect();
    assert_eq!(schema("AspectRatio")["enum"], json!(known));
}

#[test]
fn examples_survive_a_round_trip() {
    for path in ["/luma/videos", "/luma/tasks"] {
        let body = &operation(path)["requestBody"]["content"]["application/json"];
        for (name, example) in body["examples"].as_object().expect("examples") {
            let sent = example["value"].clone();
            let again = match path {
                "/luma/videos" => serde_json::from_value::<types::VideoRequest>(sent.clone())
                    .map(serde_json::to_value),
                _ => serde_json::from_value::<types::TaskQuery>(sent.clone())
                    .map(serde_json::to_value),
            };
            let again = again.expect("it can be read").expect("it can be written");
            assert_eq!(again, sent, "{path} {name}");
        }
    }
}
