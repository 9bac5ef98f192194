//! A submit that outlives a crash: what to store before it is sent.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{
    api::types::VideoRequest, client::Luma, error::Result, handle::TaskHandle,
    orphan::PendingSubmission, video,
};

/// A submit as it can be stored before it is sent, so that any process can look for its task after
/// a crash between the two.
///
/// Give each submit a [`callback_url`](crate::Generate::callback_url) of its own, like
/// `https://example.com/luma?job=17`: the service shows it in the history, which tells the submit
/// from all others with the same prompt.
///
/// ```no_run
/// # async fn store(_: String) {}
/// # async fn stored() -> Option<String> { None }
/// # async fn example(luma: luma_client::Luma) -> Result<(), Box<dyn std::error::Error>> {
/// use luma_client::Search;
///
/// let video = luma.generate("A fox in the snow").callback_url("https://example.com/luma?job=17");
/// let found = match stored().await {
///     Some(intent) => luma.pending(serde_json::from_str(&intent)?).find().await?,
///     None => Search::NotThere,
/// };
/// let task = match found {
///     Search::Found(task) => task,
///     Search::NotThere => {
///         let prepared = video.prepare()?; // nothing is sent
///         store(serde_json::to_string(prepared.intent())?).await;
///         prepared.submit().await?
///     }
///     doubt => return Err(format!("ask a person: {doubt:?}").into()),
/// };
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    pub(crate) request: VideoRequest,
    pub(crate) sent_at: SystemTime,
    /// Tells this submit from an equal one of the same process.
    pub(crate) key: u32,
}

impl Intent {
    pub(crate) fn new(request: VideoRequest) -> Self {
        Self {
            request,
            sent_at: SystemTime::now(),
            key: fastrand::u32(..),
        }
    }

    /// What is to be submitted.
    pub fn request(&self) -> &VideoRequest {
        &self.request
    }

    /// When it was made, which is shortly before it was sent, by the clock of that machine.
    pub fn sent_at(&self) -> SystemTime {
        self.sent_at
    }
}

/// A submit that is checked, but not sent; made by [`Generate::prepare`](crate::Generate::prepare)
/// and [`Extend::prepare`](crate::Extend::prepare).
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before it is submitted"]
pub struct Prepared {
    pending: PendingSubmission,
}

impl Prepared {
    pub(crate) fn new(luma: Luma, request: VideoRequest) -> Self {
        Self {
            pending: PendingSubmission::new(luma, Intent::new(request)),
        }
    }

    /// What to store before it is submitted.
    pub fn intent(&self) -> &Intent {
        self.pending.intent()
    }

    /// Submits it, **billed once**; see [`Generate::submit`](crate::Generate::submit).
    ///
    /// # Errors
    ///
    /// Those of [`Generate::submit`](crate::Generate::submit), but never
    /// [`InvalidInput`](crate::Error::InvalidInput).
    pub async fn submit(self) -> Result<TaskHandle> {
        video::submit(self.pending).await
    }
}

impl Luma {
    /// A submit of another process, or of another life of this one, that may have been accepted.
    /// No I/O.
    ///
    /// Whoever made the intent must be gone, or be done with it: a submit that is still on its way
    /// is not there yet. Its clock and that of this machine may differ by a minute.
    pub fn pending(&self, intent: Intent) -> PendingSubmission {
        PendingSubmission::restored(self.clone(), intent)
    }
}
