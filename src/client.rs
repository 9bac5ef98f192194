//! The client: what it is built from, and the calls that are not submits.

use std::{fmt, sync::Arc, time::Duration};

use http::HeaderMap;
use progenitor_client::ResponseValue;
use secrecy::SecretString;
use serde::Serialize;
use url::Url;

#[cfg(feature = "mcp")]
use crate::coalesce::Coalescer;
use crate::{
    api::{
        self,
        types::{TaskAction, TaskBatch, TaskQuery},
    },
    config::{self, ConfigError},
    download::{Media, Timeouts},
    error::{ApiError, DecodeError, Error, Result, read_failure},
    handle::TaskHandle,
    orphan::Accepted,
    retry::RetryPolicy,
    task::{Task, TaskId, Verdict},
    transport::{AGENT, Limits, Token, Transport},
    video::{Extend, Generate, Source},
    watch::Hub,
    wire::TaskAnswer,
};

/// How many ids one `retrieve_batch` carries at most, by the vendor's advice.
pub(crate) const MAX_BATCH: usize = 50;

/// A client of the service. Cheap to clone; clones share connections and the poller.
///
/// Its calls need a tokio runtime with I/O and time enabled, and panic where they are polled outside
/// of one; programs without one have `block_on` (feature `blocking`).
///
/// ```no_run
/// # async fn example() -> Result<(), luma_client::Error> {
/// use luma_client::Luma;
///
/// let luma = Luma::from_env()?;
/// let task = luma.generate("A lighthouse at dusk, slow zoom in").submit().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Luma {
    pub(crate) core: Arc<Core>,
}

pub(crate) struct Core {
    pub(crate) api: api::Client,
    /// For downloads: other clients, so that nothing of the API's ever goes to another host.
    pub(crate) media: Media,
    pub(crate) hub: Hub,
    pub(crate) accepted: Accepted,
    #[cfg(feature = "mcp")]
    pub(crate) coalescer: Coalescer,
}

impl fmt::Debug for Luma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Luma")
            .field("base_url", &self.core.api.baseurl)
            .field("limits", &self.core.api.inner.limits)
            .finish_non_exhaustive()
    }
}

impl Luma {
    /// A client with the token of `ACEDATACLOUD_API_TOKEN`, and the base URL of
    /// `ACEDATACLOUD_API_BASE_URL` where that is set.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] where there is no token, or where one of the two cannot be used.
    pub fn from_env() -> Result<Self> {
        Self::builder().build()
    }

    /// A builder, for all that [`from_env`](Self::from_env) leaves at its default.
    pub fn builder() -> LumaBuilder {
        LumaBuilder::default()
    }

    /// A new video from a prompt. Nothing is sent before [`Generate::submit`].
    pub fn generate(&self, prompt: impl Into<String>) -> Generate {
        Generate::new(self.clone(), prompt.into())
    }

    /// The continuation of a video. Nothing is sent before [`Extend::submit`].
    ///
    /// A finished [`Video`](crate::Video) is a source, too: `luma.extend(&video, "…")`.
    pub fn extend(&self, source: impl Into<Source>, prompt: impl Into<String>) -> Extend {
        Extend::new(self.clone(), source.into(), prompt.into())
    }

    /// A handle on a task that was submitted earlier, also by another process. No I/O.
    pub fn task(&self, id: TaskId) -> TaskHandle {
        TaskHandle::resumed(self.clone(), id)
    }

