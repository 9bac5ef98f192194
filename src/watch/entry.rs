//! A task that is waited for, and the waits on it.

use std::{sync::Arc, task::Waker, time::Duration};

use slab::Slab;
use tokio::time::Instant;

use super::{
    census::{Census, Site},
    queue::Queue,
    state::{End, Now},
};
use crate::{
    error::Error,
    lookup::MAX_BATCH,
    pace::{Pace, after, after_failures},
    task::{Task, TaskState},
};

/// How long what is due waits for company: this part of its interval, but never longer than that.
const SLACK: (u32, Duration) = (10, Duration::from_secs(1));
/// The same for a first lookup, which somebody may be watching for.
const FIRST_SLACK: Duration = Duration::from_millis(5);
/// The age of a task that nobody knows: old enough that it may be done soon.
const ASSUMED_AGE: Duration = Duration::from_secs(60);

/// How long the service may take to show a task that it has accepted.
const SHOWS_WITHIN: Duration = Duration::from_secs(10);

/// A task. It may have no waits: then it is kept for one that comes again.
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) waits: Slab<Record>,
    /// Its time in the queue.
    pub(super) due: Option<Instant>,
    /// The driver whose lookup of it is under way. One that was dismissed does not count.
    pub(super) flight: Option<u64>,
    /// With how many it is looked up at most: fewer after its batch failed, more after each success.
    pub(super) share: u8,
    /// Its batch told nothing of it: it is looked up again at once.
    pub(super) again: bool,
    /// Whether a lookup was ever sent.
    pub(super) asked: bool,
    /// What intervals count from: the last lookup, or else the first wait.
    since: Instant,
    /// The age that the task had then.
    age: Option<Duration>,
    /// Whether that age is no more than a guess.
    guessed: bool,
    pub(super) state: Option<TaskState>,
    /// Why the last lookup failed.
    pub(super) error: Option<Arc<Error>>,
    /// The last report, where somebody may ask for it: a report is larger than all the rest.
    pub(super) last: Option<Arc<Task>>,
    /// Until when it is kept, while there are no waits.
    pub(super) kept: Option<Instant>,
}

/// A wait.
pub(crate) struct Record {
    pub(super) pace: Pace,
    pub(super) site: Site,
    pub(super) edge: Option<Instant>,
    pub(super) due: Option<Instant>,
    /// In microseconds.
    slack: u32,
    pub(super) budget: u32,
    /// Failed lookups in a row.
    pub(super) failures: u32,
    pub(super) polls: u32,
    pub(super) wants_updates: bool,
    /// Whether the last report was not told yet.
    pub(super) news: bool,
    /// Whether the end was told.
    pub(super) told: bool,
    pub(super) end: Option<End>,
    pub(super) waker: Option<Waker>,
}

impl Record {
    pub(super) fn new(pace: Pace, edge: Option<Instant>, budget: u32, wants_updates: bool) -> Self {
        Self {
            pace,
            site: None,
            edge,
            due: None,
            slack: 0,
            budget,
            failures: 0,
            polls: 0,
            wants_updates,
            news: false,
            told: false,
            end: None,
            waker: None,
        }
    }

    /// The next lookup is at once.
    pub(super) fn schedule_now(&mut self, now: Instant) {
        self.schedule(Some(now), FIRST_SLACK, now);
    }

    /// The next lookup is an interval after the last one, but not in the past.
    pub(super) fn schedule_after(&mut self, last: Instant, interval: Duration, now: Instant) {
        let slack = (interval / SLACK.0).min(SLACK.1);
        let time = after(last, interval).map(|time| time.max(now));
        self.schedule(time, slack, now);
    }

    /// The time to the next lookup of a task of this age.
    pub(super) fn interval(&self, age: Duration, jitter: f64) -> Duration {
        after_failures(self.pace.next(age, jitter), self.failures)
    }

    /// The edge comes instead where it is earlier; after it there is nothing.
    fn schedule(&mut self, time: Option<Instant>, slack: Duration, now: Instant) {
        let (due, slack) = match (time, self.edge) {
            _ if self.end.is_some() => (None, slack),
            (None, Some(edge)) if edge > now => (Some(edge), Duration::ZERO),
            // The last lookup before a deadline waits for nobody.
            (Some(time), Some(edge)) if time >= edge => {
                ((edge > now).then_some(edge), Duration::ZERO)
            }
            (Some(time), Some(edge)) => (Some(time), slack.min(edge - time)),
            (Some(time), _) => (Some(time), slack),
            (None, _) => (None, slack),
        };
        self.due = due;
        self.slack = slack.as_micros() as u32;
    }

