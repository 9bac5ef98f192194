//! The client, and what its clones share.

use std::{fmt, sync::Arc, time::Duration};

#[cfg(feature = "mcp-server")]
use secrecy::SecretString;

#[cfg(feature = "mcp")]
use crate::coalesce::Coalescer;
use crate::{
    api::{self, types::TaskBatch},
    builder::LumaBuilder,
    download::Media,
    error::Result,
    handle::TaskHandle,
    lookup::{MAX_BATCH, retrieve, retrieve_batch},
    orphan::Accepted,
    retry::RetryPolicy,
    task::{Task, TaskId},
    transport::Limits,
    video::{Extend, Generate, Source},
    watch::Hub,
};
#[cfg(feature = "mcp-server")]
use crate::{
    config::{self, ConfigError},
    transport::Token,
};

/// A client of the service. Cheap to clone; clones share connections and the poller.
///
/// An open connection belongs to the runtime on which it was opened. So use a client and its clones on
/// one runtime, or only on runtimes that are running: on a connection of one that is kept but not run,
/// a call stands still until its timeout, which leaves a submit [unconfirmed](crate::Error::Unconfirmed).
/// A program with several runtimes builds a client for each.
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
    /// [`Error::Config`](crate::Error::Config) where there is no token, or where one of the two cannot be used.
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
    /// As [`TaskHandle::get`], but never [`Error::NotFound`](crate::Error::NotFound). Where one request fails, the answers
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
