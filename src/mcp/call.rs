//! A call as a host sends it, and its result in the host's format.

use serde_json::{Value, json};

use super::{context::Context, dispatch, outcome::Outcome, tools::UnknownTool};
use crate::Luma;

/// A tool call in the format of any known host.
///
/// ```
/// use luma_client::mcp::Call;
/// use serde_json::json;
///
/// let call = Call::read(&json!({
///     "id": "call_1",
///     "type": "function",
///     "function": { "name": "luma_list_actions", "arguments": "{}" },
/// }))?;
/// assert_eq!(call.name, "luma_list_actions");
/// # Ok::<(), luma_client::mcp::NotACall>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The name of the tool.
    pub name: String,
    /// The arguments as they came: an object, its JSON text, or null.
    pub arguments: Value,
    /// The id that ties the result to the call, if the host sends one.
    pub id: Option<String>,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Mcp,
    OpenAiChat,
    OpenAiResponses,
    Anthropic,
    Gemini,
}

/// The error for a JSON value that is not a tool call in any known format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a tool call in the format of MCP, OpenAI, Anthropic or Gemini: the name is missing")]
#[non_exhaustive]
pub struct NotACall;

impl Call {
    /// Reads a call. The shape shows the format:
    ///
    /// - OpenAI, Chat Completions: an entry of `tool_calls`, `{"id", "function": {"name",
    ///   "arguments"}}`
    /// - OpenAI, Responses: an `output` item, `{"type": "function_call", "call_id", "name",
    ///   "arguments"}`
    /// - Anthropic: a content block, `{"type": "tool_use", "id", "name", "input"}`
    /// - Gemini: a part, `{"functionCall": {"name", "args"}}`, or its inner object
    /// - MCP: a `tools/call` request, or its `params`, `{"name", "arguments"}`
    ///
    /// # Errors
    ///
    /// [`NotACall`] if the value has none of these shapes.
    pub fn read(message: &Value) -> Result<Self, NotACall> {
        let (format, body, arguments, id) = if message["type"] == "function_call" {
            let id = &message["call_id"];
            (Format::OpenAiResponses, message, "arguments", id)
        } else if message["type"] == "tool_use" {
            (Format::Anthropic, message, "input", &message["id"])
        } else if message["function"].is_object() {
            let body = &message["function"];
            (Format::OpenAiChat, body, "arguments", &message["id"])
        } else if message["functionCall"].is_object() {
            let body = &message["functionCall"];
            (Format::Gemini, body, "args", &body["id"])
        } else if message["args"].is_object() {
            (Format::Gemini, message, "args", &message["id"])
        } else if message["method"] == "tools/call" {
            (Format::Mcp, &message["params"], "arguments", &Value::Null)
        } else {
            (Format::Mcp, message, "arguments", &Value::Null)
        };
        Ok(Self {
            name: body["name"].as_str().ok_or(NotACall)?.to_owned(),
            arguments: body[arguments].clone(),
            id: id.as_str().map(str::to_owned),
            format,
        })
    }

    /// Calls the tool, see [`call`](super::call).
    ///
    /// # Errors
    ///
    /// [`UnknownTool`] if no tool has the name. `Outcome::from` turns it into a result.
    pub async fn run(&self, luma: &Luma, context: &Context) -> Result<Outcome, UnknownTool> {
        dispatch::call(luma, &self.name, self.arguments.clone(), context).await
    }

    /// Returns the result in the format of the call: a message with the role `tool`, a
    /// `function_call_output` item, a `tool_result` block, a `functionResponse` part, or the `result` of
    /// MCP.
    pub fn answer(&self, outcome: &Outcome) -> Value {
        match self.format {
            Format::Mcp => outcome.to_mcp(),
            Format::OpenAiChat => json!({
                "role": "tool",
                "tool_call_id": self.id,
                "content": outcome.text,
            }),
            Format::OpenAiResponses => json!({
                "type": "function_call_output",
                "call_id": self.id,
                "output": outcome.text,
            }),
            Format::Anthropic => json!({
                "type": "tool_result",
                "tool_use_id": self.id,
                "content": outcome.text,
                "is_error": outcome.is_error,
            }),
            Format::Gemini => {
                // Gemini documents these two keys.
                let key = if outcome.is_error { "error" } else { "output" };
                let result = &outcome.structured_content["result"];
                let mut response = json!({ "name": self.name, "response": { key: result } });
                if let Some(id) = &self.id {
                    response["id"] = id.as_str().into();
                }
                json!({ "functionResponse": response })
            }
        }
    }
}
