//! The poller with its clock paused, over a service that is a function.

mod batches;
mod drops;
mod ends;
mod news;
mod pace;
mod runtimes;

use std::{
    future::IntoFuture,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use futures::{FutureExt, StreamExt, future::join_all};
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde_json::json;
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, sleep, timeout},
};

use super::{
    Hub, Lookup,
    kept::MAX_KEPT,
    state::FEW_IN_FLIGHT,
    window::{FIRST_IN_FLIGHT, MAX_IN_FLIGHT},
};
use crate::{
    CancellationToken, Luma, Pace, Schedule, Task, TaskHandle, TaskId, TaskState, Ticket, Video,
    WaitError,
    client::Core,
    error::{ApiError, DecodeError, Error, Result},
};

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
    under_way: usize,
    most_under_way: usize,
}

impl Service {
    fn new(answer: impl FnMut(Ask<'_>) -> Result<Vec<Task>> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Served {
            begin: Instant::now(),
            latency: Duration::ZERO,
            answer: Box::new(answer),
            calls: Vec::new(),
            under_way: 0,
            most_under_way: 0,
        })))
    }

    fn latency(self, latency: Duration) -> Self {
        self.0.lock().unwrap().latency = latency;
        self
    }

    /// A client without jitter.
    fn client(&self) -> Luma {
        let luma = Luma::builder().token("s3cret").build().unwrap();
        let hub = Hub::new(self.clone());
        hub.0.state().jitter = 0.0;
        let core = &luma.core;
        Luma {
            core: Arc::new(Core {
                api: core.api.clone(),
                media: core.media.clone(),
                hub,
                accepted: core.accepted.clone(),
                coalescer: core.coalescer.clone(),
            }),
        }
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
            served.under_way += 1;
            served.most_under_way = served.most_under_way.max(served.under_way);
            (served.calls.len() - 1, served.latency)
        };
        Box::pin(async move {
            if !latency.is_zero() {
                sleep(latency).await;
            }
            let mut served = service.0.lock().unwrap();
            served.under_way -= 1;
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

fn http(status: u16, code: Option<&str>) -> Error {
    let body = code.map_or(String::new(), |code| {
        json!({ "error": { "code": code } }).to_string()
    });
    let status = StatusCode::from_u16(status).unwrap();
    ApiError::read(status, &Default::default(), body.as_bytes()).into()
}

fn page(status: u16) -> Error {
    let status = StatusCode::from_u16(status).unwrap();
    ApiError::read(status, &Default::default(), b"<html>no</html>").into()
}

fn busy(retry_after: u64) -> Error {
    let mut headers = http::HeaderMap::new();
    headers.insert("retry-after", retry_after.into());
    ApiError::read(StatusCode::TOO_MANY_REQUESTS, &headers, b"").into()
}

const SECOND: Duration = Duration::from_secs(1);

fn every(seconds: u64) -> Pace {
    Pace::fixed(SECOND * seconds as u32)
}

/// A handle as a submit gives it.
fn submitted(luma: &Luma, id: TaskId) -> TaskHandle {
    TaskHandle::submitted_now(luma.clone(), id)
}

type Outcome = Result<Video, WaitError>;

fn spawn(handle: &TaskHandle, pace: Pace) -> tokio::task::JoinHandle<Outcome> {
    tokio::spawn(handle.wait().pace(pace).into_future())
}

fn alive() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}
