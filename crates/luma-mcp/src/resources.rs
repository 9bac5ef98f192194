//! The resources: a guide for agents, and the view of the MCP App (extension `io.modelcontextprotocol/ui`).
//!
//! Lists are cached for everybody, so a link to the view is the same for every client of a revision. A host
//! without the extension ignores it.

use luma_client::mcp::Tool;
use rmcp::{
    ErrorData,
    model::{JsonObject, MetaObject, Resource, ResourceContents},
};
use serde_json::{Value, json};

use crate::prompts;

pub(crate) const EXTENSION: &str = "io.modelcontextprotocol/ui";
const VIEW: &str = "ui://luma/video.html";
const VIEW_TYPE: &str = "text/html;profile=mcp-app";
const GUIDE: &str = "luma://guide";
const GUIDE_TYPE: &str = "text/markdown";
/// Where the films of the service are.
const MEDIA: &str = "https://*.acedata.cloud";

/// Links a tool to the view. The view itself may not call a tool that costs credits.
pub(crate) fn link(tool: &Tool) -> Option<MetaObject> {
    let shows = tool.annotations.open_world_hint;
    let ui = match tool.submits() {
        true => json!({ "resourceUri": VIEW, "visibility": ["model"] }),
        false => json!({ "resourceUri": VIEW }),
    };
    shows.then(|| meta(ui))
}

fn meta(ui: Value) -> MetaObject {
    MetaObject(JsonObject::from_iter([("ui".to_owned(), ui)]))
}

/// The resources in the list. Old clients know no view and no titles.
pub(crate) fn list(has_view: bool) -> Vec<Resource> {
    let guide = Resource::new(GUIDE, "guide")
        .with_description("How to make videos with the Luma tools: choice, costs, waiting.")
        .with_mime_type(GUIDE_TYPE);
    let view = Resource::new(VIEW, "video")
        .with_title("Luma video")
        .with_description("Shows a video in the making, plays it, and lists several.")
        .with_mime_type(VIEW_TYPE);
    match has_view {
        true => vec![guide.with_title("Guide to the Luma tools"), view],
        false => vec![guide],
    }
}

/// The content of a resource.
///
/// # Errors
///
/// An error if the client's revision has no resource with this URI.
pub(crate) fn read(
    uri: &str,
    has_view: bool,
    read_only: bool,
    media_hosts: &[String],
) -> Result<ResourceContents, ErrorData> {
    match uri {
        GUIDE => {
            Ok(ResourceContents::text(prompts::guide(read_only), GUIDE).with_mime_type(GUIDE_TYPE))
        }
        VIEW if has_view => {
            let view = include_str!("app/video.html");
            let view = match read_only {
                true => view.replacen("<html ", "<html data-read-only ", 1),
                false => view.to_owned(),
            };
            let media = media_hosts.iter().map(String::as_str);
            let media: Vec<_> = std::iter::once(MEDIA).chain(media).collect();
            let ui = json!({
                "csp": { "resourceDomains": media },
                "permissions": { "clipboardWrite": {} },
                "prefersBorder": false,
            });
            Ok(ResourceContents::text(view, VIEW).with_mime_type(VIEW_TYPE).with_meta(meta(ui)))
        }
        _ => {
            let uri: String = uri.chars().take(64).collect();
            let reason = format!("this server has no resource {uri:?}");
            Err(ErrorData::resource_not_found(reason, None))
        }
    }
}
