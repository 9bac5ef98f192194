//! The methods of MCP over the dispatcher of the tools. One handler serves all requests of a run.

use std::{
    convert::Infallible,
    future::pending,
    pin::pin,
    sync::{Arc, LazyLock},
    time::Duration,
};

use http::request::Parts;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams,
        CompleteRequestParams, CompleteResult, ContentBlock, CustomRequest, CustomResult,
        DiscoverResult, GetPromptRequestParams, GetPromptResponse, GetTaskParams, GetTaskResult,
        Implementation, JsonObject, ListPromptsResult, ListToolsResult, PaginatedRequestParams,
        ProgressNotificationParam, Resource, ServerCapabilities, ServerConfig, Tool,
        ToolAnnotations, UpdateTaskParams,
    },
    service::RequestContext,
};
use time::OffsetDateTime;
use tokio::{select, sync::mpsc, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    calls::Calls,
    limits::{Limits, Place, Refusal, surely_not_submitted},
    message, prompts, tasks,
};
use crate::{
    Luma, Task, TaskId,
    mcp::{
        self, Context, MAX_HOLD, Outcome, Progress, UnknownTool, context::Offers, dispatch,
        tools::description,
    },
};

const WEBSITE: &str = "https://platform.acedata.cloud";

const INSTRUCTIONS: &str = "Makes short videos with Luma Dream Machine. Every generate or extend \
    call makes a new video and spends credits of the account: agree on it with the user, call \
    once, and never repeat a call to see how far it is. It answers with a task id at once; the \
    video takes one to five minutes. Look it up with luma_get_task, several with \
    luma_get_tasks_batch: both are free.";

const INSTRUCTIONS_READ_ONLY: &str = "Looks up the videos of Luma Dream Machine. This server is \
    read-only: it makes no videos and spends nothing. Look a task up by its id with luma_get_task, \
    several with luma_get_tasks_batch: both are free.";

/// How long lists may be kept, in milliseconds: they change only with the version of the server.
const LIST_TTL_MS: u64 = 60 * 60 * 1000;
/// How long a lookup may take that tells how things stand when the server stops.
const LAST_LOOKUP: Duration = Duration::from_secs(2);

