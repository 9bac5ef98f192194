//! What surrounds a call: how long it may take, who hears of its progress, who may end it.

use std::{fmt, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::task::TaskState;

/// The longest time for which a call is held: MCP clients commonly give up after 60 seconds.
pub const MAX_HOLD: Duration = Duration::from_secs(45);

/// What surrounds a call of a tool. Cheap to clone.
///
/// ```
/// use std::time::Duration;
/// use luma_client::{CancellationToken, mcp::Context};
///
/// let stop = CancellationToken::new();
/// let context = Context::new()
///     .hold(Duration::from_secs(20))
///     .on_progress(|progress| println!("{}", progress.message))
///     .cancelled_by(stop.clone());
/// ```
#[derive(Clone)]
#[non_exhaustive]
#[must_use = "a context does nothing by itself"]
pub struct Context {
    pub(crate) hold: Duration,
    on_progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
    pub(crate) cancel: CancellationToken,
    pub(crate) offers: Offers,
}

/// Which tools a model is offered: it is advised to call no others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Offers {
    #[default]
    All,
    /// Those that make no video.
    Lookups,
}

/// How far a call is that waits for a video, as MCP's `notifications/progress` wants it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Seconds that the call has been held. It grows from one report to the next.
    pub progress: f64,
    /// Seconds for which the call is held at most; the video may be there sooner, or later.
    pub total: f64,
    /// The state of the task in a few words.
    pub message: String,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            hold: MAX_HOLD,
            on_progress: None,
            cancel: CancellationToken::new(),
            offers: Offers::All,
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("hold", &self.hold)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// Calls are held for up to [`MAX_HOLD`], without progress, and cannot be cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long `luma_get_task`, or a submit that was given a `timeout`, may hold a call until the
    /// task has ended; at most [`MAX_HOLD`]. Zero: one lookup, and the answer is there.
    pub fn hold(mut self, hold: Duration) -> Self {
        self.hold = hold.min(MAX_HOLD);
        self
    }

    /// Hears of the progress of a call that is held. It should be quick: it runs inside the call.
    pub fn on_progress(mut self, callback: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(callback));
        self
    }

    /// Ends the call when the token is cancelled. A submit that is under way is not torn from the
    /// connection, because it may be billed already: its answer, with the task id, still comes.
    /// For the same reason cancel a call by its token; do not drop its future.
    pub fn cancelled_by(mut self, token: CancellationToken) -> Self {
        self.cancel = token;
        self
    }

    #[cfg(feature = "mcp-server")]
    pub(crate) fn offers(mut self, offers: Offers) -> Self {
        self.offers = offers;
        self
    }

    pub(crate) fn report(&self, held: Duration, hold: Duration, state: &TaskState) {
        if let Some(callback) = &self.on_progress {
            let message = match state {
                TaskState::Unknown(_) => "in a state that is not known".to_owned(),
                state => state.to_string(),
            };
            callback(Progress {
                progress: held.as_secs_f64(),
                total: hold.as_secs_f64(),
                message: format!("The video is {message}"),
            });
        }
    }
}
