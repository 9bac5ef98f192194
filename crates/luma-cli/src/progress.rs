//! What a command shows while it works: one line that is redrawn on a terminal, plain lines elsewhere.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use console::{Term, truncate_str};
use luma_client::{LookupFailure, Task, TaskId};

use crate::{
    failure::Failure,
    output::{Output, plain, size_of, word},
    times::clock,
};

/// How often the line on a terminal is redrawn.
pub const TICK: Duration = Duration::from_millis(100);
/// How often plain lines say that the work continues.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// What is known of each task of a command.
pub struct Progress<'a> {
    output: &'a Output,
    usual: Duration,
    begin: Instant,
    board: Mutex<Board>,
}

struct Board {
    rows: Vec<Row>,
    /// The terminal whose line is redrawn.
    terminal: Option<Term>,
    last_line: Instant,
}

#[derive(Default)]
struct Row {
    id: Option<TaskId>,
    task: Option<Task>,
    stage: Stage,
    /// Since when lookups fail, and why.
    outage: Option<(Instant, String)>,
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
        let board = Board { rows, terminal, last_line: begin };
        Self { output, usual, begin, board: Mutex::new(board) }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id of a task is known.
    pub fn named(&self, index: usize, id: &TaskId) {
        self.board().rows[index].id = Some(id.clone());
    }

    /// A report of a task came.
    pub fn saw(&self, index: usize, task: &Task) {
        self.enter(&mut self.board(), index, |row| {
            row.outage = None;
            row.task = Some(task.clone());
            let state = task.state();
            if !state.is_terminal() {
                row.stage = Stage::Working(word(&state));
            }
        });
    }

    /// A lookup failed, and the wait continues.
    pub fn failed(&self, index: usize, failure: &LookupFailure) {
        let reason = plain(&Failure::from(&*failure.error).message);
        let outage = Some((failure.since, reason));
        self.enter(&mut self.board(), index, |row| row.outage = outage);
    }

    pub fn enters(&self, index: usize, stage: Stage) {
        self.enter(&mut self.board(), index, |row| {
            row.outage = None;
            row.stage = stage;
        });
    }

    /// The last report of a task.
    pub fn last(&self, index: usize) -> Option<Task> {
        self.board().rows[index].task.clone()
    }

    /// Whether a submit is in flight.
    pub fn is_submitting(&self) -> bool {
        self.board().rows.iter().any(|row| row.stage == Stage::Submitting)
    }

    /// Prints a remark above the line of a terminal.
    pub fn note(&self, text: &str) {
        if let Some(terminal) = &self.board().terminal {
            let _ = terminal.clear_line();
        }
        self.output.note(text);
    }

    fn enter(&self, board: &mut Board, index: usize, change: impl FnOnce(&mut Row)) {
        let is_many = board.rows.len() > 1;
        let row = &mut board.rows[index];
        let before = row.word();
        change(row);
        let is_new = row.word() != before;
        // The result tells how a single task ended.
        let is_told = is_many || !matches!(row.stage, Stage::Ended(_));
        if let Some(id) = row.id.as_ref().filter(|_| is_new && is_told && board.terminal.is_none())
        {
            let reason = row.outage.as_ref().map(|(_, reason)| format!(": {reason}"));
            let (time, reason) = (clock(self.begin.elapsed()), reason.unwrap_or_default());
            self.output.note(&format!("{id} {time} {}{reason}", row.word()));
            board.last_line = Instant::now();
        }
    }

    /// Redraws the line, or tells now and then that the work continues.
    pub fn tick(&self) {
        let mut board = self.board();
        let elapsed = self.begin.elapsed();
        match &board.terminal {
            Some(terminal) => {
                let spinner =
                    ["|", "/", "-", "\\"][(elapsed.as_millis() / TICK.as_millis() % 4) as usize];
                let line = format!("{spinner} {}", message(&board.rows, elapsed, self.usual));
                let width = usize::from(terminal.size().1).saturating_sub(1);
                let _ = terminal.clear_line();
                let _ = terminal.write_str(&truncate_str(&line, width, "…"));
            }
            None if board.last_line.elapsed() >= SIGN_OF_LIFE => {
                self.output.note(&message(&board.rows, elapsed, self.usual));
                board.last_line = Instant::now();
            }
            None => {}
        }
    }

    /// Leaves the line as it stands and begins a new one: a terminal may have echoed `^C` into it.
    pub fn leave(&self) {
        if self.board().terminal.take().is_some() {
            self.output.note("");
        }
    }

    /// Removes the line, unless it was left.
    pub fn clear(&self) {
        if let Some(terminal) = self.board().terminal.take() {
            let _ = terminal.clear_line();
        }
    }
}

impl Row {
    fn word(&self) -> &'static str {
        match self.stage {
            _ if self.outage.is_some() => "cannot reach the service",
            Stage::Queued => "queued",
            Stage::Submitting => "submitting",
            Stage::Searching => "searching the history",
            Stage::Waiting => "waiting",
            Stage::Working(word) | Stage::Ended(word) => word,
            Stage::Downloading { .. } => "downloading",
        }
    }
}

/// One line for all tasks.
fn message(rows: &[Row], elapsed: Duration, usual: Duration) -> String {
    let time = clock(elapsed);
    let longest = rows.iter().filter_map(|row| row.outage.as_ref()).min_by_key(|outage| outage.0);
    let outage = longest.map(|(since, reason)| {
        format!("cannot reach the service for {}: {reason}", clock(since.elapsed()))
    });
    if let [row] = rows {
        return match (row.stage, outage) {
            (Stage::Downloading { bytes, total: Some(total) }, _) => {
                format!("downloading {} of {}", size_of(bytes), size_of(total))
            }
            (Stage::Downloading { bytes, total: None }, _) => {
                format!("downloading {}", size_of(bytes))
            }
            (_, Some(outage)) => format!("waiting {time}, {outage}"),
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
    let outage = outage.map(|outage| format!("; {outage}")).unwrap_or_default();
    format!("{} tasks: {}  {time}{outage}", rows.len(), counts.join(", "))
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
        let outage = Some((since, "connection refused".to_owned()));
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
}
