//! The comparison of OpenAPI documents that `examples/spec_diff` prints.

#[path = "../../examples/spec_diff/diff.rs"]
mod diff;

use diff::{diff, fields};
use serde_json::{Value, json};

fn ours() -> Value {
    serde_json::from_str(include_str!("../../openapi/luma.json")).expect("JSON")
}

fn shown(theirs: &Value) -> Vec<String> {
    diff(&ours(), theirs).iter().map(ToString::to_string).collect()
}

#[test]
fn document_compared_with_itself_has_no_difference() {
    assert_eq!(shown(&ours()), [""; 0]);
}

#[test]
fn fields_of_both_operations_are_found() {
    let fields = fields(&ours());
    for path in [
        "POST /luma/videos request.aspect_ratio",
        "POST /luma/videos 200.video_url",
        "POST /luma/tasks request.ids",
        "POST /luma/tasks 200.items[].response.video_width",
        "POST /luma/tasks 200.response.state",
        "POST /luma/tasks 200.deleted",
    ] {
        assert!(fields.contains_key(path), "{path} is not in {:#?}", fields.keys());
    }
    assert_eq!(fields["POST /luma/videos request.timeout"].to_string(), "number, default 300");
    assert!(fields["POST /luma/tasks request.action"].required);
}

#[test]
fn added_removed_and_changed_fields_are_reported() {
    let mut theirs = ours();
    let request = &mut theirs["components"]["schemas"]["VideoRequest"]["properties"];
    request["seed"] = json!({ "type": "integer" });
    request["timeout"]["default"] = json!(600);
    request.as_object_mut().expect("fields").remove("loop");
    let ratios = &mut theirs["components"]["schemas"]["AspectRatio"]["enum"];
    *ratios = json!(["16:9", "2:1"]);
    assert_eq!(
        shown(&theirs),
        [
            "changed  POST /luma/videos request.aspect_ratio: string, one of 16:9 1:1 21:9 3:4 4:3 9:16 9:21, default 16:9 -> string, one of 16:9 2:1, default 16:9",
            "removed  POST /luma/videos request.loop: boolean, default false",
            "added    POST /luma/videos request.seed: integer",
            "changed  POST /luma/videos request.timeout: number, default 300 -> number, default 600",
        ]
    );
}

#[test]
fn inline_schemas_and_type_lists_are_read() {
    let theirs = json!({"openapi": "3.1.0", "paths": {"/luma/videos": {"post": {"requestBody": {"content":
        {"application/json": {"schema": {"type": "object", "required": ["prompt"], "properties":
            {"prompt": {"type": ["string", "null"]}, "self": {"$ref": "#/nowhere"}}}}}}}}}});
    let fields = fields(&theirs);
    assert_eq!(fields["POST /luma/videos request.prompt"].to_string(), "string, required");
    assert_eq!(fields["POST /luma/videos request.self"].to_string(), "anything");
}
