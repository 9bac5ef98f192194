//! What goes wrong between client and service, and the calls that it goes wrong for.
//!
//! Shared by the tests that ask what each call comes to, and those that ask what it shows.
#![allow(dead_code)]

pub mod cases;
mod courier;
pub mod fronts;
pub mod http2;
mod world;

use std::{
    fmt::{Debug, Display},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::{TryStreamExt, future::join_all};
use luma_client::{
    DownloadError, Error, Luma, LumaBuilder, Pace, PendingSubmission, RetryPolicy, TaskState,
    TransportError,
    simulator::{Fault, JobDuration, Simulator, Stats, Target},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

pub use cases::Case;
use courier::{Delivery, Parcel, Receiver};
pub use world::World;

/// Long and odd enough to stand in nothing by chance.
pub const TOKEN: &str = "sk-9f3c1e7ab24d4c0d8f55-never-to-be-shown";

/// How often a call is sent at most.
pub const ATTEMPTS: u32 = 3;

/// What is downloaded.
const FILE: &[u8] = &[7; 1024];

/// Of what a request is given, where the fault is that nothing comes.
const IMPATIENCE: Duration = Duration::from_millis(600);

/// For what must come, but may take its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A call that something goes wrong with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Submit,
    HeldSubmit,
    Lookup,
    BatchLookup,
    History,
    /// A submit whose callback goes wrong on its way, and the wait for its video.
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
            Self::Webhook => unreachable!("the service is not asked"),
            Self::Submit | Self::HeldSubmit => Target::Submit,
            Self::Download => Target::Media,
            _ => Target::Lookup,
        }
    }

    fn is_at(self, path: &str) -> bool {
        match self.target() {
            Target::Submit => path == "/luma/videos",
            Target::Media => path.starts_with("/media/"),
            _ => path == "/luma/tasks",
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
    /// Who begins to speak is cut off.
    Gate,
    /// The connection suffers; a callback likewise.
    Connection(Fault, Delivery),
    /// Another answer comes.
    Answer(u16, Vec<(&'static str, String)>, Body),
    /// A redirect to another host.
    Redirect(u16),
    /// The same from https to plain http.
    Downgrade(u16),
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
    /// How many connections ended before the service saw a request.
    pub cut_off: u64,
    pub billed: u64,
    /// All that the call gave, as it can be shown.
    pub shown: Vec<String>,
    pub pending: Option<Box<PendingSubmission>>,
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

/// A service whose tasks have ended at once, and a client of it.
pub async fn start() -> (Simulator, Luma) {
    let builder = Simulator::builder().duration(JobDuration::Fixed(Duration::ZERO));
    let simulator = builder.start().await.expect("a simulator");
    let luma = client(simulator.url());
    (simulator, luma)
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
        .http_client(bare())
        .retry(retry())
}

/// Without certificates, which take their time to load.
fn bare() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().tls_certs_only([])
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
        return callback(world, case).await;
    }
    let billed = || world.simulator.stats().submits_billed;
    let before = (world.requests(operation), billed());
    let begin = Instant::now();
    let date = soon();
    world.inject(case, operation, date);
    let mut shown = vec![format!("{:?} {:#?}", world.luma, world.simulator)];
    let result = call(world, case, operation, &mut shown).await;
    let cut_off = world.heal();
    assert_patience(world, case, operation, begin, date);
    let elsewhere = world.elsewhere.requests();
    let may_come = |path: &str| match case.strike {
        Strike::Redirect(_) => path.starts_with("/media/"),
        _ => false,
    };
    // Its own task there was submitted directly.
    let strays = elsewhere
        .iter()
        .filter(|request| !may_come(&request.path))
        .skip(1);
    let strays: Vec<_> = strays.collect();
    assert!(strays.is_empty(), "{case:?} {operation:?}: {strays:?}");
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
        cut_off,
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
        Operation::Webhook => unreachable!("it has no single call"),
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

/// A date of one to two seconds ahead, as HTTP has them.
fn soon() -> SystemTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    UNIX_EPOCH + Duration::from_secs(now.expect("after 1970").as_secs() + 2)
}

/// Whether the next request came when it was asked for, and not before.
fn assert_patience(
    world: &World,
    case: &Case,
    operation: Operation,
    begin: Instant,
    date: SystemTime,
) {
    let times: Vec<Instant> = world
        .simulator
        .requests()
        .iter()
        .filter(|request| request.at >= begin && operation.is_at(&request.path))
        .map(|request| request.at)
        .collect();
    // Whether there is a next one at all is the table's to say.
    let [first, second, ..] = times[..] else {
        return;
    };
    let gap = second - first;
    assert!(gap >= case.patience, "{case:?} {operation:?}: {gap:?}");
    if case.is_dated {
        let came = SystemTime::now() - second.elapsed();
        assert!(came >= date, "{case:?} {operation:?}: {came:?}");
    }
}

/// What becomes of a video whose callback suffers.
async fn callback(world: &World, case: &Case) -> Outcome {
    let World {
        direct, simulator, ..
    } = world;
    let before = simulator.stats();
    let receiver = Receiver::new(direct);
    let parcel = Parcel {
        delivery: case.delivery(),
        content: match &case.strike {
            Strike::Answer(_, headers, body) => Some((headers.clone(), body.clone())),
            _ => None,
        },
    };
    let url = match &world.nowhere {
        Some(nowhere) => format!("{nowhere}/hook"),
        None => receiver.start(parcel).await,
    };
    let submit = direct.generate("A lighthouse at noon").callback_url(url);
    let task = submit.submit().await.expect("no fault on the way there");
    let delivered = async {
        let ended = |stats: Stats| stats.webhooks_delivered + stats.webhooks_failed;
        while ended(simulator.stats()) == ended(before.clone()) {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, delivered).await.expect("an attempt");
    // The callback has come, or will not: the wait begins with what is known by then.
    let pace = Pace::fixed(Duration::from_millis(10));
    let end = task.wait().pace(pace).deadline(PATIENCE).await;
    let mut shown = receiver.shown();
    show(&end, &mut shown);
    end.expect("a video, callback or not");
    let after = simulator.stats();
    Outcome {
        name: receiver.verdict().to_owned(),
        requests: after.requests() - before.requests(),
        cut_off: 0,
        billed: after.submits_billed - before.submits_billed,
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
            DownloadError::Redirect { .. } => "redirect refused".to_owned(),
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