    /// Looks several tasks up, 50 a request. Ids that the service does not know are missing from
    /// the answer, and its order is not that of the ids.
    ///
    /// # Errors
    ///
    /// As [`TaskHandle::get`], but never [`Error::NotFound`]. Where one request fails, the answers
    /// to the others are lost; [`watch`](Self::watch) loses none.
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma, ids: Vec<luma_client::TaskId>)
    /// # -> Result<(), luma_client::Error> {
    /// for task in luma.tasks(&ids).await? {
    ///     println!("{} {}", task.id.as_deref().unwrap_or("?"), task.state());
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn tasks(&self, ids: &[TaskId]) -> Result<Vec<Task>> {
        let mut batches = ids.chunks(MAX_BATCH);
        let mut tasks = match batches.next() {
            Some(ids) => self.retrieve_batch(ids).await?.items,
            None => Vec::new(),
        };
        for ids in batches {
            tasks.extend(self.retrieve_batch(ids).await?.items);
        }
        Ok(tasks)
    }

    /// The same client with another retry policy; connections and poller stay shared.
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma, id: luma_client::TaskId)
    /// # -> Result<(), luma_client::Error> {
    /// use luma_client::RetryPolicy;
    ///
    /// let task = luma.with_retry(RetryPolicy::none()).task(id).get().await?;
    /// # Ok(()) }
    /// ```
    #[must_use = "the client itself stays as it is"]
    pub fn with_retry(&self, retry: RetryPolicy) -> Self {
        self.with_limits(|limits| limits.retry = retry)
    }

    /// The same client with another timeout for each attempt; connections and poller stay shared.
    #[must_use = "the client itself stays as it is"]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        self.with_limits(|limits| limits.timeout = timeout)
    }

    pub(crate) fn with_limits(&self, change: impl FnOnce(&mut Limits)) -> Self {
        let core = &self.core;
        let mut api = core.api.clone();
        change(&mut api.inner.limits);
        Self {
            core: Arc::new(Core {
                api,
                media: core.media.clone(),
                hub: core.hub.clone(),
                accepted: core.accepted.clone(),
                #[cfg(feature = "mcp")]
                coalescer: core.coalescer.clone(),
            }),
        }
    }

    /// The generated client, with authentication, timeouts and retries in place.
    pub fn api(&self) -> &api::Client {
        &self.core.api
    }

    /// The same client for another account. Connections stay shared; the poller does not, because
    /// no account may look up the tasks of another.
    #[cfg(feature = "mcp-server")]
    pub(crate) fn with_token(&self, token: SecretString) -> Result<Self, ConfigError> {
        let core = &self.core;
        let mut api = core.api.clone();
        let token = config::token(Some(token), |_| None)?;
        api.inner.token = Arc::new(Token::new(token)?);
        Ok(Self {
            core: Arc::new(Core {
                hub: Hub::new(api.clone()),
                media: core.media.clone(),
                // Ids are unique across accounts.
                accepted: core.accepted.clone(),
                coalescer: Coalescer::default(),
                api,
            }),
        })
    }

    /// The text without the token; `None` where it is not in there.
    #[cfg(feature = "mcp")]
    pub(crate) fn without_token(&self, text: &str) -> Option<String> {
        let token = &self.core.api.inner.token;
        token.is_in(text.as_bytes()).then(|| token.cut_from(text))
    }

    pub(crate) async fn retrieve(&self, id: &TaskId) -> Result<Task> {
        retrieve(&self.core.api, id).await
    }

    /// Retrieves one task. Calls at the same time share their requests.
    #[cfg(feature = "mcp")]
    pub(crate) async fn retrieve_in_company(&self, id: &TaskId) -> Result<Task> {
        let Core { api, coalescer, .. } = &*self.core;
        coalescer.get(api, id, retrieve(api, id)).await
    }

    pub(crate) async fn retrieve_batch(&self, ids: &[TaskId]) -> Result<TaskBatch> {
        retrieve_batch(&self.core.api, ids).await
    }
}

pub(crate) fn query(action: TaskAction) -> TaskQuery {
    TaskQuery::new(action)
}

/// Sends a task query; an answer of unexpected field types is read as far as it goes.
pub(crate) async fn ask(api: &api::Client, query: &TaskQuery) -> Result<TaskAnswer> {
    read(api.query_tasks(query).await).await
}

pub(crate) async fn ask_with_headers(
    api: &api::Client,
    query: &TaskQuery,
) -> Result<(TaskAnswer, HeaderMap)> {
    let answer = api.query_tasks(query).await;
    let headers = answer.as_ref().ok().map(|answer| answer.headers().clone());
    Ok((read(answer).await?, headers.unwrap_or_default()))
}

async fn read(answer: Result<ResponseValue<TaskAnswer>, api::Error>) -> Result<TaskAnswer> {
    match answer {
        Ok(answer) => Ok(answer.into_inner()),
        Err(api::Error::InvalidResponsePayload(body, reason)) => {
            crate::wire::salvage_answer(&body).ok_or_else(|| DecodeError::new(reason, &body).into())
        }
        Err(failure) => Err(read_failure(failure).await),
    }
}