/// The tools as rmcp has them. They never change.
static TOOLS: LazyLock<Vec<(Tool, &'static mcp::Tool)>> =
    LazyLock::new(|| mcp::tools().iter().map(|tool| (of(tool), tool)).collect());

fn of(tool: &mcp::Tool) -> Tool {
    let hints = &tool.annotations;
    Tool::new(tool.name, tool.description, tool.input_schema.clone())
        .with_title(tool.title)
        .with_raw_output_schema(Arc::new(tool.output_schema.clone()))
        .with_annotations(ToolAnnotations::from_raw(
            Some(tool.title.to_owned()),
            Some(hints.read_only_hint),
            Some(hints.destructive_hint),
            Some(hints.idempotent_hint),
            Some(hints.open_world_hint),
        ))
}

/// Serves requests. Clones share everything.
#[derive(Clone)]
pub(super) struct Handler {
    pub(super) luma: Luma,
    /// Without one, only what asks nobody can be called.
    pub(super) has_token: bool,
    pub(super) limits: Arc<Limits>,
    /// The calls under way: a submit is billed, so that its end is worth waiting for.
    pub(super) running: TaskTracker,
    /// Those of a session over stdio.
    pub(super) calls: Calls,
    /// Ends what holds a call.
    pub(super) stop: CancellationToken,
}

impl Handler {
    /// The client whose account this request may spend.
    fn luma(&self, context: &RequestContext<RoleServer>) -> Result<Luma, ErrorData> {
        match context.extensions.get::<Parts>() {
            // Over HTTP the gate has put it there; never fall back to another one.
            Some(parts) => parts.extensions.get::<Luma>().cloned().ok_or_else(|| {
                ErrorData::internal_error("the request was not authenticated", None)
            }),
            None => Ok(self.luma.clone()),
        }
    }

    /// Whether the tool may be called at all; a submit then has its place.
    fn admit(&self, tool: &mcp::Tool) -> Result<Option<Place<'_>>, Refusal> {
        if !tool.annotations.read_only_hint && self.limits.is_read_only() {
            return Err(Refusal::ReadOnly);
        }
        if tool.annotations.open_world_hint && !self.has_token {
            return Err(Refusal::NoToken);
        }
        match tool.annotations.read_only_hint {
            true => Ok(None),
            false => self.limits.take().map(Some),
        }
    }

    /// Runs a call and passes its progress on. What holds it ends with the client's patience, and
    /// with the server.
    async fn run(
        &self,
        luma: &Luma,
        tool: &mcp::Tool,
        arguments: JsonObject,
        hold: Duration,
        context: &RequestContext<RoleServer>,
    ) -> Result<Outcome, ErrorData> {
        let cancel = CancellationToken::new();
        let (reports, inbox) = mpsc::unbounded_channel();
        // A submit is not cancelled by an end of the input: its answer has the task id.
        let held = tool
            .annotations
            .read_only_hint
            .then(|| (self.calls.clone(), context.id.clone()));
        let surroundings = Context::new()
            .hold(hold)
            .offers(self.limits.offers())
            .cancelled_by(cancel.clone())
            .on_progress(move |progress| {
                if let Some((calls, id)) = &held {
                    calls.hold(id);
                }
                // Nobody listens any more once the call has ended.
                let _ = reports.send(progress);
            });
        let mut call = pin!(call(luma, tool, arguments.clone(), &surroundings));
        select! {
            biased;
            outcome = &mut call => outcome,
            never = pass_on(inbox, context) => match never {},
            () = context.ct.cancelled() => {
                cancel.cancel();
                call.await
            }
            // A lookup is free: it says how things stand, rather than that it was cancelled.
            () = self.stop.cancelled() => match tool.annotations.read_only_hint {
                true => {
                    let at_once = Context::new().hold(Duration::ZERO).offers(self.limits.offers());
                    let last = self::call(luma, tool, arguments, &at_once);
                    match timeout(LAST_LOOKUP, last).await {
                        Ok(outcome) => outcome,
                        Err(_) => {
                            cancel.cancel();
                            call.await
                        }
                    }
                }
                false => {
                    cancel.cancel();
                    call.await
                }
            },
        }
    }

    /// Looks a task up, for a request that has to declare the extension.
    async fn task(
        &self,
        id: &str,
        context: &RequestContext<RoleServer>,
    ) -> Result<(Luma, TaskId, Task), ErrorData> {
        if !tasks::declared(&context.meta) {
            return Err(tasks::undeclared());
        }
        if !self.has_token {
            return Err(ErrorData::invalid_request(Refusal::NoToken.message(), None));
        }
        let id = tasks::id(id)?;
        let luma = self.luma(context)?;
        let task = dispatch::look_up(&luma, &id, dispatch::GRACE).await;
        let task = task.map_err(|error| tasks::lookup_failed(&luma, &id, &error))?;
        Ok((luma, id, task))
    }
}

async fn call(
    luma: &Luma,
    tool: &mcp::Tool,
    arguments: JsonObject,
    context: &Context,
) -> Result<Outcome, ErrorData> {
    let outcome = mcp::call(luma, tool.name, arguments, context).await;
    outcome.map_err(|unknown| ErrorData::invalid_params(unknown.to_string(), None))
}

/// Sends progress to who asked for it.
async fn pass_on(
    mut inbox: mpsc::UnboundedReceiver<Progress>,
    context: &RequestContext<RoleServer>,
) -> Infallible {
    let token = context.meta.get_progress_token();
    while let (Some(token), Some(progress)) = (&token, inbox.recv().await) {
        let notification = ProgressNotificationParam::new(token.clone(), progress.progress)
            .with_total(progress.total)
            .with_message(progress.message);
        // A client that is gone cancels the call by itself.
        let _ = context.peer.notify_progress(notification).await;
    }
    pending().await
}

