//! From the tools and outcomes of luma-client to the types of rmcp, only as new as the negotiated revision.

use std::sync::Arc;

use luma_client::mcp::{Outcome, Tool};
use rmcp::{
    RoleServer,
    model::{
        CallToolResult, ContentBlock, Implementation, Prompt, ProtocolVersion, Resource,
        Tool as McpTool, ToolAnnotations,
    },
    service::RequestContext,
};

use crate::resources;

/// What a client of a revision can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Revision {
    /// `title`, `outputSchema`, `structuredContent`, `resource_link` and elicitation, since 2025-06-18. Older
    /// clients know no view either.
    pub(crate) has_structure: bool,
    /// `ttlMs` and `cacheScope`, and questions as results, since 2026-07-28.
    pub(crate) is_modern: bool,
}

impl Revision {
    pub(crate) fn of(context: &RequestContext<RoleServer>) -> Self {
        Self::new(context.protocol_version().as_ref())
    }

    pub(crate) fn new(version: Option<&ProtocolVersion>) -> Self {
        // Revisions are dates. The oldest ones do not send theirs over HTTP.
        let version = version.map_or("", ProtocolVersion::as_str);
        Self {
            has_structure: version >= ProtocolVersion::V_2025_06_18.as_str(),
            is_modern: version >= ProtocolVersion::V_2026_07_28.as_str(),
        }
    }

    pub(crate) fn tool(self, tool: &Tool, read_only: bool) -> McpTool {
        let description = match read_only {
            true => tool.read_only_description(),
            false => &*tool.description,
        };
        let hints = &tool.annotations;
        let listed = McpTool::new(tool.name, description.to_owned(), tool.input_schema.clone());
        let listed = listed.with_annotations(ToolAnnotations::from_raw(
            Some(tool.title.to_owned()),
            Some(hints.read_only_hint),
            Some(hints.destructive_hint),
            Some(hints.idempotent_hint),
            Some(hints.open_world_hint),
        ));
        if !self.has_structure {
            return listed;
        }
        let mut listed = listed
            .with_title(tool.title)
            .with_raw_output_schema(Arc::new(tool.output_schema.clone()));
        listed.meta = resources::link(tool);
        listed
    }

    pub(crate) fn prompt(self, mut prompt: Prompt) -> Prompt {
        if !self.has_structure {
            prompt.title = None;
            for argument in prompt.arguments.iter_mut().flatten() {
                argument.title = None;
            }
        }
        prompt
    }

    pub(crate) fn implementation(self, implementation: Implementation) -> Implementation {
        match self.has_structure {
            true => implementation,
            false => Implementation::new(implementation.name, implementation.version),
        }
    }

    pub(crate) fn result(self, outcome: Outcome, resource_links: bool) -> CallToolResult {
        let links = outcome.links.into_iter().map(|link| {
            let resource = Resource::new(link.uri, link.name);
            ContentBlock::ResourceLink(match link.mime_type {
                Some(mime_type) => resource.with_mime_type(mime_type),
                None => resource,
            })
        });
        let links = links.filter(|_| self.has_structure && resource_links);
        let text = ContentBlock::text(outcome.text);
        let mut result = CallToolResult::success(std::iter::once(text).chain(links).collect());
        result.structured_content = Some(outcome.structured_content).filter(|_| self.has_structure);
        result.is_error = Some(outcome.is_error);
        result
    }
}
