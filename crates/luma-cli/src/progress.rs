//! What a command shows while it works: one line that is redrawn on a terminal, plain lines elsewhere.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use console::{Term, truncate_str};
use luma_client::{LookupFailure, PollInterval, RequestError, Task, TaskId};

use crate::{
    error::Error,
    output::{Output, plain, size_of, word},
    times::clock,
};

/// How often the line on a terminal is redrawn.
pub const TICK: Duration = Duration::from_millis(100);
/// How often plain lines say that the work continues.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// How much later than expected a response may come before the progress line says that there is none.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is known of each task of a command.
pub struct Progress<'a> {
    output: &'a Output,
    usual: Duration,
    begin: Instant,
    state: Mutex<State>,
}

struct State {
    rows: Vec<Row>,
    /// The terminal whose line is redrawn.
    terminal: Option<Term>,
    last_line: Instant,
    /// Whether the last plain line told that responses are missing.
    is_silent: bool,
}

#[derive(Default)]
struct Row {
    id: Option<TaskId>,
    task: Option<Task>,
    stage: Stage,
    /// What fails, since when, and why.
    outage: Option<(&'static str, Instant, String)>,
    lookups: Option<Lookups>,
}

/// When the service is asked about a task, and when it responded.
struct Lookups {
    interval: PollInterval,
    begin: Instant,
    last_response: Instant,
}

/// What a task is at.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Stage {
    /// It is not submitted yet.
    #[default]
    Queued,
    Submitting,
    /// Its response was lost: the history is searched.
    Searching,
    /// It is not looked up yet.
    Waiting,
    Working(&'static str),
    Downloading {
        bytes: u64,
        total: Option<u64>,
    },
    /// How it ended.
    Ended(&'static str),
}

impl<'a> Progress<'a> {
    /// `usual` is how long a video usually takes.
    pub fn new(output: &'a Output, usual: Duration, tasks: usize) -> Self {
        let begin = Instant::now();
        let terminal = output.can_redraw().then(Term::stderr);
        let rows = (0..tasks).map(|_| Row::default()).collect();
        let state = State { rows, terminal, last_line: begin, is_silent: false };
        Self { output, usual, begin, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of a task is known.
    pub fn set_id(&self, index: usize, id: &TaskId) {
        self.state().rows[index].id = Some(id.clone());
    }

    /// A task is looked up from now on.
    pub fn begin_wait(&self, index: usize, interval: PollInterval) {
        self.change(index, |row| {
            let now = Instant::now();
            row.lookups = Some(Lookups { interval, begin: now, last_response: now });
            row.stage = Stage::Waiting;
        });
    }

    /// A report of a task came.
    pub fn update(&self, index: usize, task: &Task) {
        self.change(index, |row| {
            row.responded();
            row.outage = None;
            row.task = Some(task.clone());
            let state = task.state();
            if !state.is_terminal() {
                row.stage = Stage::Working(word(&state));
            }
        });
    }

    /// A lookup failed, and the wait continues.
    pub fn lookup_failed(&self, index: usize, failure: &LookupFailure) {
        let reason = plain(&Error::from(&*failure.error).message);
        self.change(index, |row| {
            if !matches!(*failure.error, RequestError::Transport(_)) {
                row.responded();
            }
            row.outage = Some((what_fails(&failure.error), failure.since, reason));
        });
    }

    pub fn set_stage(&self, index: usize, stage: Stage) {
        self.change(index, |row| {
            row.outage = None;
            row.stage = stage;
        });
    }

    /// The last report of a task.
    pub fn last_report(&self, index: usize) -> Option<Task> {
        self.state().rows[index].task.clone()
    }

    /// How long the service has not responded at the deadline of a wait. One more lookup begins shortly
    /// before the deadline, so a healthy service has just responded.
    pub fn silence_at_deadline(&self, index: usize, deadline: Duration) -> Option<String> {
        let silence = self.state().rows[index].lookups.as_ref()?.last_response.elapsed();
        let last_lookup = (deadline / 10).min(Duration::from_secs(2));
        let is_long = silence > last_lookup + Duration::from_secs(1) || silence >= deadline;
        is_long.then(|| format!("no response for {:.1} s", silence.as_secs_f64()))
    }

    /// Whether a submit is in flight.
    pub fn is_submitting(&self) -> bool {
        self.state().rows.iter().any(|row| row.stage == Stage::Submitting)
    }

    /// Prints a remark above the line of a terminal.
    pub fn note(&self, text: &str) {
        self.hide();
        self.output.note(text);
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut Row)) {
        let mut state = self.state();
        let is_many = state.rows.len() > 1;
        let is_plain = state.terminal.is_none();
        let row = &mut state.rows[index];
        let before = row.word();
        change(row);
        let is_new = row.word() != before;
        // The result tells how a single task ended, and a remark that one is accepted.
        let is_told = match row.stage {
            Stage::Ended(word) => is_many && word != "accepted",
            _ => true,
        };
        if let Some(id) = row.id.as_ref().filter(|_| is_new && is_told && is_plain) {
            let reason = row.outage.as_ref().map(|(_, _, reason)| format!(": {reason}"));
            let (time, reason) = (clock(self.begin.elapsed()), reason.unwrap_or_default());
            self.output.note(&format!("{id} {time} {}{reason}", row.word()));
            state.last_line = Instant::now();
        }
    }

    /// Redraws the line, or tells now and then that the work continues.
    pub fn tick(&self) {
        let mut state = self.state();
        let elapsed = self.begin.elapsed();
        let message = message(&state.rows, elapsed, self.usual);
        if let Some(terminal) = &state.terminal {
            let spinner =
                ["|", "/", "-", "\\"][(elapsed.as_millis() / TICK.as_millis() % 4) as usize];
            let width = usize::from(terminal.size().1).saturating_sub(1);
            let _ = terminal.clear_line();
            let _ = terminal.write_str(&truncate_str(&format!("{spinner} {message}"), width, "…"));
            return;
        }
        let is_silent = state.rows.iter().any(|row| row.silence().is_some());
        if is_silent != state.is_silent || state.last_line.elapsed() >= SIGN_OF_LIFE {
            self.output.note(&message);
            (state.is_silent, state.last_line) = (is_silent, Instant::now());
        }
    }

    /// Leaves the line as it stands and begins a new one: a terminal may have echoed `^C` into it.
    pub fn leave(&self) {
        if self.state().terminal.take().is_some() {
            self.output.note("");
        }
    }

    /// Removes the line, which the next tick draws again, unless it was left.
    pub fn hide(&self) {
        if let Some(terminal) = &self.state().terminal {
            let _ = terminal.clear_line();
        }
    }
}

impl Row {
    fn word(&self) -> &'static str {
        if let Some((what, _, _)) = &self.outage {
            return what;
        }
        match self.stage {
            Stage::Queued => "queued",
            Stage::Submitting => "submitting",
            Stage::Searching => "searching the history",
            Stage::Waiting => "waiting",
            Stage::Working(word) | Stage::Ended(word) => word,
            Stage::Downloading { .. } => "downloading",
        }
    }

    fn responded(&mut self) {
        self.lookups.iter_mut().for_each(|lookups| lookups.last_response = Instant::now());
    }

    /// How long the service has not responded, if that is longer than lookups are apart.
    fn silence(&self) -> Option<Duration> {
        let Lookups { interval, begin, last_response } = self.lookups.as_ref()?;
        let is_waiting = matches!(self.stage, Stage::Waiting | Stage::Working(_));
        let age = last_response.duration_since(*begin);
        // If the task is older than the wait, the interval may be that of a later age.
        let interval = interval.interval(age).max(interval.interval(Duration::MAX));
        // Lookups are up to a tenth later than the interval.
        let expected = interval.saturating_add(interval / 10).saturating_add(PATIENCE);
        Some(last_response.elapsed()).filter(|silence| is_waiting && *silence > expected)
    }
}

/// What is wrong if lookups fail like this.
fn what_fails(error: &RequestError) -> &'static str {
    match error {
        RequestError::Transport(error) if error.is_connect() => "cannot reach the service",
        RequestError::Transport(error) if error.is_timeout() => "no response",
        RequestError::Transport(_) => "lost connections",
        RequestError::Api(error) if error.status == 429 => "rate limited",
        RequestError::Api(_) => "service errors",
        _ => "unreadable responses",
    }
}

/// One line for all tasks.
fn message(rows: &[Row], elapsed: Duration, usual: Duration) -> String {
    let time = clock(elapsed);
    let outages = rows.iter().filter_map(|row| row.outage.as_ref());
    let trouble = match outages.min_by_key(|(_, since, _)| since) {
        Some((what, since, reason)) => {
            Some(format!("{what} for {}: {reason}", clock(since.elapsed())))
        }
        None => {
            let silence = rows.iter().filter_map(Row::silence).max();
            silence.map(|silence| format!("no response for {}", clock(silence)))
        }
    };
    if let [row] = rows {
        return match (row.stage, trouble) {
            // The server of the file has not sent it yet; a failed download is retried.
            (Stage::Downloading { bytes: 0, .. }, _) => format!("downloading {time}"),
            (Stage::Downloading { bytes, total: Some(total) }, _) => {
                format!("downloading {} of {}", size_of(bytes), size_of(total))
            }
            (Stage::Downloading { bytes, total: None }, _) => {
                format!("downloading {}", size_of(bytes))
            }
            (_, Some(trouble)) => format!("waiting {time}, {trouble}"),
            (Stage::Waiting | Stage::Working(_), None) if elapsed > usual => {
                format!("{} {time}, longer than the usual {}", row.word(), clock(usual))
            }
            (Stage::Waiting | Stage::Working(_), None) => {
                format!("{} {time}, usually done after {}", row.word(), clock(usual))
            }
            _ => format!("{} {time}", row.word()),
        };
    }
    let mut counts = std::collections::BTreeMap::new();
    for row in rows {
        *counts.entry(row.word()).or_insert(0) += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let trouble = trouble.map(|trouble| format!("; {trouble}")).unwrap_or_default();
    format!("{} tasks: {}  {time}{trouble}", rows.len(), counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_secs(120);
    const DONE: Stage = Stage::Ended("completed");
    const PENDING: Stage = Stage::Working("pending");
    const HALF: Stage = Stage::Downloading { bytes: 1 << 20, total: Some(2 << 20) };

    fn rows(stages: &[Stage]) -> Vec<Row> {
        stages.iter().map(|stage| Row { stage: *stage, ..Row::default() }).collect()
    }

    #[test]
    fn message_tells_elapsed_time_and_the_usual() {
        for (stages, seconds, expected) in [
            (&[Stage::Waiting][..], 0, "waiting 0:00, usually done after 2:00"),
            (&[PENDING], 45, "pending 0:45, usually done after 2:00"),
            (&[PENDING], 200, "pending 3:20, longer than the usual 2:00"),
            (&[HALF], 200, "downloading 1.00 MiB of 2.00 MiB"),
            (&[Stage::Downloading { bytes: 0, total: None }], 5, "downloading 0:05"),
            (&[Stage::Submitting], 1, "submitting 0:01"),
            (
                &[PENDING, DONE, PENDING, HALF, Stage::Ended("deadline")],
                61,
                "5 tasks: 1 completed, 1 deadline, 1 downloading, 2 pending  1:01",
            ),
        ] {
            let got = message(&rows(stages), Duration::from_secs(seconds), USUAL);
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn message_of_an_outage_tells_since_when_and_why() {
        let Some(since) = Instant::now().checked_sub(Duration::from_secs(40)) else {
            return;
        };
        let outage = Some(("cannot reach the service", since, "connection refused".to_owned()));
        let mut rows = rows(&[PENDING]);
        rows[0].outage = outage;
        let reason = "cannot reach the service for 0:40: connection refused";
        let got = message(&rows, Duration::from_secs(200), USUAL);
        assert_eq!(got, format!("waiting 3:20, {reason}"));
        rows.push(Row { stage: DONE, ..Row::default() });
        let got = message(&rows, Duration::from_secs(200), USUAL);
        let expected = "2 tasks: 1 cannot reach the service, 1 completed  3:20; ";
        assert_eq!(got, format!("{expected}{reason}"));
    }

    #[test]
    fn message_of_silence_tells_since_when() {
        let seconds = Duration::from_secs;
        for (interval, begin, last_response, expected) in [
            (PollInterval::fixed(seconds(1)), 60, 3, "usually done after"),
            (PollInterval::fixed(seconds(1)), 60, 8, "no response for 0:08"),
            (PollInterval::fixed(seconds(60)), 60, 60, "usually done after"),
            (PollInterval::fixed(seconds(60)), 80, 80, "no response for 1:20"),
            (PollInterval::fixed(Duration::MAX), 80, 80, "usually done after"),
            (PollInterval::default(), 26, 26, "usually done after"),
            (PollInterval::default(), 100, 12, "usually done after"),
            (PollInterval::default(), 100, 20, "no response for 0:20"),
        ] {
            let ago = |time| Instant::now().checked_sub(seconds(time));
            let (Some(begin), Some(last_response)) = (ago(begin), ago(last_response)) else {
                return;
            };
            let lookups = Some(Lookups { interval, begin, last_response });
            let mut rows = rows(&[PENDING]);
            rows[0].lookups = lookups;
            let got = message(&rows, seconds(60), USUAL);
            assert!(got.contains(expected), "{interval:?}: {got}");
            rows[0].stage = DONE;
            assert_eq!(rows[0].silence(), None);
        }
    }
}
