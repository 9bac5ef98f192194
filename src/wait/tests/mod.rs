//! Waits with the clock paused, over a service that is a function.

mod batches;
mod drops;
mod ends;
mod interval;
mod runtimes;
mod updates;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use ::http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};
use futures::{FutureExt, StreamExt, future::join_all};
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde_json::json;
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, sleep, timeout},
};

use crate::{
    CancellationToken, FailureKind, Luma, PollInterval, Task, TaskHandle, TaskId, TaskRef,
    TaskState, Video, WaitError,
    http::{ApiError, RequestError, Token},
    poller::{Lookup, Poller},
};

type Result<T, E = RequestError> = std::result::Result<T, E>;

/// What the poller has in flight at most; and as long as nothing is late.
const MAX_IN_FLIGHT: usize = 4;
const FEW_IN_FLIGHT: usize = 2;

type Answer = Box<dyn FnMut(Ask<'_>) -> Result<Vec<Task>> + Send>;

/// A lookup as the service sees it.
struct Ask<'a> {
    /// How many there were before.
    number: usize,
    ids: &'a [TaskId],
}

impl Ask<'_> {
    fn all(&self, make: impl Fn(&TaskId) -> Task) -> Result<Vec<Task>> {
        Ok(self.ids.iter().map(make).collect())
    }
}

#[derive(Clone)]
struct Service(Arc<Mutex<Served>>);

struct Served {
    begin: Instant,
    latency: Duration,
    answer: Answer,
    /// Milliseconds since the begin, and the ids.
    calls: Vec<(u128, Vec<String>)>,
    in_flight: usize,
    most_in_flight: usize,
}

impl Service {
    fn new(answer: impl FnMut(Ask<'_>) -> Result<Vec<Task>> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Served {
            begin: Instant::now(),
            latency: Duration::ZERO,
            answer: Box::new(answer),
            calls: Vec::new(),
            in_flight: 0,
            most_in_flight: 0,
        })))
    }

    fn latency(self, latency: Duration) -> Self {
        self.0.lock().unwrap().latency = latency;
        self
    }

    /// A client without jitter.
    fn client(&self) -> Luma {
        let luma = Luma::builder().token("s3cret").build().unwrap();
        luma.with_poller(Poller::with_jitter(self.clone(), MAX_IN_FLIGHT + 1, 0.0))
    }

    fn calls(&self) -> Vec<(u128, Vec<String>)> {
        self.0.lock().unwrap().calls.clone()
    }

    fn times(&self) -> Vec<u128> {
        self.calls().into_iter().map(|(time, _)| time).collect()
    }

    fn sizes(&self) -> Vec<usize> {
        self.calls().iter().map(|(_, ids)| ids.len()).collect()
    }
}

impl Lookup for Service {
    fn lookup(&self, ids: Arc<[TaskId]>) -> BoxFuture<'static, Result<Vec<Task>>> {
        let service = self.clone();
        let (number, latency) = {
            let mut served = service.0.lock().unwrap();
            let time = served.begin.elapsed().as_millis();
            let mut names: Vec<_> = ids.iter().map(TaskId::to_string).collect();
            names.sort();
            served.calls.push((time, names));
            served.in_flight += 1;
            served.most_in_flight = served.most_in_flight.max(served.in_flight);
            (served.calls.len() - 1, served.latency)
        };
        Box::pin(async move {
            if !latency.is_zero() {
                sleep(latency).await;
            }
            let mut served = service.0.lock().unwrap();
            served.in_flight -= 1;
            (served.answer)(Ask { number, ids: &ids })
        })
    }
}

fn id(name: &str) -> TaskId {
    name.parse().unwrap()
}

fn ids(count: usize) -> Vec<TaskId> {
    (0..count).map(|n| id(&format!("t{n:04}"))).collect()
}

fn task(value: serde_json::Value) -> Task {
    serde_json::from_value(value).unwrap()
}

fn running(id: &TaskId) -> Task {
    with_word(id, "processing")
}

fn with_word(id: &TaskId, word: &str) -> Task {
    task(json!({ "id": id, "response": { "state": word } }))
}

fn done(id: &TaskId) -> Task {
    task(json!({ "id": id, "response": { "state": "completed", "video_url": "https://v" } }))
}

fn failed(id: &TaskId) -> Task {
    task(json!({ "id": id, "response":
        { "state": "failed", "error": { "code": "forbidden", "message": "No." } } }))
}

fn error(status: u16, headers: &HeaderMap, body: &str) -> RequestError {
    let token = Token::new(SecretString::from("s3cret"), 5).unwrap();
    let status = StatusCode::from_u16(status).unwrap();
    ApiError::read(status, headers, body.as_bytes(), &token).into()
}

fn api_error(status: u16, code: Option<&str>) -> RequestError {
    let body = code.map(|code| json!({ "error": { "code": code } }).to_string());
    error(status, &HeaderMap::new(), &body.unwrap_or_default())
}

fn page(status: u16) -> RequestError {
    error(status, &HeaderMap::new(), "<html>no</html>")
}

fn unreadable() -> RequestError {
    let token = Token::new(SecretString::from("s3cret"), 5).unwrap();
    RequestError::unreadable(&token, "a page", b"<html>")
}

fn busy(retry_after: u64) -> RequestError {
    error(429, &HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from(retry_after))]), "")
}

const SECOND: Duration = Duration::from_secs(1);

fn every(seconds: u64) -> PollInterval {
    PollInterval::fixed(SECOND * seconds as u32)
}

/// A handle as a submit gives it. Its time is ahead, which counts as now: the wall clock is not paused.
fn submitted(luma: &Luma, id: TaskId) -> TaskHandle {
    luma.task(TaskRef { submitted_at: Some(SystemTime::now() + 60 * SECOND), ..id.into() })
}

type End = Result<Video, WaitError>;

fn spawn(handle: &TaskHandle, interval: PollInterval) -> tokio::task::JoinHandle<End> {
    tokio::spawn(handle.wait().interval(interval))
}

/// The ends of all waits, in the order of the ids.
async fn all(luma: &Luma, ids: impl IntoIterator<Item = TaskId>) -> Vec<(TaskId, End)> {
    let ids: Vec<_> = ids.into_iter().collect();
    let mut ends: HashMap<_, _> = luma.watch(&ids).collect().await;
    let in_order = ids.into_iter().map(|id| ends.remove_entry(&id));
    in_order.flatten().collect()
}

fn alive() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}
