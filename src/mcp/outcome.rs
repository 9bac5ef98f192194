//! The outcome of a call.

use serde::Serialize;
use serde_json::{Value, json};

use super::results::{MAX_URL, Problem, max_chars, web_url};
use crate::text::clean;

/// The outcome of a call: the content of MCP's `tools/call` result.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use luma_client::{Luma, mcp::{self, Context}};
///
/// let luma = Luma::builder().token("my-token").build()?;
/// let outcome = mcp::call(&luma, "luma_list_actions", "{}", &Context::new()).await?;
/// assert!(!outcome.is_error);
/// assert_eq!(outcome.to_mcp()["structuredContent"], outcome.structured_content);
/// # Ok(()) }
/// # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// `{"result": …}`, valid against the tool's output schema, also if [`is_error`](Self::is_error).
    pub structured_content: Value,
    /// The same as JSON text, for hosts and models that do not read structured content.
    pub text: String,
    /// The videos in the result.
    pub links: Vec<ResourceLink>,
    /// Whether the call failed. The result then has an `error`, and a `next_step` for the model.
    pub is_error: bool,
    /// Whether the call submitted a video, or may have done so. It is false only if nothing was sent or
    /// the service refused the submit.
    pub may_be_billed: bool,
}

/// A file in a result, as a `resource_link` of MCP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ResourceLink {
    /// The http or https URL of the file.
    pub uri: String,
    /// A short name for people.
    pub name: &'static str,
    /// The media type, if the URL shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<&'static str>,
}

impl Outcome {
    /// Creates the outcome of a call that failed, with an error and the next step for the model.
    ///
    /// It is valid for every tool, because all results share these two keys.
    pub fn failed(code: &str, message: &str, next_step: &str) -> Self {
        Self::new(
            &json!({ "error": Problem::new(code, &clean(message, MAX_URL)), "next_step": next_step }),
            Vec::new(),
        )
        .into_error()
    }

    pub(crate) fn new(result: &impl Serialize, links: Vec<ResourceLink>) -> Self {
        // Structs of strings and numbers always serialize.
        let mut structured_content = json!({ "result": result });
        remove_nulls(&mut structured_content);
        Self {
            text: structured_content.to_string(),
            structured_content,
            links,
            is_error: false,
            may_be_billed: false,
        }
    }

    pub(crate) fn into_error(mut self) -> Self {
        self.is_error = true;
        self
    }

    pub(crate) fn billed(mut self) -> Self {
        self.may_be_billed = true;
        self
    }

    /// Returns the id of the task that the result is about.
    pub fn task_id(&self) -> Option<&str> {
        self.structured_content.pointer("/result/task_id").and_then(Value::as_str)
    }

    /// Changes every text of the result, with its longest length in characters. A link that would change
    /// is removed.
    pub(crate) fn edit(&mut self, edit: &impl Fn(&str, usize) -> String) {
        fn walk(key: &str, value: &mut Value, edit: &impl Fn(&str, usize) -> String) {
            match value {
                Value::String(text) => *text = edit(text, max_chars(key)),
                Value::Array(list) => list.iter_mut().for_each(|item| walk(key, item, edit)),
                Value::Object(map) => map.iter_mut().for_each(|(key, item)| walk(key, item, edit)),
                _ => {}
            }
        }
        walk("", &mut self.structured_content, edit);
        self.text = self.structured_content.to_string();
        self.links.retain(|link| edit(&link.uri, MAX_URL) == link.uri);
    }

    /// Returns the outcome as the `CallToolResult` of MCP: `content`, `structuredContent`, `isError`.
    pub fn to_mcp(&self) -> Value {
        let mut content = vec![json!({ "type": "text", "text": self.text })];
        content.extend(self.links.iter().map(|link| {
            let mut block = json!(link);
            block["type"] = "resource_link".into();
            block
        }));
        json!({
            "content": content,
            "structuredContent": self.structured_content,
            "isError": self.is_error,
        })
    }
}

/// Removes what a result leaves out.
fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(remove_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

impl ResourceLink {
    pub(crate) fn new(url: &str) -> Option<Self> {
        let parsed = web_url(url)?;
        let extension = parsed.path().rsplit_once('.').map_or("", |(_, end)| end);
        let mime_type = match extension.to_ascii_lowercase().as_str() {
            "mp4" => Some("video/mp4"),
            "webm" => Some("video/webm"),
            "mov" => Some("video/quicktime"),
            _ => None,
        };
        Some(Self { uri: url.to_owned(), name: "video", mime_type })
    }
}
