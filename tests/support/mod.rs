//! What goes wrong between client and service, and the calls that it goes wrong for.
//!
//! Shared by the tests that ask what each call comes to, and those that ask what it shows.
#![allow(dead_code)]

pub mod cases;
pub mod http2;

use std::{
    fmt::{Debug, Display},
    time::Duration,
};

use futures::{TryStreamExt, future::join_all};
use luma_client::{
    DownloadError, Error, Luma, LumaBuilder, Pace, PendingSubmission, RetryPolicy, TaskId,
    TaskState, TransportError, Video,
    simulator::{Fault, JobDuration, Simulator, Target, TaskScript},
    webhook::{self, WebhookError},
};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

pub use cases::Case;

/// Long and odd enough to stand in nothing by chance.
pub const TOKEN: &str = "sk-9f3c1e7ab24d4c0d8f55-never-to-be-shown";

/// How often a call is sent at most.
pub const ATTEMPTS: u32 = 3;

/// What is downloaded.
const FILE: &[u8] = &[7; 1024];

/// Of what a request is given, where the fault is that nothing comes.
const IMPATIENCE: Duration = Duration::from_millis(600);

/// A call that something goes wrong with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Submit,
    HeldSubmit,
    Lookup,
    BatchLookup,
    History,
    /// No call, but what came to the callback URL: the same bodies.
    Webhook,
    Download,
}

impl Operation {
    pub const ALL: [Self; 7] = [
        Self::Submit,
        Self::HeldSubmit,
        Self::Lookup,
        Self::BatchLookup,
        Self::History,
        Self::Webhook,
        Self::Download,
    ];

    pub fn is_submit(self) -> bool {
        matches!(self, Self::Submit | Self::HeldSubmit)
    }

    fn target(self) -> Target {
        match self {
            Self::Submit | Self::HeldSubmit => Target::Submit,
            Self::Download => Target::Media,
            _ => Target::Lookup,
        }
    }