pub(crate) async fn retrieve(api: &api::Client, id: &TaskId) -> Result<Task> {
    let answer = ask(
        api,
        &TaskQuery {
            id: Some(id.as_str().to_owned()),
            ..query(TaskAction::Retrieve)
        },
    )
    .await
    .map_err(|error| match error.api() {
        Some(api) if api.says_not_found() => Error::NotFound { task: id.clone() },
        _ => error,
    })?;
    let mut task = match answer {
        TaskAnswer::Task(task) => *task,
        TaskAnswer::Batch(batch) => batch
            .items
            .into_iter()
            .find(|task| task.id.as_deref() == Some(id.as_str()))
            .unwrap_or_default(),
        TaskAnswer::Deleted(_) => Task::default(),
    };
    if task.id.as_deref().is_some_and(|got| got != id.as_str()) {
        return Err(DecodeError::other("it is about another task", &task).into());
    }
    match task.verdict() {
        Verdict::Missing => Err(Error::NotFound { task: id.clone() }),
        Verdict::Refused => Err(refusal(&task, id)),
        _ => {
            // A report that does not say what it is about is about what was asked.
            task.id.get_or_insert_with(|| id.as_str().to_owned());
            Ok(task)
        }
    }
}

pub(crate) async fn retrieve_batch(api: &api::Client, ids: &[TaskId]) -> Result<TaskBatch> {
    let query = TaskQuery {
        ids: ids.to_vec(),
        ..query(TaskAction::RetrieveBatch)
    };
    batch_of(ask(api, &query).await?)
}

pub(crate) fn batch_of(answer: TaskAnswer) -> Result<TaskBatch> {
    match answer {
        TaskAnswer::Batch(batch) => Ok(batch),
        TaskAnswer::Task(task) if task.error_info().is_some() => Err(api_error(&task).into()),
        TaskAnswer::Task(task) => Err(no_items(&task)),
        TaskAnswer::Deleted(deleted) => Err(no_items(&deleted)),
    }
}

fn no_items(answer: &impl Serialize) -> Error {
    DecodeError::other("it has no items", answer).into()
}

/// An error that came with HTTP 200 in place of a task.
fn refusal(task: &Task, id: &TaskId) -> Error {
    let error = api_error(task);
    if error.says_not_found() {
        return Error::NotFound { task: id.clone() };
    }
    error.into()
}

pub(crate) fn api_error(task: &Task) -> ApiError {
    let trace_id = task.trace_id.as_deref();
    ApiError::new(http::StatusCode::OK, task.error_info(), trace_id)
}

/// Builds a [`Luma`].
///
/// ```
/// use std::time::Duration;
/// use luma_client::Luma;
///
/// let luma = Luma::builder()
///     .token("my-token")
///     .timeout(Duration::from_secs(20))
///     .build()?;
/// # Ok::<(), luma_client::Error>(())
/// ```
#[derive(Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct LumaBuilder {
    token: Option<SecretString>,
    base_url: Option<String>,
    allow_plain_http: bool,
    http: Option<reqwest::ClientBuilder>,
    download: Option<reqwest::ClientBuilder>,
    timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    read_timeout: Option<Duration>,
    max_response_bytes: Option<usize>,
    retry: RetryPolicy,
}

impl fmt::Debug for LumaBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LumaBuilder")
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

impl LumaBuilder {
    const TIMEOUT: Duration = Duration::from_secs(30);
    const MAX_RESPONSE_BYTES: usize = 8 << 20;

