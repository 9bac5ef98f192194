//! MCP's methods, on top of the tool dispatcher. One handler serves all requests of a run.

use std::{convert::Infallible, future::pending, pin::pin, sync::Arc, time::Duration};

use http::request::Parts;
use luma_client::{
    Luma, RequestError, Task, TaskId,
    mcp::{self, Context, MAX_HOLD, Outcome, Progress, UnknownTool},
};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CancelTaskParams,
        CompleteRequestParams, CompleteResult, CustomRequest, CustomResult, DiscoverResult,
        GetPromptRequestParams, GetPromptResponse, GetTaskParams, GetTaskResult, Implementation,
        InitializeRequestParams, InitializeResult, JsonObject, ListPromptsResult,
        ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
        ProgressNotificationParam, ReadResourceRequestParams, ReadResourceResponse,
        ReadResourceResult, ServerCapabilities, ServerConfig, Tool, UpdateTaskParams,
    },
    service::RequestContext,
};
use time::OffsetDateTime;
use tokio::{
    select,
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    calls::Calls,
    confirm::{self, Instead, Questions},
    convert::Revision,
    daily::DailyLimit,
    limits::{Place, VideoLimit},
    message, prompts, resources, tasks,
};

const WEBSITE: &str = "https://platform.acedata.cloud";

const INSTRUCTIONS: &str = "Makes short videos with Luma Dream Machine. Every generate or extend call makes \
    a new video and spends credits of the account: agree on it with the user, call once, and never repeat \
    a call to check on it. It returns a task id at once; the video takes 1 to 5 minutes. Check it with \
    luma_get_task, or several with luma_get_tasks_batch; luma_list_tasks finds lost ids. All three are free.";

const INSTRUCTIONS_READ_ONLY: &str = "Looks up videos of Luma Dream Machine. This server is read-only: it \
    creates no videos and spends nothing. Check a task by its id with luma_get_task, or several with \
    luma_get_tasks_batch; luma_list_tasks shows the newest. All three are free.";

type Cx = RequestContext<RoleServer>;
type Reply<T> = Result<T, ErrorData>;

/// How long clients may cache the lists, in milliseconds. They change only with the version of the server.
const LIST_TTL_MS: u64 = 60 * 60 * 1000;
/// How long a call without a progress token is held: less than the shortest timeout of known hosts, 5 s.
const QUIET_HOLD: Duration = Duration::from_secs(4);
/// How long a server that stops waits for the calls in flight: longer than one attempt at a submit takes by
/// default, because its answer is paid for.
pub(crate) const GRACE: Duration = Duration::from_secs(40);
/// How long a lookup may still take when the server stops.
const LAST_LOOKUP: Duration = Duration::from_secs(2);
/// How long after its submit the service may not know a task yet.
const SETTLE: Duration = Duration::from_secs(2);

/// The options that all requests share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) read_only: bool,
    pub(crate) max_videos: Option<u32>,
    pub(crate) daily: Option<DailyLimit>,
    /// Whether the user is asked before each submit.
    pub(crate) confirm: bool,
    pub(crate) no_resource_links: bool,
    /// The origins from which the view may load films, besides the service's own.
    pub(crate) media_hosts: Vec<String>,
    /// How long calls are held, with or without progress.
    pub(crate) hold: Option<Duration>,
    /// Why the server has no account of its own, if it has none.
    pub(crate) no_token: Option<String>,
}

/// Serves requests. Clones share everything.
#[derive(Clone)]
pub(crate) struct Handler {
    pub(crate) luma: Luma,
    pub(crate) options: Arc<Options>,
    pub(crate) limit: Arc<VideoLimit>,
    questions: Arc<Questions>,
    /// The calls in flight. A submit is billed, so its answer is worth waiting for.
    pub(crate) running: TaskTracker,
    /// The requests of a session over stdio.
    pub(crate) calls: Calls,
    /// Nothing is submitted any more.
    pub(crate) stop: CancellationToken,
    /// Calls do not wait for videos any more. It follows `stop`.
    pub(crate) leaving: CancellationToken,
}

impl Handler {
    pub(crate) fn new(luma: Luma, options: Options, stop: CancellationToken) -> Self {
        let running = TaskTracker::new();
        Self {
            luma,
            limit: Arc::new(VideoLimit::new(options.max_videos, options.daily.clone())),
            questions: Arc::default(),
            options: Arc::new(options),
            calls: Calls::new(running.clone()),
            running,
            leaving: stop.child_token(),
            stop,
        }
    }

