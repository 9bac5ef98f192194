//! The service: what it answers to a request.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, StatusCode, request::Parts};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::{
    select,
    sync::{Notify, OnceCell},
    time::{Instant, sleep_until, timeout},
};
use url::Url;

use crate::{
    access::{check_host, check_token},
    answer::{Answer, Refusal, json_answer, ok, status_of},
    jobs::{Jobs, lock},
    journal::Journal,
    media::Media,
    queue::Queue,
    request::{Lookup, Submit},
    script::TaskScript,
    store::Store,
    task::Task,
};

/// How many ids the service accepts in one call.
const MAX_IDS: usize = 50;

/// How the service answers a lookup of an unknown task. The real one is not consistent.
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
    webhook_client: OnceCell<reqwest::Client>,
    pub(crate) store: Mutex<Store>,
    pub(crate) scripts: Mutex<Queue<TaskScript>>,
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
            webhook_client: OnceCell::new(),
            store: Mutex::new(store),
            scripts: Mutex::default(),
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

    pub(crate) async fn answer(self: Arc<Self>, parts: Parts, body: &[u8]) -> Answer {
        let result = self.try_answer(&parts, body).await;
        result.unwrap_or_else(|refusal| refusal.into_answer(|| lock(&self.store).new_name()))
    }

    async fn try_answer(self: &Arc<Self>, parts: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
        check_host(&parts.headers)?;
        let path = parts.uri.path();
        let file = path.strip_prefix("/media/");
        let methods = match (path, file) {
            ("/luma/videos" | "/luma/tasks", _) => &[Method::POST][..],
            (_, Some(_)) => &[Method::GET, Method::HEAD],
            _ => return Err(missing("unknown path")),
        };
        if !methods.contains(&parts.method) {
            let status = StatusCode::METHOD_NOT_ALLOWED;
            return Err(Refusal::new(status, "bad_request", "wrong method"));
        }
        if let Some(file) = file {
            return self
                .media(file, parts)
                .ok_or_else(|| missing("unknown file"));
        }
        check_token(&parts.headers, self.token.as_ref())?;
        let body = serde_json::from_slice(body);
        let body = body.map_err(|_| Refusal::bad_request("the body is not JSON"))?;
        match path {
            "/luma/videos" => self.submit(body).await,
            _ => self.lookup(&body),
        }
    }

    fn media(&self, file: &str, parts: &Parts) -> Option<Answer> {
        let (video_id, extension) = file.split_once('.')?;
        lock(&self.store).find(|task| *task.video_id == *video_id)?;
        let media = lock(&self.media);
        media.serve(video_id, extension, &parts.method, &parts.headers)
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
        let (id, trace_id) = {
            let mut store = lock(&self.store);
            let task = store.accept(body, script.steps);
            (task.id.clone(), task.trace_id.clone())
        };
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
                let code = answer["error"]["code"].as_str();
                let code = code.filter(|_| answer["success"] == false);
                Ok(json_answer(code.map_or(StatusCode::OK, status_of), &answer))
            }
            Ok(None) => Err(missing("the task was deleted")),
            Err(_) => {
                let (status, message) = (StatusCode::GATEWAY_TIMEOUT, "the task is not ready yet");
                Err(Refusal::new(status, "timeout", message).with_trace_id(&trace_id))
            }
        }
    }

    /// Waits until a task has ended. `None` if it was deleted.
    async fn ended(&self, id: &str) -> Option<Value> {
        loop {
            // Created before the task is read, so that no change is missed.
            let changed = self.changed.notified();
            let ends_at = {
                let store = lock(&self.store);
                let task = store.get(id)?;
                match task.ends_at() {
                    Some(at) if at <= Instant::now() => return Some(store.response(task)),
                    ends_at => ends_at,
                }
            };
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
        let client = || async {
            let builder = reqwest::Client::builder().no_proxy();
            builder.pool_max_idle_per_host(0).build()
        };
        let delivered = match self.webhook_client.get_or_try_init(client).await {
            Ok(client) => client.post(url).json(&answer).send().await,
            Err(error) => Err(error),
        };
        let delivered = delivered.is_ok_and(|response| response.status().is_success());
        self.journal.webhook(delivered);
    }

    fn lookup(&self, body: &Value) -> Result<Answer, Refusal> {
        let settings = *lock(&self.settings);
        let mut store = lock(&self.store);
        let task = match Lookup::parse(body)? {
            Lookup::Retrieve { id: Some(id), .. } => store.get(&id),
            Lookup::Retrieve { trace_id, .. } => {
                let trace_id = trace_id.ok_or_else(|| Refusal::bad_request("id is required"))?;
                store.find(|task| *task.trace_id == *trace_id)
            }
            Lookup::RetrieveBatch { ids: Some(ids), .. } if ids.len() > MAX_IDS => {
                return Err(Refusal::bad_request(format!(
                    "at most {MAX_IDS} ids a call"
                )));
            }
            Lookup::RetrieveBatch { ids: Some(ids), .. } => {
                self.journal.batch(ids.len());
                // The service promises no order, so the simulator never keeps it.
                let unique = ids.iter().enumerate().rev();
                let unique = unique.filter(|(index, id)| !ids[..*index].contains(id));
                return Ok(page(&store, unique.filter_map(|(_, id)| store.get(id))));
            }
            Lookup::RetrieveBatch { .. } if settings.history_unsupported => {
                return Err(Refusal::bad_request("ids is required"));
            }
            Lookup::RetrieveBatch { history, .. } => {
                let latest = Instant::now().checked_sub(settings.history_lag);
                let tasks = latest.map(|latest| store.history(&history, latest));
                return Ok(page(&store, tasks.into_iter().flatten()));
            }
            Lookup::Delete { id } if store.delete(&id) => {
                self.changed.notify_waiters();
                return Ok(ok(&json!({ "id": id, "deleted": true })));
            }
            Lookup::Delete { .. } => None,
        };
        match (task, settings.not_found) {
            (Some(task), _) => Ok(ok(&store.json(task))),
            (None, NotFound::EmptyObject) => Ok(ok(&json!({}))),
            (None, NotFound::Null) => Ok(ok(&Value::Null)),
            (None, NotFound::Error) => {
                Err(Refusal::new(StatusCode::OK, "not_found", "task not found"))
            }
            (None, NotFound::Status404) => Err(missing("task not found")),
        }
    }
}

fn page<'a>(store: &Store, tasks: impl Iterator<Item = &'a Task>) -> Answer {
    let items: Vec<Value> = tasks.map(|task| store.json(task)).collect();
    ok(&json!({ "count": items.len(), "items": items }))
}

fn missing(message: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "not_found", message)
}
