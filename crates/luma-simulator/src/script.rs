//! What happens to a submit.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::Refusal;

/// What happens to a submitted task, or to the submit itself.
///
/// Pass it to [`Simulator::on_submit`](crate::Simulator::on_submit). It serves one submit unless
/// [`times`](Self::times) or [`always`](Self::always) say otherwise. Only submits that pass
/// authentication and validation use it up.
///
/// ```
/// use std::time::Duration;
/// use luma_simulator::TaskScript;
///
/// // Reports the state "dreaming" after one second, and completes two seconds after that.
/// let script = TaskScript::state("dreaming")
///     .after(Duration::from_secs(1))
///     .then(TaskScript::completes().after(Duration::from_secs(2)));
/// # let _ = script;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a script does nothing before a simulator has it"]
pub struct TaskScript {
    /// Then no task is made.
    pub(crate) refusal: Option<Refusal>,
    pub(crate) steps: Vec<Step>,
    /// How many submits it serves. `None` is no limit.
    pub(crate) times: Option<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) outcome: Outcome,
    /// Since acceptance or the previous step. `None` is the duration drawn for the task.
    pub(crate) after: Option<Duration>,
    pub(crate) finished: bool,
}

/// What `response` holds from this step on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Completed,
    /// Without the fields that follow from the task.
    Partial(Value),
    Raw(Value),
}

impl TaskScript {
    fn new(outcome: Outcome, finished: bool) -> Self {
        let step = Step { outcome, after: None, finished };
        Self { refusal: None, steps: vec![step], times: Some(1) }
    }

    /// Completes the task with a video, as without a script. Useful with [`after`](Self::after) and
    /// as a last step.
    pub fn completes() -> Self {
        Self::new(Outcome::Completed, true)
    }

    /// Ends the task as `completed`, but without a video.
    pub fn completes_without_video() -> Self {
        Self::state("completed").finished(true)
    }

    /// Fails the task with this error code and message.
    pub fn fails(code: impl Into<String>, message: impl Into<String>) -> Self {
        let error = json!({ "code": code.into(), "message": message.into() });
        let response = json!({ "success": false, "state": "failed", "error": error });
        Self::new(Outcome::Partial(response), true)
    }

    /// Reports this state. The task has no `finished_at`, unless [`finished`](Self::finished)
    /// sets one.
    pub fn state(state: impl Into<String>) -> Self {
        let response = json!({ "success": true, "state": state.into() });
        Self::new(Outcome::Partial(response), false)
    }

    /// Sets exactly this `response`: `null`, a list, any JSON. The task has no `finished_at`, unless
    /// [`finished`](Self::finished) sets one.
    pub fn response(response: Value) -> Self {
        Self::new(Outcome::Raw(response), false)
    }

    /// Refuses the submit with this HTTP status and error, so that no task is made: moderation (403
    /// `forbidden`), an empty balance (403 `used_up`) and so on. An invalid status becomes 403.
    pub fn refused(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
        Self { refusal: Some(Refusal::new(status, &code.into(), message)), ..Self::completes() }
    }

    /// Sets when this happens, counted from acceptance or from the previous step. By default the
    /// simulator's [`JobDuration`](crate::JobDuration) decides.
    pub fn after(mut self, delay: Duration) -> Self {
        if let Some(step) = self.steps.last_mut() {
            step.after = Some(delay);
        }
        self
    }

    /// Sets whether the task then has a `finished_at`. If so, a synchronous submit is answered and
    /// the webhook is sent.
    pub fn finished(mut self, finished: bool) -> Self {
        if let Some(step) = self.steps.last_mut() {
            step.finished = finished;
        }
        self
    }

    /// Adds what happens next.
    pub fn then(mut self, next: TaskScript) -> Self {
        self.steps.extend(next.steps);
        self
    }

    /// Serves the next `times` submits.
    pub fn times(mut self, times: usize) -> Self {
        self.times = Some(times);
        self
    }

    /// Serves every submit that no counted script serves.
    pub fn always(mut self) -> Self {
        self.times = None;
        self
    }
}
