//! A model loop without an MCP server: the model calls tools, the crate runs them, until the model has
//! its video. The model here is a script that speaks Anthropic's format, and the service is the simulator,
//! so it runs offline and costs nothing.
//!
//! ```sh
//! cargo run --features mcp --example tool_loop
//! ```

use std::time::Duration;

use luma_client::{
    Luma,
    mcp::{Call, Context, Outcome, export},
};
use luma_simulator::Simulator;
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let simulator = Simulator::with_duration(Duration::from_secs(1)).await?;
    let luma = Luma::builder().token("any").base_url(simulator.url()).build()?;
    let context = Context::new()
        .hold(Duration::from_secs(2))
        .on_progress(|progress| println!("        … {}", progress.message));

    // Both go to the model with each request.
    let tools = export::anthropic();
    let mut messages = vec![json!({ "role": "user", "content": "A lighthouse at dusk, please." })];
    loop {
        let reply = scripted_model(&tools, &messages);
        let done = reply["stop_reason"] != "tool_use";
        messages.push(json!({ "role": "assistant", "content": reply["content"] }));
        let mut results = Vec::new();
        for block in reply["content"].as_array().into_iter().flatten() {
            if let Some(text) = block["text"].as_str() {
                println!("model:  {text}");
            }
            // A block of text is not a call.
            let Ok(call) = Call::read(block) else {
                continue;
            };
            println!("call:   {} {}", call.name, call.arguments);
            // The model is also told if a tool does not exist.
            let outcome = call.run(&luma, &context).await.unwrap_or_else(Outcome::from);
            println!("result: {}", outcome.text);
            results.push(call.answer(&outcome));
        }
        if done {
            return Ok(());
        }
        messages.push(json!({ "role": "user", "content": results }));
    }
}

/// Stands for a request to a model: what it says next, given the last message. Its first call has a
/// misspelt argument.
fn scripted_model(tools: &Value, messages: &[Value]) -> Value {
    assert_eq!(tools.as_array().map(Vec::len), Some(9));
    let last = messages.last().map(|message| &message["content"][0]);
    let told: Value = last
        .and_then(|result| serde_json::from_str(result["content"].as_str()?).ok())
        .unwrap_or_default();
    let result = &told["result"];
    let call = |name: &str, input: Value| {
        let id = format!("toolu_{}", messages.len());
        let block = json!({ "type": "tool_use", "id": id, "name": name, "input": input });
        json!({ "stop_reason": "tool_use", "content": [block] })
    };
    if let Some(url) = result["video"]["url"].as_str() {
        let text = format!("Here is your video: {url}");
        json!({ "stop_reason": "end_turn", "content": [{ "type": "text", "text": text }] })
    } else if let Some(id) = result["task_id"].as_str() {
        call("luma_get_task", json!({ "task_id": id }))
    } else if result["error"]["code"] == "invalid_arguments" {
        call("luma_generate_video", json!({ "prompt": "A lighthouse at dusk" }))
    } else {
        call("luma_generate_video", json!({ "promt": "A lighthouse at dusk" }))
    }
}