    /// A good answer about a task.
    fn answer(self, id: &str) -> Value {
        let video = json!({
            "success": true, "task_id": id, "video_id": "v", "state": "completed",
            "video_url": "https://example.com/v.mp4",
        });
        let task = json!({ "id": id, "created_at": 1.0, "response": video });
        match self {
            Self::Submit => json!({ "task_id": id }),
            Self::HeldSubmit | Self::Webhook | Self::Download => video,
            Self::Lookup => task,
            Self::BatchLookup | Self::History => json!({ "items": [task], "count": 1 }),
        }
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Strike {
    /// The name of the service is not known.
    NoHost,
    /// Nobody listens.
    NoListener,
    /// The connection suffers.
    Connection(Fault),
    /// Another answer comes.
    Answer(u16, Vec<(&'static str, String)>, Body),
    /// A redirect to another host.
    Redirect(u16),
}

/// The body of another answer.
#[derive(Clone, Debug)]
pub enum Body {
    Text(String),
    Bytes(Vec<u8>),
    /// So many bytes of nothing.
    Filler(u64),
    /// A good one, shortened by so many characters.
    CutShort(usize),
}

/// What a call came to.
#[derive(Debug)]
pub struct Outcome {
    /// In a few words.
    pub name: String,
    pub requests: u64,
    pub billed: u64,
    /// All that the call gave, as it can be shown.
    pub shown: Vec<String>,
    pub pending: Option<Box<PendingSubmission>>,
}

/// A service, and a client of it.
#[derive(Debug)]
pub struct World {
    pub simulator: Simulator,
    /// Where redirects lead. Nothing may ever come there but downloads, without the token.
    pub elsewhere: Simulator,
    pub luma: Luma,
    /// Of a task that was submitted before.
    pub known: TaskId,
    /// Of that task.
    video: Video,
    /// The same file elsewhere.
    file_elsewhere: String,
    /// Bound, but nobody listens.
    _closed: TcpSocket,
}

impl World {
    pub async fn start(case: &Case) -> Self {
        let at_once = JobDuration::Fixed(Duration::ZERO);
        let service = Simulator::builder().token(TOKEN).duration(at_once);
        let simulator = service.start().await.expect("a simulator");
        let elsewhere = Simulator::start().await.expect("a simulator");
        let luma = match case.is_silent {
            true => builder(simulator.url()).read_timeout(IMPATIENCE),
            false => builder(simulator.url()),
        };
        let luma = luma.build().expect("a client");
        // Through the same client: what comes next meets a connection that is in use.
        let closed = TcpSocket::new_v4().expect("a socket");
        closed
            .bind("127.0.0.1:0".parse().expect("an address"))
            .expect("a port");
        let port = closed.local_addr().expect("an address").port();
        let nowhere = match case.strike {
            Strike::NoHost => Some("http://nowhere.invalid".to_owned()),
            Strike::NoListener => Some(format!("http://127.0.0.1:{port}")),
            _ => None,
        };
        if let Some(nowhere) = &nowhere {
            let url = format!("{nowhere}/v.mp4");
            let response = json!({ "state": "completed", "video_url": url });
            simulator.on_submit(TaskScript::response(response));
        }
        let earlier = luma.generate("Something else").submit().await;
        let earlier = earlier.expect("no fault yet");
        let pace = Pace::fixed(Duration::from_millis(10));
        let video = earlier.wait().pace(pace).await.expect("a video");
        simulator.set_video(FILE);

        let mut file_elsewhere = String::new();
        if let Strike::Redirect(_) = case.strike {
            elsewhere.set_video(FILE);
            let there = client(elsewhere.url()).generate("A copy").submit().await;
            let there = there.expect("no fault there");
            let url = elsewhere.video_url(there.id().as_str());
            file_elsewhere = url.expect("a file");
        }
        let luma = match nowhere {
            Some(nowhere) => client(&nowhere),
            None if case.is_silent => luma.with_timeout(IMPATIENCE),
            None => luma,
        };
        Self {
            simulator,
            elsewhere,
            luma,
            known: earlier.id().clone(),
            video,
            file_elsewhere,
            _closed: closed,
        }
    }

    fn inject(&self, case: &Case, operation: Operation) {
        let fault = match &case.strike {
            Strike::NoHost | Strike::NoListener => return,
            Strike::Connection(fault) => fault.clone(),
            Strike::Redirect(status) => {
                let elsewhere = self.elsewhere.url();
                let location = match operation.target() {
                    Target::Submit => format!("{elsewhere}/luma/videos"),
                    Target::Media => self.file_elsewhere.clone(),
                    _ => format!("{elsewhere}/luma/tasks"),
                };
                Fault::redirect(*status, location)
            }
            Strike::Answer(status, headers, body) => {
                let mut fault = match body {
                    Body::Filler(length) => Fault::body_bytes(*length),
                    body => Fault::status(*status).body(body.of(operation, self.known.as_str())),
                };
                for (name, value) in headers {
                    fault = fault.header(*name, value);
                }
                let is_blank = match body {
                    Body::Text(text) => text.is_empty(),
                    body => matches!(body, Body::Filler(_)),
                };
                match operation {
                    // What it says it is must not be all that is wrong with it.
                    Operation::Download if is_blank => fault.header("content-type", "video/mp4"),
                    _ => fault,
                }
            }
        };
        let fault = match &case.strike {
            Strike::Connection(_) => fault,
            _ => fault.accepting(case.is_accepted),
        };
        let fault = fault.on(operation.target());
        self.simulator.inject(match case.times {
            Some(times) => fault.times(times),
            // It goes on from each cut, so that one says all.
            None if operation == Operation::Download && case.is_cut => fault.times(1),
            None => fault.always(),
        });
    }

    fn requests(&self, operation: Operation) -> u64 {
        let stats = self.simulator.stats();
        match operation.target() {
            Target::Submit => stats.submits_received,
            Target::Media => stats.media_requests,
            _ => stats.lookups,
        }
    }
}

impl Body {
    fn of(&self, operation: Operation, id: &str) -> Vec<u8> {
        match self {
            // Only who was sent the token can quote it.
            Self::Text(text) if operation == Operation::Download => {
                let text = text.replace(TOKEN, "of yours");
                text.replace(&cases::escaped(TOKEN), "of yours")
                    .into_bytes()
            }
            Self::Text(text) => text.clone().into_bytes(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Filler(length) => vec![b'x'; *length as usize],
            Self::CutShort(by) => {
                let mut text = operation.answer(id).to_string();
                text.truncate(text.len() - by);
                text.into_bytes()
            }
        }
    }
}

fn retry() -> RetryPolicy {
    RetryPolicy::default()
        .max_attempts(ATTEMPTS)
        .min_delay(Duration::from_millis(2))
        .max_delay(Duration::from_millis(4))
}

/// A client that does not wait long before it tries again, but long for an answer.
pub fn client(base_url: &str) -> Luma {
    builder(base_url).build().expect("a client")
}

fn builder(base_url: &str) -> LumaBuilder {
    Luma::builder()
        .token(TOKEN)
        .base_url(base_url)
        .allow_plain_http(true)
        // Without certificates, which take their time to load.
        .http_client(reqwest::Client::builder().no_proxy().tls_certs_only([]))
        .retry(retry())
}

/// Calls `cell` for each case and each operation, in their order.
///
/// Where time matters nothing else is under way: first all worlds are made, as it takes a while to
/// build a client; and what has to time out comes last, each in a world of its own.
pub async fn each<T>(
    cases: &[Case],
    cell: impl AsyncFn(&World, &Case, Operation) -> T,
) -> Vec<Vec<T>> {
    let worlds = join_all(cases.iter().map(async |case| {
        let count = if case.is_silent {
            Operation::ALL.len()
        } else {
            1
        };
        join_all((0..count).map(|_| World::start(case))).await
    }))
    .await;
    let cell = &cell;
    let rows = || cases.iter().zip(&worlds);
    let quick = join_all(rows().map(async |(case, worlds)| {
        let mut row = Vec::new();
        for operation in Operation::ALL.into_iter().filter(|_| !case.is_silent) {
            row.push(cell(&worlds[0], case, operation).await);
        }
        row
    }))
    .await;
    let silent = join_all(rows().map(async |(case, worlds)| {
        let cells = Operation::ALL.into_iter().zip(worlds);
        let cells = cells.filter(|_| case.is_silent);
        join_all(cells.map(|(operation, world)| cell(world, case, operation))).await
    }))
    .await;
    let rows = quick.into_iter().zip(silent);
    rows.map(|(quick, silent)| quick.into_iter().chain(silent).collect())
        .collect()
}

/// Lets a call go wrong. Calls in the same world must not overlap.
pub async fn run(world: &World, case: &Case, operation: Operation) -> Outcome {
    if operation == Operation::Webhook {
        return callback(case);
    }
    let billed = || world.simulator.stats().submits_billed;
    let before = (world.requests(operation), billed());
    world.inject(case, operation);
    let mut shown = vec![format!("{:?} {:#?}", world.luma, world.simulator)];
    let result = call(world, case, operation, &mut shown).await;
    world.simulator.clear_faults();
    let elsewhere = world.elsewhere.requests();
    let is_file = |path: &str| path.starts_with("/media/");
    // Its own task there was submitted directly.
    let strays = elsewhere
        .iter()
        .skip(1)
        .filter(|request| !is_file(&request.path));
    assert_eq!(strays.count(), 0, "{case:?} {operation:?}");
    for simulator in [&world.simulator, &world.elsewhere] {
        assert_eq!(simulator.stats().media_requests_with_authorization, 0);
    }
    let (name, pending) = match result {
        Ok(()) => ("ok".to_owned(), None),
        Err(error) => {
            show_error(&error, &mut shown);
            let name = name(&error);
            match error {
                Error::Unconfirmed { pending, .. } => (name, Some(pending)),
                _ => (name, None),
            }
        }
    };
    Outcome {
        name,
        requests: world.requests(operation) - before.0,
        billed: billed() - before.1,
        shown,
        pending,
    }
}

async fn call(
    world: &World,
    case: &Case,
    operation: Operation,
    shown: &mut Vec<String>,
) -> Result<(), Error> {
    let World { luma, known, .. } = world;
    match operation {
        Operation::Submit => {
            let submit = luma.generate("A lighthouse at dusk");
            show(&submit, shown);
            let task = submit.submit().await?;
            show(&task, shown);
            show(&task.ticket(), shown);
        }
        Operation::HeldSubmit => {
            let hold = match case.is_silent {
                true => IMPATIENCE,
                false => Duration::from_secs(20),
            };
            let submit = luma.generate("A lighthouse at dawn").submit_held(hold);
            let task = submit.await?;
            show(&task, shown);
            assert_eq!(task.state(), TaskState::Completed);
        }
        Operation::Lookup => {
            let handle = luma.task(known.clone());
            show(&handle, shown);
            let task = handle.get().await?;
            show(&task, shown);
            assert_eq!(task.id.as_deref(), Some(known.as_str()));
        }
        Operation::BatchLookup => {
            let other = "no-such-task".parse().expect("an id");
            let tasks = luma.tasks(&[known.clone(), other]).await?;
            show(&tasks, shown);
            assert_eq!(tasks.len(), 1);
        }
        Operation::History => {
            let mut history = luma.history();
            show(&history, shown);
            let first = history.try_next().await?;
            show(&first, shown);
            assert!(first.is_some());
        }
        Operation::Webhook => {}
        Operation::Download => {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("v.mp4");
            show(&world.video, shown);
            let download = world.video.download_to(&path);
            let download = download.retry(retry()).max_bytes(10 << 20);
            show(&download, shown);
            let end = download.await;
            show(&end, shown);
            let file = std::fs::read(&path).ok();
            assert_eq!(file.as_deref(), end.is_ok().then_some(FILE));
            end?;
        }
    }
    Ok(())
}

/// What the parser of callbacks makes of the same body.
fn callback(case: &Case) -> Outcome {
    let operation = Operation::Webhook;
    let body = match &case.strike {
        Strike::Answer(_, _, body) => body.of(operation, "a-task"),
        // There is no body, or it is as it should be.
        _ => operation.answer("a-task").to_string().into_bytes(),
    };
    let mut shown = Vec::new();
    let name = match (&case.strike, webhook::parse(&body)) {
        (Strike::Answer(..), Ok(task)) => {
            show(&task, &mut shown);
            "ok"
        }
        (Strike::Answer(..), Err(error)) => {
            show_error(&error, &mut shown);
            match error {
                WebhookError::NotAnObject => "not an object",
                WebhookError::NoTaskId => "no task id",
                WebhookError::TooLarge(_) => "too large",
                _ => "?",
            }
        }
        _ => "-",
    };
    Outcome {
        name: name.to_owned(),
        requests: 0,
        billed: 0,
        shown,
        pending: None,
    }
}

/// An error in a few words.
pub fn name(error: &Error) -> String {
    match error {
        Error::Api(error) => match &error.code {
            Some(code) => format!("{} {code}", error.status.as_u16()),
            None => format!("HTTP {}", error.status.as_u16()),
        },
        Error::NotFound { .. } => "not found".to_owned(),
        Error::Transport(error) => transport(error).to_owned(),
        Error::Decode(_) => "unreadable".to_owned(),
        Error::Download(error) => match error {
            DownloadError::Expired { .. } => "expired".to_owned(),
            DownloadError::Status { status, .. } => format!("HTTP {}", status.as_u16()),
            DownloadError::WrongType { .. } => "no video".to_owned(),
            DownloadError::TooLarge { .. } => "too large".to_owned(),
            DownloadError::Empty => "empty".to_owned(),
            DownloadError::Transport(error) => transport(error).to_owned(),
            error => format!("{error:?}"),
        },
        Error::Unconfirmed { source, .. } => format!("unconfirmed: {}", name(source)),
        error => format!("{error:?}"),
    }
}

fn transport(error: &TransportError) -> &'static str {
    match (error.is_connect(), error.is_timeout()) {
        (true, _) => "no connection",
        (_, true) => "timeout",
        _ => "broken",
    }
}

fn show(value: &impl Debug, shown: &mut Vec<String>) {
    shown.push(format!("{value:?} {value:#?}"));
}

/// An error and all that is behind it.
pub fn show_error<E: std::error::Error + Display + 'static>(error: &E, shown: &mut Vec<String>) {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        shown.push(format!("{error} {error:#} {error:?} {error:#?}"));
        next = error.source();
    }
}
