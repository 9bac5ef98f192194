//! What becomes of a submit, when it should not be the usual video.

use std::time::Duration;

use serde_json::Value;

use super::queue::Uses;

/// What becomes of a submitted task, or of the submit itself.
///
/// Give it to [`Simulator::on_submit`](super::Simulator::on_submit). It serves one submit unless
/// [`times`](Self::times) or [`always`](Self::always) says otherwise. Only submits that pass
/// authentication and validation use a script up.
///
/// ```
/// use std::time::Duration;
/// use luma_simulator::TaskScript;
///
/// // Says "dreaming" after one second, and is completed two seconds after that.
/// let script = TaskScript::state_word("dreaming")
///     .after(Duration::from_secs(1))
///     .then(TaskScript::completes().after(Duration::from_secs(2)));
/// # let _ = script;
/// ```
#[derive(Clone, Debug)]
#[must_use = "a script does nothing before a simulator has it"]
pub struct TaskScript {
    pub(crate) refusal: Option<Refusal>,
    pub(crate) steps: Vec<ScriptStep>,
    pub(crate) uses: Uses,
}

/// The submit itself is answered so; no task comes of it.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Clone, Debug)]
pub(crate) struct ScriptStep {
    pub(crate) outcome: Outcome,
    /// Since acceptance or the step before; `None` is the duration drawn for the task.
    pub(crate) after: Option<Duration>,
    pub(crate) finished: bool,
}

/// What `response` holds from some moment on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Completed,
    CompletedWithoutVideo,
    Failed { code: String, message: String },
    Word(String),
    Raw(Value),
}

impl TaskScript {
    fn new(outcome: Outcome, finished: bool) -> Self {
        let step = ScriptStep {
            outcome,
            after: None,
            finished,
        };
        Self {
            refusal: None,
            steps: vec![step],
            uses: Uses::Times(1),
        }
    }

    /// The task completes with a video, as without a script. Useful with [`after`](Self::after),
    /// and as a last step.
    pub fn completes() -> Self {
        Self::new(Outcome::Completed, true)
    }

    /// The task ends as `completed`, but with no video in it.
    pub fn completes_without_video() -> Self {
        Self::new(Outcome::CompletedWithoutVideo, true)
    }

    /// The task fails with this error code and message.
    pub fn fails(code: impl Into<String>, message: impl Into<String>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self::new(Outcome::Failed { code, message }, true)
    }

    /// The task reports this state word. It has no `finished_at`, unless
    /// [`finished`](Self::finished) gives it one.
    pub fn state_word(word: impl Into<String>) -> Self {
        Self::new(Outcome::Word(word.into()), false)
    }

    /// The task has this `response`, as it stands: `null`, a list, anything. It has no
    /// `finished_at`, unless [`finished`](Self::finished) gives it one.
    pub fn response(response: Value) -> Self {
        Self::new(Outcome::Raw(response), false)
    }

    /// The submit is refused with this HTTP status and error, and not billed: moderation
    /// (403 `forbidden`), an empty balance (403 `used_up`) and so on.
    pub fn refused(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        let refusal = Refusal {
            status,
            code: code.into(),
            message: message.into(),
        };
        Self {
            refusal: Some(refusal),
            ..Self::completes()
        }
    }

    /// When this happens: counted from acceptance, or from the step before. Without it, the
    /// duration is drawn as for a task without a script.
    pub fn after(mut self, delay: Duration) -> Self {
        if let Some(step) = self.steps.last_mut() {
            step.after = Some(delay);
        }
        self
    }

    /// Whether the task then has a `finished_at`, which ends a held call and sends the webhook.
    pub fn finished(mut self, finished: bool) -> Self {
        if let Some(step) = self.steps.last_mut() {
            step.finished = finished;
        }
        self
    }

    /// What happens next.
    pub fn then(mut self, next: TaskScript) -> Self {
        self.steps.extend(next.steps);
        self
    }

    /// Serves the next `times` submits.
    pub fn times(mut self, times: usize) -> Self {
        self.uses = Uses::Times(times);
        self
    }

    /// Serves every submit that no counted script serves.
    pub fn always(mut self) -> Self {
        self.uses = Uses::Always;
        self
    }
}
