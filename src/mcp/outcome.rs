//! What comes of a call.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::{check, tools::tools};

/// What came of a call: what a `tools/call` of MCP answers with.
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
    /// `{"result": …}`, valid against the tool's output schema, also when
    /// [`is_error`](Self::is_error).
    pub structured_content: Value,
    /// The same as JSON text, for hosts and models that read no structured content.
    pub text: String,
    /// Videos and thumbnails that the result names.
    pub links: Vec<ResourceLink>,
    /// Whether the call came to nothing. The result then has an `error`, and a `next_step` for the
    /// model.
    pub is_error: bool,
}

/// A file that a result names, as a `resource_link` of MCP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ResourceLink {
    /// Where the file is; http or https.
    pub uri: String,
    /// What it is called.
    pub name: String,
    /// What kind of file it is, where its URL tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<&'static str>,
}

impl Outcome {
    pub(crate) fn new(result: &impl Serialize, links: Vec<ResourceLink>) -> Self {
        // Own structs of strings and numbers always serialize.
        let structured_content = json!({ "result": result });
        Self {
            text: structured_content.to_string(),
            structured_content,
            links,
            is_error: false,
        }
    }

    pub(crate) fn into_error(self) -> Self {
        Self {
            is_error: true,
            ..self
        }
    }

    /// Changes every text of the result.
    pub(crate) fn edit(&mut self, edit: &impl Fn(&str) -> Option<String>) {
        fn walk(value: &mut Value, edit: &impl Fn(&str) -> Option<String>) -> bool {
            match value {
                Value::String(text) => match edit(text) {
                    Some(edited) => {
                        *text = edited;
                        true
                    }
                    None => false,
                },
                Value::Array(list) => list
                    .iter_mut()
                    .fold(false, |any, value| walk(value, edit) | any),
                Value::Object(map) => map
                    .values_mut()
                    .fold(false, |any, value| walk(value, edit) | any),
                _ => false,
            }
        }
        if walk(&mut self.structured_content, edit) {
            self.text = self.structured_content.to_string();
            self.links.retain(|link| edit(&link.uri).is_none());
        }
    }

    /// The outcome as the `CallToolResult` of MCP: `content`, `structuredContent`, `isError`.
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

impl ResourceLink {
    /// A link to `url`; none where that is no http or https URL.
    pub(crate) fn new(url: &str, name: String) -> Option<Self> {
        let parsed = Url::parse(url).ok()?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return None;
        }
        let extension = parsed.path().rsplit_once('.').map_or("", |(_, end)| end);
        let mime_type = match extension.to_ascii_lowercase().as_str() {
            "mp4" => Some("video/mp4"),
            "webm" => Some("video/webm"),
            "mov" => Some("video/quicktime"),
            "jpg" | "jpeg" => Some("image/jpeg"),
            "png" => Some("image/png"),
            "webp" => Some("image/webp"),
            _ => None,
        };
        Some(Self {
            uri: url.to_owned(),
            name,
            mime_type,
        })
    }
}

/// There is no such tool. For MCP that is a protocol error, -32602; for a model it can be turned
/// into an [`Outcome`].
///
/// ```
/// # async fn example(luma: luma_client::Luma) {
/// use luma_client::mcp::{self, Context, Outcome};
///
/// let outcome = mcp::call(&luma, "luma_make_video", "{}", &Context::new())
///     .await
///     .unwrap_or_else(Outcome::from);
/// assert!(outcome.is_error && outcome.text.contains("luma_generate_video"));
/// # }
/// # let luma = luma_client::Luma::builder().token("my-token").build().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(example(luma));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownTool {
    /// What was asked for, shortened to 64 characters.
    pub name: String,
    /// The tool that may have been meant.
    pub nearest: Option<&'static str>,
}

impl UnknownTool {
    pub(crate) fn new(name: &str) -> Self {
        let names = tools().iter().map(|tool| tool.name);
        Self {
            name: name.chars().take(64).collect(),
            nearest: check::nearest(name, names),
        }
    }
}

impl fmt::Display for UnknownTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no tool {:?}", self.name)?;
        match self.nearest {
            Some(nearest) => write!(f, "; did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownTool {}

impl From<UnknownTool> for Outcome {
    fn from(unknown: UnknownTool) -> Self {
        let names: Vec<_> = tools().iter().map(|tool| tool.name).collect();
        let result = json!({
            "error": { "code": "unknown_tool", "message": unknown.to_string() },
            "next_step": format!("Call one of {}.", names.join(", ")),
        });
        Self::new(&result, Vec::new()).into_error()
    }
}