    /// The API token, in place of the environment's. White space around it is dropped.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into().into());
        self
    }

    /// Where the service is, in place of the environment's or `https://api.acedata.cloud`. It may
    /// have a path; a slash at its end does not matter.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Allows a base URL of plain http to another machine. It shows the token to the network
    /// between here and there.
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.allow_plain_http = allow;
        self
    }

    /// The HTTP client for calls of the API, in place of one of our own. Downloads use another:
    /// [`download_client`](Self::download_client).
    ///
    /// It comes as a builder, because three of its settings are not up to it: it follows no
    /// redirects and retries nothing, as either could send a submit twice; and it does not log
    /// what goes over the wire, as that shows the token. All else (proxy, TLS) stays as it is, the
    /// connect timeout too unless [`connect_timeout`](Self::connect_timeout) is set.
    ///
    /// ```
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use luma_client::Luma;
    ///
    /// let luma = Luma::builder()
    ///     .token("my token")
    ///     .http_client(reqwest::Client::builder().proxy(reqwest::Proxy::all("http://proxy:3128")?))
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn http_client(mut self, client: reqwest::ClientBuilder) -> Self {
        self.http = Some(client);
        self
    }

    /// The HTTP client for downloads, in place of ones of our own. It never gets the token.
    ///
    /// A few of its settings are not up to it: it follows the redirects that
    /// [`Download`](crate::Download) names and no others, sends no `Referer`, does not log what goes
    /// over the wire, and its read timeout is [`read_timeout`](Self::read_timeout). All else (proxy,
    /// TLS) stays as it is, the connect timeout too unless
    /// [`connect_timeout`](Self::connect_timeout) is set. Give it no default headers with a secret
    /// in them: they go to whatever host the file is on.
    ///
    /// ```
    /// # fn example(ca: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    /// use luma_client::Luma;
    ///
    /// let ca = reqwest::Certificate::from_pem(ca)?;
    /// let http = || reqwest::Client::builder().tls_certs_merge([ca.clone()]);
    /// let luma = Luma::builder()
    ///     .token("my token")
    ///     .http_client(http())
    ///     .download_client(http())
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn download_client(mut self, client: reqwest::ClientBuilder) -> Self {
        self.download = Some(client);
        self
    }

    /// The time for one attempt of a call, from connecting to the last byte; 30 seconds by
    /// default. A held submit has its hold on top; a download is not bounded by it.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The time for making a connection, of calls and downloads; 10 seconds by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// How long a download may stand still, which is all that bounds its time; 30 seconds by
    /// default.
    pub fn read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = Some(timeout);
        self
    }

    /// The largest answer that is read, in bytes; 8 MiB by default.
    pub fn max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = Some(bytes);
        self
    }

    /// How often, and at what pace, a request that may be sent again is sent again.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Builds the client. No I/O.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] where token or base URL cannot be used; it never shows the token.
    pub fn build(self) -> Result<Luma> {
        let token = config::token(self.token, config::environment)?;
        let base_url = config::base_url(self.base_url, self.allow_plain_http, config::environment)?;
        let defaults = Timeouts::default();
        let timeouts = Timeouts {
            connect: self.connect_timeout.unwrap_or(defaults.connect),
            read: self.read_timeout.unwrap_or(defaults.read),
        };
        // A client that was given keeps its own, unless another was asked for.
        let given = |client: reqwest::ClientBuilder| match self.connect_timeout {
            Some(timeout) => client.connect_timeout(timeout),
            None => client,
        };
        let http = match self.http {
            Some(client) => given(client),
            None => http_client(&base_url, timeouts.connect),
        };
        let timeout = self.timeout.unwrap_or(Self::TIMEOUT);
        let http = http
            .user_agent(AGENT)
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connection_verbose(false)
            .build()
            .map_err(setup_error)?;
        let stem = config::stem(&base_url).to_owned();
        let transport = Transport {
            token: Arc::new(Token::new(token)?),
            base_url,
            client_timeout: timeout,
            limits: Limits {
                timeout,
                max_body: self.max_response_bytes.unwrap_or(Self::MAX_RESPONSE_BYTES),
                retry: self.retry,
            },
        };
        let api = api::Client::new_with_client(&stem, http, transport);
        let media = match self.download {
            Some(client) => Media::given(given(client), timeouts.read)?,
            None => Media::new(timeouts),
        };
        let hub = Hub::new(api.clone());
        Ok(Luma {
            core: Arc::new(Core {
                api,
                media,
                hub,
                accepted: Accepted::default(),
                #[cfg(feature = "mcp")]
                coalescer: Coalescer::default(),
            }),
        })
    }
}

/// A client for what is at this URL.
pub(crate) fn http_client(url: &Url, connect_timeout: Duration) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .user_agent(AGENT)
        .connect_timeout(connect_timeout);
    // No proxy reaches this machine's loopback.
    match config::is_loopback(url) {
        true => builder.no_proxy(),
        false => builder,
    }
}

pub(crate) fn setup_error(error: reqwest::Error) -> ConfigError {
    ConfigError::Http(error.to_string())
}