    /// Waits for the calls in flight.
    pub(crate) async fn finish(&self) {
        self.running.close();
        if timeout(GRACE, self.running.wait()).await.is_err() {
            tracing::warn!("calls were still running when the server stopped");
        }
    }

    /// The client whose account this request may spend.
    fn luma(&self, cx: &Cx) -> Reply<Luma> {
        match cx.extensions.get::<Parts>() {
            // Over HTTP, the access check has put it there. Never fall back to another account.
            Some(parts) => parts.extensions.get::<Luma>().cloned().ok_or_else(|| {
                ErrorData::internal_error("the request was not authenticated", None)
            }),
            None => Ok(self.luma.clone()),
        }
    }

    /// Why a call of the tool cannot be run now.
    fn refusal(&self, tool: &mcp::Tool) -> Option<Outcome> {
        if let Some(reason) = &self.options.no_token
            && tool.annotations.open_world_hint
        {
            let next_step = "Ask the user to set the API token of Ace Data Cloud for this server and \
                to restart it. No call can succeed before.";
            return Some(Outcome::failed("no_token", reason, next_step));
        }
        (tool.submits() && self.stop.is_cancelled()).then(|| {
            let next_step = "Nothing was sent. Repeat the call when the server runs again.";
            Outcome::failed("stopping", "the server is stopping", next_step)
        })
    }

    /// The place of a submit within the limits, with the consent of the user if the server asks for it.
    ///
    /// # Errors
    ///
    /// What to answer instead.
    async fn place(
        &self,
        luma: &Luma,
        tool: &mcp::Tool,
        request: &CallToolRequestParams,
        cx: &Cx,
    ) -> Result<Place<'_>, Instead> {
        let place = self.limit.take().await.map_err(Instead::Refusal)?;
        if !self.options.confirm {
            return Ok(place);
        }
        let agreed = match self.mistake(luma, tool, request).await {
            Some(outcome) => Err(Instead::Refusal(outcome)),
            None => confirm::ask(&self.questions, luma, tool, request, cx, &self.leaving).await,
        };
        match agreed {
            Ok(()) => Ok(place),
            Err(instead) => {
                place.give_back().await;
                Err(instead)
            }
        }
    }

    /// What is wrong with the arguments, which no user should be asked about. A call that was cancelled
    /// before it begins checks them and sends nothing.
    async fn mistake(
        &self,
        luma: &Luma,
        tool: &mcp::Tool,
        request: &CallToolRequestParams,
    ) -> Option<Outcome> {
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        let arguments = request.arguments.clone().unwrap_or_default();
        let context = self.surroundings().cancelled_by(cancelled);
        let outcome = mcp::call(luma, tool.name, arguments, &context).await.ok()?;
        let code = outcome.structured_content.pointer("/result/error/code");
        (code != Some(&"cancelled".into())).then_some(outcome)
    }

    fn surroundings(&self) -> Context {
        Context::new().read_only(self.options.read_only)
    }

    /// Runs a call and passes its progress on. Its wait ends with the call, the session or the server.
    async fn run(
        &self,
        luma: &Luma,
        tool: &mcp::Tool,
        arguments: JsonObject,
        hold: Duration,
        cx: &Cx,
    ) -> Result<Outcome, UnknownTool> {
        let cancel = cx.ct.child_token();
        let reported = CancellationToken::new();
        let (reports, inbox) = mpsc::unbounded_channel();
        let surroundings = self.surroundings().hold(hold).cancelled_by(cancel.clone());
        let surroundings = surroundings.on_progress({
            let (calls, id, reported) = (self.calls.clone(), cx.id.clone(), reported.clone());
            let is_lookup = !tool.submits();
            move |progress| {
                // A submit is answered whatever happens: its answer has the task id.
                if is_lookup {
                    calls.hold(&id);
                }
                reported.cancel();
                // Nobody receives it after the call.
                let _ = reports.send(progress);
            }
        });
        let mut call = pin!(mcp::call(luma, tool.name, arguments, &surroundings));
        select! {
            // The call comes first, so that a submit begins before an end of the input is noticed.
            biased;
            outcome = &mut call => return outcome,
            never = pass_on(inbox, cx) => match never {},
            () = self.leaving.cancelled() => {}
        }
        if !tool.submits() {
            // A lookup that knows nothing yet gets a moment, so that its answer tells the state.
            select! {
                biased;
                outcome = &mut call => return outcome,
                _ = timeout(LAST_LOOKUP, reported.cancelled()) => {}
            }
        }
        cancel.cancel();
        call.await
    }

    /// How long a call may wait for a video.
    fn hold(&self, cx: &Cx) -> Duration {
        let default = match cx.meta.get_progress_token() {
            Some(_) => MAX_HOLD,
            None => QUIET_HOLD,
        };
        self.options.hold.unwrap_or(default)
    }

    /// Looks a task up for a request that has to declare the extension.
    async fn task(&self, id: &str, cx: &Cx) -> Reply<(Luma, TaskId, Task)> {
        if !tasks::is_declared(&cx.meta) {
            return Err(tasks::undeclared());
        }
        if let Some(reason) = &self.options.no_token {
            return Err(ErrorData::invalid_request(reason.clone(), None));
        }
        let id: TaskId = id.parse().map_err(|_| tasks::unknown(id))?;
        let luma = self.luma(cx)?;
        let handle = luma.task(id.clone());
        let task = match handle.get().await {
            Err(RequestError::NotFound { .. }) => {
                sleep(SETTLE).await;
                handle.get().await
            }
            answer => answer,
        };
        match task {
            Ok(task) => Ok((luma, id, task)),
            Err(RequestError::NotFound { .. }) => Err(tasks::unknown(id.as_str())),
            Err(error) => {
                // An error of the service may quote the request.
                let message = luma.redact(&format!("{id} cannot be looked up: {error}"), 500);
                Err(ErrorData::internal_error(message, None))
            }
        }
    }
}

