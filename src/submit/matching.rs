//! Whether a task of the account's history matches a lost submit. Pure functions.

use std::{fmt, time::SystemTime};

use icu_normalizer::ComposingNormalizerBorrowed;
use serde_json::{Value, json};
use url::{Position, Url};

use crate::{
    api::types::VideoRequest,
    model::{Task, fields::Timestamp},
    util::{TaskId, time::unix_seconds},
};

pub(super) fn id_of(task: &Task) -> Option<TaskId> {
    task.id.as_deref()?.parse().ok()
}

/// Why a search says neither that a submission was accepted nor that it was not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InconclusiveReason {
    /// The service does not list the account's history, or shows none at all.
    NoHistory,
    /// Several tasks, or one that cannot be told from an earlier one, may be it.
    Ambiguous(Vec<TaskId>),
    /// Tasks with other requests were created since the submit, and no submission of this client
    /// accounts for them. The service may have changed the text of one.
    Unexplained(Vec<TaskId>),
    /// The history is longer than the 1,000 tasks that are searched.
    TooLong,
}

impl fmt::Display for InconclusiveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, ids) = match self {
            Self::NoHistory => ("the service shows no history of the account", &[][..]),
            Self::TooLong => ("the history is too long to search", &[][..]),
            Self::Ambiguous(ids) if ids.is_empty() => {
                ("it may be a task whose id the history does not show", &[][..])
            }
            Self::Ambiguous(ids) => ("it may be any of these tasks:", &ids[..]),
            Self::Unexplained(ids) => ("these tasks are new and unexplained:", &ids[..]),
        };
        f.write_str(text)?;
        ids.iter().try_for_each(|id| write!(f, " {id}"))
    }
}

/// What the history showed.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) tasks: usize,
    /// Tasks from long before the submit, each no younger than the one before: as long as they come
    /// newest first, nothing new is behind them.
    pub(super) old_in_a_row: usize,
    last_created: Option<f64>,
    /// Made by an equal request with the same callback, and not before the submit.
    same_callback: Vec<TaskId>,
    /// Made since the submit, by an equal request.
    equal: Vec<TaskId>,
    /// Perhaps made since, or by an equal request.
    unclear: Vec<TaskId>,
    /// Made since, by what looks like another request.
    unexplained: Vec<TaskId>,
    /// Whether one of them has no id.
    has_nameless: bool,
}

impl Findings {
    pub(super) fn take(&mut self, task: &Task, age: Age, comparison: Comparison) {
        self.tasks += 1;
        let created = task.created_at.as_ref().and_then(Timestamp::unix_seconds);
        let is_sorted = self.last_created.is_none_or(|last| created <= Some(last));
        self.last_created = created;
        self.old_in_a_row = match age {
            Age::LongBefore if is_sorted => self.old_in_a_row + 1,
            Age::LongBefore => 1,
            _ => 0,
        };
        let tasks = match (age, comparison) {
            (Age::LongBefore, _) | (_, Comparison::OtherSubmission) => return,
            (Age::Before, Comparison::Different) => return,
            (_, Comparison::Different) => &mut self.unexplained,
            (Age::Unclear | Age::Since, Comparison::SameCallback) => &mut self.same_callback,
            (Age::Since, Comparison::Same) => &mut self.equal,
            // The clock that dates tasks need not be the one that sets the `Date` header.
            _ => &mut self.unclear,
        };
        match id_of(task) {
            Some(id) => tasks.push(id),
            None => self.has_nameless = true,
        }
    }

    /// Takes note of a task that is too large to be read.
    pub(super) fn add_unreadable(&mut self) {
        (self.tasks, self.has_nameless) = (self.tasks + 1, true);
    }

