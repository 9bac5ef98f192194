//! The service: its response to each request.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::select;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

use crate::answer::{Answer, Refusal, bad_request, json_answer, ok};
use crate::fault::Fault;
use crate::jobs::{Jobs, lock};
use crate::journal::Journal;
use crate::media::Media;
use crate::queue::Queue;
use crate::request::{Lookup, Submit, check_host, check_token};
use crate::script::TaskScript;
use crate::store::{Store, Task};

/// How many ids the service accepts in one call.
const MAX_IDS: usize = 50;

/// The response to a lookup of an unknown task. The real service is not consistent.
///
/// ```
/// use luma_simulator::{NotFound, Simulator};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let sim = Simulator::start().await?;
/// sim.set_not_found(NotFound::Status404);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotFound {
    /// HTTP 200 with `{}`.
    #[default]
    EmptyObject,
    /// HTTP 200 with `null`.
    Null,
    /// HTTP 200 with an error body.
    Error,
    /// HTTP 404 with an error body.
    Status404,
}

#[derive(Clone, Copy, Debug, Default)]
struct Settings {
    not_found: NotFound,
    history_unsupported: bool,
    history_lag: Duration,
}

#[derive(Debug)]
pub(crate) struct Service {
    token: Option<SecretString>,
    settings: Mutex<Settings>,
    /// A task was completed or deleted by hand, so that held submits look again.
    changed: Notify,
    /// Made with the first webhook: TLS settings take a while to load.
    webhook_client: OnceLock<reqwest::Client>,
    pub(crate) store: Mutex<Store>,
    pub(crate) scripts: Mutex<Queue<TaskScript>>,
    pub(crate) faults: Mutex<Queue<Fault>>,
    pub(crate) media: Mutex<Media>,
    pub(crate) journal: Journal,
    pub(crate) jobs: Jobs,
}

impl Service {
    pub(crate) fn new(token: Option<SecretString>, store: Store, journal: Journal) -> Self {
        Self {
            token,
            settings: Mutex::default(),
            changed: Notify::new(),
            webhook_client: OnceLock::new(),
            store: Mutex::new(store),
            scripts: Mutex::default(),
            faults: Mutex::default(),
            media: Mutex::default(),
            journal,
            jobs: Jobs::default(),
        }
    }

    pub(crate) fn set_not_found(&self, answer: NotFound) {
        lock(&self.settings).not_found = answer;
    }

    pub(crate) fn set_history_supported(&self, supported: bool) {
        lock(&self.settings).history_unsupported = !supported;
    }

    pub(crate) fn set_history_lag(&self, lag: Duration) {
        lock(&self.settings).history_lag = lag;
    }

    /// Ends a task. False if it is unknown.
    pub(crate) fn complete(&self, id: &str) -> bool {
        let known = lock(&self.store).complete(id);
        self.changed.notify_waiters();
        known
    }

    pub(crate) async fn answer(self: Arc<Self>, request: Parts, body: Bytes) -> Answer {
        let result = self.try_answer(&request, &body).await;
        result.unwrap_or_else(|refusal| refusal.into_answer(&lock(&self.store).new_name()))
    }

    async fn try_answer(self: &Arc<Self>, request: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
        check_host(&request.headers)?;
        let path = request.uri.path();
        let file = path.strip_prefix("/media/");
        if let Some(file) = file.filter(|_| request.method != Method::POST) {
            let answer = self.media(file, request);
            return answer.ok_or_else(|| Refusal::not_found("unknown file"));
        }
        if !["/luma/videos", "/luma/tasks"].contains(&path) {
            return Err(Refusal::not_found("unknown path"));
        }
        if request.method != Method::POST {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return Err(Refusal::new(status, "bad_request", "use POST"));
        }
        check_token(&request.headers, self.token.as_ref())?;
        let body = serde_json::from_slice(body);
        let body = body.map_err(|_| bad_request("the body is not JSON"))?;
        match path {
            "/luma/videos" => self.submit(body).await,
            _ => self.lookup(&body),
        }
    }

    fn media(&self, file: &str, request: &Parts) -> Option<Answer> {
        let (video_id, extension) = file.split_once('.')?;
        lock(&self.store).find(|task| *task.video_id == *video_id)?;
        lock(&self.media).serve(video_id, extension, request)
    }