fn result_of(outcome: Outcome) -> CallToolResult {
    let links = outcome.links.into_iter().map(|link| {
        let resource = Resource::new(link.uri, link.name);
        ContentBlock::ResourceLink(match link.mime_type {
            Some(mime_type) => resource.with_mime_type(mime_type),
            None => resource,
        })
    });
    let text = ContentBlock::text(outcome.text);
    let mut result = CallToolResult::success(std::iter::once(text).chain(links).collect());
    result.structured_content = Some(outcome.structured_content);
    result.is_error = Some(outcome.is_error);
    result
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_completions()
            .enable_tasks()
            .build();
        let implementation = Implementation::new("luma", env!("CARGO_PKG_VERSION"))
            .with_title("Luma Dream Machine")
            .with_description("Short videos from text, pictures and other videos")
            .with_website_url(WEBSITE);
        ServerConfig::new(capabilities)
            .with_server_info(implementation)
            .with_instructions(match self.limits.is_read_only() {
                true => INSTRUCTIONS_READ_ONLY,
                false => INSTRUCTIONS,
            })
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info())
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let offers = self.limits.offers();
        let offered = |tool: &mcp::Tool| offers == Offers::All || tool.annotations.read_only_hint;
        let tools = TOOLS.iter().filter(|(_, tool)| offered(tool));
        let tools = tools.map(|(listed, tool)| {
            let mut listed = listed.clone();
            listed.description = Some(description(tool, offers).into());
            listed
        });
        let tools = tools.collect();
        Ok(ListToolsResult::with_all_items(tools)
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let (tool, _) = TOOLS.iter().find(|(tool, _)| tool.name == name)?;
        Some(tool.clone())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let _running = self.running.token();
        let name = &*request.name;
        let Some((_, tool)) = TOOLS.iter().find(|(tool, _)| tool.name == name) else {
            let unknown = UnknownTool::new(name);
            return Err(ErrorData::invalid_params(unknown.to_string(), None));
        };
        let luma = self.luma(&context)?;
        let place = match self.admit(tool) {
            Ok(place) => place,
            Err(refusal) => return Ok(result_of(refusal.into()).into()),
        };
        let submits = !tool.annotations.read_only_hint;
        let as_task = submits && tasks::declared(&context.meta);
        let arguments = request.arguments.unwrap_or_default();
        // A task is the wait.
        let hold = if as_task { Duration::ZERO } else { MAX_HOLD };
        let outcome = self.run(&luma, tool, arguments, hold, &context).await?;
        if context.ct.is_cancelled() {
            // No answer is sent that would end it.
            self.calls.end(&context.id);
        }
        if let Some(place) = place {
            if surely_not_submitted(&outcome) {
                place.give_back();
            } else if context.ct.is_cancelled() {
                // It is paid for, and perhaps nobody reads the answer.
                let task = tasks::submitted(&outcome);
                tracing::warn!(task, "a video was submitted by a call that was cancelled");
            }
        }
        match tasks::submitted(&outcome) {
            Some(id) if as_task => Ok(tasks::created(id, OffsetDateTime::now_utc()).into()),
            _ => Ok(result_of(outcome).into()),
        }
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(
            ListPromptsResult::with_all_items(prompts::list(self.limits.is_read_only()))
                .with_ttl_ms(LIST_TTL_MS)
                .with_cache_scope(CacheScope::Public),
        )
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let read_only = self.limits.is_read_only();
        prompts::get(read_only, &request.name, request.arguments).map(GetPromptResponse::Complete)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let read_only = self.limits.is_read_only();
        prompts::complete(read_only, &request.r#ref, &request.argument).map(CompleteResult::new)
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(message::misread(&request.method, request.params.as_ref()))
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let (luma, id, task) = self.task(&request.task_id, &context).await?;
        let offers = self.limits.offers();
        Ok(tasks::report(
            &luma,
            &id,
            &task,
            offers,
            OffsetDateTime::now_utc(),
        ))
    }

    /// No task ever asks for anything: there is nothing to take in.
    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.task(&request.task_id, &context).await.map(|_| ())
    }

    /// The service cannot stop a task. It is acknowledged, as the extension asks, and goes on.
    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.task(&request.task_id, &context).await.map(|_| ())
    }
}