    /// The task, or none; or why neither can be said.
    pub(super) fn conclusion(mut self) -> Result<Option<TaskId>, InconclusiveReason> {
        match (self.same_callback.len(), self.equal.len(), self.unclear.len()) {
            _ if self.has_nameless => {}
            // An account without any task looks like a service without any history.
            (0, 0, 0) if self.tasks == 0 => return Err(InconclusiveReason::NoHistory),
            (0, 0, 0) if self.unexplained.is_empty() => return Ok(None),
            (0, 0, 0) => return Err(InconclusiveReason::Unexplained(self.unexplained)),
            (1, _, _) => return Ok(self.same_callback.pop()),
            (0, 1, 0) => return Ok(self.equal.pop()),
            _ => {}
        }
        let candidates = [self.same_callback, self.equal, self.unclear].concat();
        Err(InconclusiveReason::Ambiguous(candidates))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Age {
    LongBefore,
    Before,
    Unclear,
    Since,
}

/// When a task was created, seen from the submit. `clock_ahead` is how many seconds the service's clock
/// is ahead of ours, if that is known.
pub(super) fn age(task: &Task, sent_at: SystemTime, clock_ahead: Option<f64>) -> Age {
    /// Seconds by which unknown clocks may differ.
    const MAX_SKEW: f64 = 86_400.0;
    /// Seconds before the submit after which a task may still be its task, if the clocks are comparable.
    const LONG: f64 = 600.0;
    /// `Date` headers and some clocks count whole seconds.
    const ROUNDING: f64 = 2.0;
    let created = task.created_at.as_ref().and_then(Timestamp::unix_seconds);
    let (Some(created), Some(sent)) = (created, unix_seconds(sent_at)) else {
        return Age::Unclear;
    };
    match (created - sent, clock_ahead) {
        (later, None) if later < -MAX_SKEW => Age::LongBefore,
        (_, None) => Age::Unclear,
        (later, Some(ahead)) if later - ahead < -LONG => Age::LongBefore,
        (later, Some(ahead)) if later - ahead < -ROUNDING => Age::Before,
        _ => Age::Since,
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    /// Same, and the video goes to the same callback URL.
    SameCallback,
    Same,
    /// The task does not show its request, or shows a part that the service may have changed.
    Unclear,
    /// Another request.
    Different,
    /// The callback URL of another submission: it cannot be the same.
    OtherSubmission,
}

/// Whether a task was made by this request, as far as the task shows its own. Fields that the service
/// adds do not count, nor the server-side timeout.
pub(super) fn compare(request: &VideoRequest, shown: Option<&Value>) -> Comparison {
    let (Ok(ours), Some(theirs @ Value::Object(_))) = (serde_json::to_value(request), shown) else {
        return Comparison::Unclear;
    };
    // What makes a video besides the prompt, with the default that the service may fill in.
    let defaults = json!({
        "action": "generate", "aspect_ratio": "16:9", "loop": false, "enhancement": true,
        "start_image_url": null, "end_image_url": null, "video_id": null, "video_url": null,
    });
    let is_equal = theirs["prompt"].as_str().map(|prompt| {
        normalized(prompt) == normalized(request.prompt.as_deref().unwrap_or_default())
            && defaults.as_object().into_iter().flatten().all(|(field, default)| {
                let or_default = |value| if value == &Value::Null { default } else { value };
                or_default(&ours[field]) == or_default(&theirs[field])
            })
    });
    let callback = |request: &Value| Url::parse(request["callback_url"].as_str()?).ok();
    match (callback(&ours).zip(callback(theirs)), is_equal) {
        (Some((ours, theirs)), _) if is_of_another(&ours, &theirs) => Comparison::OtherSubmission,
        // No submit is sent without a prompt: a task without one shows its request in part.
        (_, None) => Comparison::Unclear,
        (None, Some(true)) => Comparison::Same,
        (Some((ours, theirs)), Some(true)) if ours == theirs => Comparison::SameCallback,
        // Another place may be the service's own, and a query may have been hidden.
        (Some(_), Some(true)) => Comparison::Unclear,
        // The service may have changed the text of the submission that a unique URL names.
        (Some((ours, theirs)), Some(false)) if ours == theirs && ours.query().is_some() => {
            Comparison::Unclear
        }
        (_, Some(false)) => Comparison::Different,
    }
}

/// Whether a callback URL is that of another submission: the same place with another query.
fn is_of_another(ours: &Url, theirs: &Url) -> bool {
    ours[..Position::AfterPath] == theirs[..Position::AfterPath]
        && theirs.query().is_some_and(|query| ours.query() != Some(query))
}

/// A text without what storing it may change: line ends, white space, Unicode normalization.
fn normalized(text: &str) -> String {
    let text = ComposingNormalizerBorrowed::new_nfc().normalize(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: f64 = 1_785_585_600.0;

    fn sent() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(NOW)
    }

    fn task(id: &str, created_at: f64, request: Value) -> Task {
        let value = json!({ "id": id, "created_at": created_at, "request": request });
        serde_json::from_value(value).expect("a task")
    }

    #[test]
    fn age_counts_from_the_clock_of_the_service() {
        use Age::*;
        const DAY: f64 = 86_400.0;
        for (later, clock_ahead, expected) in [
            (0.0, Some(0.0), Since),
            (600.0, Some(0.0), Since),
            (-1.5, Some(0.0), Since),
            (-3.0, Some(0.0), Before),
            (-599.0, Some(0.0), Before),
            (-601.0, Some(0.0), LongBefore),
            // The service's clock is an hour behind, then an hour ahead.
            (-3_600.0, Some(-3_600.0), Since),
            (-3_605.0, Some(-3_600.0), Before),
            (0.0, Some(3_600.0), LongBefore),
            (3_595.0, Some(3_600.0), Before),
            (3_600.0, Some(3_600.0), Since),
            // Nothing is known of its clock.
            (0.0, None, Unclear),
            (-3_600.0, None, Unclear),
            (DAY, None, Unclear),
            (-DAY - 1.0, None, LongBefore),
        ] {
            let task = task("a", NOW + later, json!({}));
            assert_eq!(age(&task, sent(), clock_ahead), expected, "{later} {clock_ahead:?}");
        }
        assert_eq!(age(&Task::default(), sent(), Some(0.0)), Unclear);
    }

    #[test]
    fn resemblance_ignores_what_storing_changes() {
        use Comparison::*;
        let request: VideoRequest = serde_json::from_value(json!({
            "action": "generate", "prompt": "a lighthouse", "async": true,
            "callback_url": "https://example.com/1",
        }))
        .expect("a request");
        for (theirs, expected) in [
            (json!({ "action": "generate", "prompt": "a lighthouse", "async": true }), Same),
            (json!({ "prompt": "a lighthouse" }), Same),
            (json!({ "prompt": " a lighthouse\n" }), Same),
            (
                json!({ "prompt": "a lighthouse", "aspect_ratio": "16:9", "loop": false,
                    "enhancement": true, "video_id": null, "brand_new": 1 }),
                Same,
            ),
            (json!({ "prompt": "a lighthouse", "timeout": 5, "callback_url": "x" }), Same),
            (json!({ "prompt": "a\r\nlighthouse" }), Same),
            (json!({ "prompt": "A lighthouse" }), Different),
            (json!({ "prompt": "a lighthouse", "aspect_ratio": "9:16" }), Different),
            (json!({ "prompt": "a lighthouse", "loop": true }), Different),
            (json!({ "prompt": "a lighthouse", "enhancement": false }), Different),
            (json!({ "prompt": "a lighthouse", "start_image_url": "https://h/a" }), Different),
            (json!({ "prompt": "a lighthouse", "action": "extend", "video_id": "v" }), Different),
            (json!({}), Unclear),
            (json!({ "action": "generate" }), Unclear),
            (json!("a lighthouse"), Unclear),
            (json!(null), Unclear),
        ] {
            let task = task("a", NOW, theirs.clone());
            assert_eq!(compare(&request, task.request.as_ref()), expected, "{theirs}");
        }
    }

    #[test]
    fn callbacks_tell_equal_requests_apart() {
        use Comparison::*;
        const OURS: &str = "https://app.example/luma?job=17";
        let request = |prompt: &str, callback: Option<&Value>| json!({ "prompt": prompt, "callback_url": callback });
        let ours: VideoRequest =
            serde_json::from_value(request("a fox", Some(&json!(OURS)))).expect("a request");
        let plain: VideoRequest =
            serde_json::from_value(request("a fox", None)).expect("a request");
        // The callback that a task shows; with the same prompt, with another.
        for (theirs, same_prompt, other_prompt) in [
            (json!(OURS), SameCallback, Unclear),
            (json!("https://APP.example:443/luma?job=17"), SameCallback, Unclear),
            (json!("https://app.example/luma?job=18"), OtherSubmission, OtherSubmission),
            (json!("https://app.example/luma"), Unclear, Different),
            (json!("https://app.example/other?job=17"), Unclear, Different),
            (json!("https://gateway.example/luma?job=17"), Unclear, Different),
            (json!(null), Same, Different),
            (json!(""), Same, Different),
        ] {
            for (prompt, expected) in [("a fox", same_prompt), ("an owl", other_prompt)] {
                let shown = request(prompt, Some(&theirs));
                assert_eq!(compare(&ours, Some(&shown)), expected, "{prompt} {theirs}");
            }
            let shown = request("a fox", Some(&theirs));
            assert_eq!(compare(&plain, Some(&shown)), Same, "{theirs}");
        }
    }

    #[test]
    fn conclusion_follows_from_the_findings() {
        use {
            Age::{Before, LongBefore, Since},
            Comparison::{Different, OtherSubmission, Same, SameCallback},
        };
        let id = |id: &str| id.parse::<TaskId>().expect("an id");
        for (tasks, expected) in [
            (vec![], Err(InconclusiveReason::NoHistory)),
            (vec![(Since, Different)], Err(InconclusiveReason::Unexplained(vec![id("0")]))),
            (vec![(Since, OtherSubmission)], Ok(None)),
            (
                vec![(Before, Same), (LongBefore, Same), (LongBefore, Comparison::Unclear)],
                Err(InconclusiveReason::Ambiguous(vec![id("0")])),
            ),
            (vec![(Before, Different), (LongBefore, Same)], Ok(None)),
            (vec![(Since, Different), (Since, Same), (LongBefore, Same)], Ok(Some(id("1")))),
            (
                vec![(Since, Same), (Before, Same)],
                Err(InconclusiveReason::Ambiguous(vec![id("0"), id("1")])),
            ),
            (
                vec![(Since, Same), (Since, Same)],
                Err(InconclusiveReason::Ambiguous(vec![id("0"), id("1")])),
            ),
            (vec![(Age::Unclear, Same)], Err(InconclusiveReason::Ambiguous(vec![id("0")]))),
            (vec![(Since, Comparison::Unclear)], Err(InconclusiveReason::Ambiguous(vec![id("0")]))),
            (vec![(Age::Unclear, Different)], Err(InconclusiveReason::Unexplained(vec![id("0")]))),
            (
                vec![(Since, Same), (Since, SameCallback), (Since, Comparison::Unclear)],
                Ok(Some(id("1"))),
            ),
            (vec![(Age::Unclear, SameCallback)], Ok(Some(id("0")))),
            (
                vec![(Before, SameCallback), (LongBefore, SameCallback)],
                Err(InconclusiveReason::Ambiguous(vec![id("0")])),
            ),
            (
                vec![(Since, SameCallback), (Since, SameCallback), (Since, Different)],
                Err(InconclusiveReason::Ambiguous(vec![id("0"), id("1")])),
            ),
        ] {
            let mut seen = Findings::default();
            for (number, (age, comparison)) in tasks.iter().enumerate() {
                let task = task(&number.to_string(), NOW, json!({}));
                seen.take(&task, *age, *comparison);
            }
            assert_eq!(seen.conclusion(), expected, "{tasks:?}");
        }
    }

    #[test]
    fn younger_task_among_old_ones_restarts_the_count() {
        let mut seen = Findings::default();
        let task = task("a", NOW, json!({}));
        for (age, in_a_row) in [
            (Age::LongBefore, 1),
            (Age::LongBefore, 2),
            (Age::Before, 0),
            (Age::LongBefore, 1),
            (Age::Since, 0),
        ] {
            seen.take(&task, age, Comparison::Different);
            assert_eq!(seen.old_in_a_row, in_a_row);
        }
    }
}
