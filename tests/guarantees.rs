//! What a program may count on when it moves the types of this crate around, and prints them.

use std::{error::Error as StdError, fmt::Debug};

use luma_client::{
    ApiError, AspectRatio, ConfigError, DecodeError, Doubt, Download, DownloadError, Downloaded,
    Error, ErrorCode, Extend, Failure, FailureKind, Generate, History, Intent, InvalidInput,
    InvalidTaskId, Luma, LumaBuilder, Pace, PendingSubmission, Prepared, Progress, RetryPolicy,
    Search, Source, Task, TaskHandle, TaskId, TaskState, Ticket, TransportError, Updates, Video,
    Wait, WaitError, WaitFuture, Watch,
    api::{
        Client,
        types::{
            DeletedTask, ErrorResponse, TaskAction, TaskBatch, TaskQuery, VideoAction,
            VideoRequest, VideoResult,
        },
    },
    mcp::{self, server},
    simulator::{self, Simulator},
    webhook::WebhookError,
    wire::{ErrorInfo, Number, StateWord, TaskAnswer, TaskResponse, Timestamp},
};

fn shared<T: Debug + Send + Sync + Unpin + 'static>() {}
fn sent<T: Debug + Send + Unpin + 'static>() {}
fn error<T: StdError + Send + Sync + Unpin + 'static>() {}
fn future<T>(_: impl IntoFuture<Output = T, IntoFuture: Send>) {}

#[test]
fn types_move_between_threads() {
    shared::<(Luma, LumaBuilder, RetryPolicy, Pace, AspectRatio)>();
    shared::<(Generate, Extend, Source, Prepared, Intent)>();
    shared::<(PendingSubmission, Search, Doubt)>();
    shared::<(TaskHandle, Ticket, TaskId, Task, TaskState)>();
    shared::<(Failure, FailureKind, Video)>();
    shared::<(Progress, Downloaded, ErrorCode)>();

    shared::<(Client, TaskAction, TaskQuery, TaskBatch, DeletedTask)>();
    shared::<(VideoAction, VideoRequest, VideoResult, ErrorResponse)>();
    shared::<(TaskAnswer, TaskResponse)>();
    shared::<(ErrorInfo, Number, StateWord, Timestamp)>();

    shared::<(mcp::Annotations, mcp::Call, mcp::Context, mcp::Outcome)>();
    shared::<(mcp::Progress, mcp::ResourceLink, mcp::Tool)>();
    shared::<(server::Access, server::HttpOptions, server::Server)>();
    shared::<server::HttpServer>();

    shared::<(Simulator, simulator::SimulatorBuilder)>();
    shared::<(simulator::Fault, simulator::Target, simulator::TaskScript)>();
    shared::<(simulator::JobDuration, simulator::NotFound)>();
    shared::<(simulator::ReceivedRequest, simulator::Stats)>();

    // These hold callbacks or requests under way, which one thread at a time may drive.
    sent::<(Wait<'static>, WaitFuture<'static>, Updates, Watch)>();
    sent::<(History, Download<'static>)>();
}

#[test]
fn errors_move_between_threads() {
    error::<Error>();
    error::<ApiError>();
    error::<ConfigError>();
    error::<DecodeError>();
    error::<DownloadError>();
    error::<Failure>();
    error::<InvalidInput>();
    error::<InvalidTaskId>();
    error::<TransportError>();
    error::<WaitError>();
    error::<WebhookError>();
    error::<mcp::NotACall>();
    error::<mcp::UnknownTool>();
    error::<server::InvalidOptions>();
    error::<server::ServeError>();
    error::<server::WeakKey>();
}

/// So that each call can be spawned. Nothing is sent.
#[test]
fn futures_move_between_threads() {
    let luma = Luma::builder().token("my-token").build().expect("a client");
    let id: TaskId = "a-task".parse().expect("an id");
    let task = luma.task(id.clone());
    future(luma.generate("A fox").submit());
    future(luma.generate("A fox").submit_held(Wait::DEADLINE));
    future(
        luma.extend(Source::Url("https://example.com/v.mp4".into()), "On")
            .submit(),
    );
    future(
        luma.generate("A fox")
            .prepare()
            .expect("a request")
            .submit(),
    );
    future(luma.tasks(&[]));
    future(luma.wait_all([id.clone()]));
    future(luma.delete(&id));
    future(
        luma.api()
            .query_tasks(&TaskQuery::new(TaskAction::Retrieve)),
    );
    future(luma.api().create_video(&VideoRequest::default()));
    future(task.get());
    future(task.wait());
    future(task);
    let context = mcp::Context::new();
    future(mcp::call(&luma, "luma_get_task", "{}", &context));
    let server = || server::Server::new(luma.clone());
    future(server().serve_stdio(Default::default()));
    future(server().serve(tokio::io::empty(), tokio::io::sink(), Default::default()));
    let key = server::Access::Key("0123456789abcdef".to_owned().into());
    let options = server::HttpOptions::new(([127, 0, 0, 1], 0).into(), key);
    future(server().listen(options));
    future(Simulator::start());
}

#[test]
fn errors_stay_small() {
    // Every call returns one, so a large one costs even where all goes well.
    assert!(size_of::<Error>() <= 80, "{}", size_of::<Error>());
    assert!(size_of::<WaitError>() <= 144, "{}", size_of::<WaitError>());
}
