//! The tools: schemas, formats, and the outcomes of calls.

mod catalogue;
mod dispatch;
mod exports;
mod hostile;

use std::time::Duration;

use luma_client::{
    Luma, RetryPolicy,
    mcp::{self, Context, Outcome, Tool},
};
use luma_simulator::{JobDuration, Simulator};
use serde_json::{Map, Value, json};

/// Long enough to be told from any word of an answer.
const TOKEN: &str = "sk-a-token-that-nobody-may-see";
const AT_ONCE: JobDuration = JobDuration::Fixed(Duration::ZERO);
const NEVER: JobDuration = JobDuration::Fixed(Duration::MAX);

async fn simulator(duration: JobDuration) -> Simulator {
    let builder = Simulator::builder().duration(duration);
    builder.start().await.expect("a simulator")
}

fn client(simulator: &Simulator) -> Luma {
    Luma::builder()
        .token(TOKEN)
        .base_url(simulator.url())
        .retry(RetryPolicy::none())
        .build()
        .expect("a client")
}

/// Answers at once.
fn at_once() -> Context {
    Context::new().hold(Duration::ZERO)
}

fn tool(name: &str) -> &'static Tool {
    let found = mcp::tools().iter().find(|tool| tool.name == name);
    found.unwrap_or_else(|| panic!("no tool {name}"))
}

/// Calls a tool, and checks what is true of every outcome.
async fn call(luma: &Luma, name: &str, arguments: Value, context: &Context) -> Outcome {
    let outcome = mcp::call(luma, name, arguments, context).await.expect("a known tool");
    check(name, &outcome);
    outcome
}

fn check(name: &str, outcome: &Outcome) {
    let schema = Value::Object(tool(name).output_schema.clone());
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    if let Err(error) = validator.validate(&outcome.structured_content) {
        panic!("{name}: {error}\n{:#}", outcome.structured_content);
    }
    let text: Value = serde_json::from_str(&outcome.text).expect("the text is JSON");
    assert_eq!(text, outcome.structured_content);
    let result = &outcome.structured_content["result"];
    assert!(!text_of(&result["next_step"]).is_empty());
    if outcome.is_error {
        assert!(!text_of(&result["error"]["message"]).is_empty());
    }
    for private in ["user_id", "credential_id", "application_id", "api_id", TOKEN] {
        assert!(!outcome.text.contains(private), "{private}: {}", outcome.text);
    }
}

/// The id and the URL of a finished video.
async fn finished(simulator: &Simulator, luma: &Luma) -> (String, String) {
    let arguments = json!({ "prompt": "A fox" });
    let submitted = call(luma, "luma_generate_video", arguments, &at_once()).await;
    simulator.complete(submitted.task_id().expect("an id"));
    let arguments = json!({ "task_id": submitted.task_id() });
    let found = call(luma, "luma_get_task", arguments, &at_once()).await;
    let video = &found.structured_content["result"]["video"];
    (text_of(&video["id"]).to_owned(), text_of(&video["url"]).to_owned())
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Arguments that each tool accepts, with all that it takes.
fn arguments(name: &str) -> Map<String, Value> {
    let arguments = match name {
        "luma_generate_video" => json!({
            "prompt": "A lighthouse at dusk",
            "aspect_ratio": "21:9",
            "loop": true,
            "enhancement": false,
            "timeout": 0,
            "callback_url": "https://example.com/done?key=1",
        }),
        "luma_generate_video_from_image" => json!({
            "prompt": "The seasons change",
            "start_image_url": "https://example.com/spring.jpg",
            "end_image_url": "https://example.com/autumn.jpg",
            "aspect_ratio": "1:1",
            "loop": false,
            "enhancement": true,
            "timeout": 0,
            "callback_url": "https://example.com/done",
        }),
        "luma_extend_video" => json!({
            "video_id": "5c0f9f0c",
            "prompt": "The beam sweeps over the sea",
            "end_image_url": "https://example.com/end.jpg",
            "callback_url": "https://example.com/done",
        }),
        "luma_extend_video_from_url" => json!({
            "video_url": "https://example.com/video.mp4?signature=1",
            "prompt": "The beam sweeps over the sea",
            "end_image_url": "https://example.com/end.jpg",
            "callback_url": "https://example.com/done",
        }),
        "luma_get_task" => json!({ "task_id": "b8976e18" }),
        "luma_list_tasks" => {
            json!({ "state": "completed", "since": "7d", "cursor": "1.5~b8976e18" })
        }
        "luma_get_tasks_batch" => json!({ "task_ids": ["b8976e18", "5c0f9f0c"] }),
        _ => json!({}),
    };
    arguments.as_object().cloned().unwrap_or_default()
}
