//! The settings of a call: how long it is held, its progress callback, its cancellation.

use std::{fmt, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::TaskState;

/// The longest time for which a call is held. MCP clients commonly give up after 60 seconds.
pub const MAX_HOLD: Duration = Duration::from_secs(45);

/// The surroundings of a tool call. Cheap to clone.
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
#[must_use = "a context has no effect until a call gets it"]
pub struct Context {
    pub(crate) hold: Duration,
    pub(crate) cancel: CancellationToken,
    pub(crate) read_only: bool,
    on_progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
}

/// The progress of a held call, as MCP's `notifications/progress` reports it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Seconds for which the call has been held. It grows from report to report.
    pub progress: f64,
    /// Seconds for which the call is held at most. The video can be ready sooner or later.
    pub total: f64,
    /// The state of the task in a few words.
    pub message: String,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            hold: MAX_HOLD,
            cancel: CancellationToken::new(),
            read_only: false,
            on_progress: None,
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("hold", &self.hold)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// Creates a context that holds calls for up to [`MAX_HOLD`], without progress or cancellation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long `luma_get_task`, or a submit with a `timeout`, waits for the end of the task: at most
    /// [`MAX_HOLD`]. Zero means one lookup.
    pub fn hold(mut self, hold: Duration) -> Self {
        self.hold = hold.min(MAX_HOLD);
        self
    }

    /// Sets a callback for the progress of a held call. It runs inside the call, so keep it quick.
    pub fn on_progress(mut self, callback: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(callback));
        self
    }

    /// Ends the call when the token is cancelled. A held lookup returns the state that it knows. An
    /// attempt at a submit that is under way is awaited, because it may be billed, but no new attempt
    /// begins. For the same reason, cancel a call by its token and do not drop its future.
    pub fn cancelled_by(mut self, token: CancellationToken) -> Self {
        self.cancel = token;
        self
    }

    /// Says that the model has only the lookup tools. No text then names a tool that creates videos, and a
    /// call of one is refused.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    pub(crate) fn report(&self, held: Duration, hold: Duration, state: &TaskState) {
        if let Some(callback) = &self.on_progress {
            let message = match state {
                TaskState::Unknown(_) => "in an unknown state".to_owned(),
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