/// Sends progress to a client that asked for it.
async fn pass_on(mut inbox: mpsc::UnboundedReceiver<Progress>, cx: &Cx) -> Infallible {
    let token = cx.meta.get_progress_token();
    let has_message = Revision::of(cx) >= Revision::V2025_03_26;
    while let (Some(token), Some(progress)) = (&token, inbox.recv().await) {
        let mut notification = ProgressNotificationParam::new(token.clone(), progress.progress)
            .with_total(progress.total);
        notification.message = Some(progress.message).filter(|_| has_message);
        // The call of a client that is gone is cancelled elsewhere.
        let _ = cx.peer.notify_progress(notification).await;
    }
    pending().await
}

/// A list in one page, with hints for caches if the revision has them. rmcp's lists share no trait.
macro_rules! whole_list {
    ($kind:ident, $revision:expr, $items:expr) => {{
        let list = $kind::with_all_items($items);
        match $revision >= Revision::V2026_07_28 {
            true => list.with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Public),
            false => list,
        }
    }};
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_resources()
            .enable_completions()
            .enable_extensions_with([(resources::EXTENSION.to_owned(), JsonObject::new())].into())
            .enable_tasks()
            .build();
        let implementation = Implementation::new("luma", env!("CARGO_PKG_VERSION"))
            .with_title("Luma Dream Machine")
            .with_description("Short videos from text, pictures and other videos")
            .with_website_url(WEBSITE);
        ServerConfig::new(capabilities).with_server_info(implementation).with_instructions(
            match self.options.read_only {
                true => INSTRUCTIONS_READ_ONLY,
                false => INSTRUCTIONS,
            },
        )
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        cx: Cx,
    ) -> Reply<InitializeResult> {
        let result = self.negotiate_initialize(&request)?;
        cx.peer.set_peer_info(request);
        Ok(Revision::new(Some(&result.protocol_version)).initialized(result))
    }

    async fn discover(&self, _: Cx) -> Reply<DiscoverResult> {
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info())
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Public))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        cx: Cx,
    ) -> Reply<ListToolsResult> {
        let (revision, read_only) = (Revision::of(&cx), self.options.read_only);
        let offered = mcp::tools().iter().filter(|tool| !read_only || !tool.submits());
        let tools = offered.map(|tool| revision.tool(tool, read_only)).collect();
        Ok(whole_list!(ListToolsResult, revision, tools))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let tool = mcp::find(name).ok()?;
        Some(Revision::new(None).tool(tool, self.options.read_only))
    }

    async fn call_tool(&self, request: CallToolRequestParams, cx: Cx) -> Reply<CallToolResponse> {
        let _running = self.running.token();
        let unknown = |tool: UnknownTool| ErrorData::invalid_params(tool.to_string(), None);
        let tool = mcp::find(&request.name).map_err(unknown)?;
        let luma = self.luma(&cx)?;
        let (revision, links) = (Revision::of(&cx), !self.options.no_resource_links);
        if let Some(refusal) = self.refusal(tool) {
            return Ok(revision.result(refusal, links).into());
        }
        let place = match tool.submits() && !self.options.read_only {
            true => match self.place(&luma, tool, &request, &cx).await {
                Ok(place) => Some(place),
                Err(Instead::Question(question)) => return Ok(question.into()),
                Err(Instead::Refusal(outcome)) => {
                    return Ok(revision.result(outcome, links).into());
                }
            },
            false => None,
        };
        let as_task = tool.submits() && tasks::is_declared(&cx.meta);
        let arguments = request.arguments.unwrap_or_default();
        // The client waits for the task itself.
        let hold = if as_task { Duration::ZERO } else { self.hold(&cx) };
        let outcome = self.run(&luma, tool, arguments, hold, &cx).await.map_err(unknown)?;
        if cx.ct.is_cancelled() {
            // No answer is sent that would end it.
            self.calls.end(&cx.id);
            if outcome.may_be_billed {
                let task = outcome.task_id();
                tracing::warn!(task, "a cancelled call submitted a video");
            }
        }
        if let Some(place) = place
            && !outcome.may_be_billed
        {
            place.give_back().await;
        }
        match outcome.task_id() {
            Some(id) if as_task && !outcome.is_error => {
                Ok(tasks::created(id, OffsetDateTime::now_utc()).into())
            }
            _ => Ok(revision.result(outcome, links).into()),
        }
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        cx: Cx,
    ) -> Reply<ListPromptsResult> {
        let revision = Revision::of(&cx);
        let prompts = prompts::list(self.options.read_only).into_iter();
        let prompts = prompts.map(|prompt| revision.prompt(prompt)).collect();
        Ok(whole_list!(ListPromptsResult, revision, prompts))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        cx: Cx,
    ) -> Reply<ListResourcesResult> {
        let revision = Revision::of(&cx);
        let has_view = revision >= Revision::V2025_06_18;
        Ok(whole_list!(ListResourcesResult, revision, resources::list(has_view)))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        cx: Cx,
    ) -> Reply<ReadResourceResponse> {
        let (revision, options) = (Revision::of(&cx), &*self.options);
        let (read_only, media_hosts) = (options.read_only, &options.media_hosts);
        let has_view = revision >= Revision::V2025_06_18;
        let content = resources::read(&request.uri, has_view, read_only, media_hosts)?;
        let result = ReadResourceResult::new(vec![content]);
        Ok(match revision >= Revision::V2026_07_28 {
            true => result.with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Public),
            false => result,
        }
        .into())
    }

    /// There are none, but hosts ask for the list, and the conformance suite wants one.
    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        cx: Cx,
    ) -> Reply<ListResourceTemplatesResult> {
        Ok(whole_list!(ListResourceTemplatesResult, Revision::of(&cx), Vec::new()))
    }

    async fn get_prompt(&self, request: GetPromptRequestParams, _: Cx) -> Reply<GetPromptResponse> {
        let read_only = self.options.read_only;
        prompts::get(read_only, &request.name, request.arguments).map(GetPromptResponse::Complete)
    }

    async fn complete(&self, request: CompleteRequestParams, _: Cx) -> Reply<CompleteResult> {
        let read_only = self.options.read_only;
        prompts::complete(read_only, &request.r#ref, &request.argument).map(CompleteResult::new)
    }

    async fn on_custom_request(&self, request: CustomRequest, _: Cx) -> Reply<CustomResult> {
        Err(message::misread(&request.method, request.params.as_ref()))
    }

    async fn get_task(&self, request: GetTaskParams, cx: Cx) -> Reply<GetTaskResult> {
        let (luma, id, task) = self.task(&request.task_id, &cx).await?;
        let mut outcome = mcp::report(&luma, &id, &task, &self.surroundings());
        if self.options.no_resource_links {
            outcome.links.clear();
        }
        Ok(tasks::report(&id, &task, outcome, OffsetDateTime::now_utc()))
    }

    /// No task ever asks for input.
    async fn update_task(&self, request: UpdateTaskParams, cx: Cx) -> Reply<()> {
        self.task(&request.task_id, &cx).await.map(|_| ())
    }

    /// The service cannot stop a task. The request is acknowledged, as the extension asks.
    async fn cancel_task(&self, request: CancelTaskParams, cx: Cx) -> Reply<()> {
        self.task(&request.task_id, &cx).await.map(|_| ())
    }
}
