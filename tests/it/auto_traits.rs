//! What a program may rely on when it moves the types of this crate between threads, and prints them.

use std::{error::Error as StdError, fmt::Debug};

use luma_client::{
    ApiError, AspectRatio, ConfigError, DecodeError, Download, DownloadError, Downloaded, Error,
    ErrorCode, Extend, FailureKind, Generate, History, InconclusiveReason, InvalidInput,
    InvalidTaskId, Luma, LumaBuilder, PollInterval, Progress, Reconcile, Reconciliation,
    RequestError, RetryPolicy, Submission, SubmitError, Task, TaskFailure, TaskHandle, TaskId,
    TaskRef, TaskState, TransportError, Updates, Video, VideoSource, Wait, WaitError, Watch,
    api::{
        Client,
        types::{
            DeletedTask, ErrorResponse, TaskAction, TaskBatch, TaskQuery, VideoAction,
            VideoRequest, VideoResult,
        },
    },
    fields::{ErrorInfo, Number, QueryResponse, RawState, TaskResponse, Timestamp},
    webhook::WebhookError,
};
use luma_simulator::{
    Fault, JobDuration, NotFound, ReceivedRequest, Simulator, SimulatorBuilder, Stats, Target,
    TaskScript,
};

fn shared<T: Debug + Send + Sync + Unpin + 'static>() {}
fn sent<T: Debug + Send + Unpin + 'static>() {}
fn error<T: StdError + Send + Sync + Unpin + 'static>() {}
fn future<T>(_: impl IntoFuture<Output = T, IntoFuture: Send>) {}

#[test]
fn types_move_between_threads() {
    shared::<(Luma, LumaBuilder, RetryPolicy, PollInterval, AspectRatio)>();
    shared::<(Generate, Extend, VideoSource, Submission)>();
    shared::<(Reconcile, Reconciliation, InconclusiveReason)>();
    shared::<(TaskHandle, TaskRef, TaskId, Task, TaskState)>();
    shared::<(TaskFailure, FailureKind, Video)>();
    shared::<(Progress, Downloaded, ErrorCode)>();

    shared::<(Client, TaskAction, TaskQuery, TaskBatch, DeletedTask)>();
    shared::<(VideoAction, VideoRequest, VideoResult, ErrorResponse)>();
    shared::<(QueryResponse, TaskResponse)>();
    shared::<(ErrorInfo, Number, RawState, Timestamp)>();

    shared::<(Simulator, SimulatorBuilder, Fault, Target, TaskScript)>();
    shared::<(JobDuration, NotFound, ReceivedRequest, Stats)>();

    // These hold callbacks or requests in flight, which one thread at a time may drive.
    sent::<(Wait<'static>, Updates, Watch)>();
    sent::<(History, Download<'static>)>();
}

#[test]
fn errors_move_between_threads() {
    error::<Error>();
    error::<ApiError>();
    error::<ConfigError>();
    error::<DecodeError>();
    error::<DownloadError>();
    error::<InvalidInput>();
    error::<InvalidTaskId>();
    error::<RequestError>();
    error::<SubmitError>();
    error::<TaskFailure>();
    error::<TransportError>();
    error::<WaitError>();
    error::<WebhookError>();
}

/// So that each call can be spawned. Nothing is sent.
#[tokio::test]
async fn futures_move_between_threads() {
    let luma = Luma::builder().token("my-token").build().expect("a client");
    let id: TaskId = "a-task".parse().expect("an id");
    let task = luma.task(&id);
    let submission = luma.generate("A fox").prepare().expect("valid");
    let source = VideoSource::Url("https://example.com/v.mp4".into());
    future(luma.generate("A fox").submit());
    future(luma.extend(source, "On").submit());
    future(luma.submit(&submission));
    future(luma.reconcile(&submission));
    future(luma.tasks(&[]));
    future(luma.delete(&id));
    future(luma.api().query_tasks(&TaskQuery::new(TaskAction::Retrieve)));
    future(luma.api().create_video(&VideoRequest::default()));
    future(task.get());
    future(task.wait());
    future(Simulator::start());
}

/// Every call returns one, so a large one costs even if all goes well.
#[test]
fn errors_stay_small() {
    for (size, limit) in [
        (size_of::<RequestError>(), 72),
        (size_of::<SubmitError>(), 80),
        (size_of::<Error>(), 144),
        (size_of::<WaitError>(), 144),
    ] {
        assert!(size <= limit, "{size} > {limit}");
    }
}