    async fn submit(self: &Arc<Self>, body: Value) -> Result<Answer, Refusal> {
        let submit = Submit::parse(&body)?;
        if let Some(video_id) = &submit.extends {
            lock(&self.store).check_video(video_id)?;
        }
        let script = lock(&self.scripts).take(|_| true);
        let script = script.unwrap_or_else(TaskScript::completes);
        if let Some(refusal) = script.refusal {
            return Err(refusal);
        }
        let (id, trace_id) = lock(&self.store).accept(body, script.steps);
        self.journal.submit_accepted();
        let Some(hold) = submit.hold else {
            let answer = ok(&json!({ "task_id": &*id }));
            if let Some(url) = submit.callback_url {
                let service = self.clone();
                let webhook = async move { service.send_webhook(&id, url).await };
                self.jobs.spawn(webhook);
            }
            return Ok(answer);
        };
        match timeout(hold, self.ended(&id)).await {
            Ok(Some(answer)) => {
                let status = match answer["error"]["code"].as_str() {
                    Some("forbidden" | "used_up" | "disabled") => StatusCode::FORBIDDEN,
                    Some(_) if answer["success"] == false => StatusCode::INTERNAL_SERVER_ERROR,
                    _ => StatusCode::OK,
                };
                Ok(json_answer(status, &answer))
            }
            Ok(None) => Err(Refusal::not_found("the task was deleted")),
            Err(_) => {
                let status = StatusCode::GATEWAY_TIMEOUT;
                let refusal = Refusal::new(status, "timeout", "the task is not ready yet");
                Ok(refusal.into_answer(&trace_id))
            }
        }
    }

    /// Waits until a task has ended. `None` if it was deleted.
    async fn ended(&self, id: &str) -> Option<Value> {
        loop {
            // Created before the task is read, so that no change is missed.
            let changed = self.changed.notified();
            let ends_at = lock(&self.store).get(id)?.ends_at();
            let now = Instant::now();
            if ends_at.is_some_and(|at| at <= now) {
                return Some(lock(&self.store).get(id)?.response(now));
            }
            match ends_at {
                Some(at) => select! { () = sleep_until(at) => {}, () = changed => {} },
                None => changed.await,
            }
        }
    }

    /// Sends the webhook when a task has ended. The service does not promise a second attempt.
    async fn send_webhook(&self, id: &str, url: Url) {
        let Some(answer) = self.ended(id).await else {
            return;
        };
        // No timers, so that paused time does not advance while the receiver works. The only
        // timeout is the end of the simulator.
        let client = self.webhook_client.get_or_init(|| {
            let builder = reqwest::Client::builder().no_proxy();
            let builder = builder.pool_max_idle_per_host(0);
            builder.build().unwrap_or_default()
        });
        let response = client.post(url).json(&answer).send().await;
        let delivered = response.is_ok_and(|response| response.status().is_success());
        self.journal.webhook(delivered);
    }

    fn lookup(&self, body: &Value) -> Result<Answer, Refusal> {
        let settings = *lock(&self.settings);
        let mut store = lock(&self.store);
        let lookup = Lookup::deserialize(body).map_err(|error| bad_request(error.to_string()))?;
        let task = match (&*lookup.action, &lookup.ids, &lookup.id) {
            ("retrieve", _, Some(id)) => store.get(id),
            ("retrieve", _, None) => {
                let missing = || bad_request("id is required");
                let trace_id = lookup.trace_id.ok_or_else(missing)?;
                store.find(|task| *task.trace_id == *trace_id)
            }
            ("retrieve_batch", Some(ids), _) if ids.len() > MAX_IDS => {
                return Err(bad_request(format!("at most {MAX_IDS} ids a call")));
            }
            ("retrieve_batch", Some(ids), _) => {
                self.journal.batch(ids.len());
                // The service promises no order, so the simulator never keeps it.
                let unique = ids.iter().enumerate().rev();
                let unique = unique.filter(|(index, id)| !ids[..*index].contains(id));
                return Ok(page(unique.filter_map(|(_, id)| store.get(id))));
            }
            ("retrieve_batch", None, _) if settings.history_unsupported => {
                return Err(bad_request("ids is required"));
            }
            ("retrieve_batch", None, _) => {
                return Ok(page(store.history(&lookup, settings.history_lag)));
            }
            ("delete", _, Some(id)) if store.delete(id) => {
                self.changed.notify_waiters();
                return Ok(ok(&json!({ "id": id, "deleted": true })));
            }
            ("delete", _, Some(_)) => None,
            ("delete", ..) => return Err(bad_request("id is required")),
            (action, ..) => return Err(bad_request(format!("unknown action: {action}"))),
        };
        let message = "task not found";
        match (task, settings.not_found) {
            (Some(task), _) => Ok(ok(&task.to_json(Instant::now()))),
            (None, NotFound::EmptyObject) => Ok(ok(&json!({}))),
            (None, NotFound::Null) => Ok(ok(&Value::Null)),
            (None, NotFound::Error) => Err(Refusal::new(StatusCode::OK, "not_found", message)),
            (None, NotFound::Status404) => Err(Refusal::not_found(message)),
        }
    }
}

fn page<'a>(tasks: impl Iterator<Item = &'a Task>) -> Answer {
    let items: Vec<Value> = tasks.map(|task| task.to_json(Instant::now())).collect();
    ok(&json!({ "count": items.len(), "items": items }))
}
