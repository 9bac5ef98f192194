//! From the tools and outcomes of luma-client to the types of rmcp, only as new as the negotiated revision.

use std::sync::Arc;

use luma_client::mcp::{Outcome, Tool};
use rmcp::{
    RoleServer,
    model::{
        CallToolResult, ContentBlock, InitializeResult, Prompt, ProtocolVersion, Resource,
        Tool as McpTool, ToolAnnotations,
    },
    service::RequestContext,
};

use crate::resources;

/// A revision of the protocol. Each knows what the earlier ones know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Revision {
    V2024_11_05,
    /// Annotations, and the capability for completions.
    V2025_03_26,
    /// `title`, `outputSchema`, `structuredContent`, `resource_link`, elicitation, and views.
    V2025_06_18,
    /// `description` and `websiteUrl` of an implementation.
    V2025_11_25,
    /// Extensions, hints for caches, and questions as results.
    V2026_07_28,
}

impl Revision {
    pub(crate) fn of(context: &RequestContext<RoleServer>) -> Self {
        Self::new(context.protocol_version().as_ref())
    }

    pub(crate) fn new(version: Option<&ProtocolVersion>) -> Self {
        // They are dates.
        match version.map_or("", ProtocolVersion::as_str) {
            date if date >= "2026-07-28" => Self::V2026_07_28,
            date if date >= "2025-11-25" => Self::V2025_11_25,
            date if date >= "2025-06-18" => Self::V2025_06_18,
            date if date >= "2025-03-26" => Self::V2025_03_26,
            _ => Self::V2024_11_05,
        }
    }

    pub(crate) fn tool(self, tool: &Tool, read_only: bool) -> McpTool {
        let description = match read_only {
            true => tool.read_only_description(),
            false => &*tool.description,
        };
        let hints = &tool.annotations;
        let mut listed = McpTool::new(tool.name, description.to_owned(), tool.input_schema.clone());
        if self >= Self::V2025_03_26 {
            listed = listed.with_annotations(ToolAnnotations::from_raw(
                Some(tool.title.to_owned()),
                Some(hints.read_only_hint),
                Some(hints.destructive_hint),
                Some(hints.idempotent_hint),
                Some(hints.open_world_hint),
            ));
        }
        if self < Self::V2025_06_18 {
            return listed;
        }
        let mut listed = listed
            .with_title(tool.title)
            .with_raw_output_schema(Arc::new(tool.output_schema.clone()));
        listed.meta = resources::link(tool);
        listed
    }

    pub(crate) fn prompt(self, mut prompt: Prompt) -> Prompt {
        if self < Self::V2025_06_18 {
            prompt.title = None;
            for argument in prompt.arguments.iter_mut().flatten() {
                argument.title = None;
            }
        }
        prompt
    }

    /// The answer to `initialize`.
    pub(crate) fn initialized(self, mut result: InitializeResult) -> InitializeResult {
        let server = &mut result.server_info;
        if self < Self::V2025_06_18 {
            server.title = None;
        }
        if self < Self::V2025_11_25 {
            (server.description, server.website_url) = (None, None);
        }
        let capabilities = &mut result.capabilities;
        if self < Self::V2025_03_26 {
            capabilities.completions = None;
        }
        if self < Self::V2025_06_18 {
            capabilities.extensions = None;
        } else if self < Self::V2026_07_28
            && let Some(extensions) = &mut capabilities.extensions
        {
            extensions.retain(|name, _| name == resources::EXTENSION);
        }
        result
    }

    pub(crate) fn result(self, outcome: Outcome, resource_links: bool) -> CallToolResult {
        let has_structure = self >= Self::V2025_06_18;
        let links = outcome.links.into_iter().map(|link| {
            let resource = Resource::new(link.uri, link.name);
            ContentBlock::ResourceLink(match link.mime_type {
                Some(mime_type) => resource.with_mime_type(mime_type),
                None => resource,
            })
        });
        let links = links.filter(|_| has_structure && resource_links);
        let text = ContentBlock::text(outcome.text);
        let mut result = CallToolResult::success(std::iter::once(text).chain(links).collect());
        result.structured_content = Some(outcome.structured_content).filter(|_| has_structure);
        result.is_error = Some(outcome.is_error);
        result
    }
}
