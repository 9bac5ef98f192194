//! What a wait shows while it lasts: a bar on a terminal, plain lines elsewhere.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use luma_client::{Task, TaskId};
use tokio::time::Instant;

use crate::{
    output::{Output, plain},
    view::word,
};

/// How often the clock of a bar moves.
pub const TICK: Duration = Duration::from_millis(100);
/// How often plain lines say that it still goes on.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
/// Steps of the bar.
const STEPS: u64 = 1_000;

/// What is known of each of the tasks that are awaited.
pub struct Board<'a> {
    output: &'a Output,
    usual: Duration,
    begin: Instant,
    bar: Option<ProgressBar>,
    rows: Mutex<Rows>,
}

struct Rows {
    rows: Vec<Row>,
    last_line: Instant,
}

struct Row {
    id: TaskId,
    task: Option<Task>,
    stage: Stage,
}

/// What a task is at.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// Nothing is known yet.
    Asking,
    Working(&'static str),
    Downloading {
        bytes: u64,
        total: Option<u64>,
    },
    /// How it ended.
    Ended(&'static str),
}

impl<'a> Board<'a> {
    pub fn new(output: &'a Output, usual: Duration, ids: Vec<TaskId>) -> Self {
        let rows = ids.into_iter().map(|id| Row {
            id,
            task: None,
            stage: Stage::Asking,
        });
        let begin = Instant::now();
        let board = Self {
            output,
            usual,
            begin,
            bar: output.shows_bar().then(new_bar),
            rows: Mutex::new(Rows {
                rows: rows.collect(),
                last_line: begin,
            }),
        };
        board.tick();
        board
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A report of a task came.
    pub fn saw(&self, index: usize, task: &Task) {
        let state = task.state();
        let mut rows = self.rows();
        rows.rows[index].task = Some(task.clone());
        if !state.is_terminal() {
            self.enter(&mut rows, index, Stage::Working(word(&state)));
        }
    }

    /// A download moved on.
    pub fn downloading(&self, index: usize, bytes: u64, total: Option<u64>) {
        self.enter(&mut self.rows(), index, Stage::Downloading { bytes, total });
    }

    /// There is nothing more to come of a task; `how` it ended, in a word.
    pub fn ended(&self, index: usize, how: &'static str) {
        self.enter(&mut self.rows(), index, Stage::Ended(how));
    }

    /// The last report of a task.
    pub fn last(&self, index: usize) -> Option<Task> {
        self.rows().rows[index].task.clone()
    }

    fn enter(&self, rows: &mut Rows, index: usize, stage: Stage) {
        let is_many = rows.rows.len() > 1;
        let row = &mut rows.rows[index];
        let is_new = row.stage.name() != stage.name();
        row.stage = stage;
        // How a single one ended is told by the result.
        if is_new && self.bar.is_none() && (is_many || !stage.is_end()) {
            let elapsed = clock(self.begin.elapsed());
            let name = stage.name();
            self.output
                .note(&format!("{} {elapsed} {name}", plain(row.id.as_str())));
            rows.last_line = Instant::now();
        }
    }

    /// Time went by.
    pub fn tick(&self) {
        let mut rows = self.rows();
        let stages: Vec<_> = rows.rows.iter().map(|row| row.stage).collect();
        let elapsed = self.begin.elapsed();
        match &self.bar {
            Some(bar) => {
                bar.set_position((fraction(&stages, elapsed, self.usual) * STEPS as f64) as u64);
                bar.set_message(message(&stages, elapsed, self.usual));
                bar.tick();
            }
            None if rows.last_line.elapsed() >= SIGN_OF_LIFE => {
                self.output.note(&message(&stages, elapsed, self.usual));
                rows.last_line = Instant::now();
            }
            None => {}
        }
    }

    /// Leaves the bar as it stands, and begins a line: where a terminal echoes `^C` it wraps, so
    /// that how many lines to clear is not known.
    pub fn leave(&self) {
        if let Some(bar) = &self.bar
            && !bar.is_hidden()
        {
            bar.set_draw_target(ProgressDrawTarget::hidden());
            self.output.note("");
        }
    }

    /// Takes the bar away, unless it was left.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
    // The template is a constant that the tests read.
    match ProgressStyle::with_template("{spinner} [{bar:24}] {msg}") {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

impl Stage {
    fn is_end(&self) -> bool {
        matches!(self, Self::Ended(_))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Working(word) | Self::Ended(word) => word,
            Self::Downloading { .. } => "downloading",
        }
    }
}

/// How full the bar is, from 0 to 1: the part of the usual time, which is never quite over; the
/// part of a file; or the part of many tasks that has ended.
fn fraction(stages: &[Stage], elapsed: Duration, usual: Duration) -> f64 {
    match stages {
        [Stage::Downloading { bytes, total }] => match total {
            Some(total) if *total > 0 => *bytes as f64 / *total as f64,
            _ => 1.0,
        },
        [Stage::Ended(_)] => 1.0,
        [_] => (elapsed.as_secs_f64() / usual.as_secs_f64()).min(0.98),
        stages => {
            let ended = stages.iter().filter(|stage| stage.is_end());
            ended.count() as f64 / stages.len().max(1) as f64
        }
    }
}

/// One line for all tasks.
fn message(stages: &[Stage], elapsed: Duration, usual: Duration) -> String {
    let time = clock(elapsed);
    match stages {
        [Stage::Downloading { bytes, total }] => match total {
            Some(total) => format!(
                "downloading {} of {}",
                HumanBytes(*bytes),
                HumanBytes(*total)
            ),
            None => format!("downloading {}", HumanBytes(*bytes)),
        },
        [stage] => {
            let name = stage.name();
            match elapsed <= usual {
                true => format!("{name:<10} {time} of usually {}", clock(usual)),
                false => format!("{name:<10} {time}, longer than the usual {}", clock(usual)),
            }
        }
        stages => {
            let mut counts: Vec<(&str, usize)> = Vec::new();
            for name in stages.iter().map(Stage::name) {
                match counts.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((name, 1)),
                }
            }
            counts.sort_unstable();
            let counts = counts.iter().map(|(name, count)| format!("{count} {name}"));
            let counts: Vec<_> = counts.collect();
            format!("{} tasks: {}  {time}", stages.len(), counts.join(", "))
        }
    }
}

/// Minutes and seconds.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Duration = Duration::from_secs(120);
    const DONE: Stage = Stage::Ended("completed");
    const PENDING: Stage = Stage::Working("pending");
    const HALF: Stage = Stage::Downloading {
        bytes: 1 << 20,
        total: Some(2 << 20),
    };

    #[test]
    fn messages() {
        for (stages, seconds, expected) in [
            (&[Stage::Asking][..], 0, "asking     0:00 of usually 2:00"),
            (&[PENDING], 45, "pending    0:45 of usually 2:00"),
            (
                &[PENDING],
                200,
                "pending    3:20, longer than the usual 2:00",
            ),
            (&[HALF], 200, "downloading 1.00 MiB of 2.00 MiB"),
            (
                &[PENDING, DONE, PENDING, HALF, Stage::Ended("deadline")],
                61,
                "5 tasks: 1 completed, 1 deadline, 1 downloading, 2 pending  1:01",
            ),
        ] {
            let got = message(stages, Duration::from_secs(seconds), USUAL);
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn fractions() {
        let unsized_file = Stage::Downloading {
            bytes: 1,
            total: None,
        };
        for (stages, seconds, expected) in [
            (&[PENDING][..], 0, 0.0),
            (&[PENDING], 60, 0.5),
            (&[PENDING], 1_000, 0.98),
            (&[DONE], 1, 1.0),
            (&[HALF], 1_000, 0.5),
            (&[unsized_file], 1, 1.0),
            (&[PENDING, DONE], 1_000, 0.5),
        ] {
            let got = fraction(stages, Duration::from_secs(seconds), USUAL);
            assert_eq!(got, expected, "{stages:?}");
        }
    }

    #[test]
    fn the_template_can_be_read() {
        assert!(ProgressStyle::with_template("{spinner} [{bar:24}] {msg}").is_ok());
    }
}