    /// Until when it may wait for company.
    pub(super) fn latest(&self) -> Option<Instant> {
        self.due?
            .checked_add(Duration::from_micros(self.slack.into()))
    }

    pub(super) fn conclude(&mut self, end: End, active: &mut Census) -> Option<Waker> {
        if self.end.is_none() {
            active.remove(self.site);
            self.end = Some(end);
        }
        self.due = None;
        self.waker.take()
    }
}

impl Entry {
    pub(super) fn new(number: u64, now: Instant) -> Self {
        Self {
            number,
            waits: Slab::with_capacity(1),
            due: None,
            flight: None,
            share: MAX_BATCH as u8,
            again: false,
            asked: false,
            since: now,
            age: None,
            guessed: false,
            state: None,
            error: None,
            last: None,
            kept: None,
        }
    }

    /// Takes an age in where none is known for sure.
    pub(super) fn learn_age(&mut self, age: Option<Duration>, now: Instant) {
        if let Some(age) = age
            && (self.age.is_none() || self.guessed)
        {
            self.set_age(age, now);
            self.guessed = false;
        }
    }

    fn set_age(&mut self, age: Duration, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        self.age = Some(age.saturating_sub(passed));
    }

    /// The same from a report; one without an age leaves a guess to go by.
    pub(super) fn learn_age_from(&mut self, task: &Task, now: Now) {
        let created = task.created_at.as_ref().and_then(|at| at.to_system_time());
        let age = created.and_then(|created| now.wall.duration_since(created).ok());
        self.learn_age(age, now.instant);
        if self.age.is_none() {
            self.set_age(ASSUMED_AGE, now.instant);
            self.guessed = true;
        }
    }

    /// Whether a lookup of it is under way by this driver.
    pub(super) fn is_flying(&self, driver: Option<u64>) -> bool {
        self.flight.is_some() && self.flight == driver
    }

    /// When it is due, and until when it may wait for company, as it stands in the queue.
    pub(super) fn queued(&self, queue: &Queue) -> Option<(Instant, Option<Instant>)> {
        let time = self.due?;
        Some((time, queue.latest(time, self.number)))
    }

    pub(super) fn knows_age(&self) -> bool {
        self.age.is_some()
    }

    /// The age of the task.
    pub(super) fn age(&self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.since);
        self.age
            .map_or(ASSUMED_AGE, |age| age.saturating_add(passed))
    }

    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Intervals count from now on.
    pub(super) fn set_since(&mut self, now: Instant) {
        self.age = self.age.map(|_| self.age(now));
        self.since = now;
    }

    /// When the task was submitted; `None` where that is unknown, or before the clock began.
    pub(super) fn birth(&self) -> Option<Instant> {
        self.since.checked_sub(self.age?)
    }

    /// Whether the task is so new that the service may not show it yet.
    pub(super) fn is_young(&self, now: Instant) -> bool {
        self.knows_age() && self.age(now) < SHOWS_WITHIN
    }

    pub(super) fn end(&self) -> Option<End> {
        let has_ended = self.state.as_ref().is_some_and(TaskState::is_terminal);
        self.last.clone().filter(|_| has_ended).map(End::Task)
    }

    /// When the first of the waits is due, and how long all of them can wait for company.
    pub(super) fn first(&self) -> Option<(Instant, Instant)> {
        let waits = self.waits.iter().map(|(_, wait)| wait);
        let latest = waits.clone().filter_map(Record::latest).min()?;
        Some((waits.filter_map(|wait| wait.due).min()?, latest))
    }

    /// What the task itself says decides for every wait on it; the first end counts.
    pub(super) fn take_in(&mut self, task: Task, active: &mut Census, woken: &mut Vec<Waker>) {
        if self.end().is_some() {
            return;
        }
        let state = TaskState::from(task.verdict());
        let is_end = state.is_terminal();
        self.state = Some(state);
        let mut waits = self.waits.iter().filter(|(_, wait)| wait.end.is_none());
        let is_wanted = is_end || self.waits.is_empty() || waits.any(|(_, w)| w.wants_updates);
        self.last = is_wanted.then(|| Arc::new(task));
        let Some(task) = &self.last else {
            return;
        };
        for (_, wait) in &mut self.waits {
            if wait.end.is_some() {
                continue;
            }
            wait.news = wait.wants_updates;
            if is_end {
                woken.extend(wait.conclude(End::Task(task.clone()), active));
            } else if wait.wants_updates {
                woken.extend(wait.waker.take());
            }
        }
    }
}
