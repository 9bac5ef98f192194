//! One task that is waited for: what is known of it, and when it is looked up next.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{sync::watch, time::Instant};

use super::{
    early::KEPT_FOR,
    interval::PollInterval,
    queue::Due,
    status::{End, LookupFailure, Status},
};
use crate::{
    http::RequestError,
    model::{FailureKind, Outcome, Task, TaskState},
    util::time::after,
};

/// How long a due task waits for others: this part of its interval, and no longer than that.
const BATCH_DELAY: (u32, Duration) = (10, Duration::from_secs(1));
/// The same for a first lookup, which somebody may be watching for.
const FIRST_BATCH_DELAY: Duration = Duration::from_millis(5);
/// The assumed age of a task of unknown age: old enough that it may be done soon.
const ASSUMED_AGE: Duration = Duration::from_secs(60);
/// How long the service may take to show a task that it has accepted.
const SHOWN_AFTER: Duration = Duration::from_secs(10);
/// How long a task must be seen as completed without a video. Its URL can come a moment later.
const NO_VIDEO_FOR: Duration = Duration::from_secs(20);
/// How long a task must be seen with `success` false and nothing that says why.
const NO_REASON_FOR: Duration = Duration::from_secs(30);

/// What is read once for an event: two clocks and a random number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// The runtime's clock, which a test can pause.
    pub(crate) instant: Instant,
    pub(crate) wall: SystemTime,
    /// By which part an interval that begins now is stretched.
    pub(crate) jitter: f64,
}

/// What a wait asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) interval: PollInterval,
    /// When the last lookup before the deadline goes out.
    pub(crate) last_look: Option<Instant>,
    /// How many lookups may fail in a row.
    pub(crate) max_errors: u32,
    /// Whether reports before the end, and failures, are of interest.
    pub(crate) wants_updates: bool,
    /// Whether the first lookup goes out at once.
    pub(crate) immediately: bool,
}

/// A wait of a task.
struct Waiter {
    options: Options,
    /// Failed lookups in a row.
    failures: u32,
    status: watch::Sender<Status>,
}

impl Waiter {
    /// Changes the status. The wait wakes only for what it asked for.
    fn publish(&self, is_end: bool, change: impl FnOnce(&mut Status)) {
        self.status.send_if_modified(|status| {
            change(status);
            is_end || self.options.wants_updates
        });
    }

    fn end(&self, end: End) {
        self.publish(true, |status| status.end = Some(end));
    }
}

/// How much a failed lookup says about the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// It counts, and ends the waits that tolerate no more or if no later lookup can succeed.
    Task,
    /// It counts, but another task of the batch may be the reason: it ends no wait.
    Batch,
}

/// A task. Without waits it is kept for a while, so that a new wait does not undercut the interval.
pub(super) struct Entry {
    /// Tells it from other entries in the queue.
    pub(super) number: u64,
    waiters: Vec<Waiter>,
    /// As it is in the queue.
    queued: Option<Due>,
    in_flight: bool,
    /// Its batch told nothing of it: it is looked up singly.
    alone: bool,
    /// It is looked up again from this time on, whatever the interval.
    again: Option<Instant>,
    /// When a lookup was sent or ended last. Intervals count from here.
    polled: Option<Instant>,
    jitter: f64,
    /// An age, when that was, and whether it is more than a guess.
    age: (Duration, Instant, bool),
    state: Option<TaskState>,
    /// The last report, if a wait wants updates: a report is larger than all the rest.
    report: Option<Arc<Task>>,
    failure: Option<LookupFailure>,
    /// An end that is not believed yet: how long it must be seen, and since when it is.
    doubt: Option<(Duration, Instant)>,
    /// Until when it is kept without waits.
    keep_until: Instant,
}

impl Entry {
    pub(super) fn new(number: u64, now: Now) -> Self {
        Self {
            number,
            waiters: Vec::with_capacity(1),
            queued: None,
            in_flight: false,
            alone: false,
            again: None,
            polled: None,
            jitter: now.jitter,
            age: (ASSUMED_AGE, now.instant, false),
            state: None,
            report: None,
            failure: None,
            doubt: None,
            keep_until: now.instant,
        }
    }

    pub(super) fn waiters(&self) -> usize {
        self.waiters.len()
    }

    pub(super) fn queued(&self) -> Option<Due> {
        self.queued
    }

    pub(super) fn set_queued(&mut self, due: Option<Due>) {
        self.queued = due;
    }

    /// Adds a wait. Returns when that wants the task to be looked up.
    pub(super) fn join(
        &mut self,
        mut options: Options,
        age: Option<Duration>,
        status: watch::Sender<Status>,
        now: Now,
    ) -> Option<Due> {
        if let Some(age) = age {
            self.learn_age(age, now.instant);
        }
        // Waits that come and go, each with a last lookup of its own, must not undercut the interval.
        if let Some(polled) = self.polled {
            let interval = options.interval.interval(self.age(polled));
            let due = after(polled, interval);
            options.last_look = options.last_look.filter(|look| due.is_some_and(|due| due <= *look));
        }
        let is_alone = self.waiters.is_empty();
        if options.immediately && !is_alone && self.report.is_none() && self.polled.is_some() {
            // Nobody kept the last report, and one of the waits wants it now.
            self.set_again(now.instant);
        }
        let waiter = Waiter {
            options,
            failures: 0,
            status,
        };
        let due = self.due_for(&waiter);
        let is_soon = self.in_flight || due.is_some_and(|due| due.at <= now.instant);
        let state = self.state.clone();
        // An old report is not news if a new one is about to come.
        let report = self.report.clone().filter(|_| !is_soon);
        waiter.publish(false, |status| (status.state, status.task) = (state, report));
        self.waiters.push(waiter);
        due.filter(|_| !self.in_flight)
    }

    /// Removes the waits that nobody waits for any more. Returns how many these were.
    pub(super) fn leave(&mut self, now: Instant) -> usize {
        let before = self.waiters.len();
        self.waiters.retain(|waiter| !waiter.status.is_closed());
        let left = before - self.waiters.len();
        if left > 0 && self.waiters.is_empty() {
            self.keep(now);
        }
        left
    }

    /// Removes all waits, which begin again on their own. What was in flight is lost.
    pub(super) fn abandon(&mut self, now: Now) {
        if self.in_flight {
            self.ended_lookup(now);
        }
        if !self.waiters.is_empty() {
            self.keep(now.instant);
        }
        self.waiters = Vec::new();
    }

    fn keep(&mut self, now: Instant) {
        // What is in flight has to find it.
        let due = self.queued.map(|due| due.at);
        self.keep_until = due.or_else(|| after(now, KEPT_FOR)).unwrap_or(now);
        self.waiters = Vec::new();
    }

    /// Whether there is nothing left to remember for a wait that begins anew.
    pub(super) fn is_forgettable(&self, now: Instant) -> bool {
        self.waiters.is_empty() && !self.in_flight && self.keep_until <= now
    }

    /// When it is to be looked up or, without waits, forgotten.
    pub(super) fn due(&self) -> Option<Due> {
        let all = self.waiters.iter().filter_map(|waiter| self.due_for(waiter));
        let first = |a: Due, b: Due| Due {
            at: a.at.min(b.at),
            latest: a.latest.min(b.latest),
            alone: a.alone,
        };
        match all.reduce(first) {
            _ if self.in_flight => None,
            None if self.waiters.is_empty() => Some(self.exactly(self.keep_until)),
            due => due,
        }
    }

    fn exactly(&self, at: Instant) -> Due {
        let alone = self.alone;
        Due { at, latest: at, alone }
    }

    /// The next lookup that one of the waits wants.
    fn due_for(&self, waiter: &Waiter) -> Option<Due> {
        if let Some(again) = self.again {
            return Some(self.exactly(again));
        }
        let Options { interval, last_look, immediately, .. } = waiter.options;
        let (time, delay) = match self.polled {
            None if immediately || !self.age.2 => (Some(self.age.1), FIRST_BATCH_DELAY),
            // The first interval counts from the submit, however late the wait begins.
            None => {
                let interval = interval.stretched(Duration::ZERO, self.jitter, 0);
                let rest = interval.saturating_sub(self.age.0);
                (after(self.age.1, rest), interval / BATCH_DELAY.0)
            }
            Some(polled) => {
                let age = self.age(polled);
                let interval = interval.stretched(age, self.jitter, waiter.failures);
                (after(polled, interval), interval / BATCH_DELAY.0)
            }
        };
        // The last lookup before a deadline waits for nobody, and none follows it.
        let last_look = last_look.filter(|look| self.polled.is_none_or(|polled| *look > polled));
        match (time, last_look) {
            (Some(time), look) if look.is_none_or(|look| time < look) => {
                let latest = time.checked_add(delay.min(BATCH_DELAY.1))?;
                Some(Due {
                    latest: look.map_or(latest, |look| latest.min(look)),
                    ..self.exactly(time)
                })
            }
            (_, Some(look)) => Some(self.exactly(look)),
            _ => None,
        }
    }

    /// A lookup of it goes out.
    pub(super) fn send(&mut self, now: Instant) {
        (self.queued, self.again, self.in_flight) = (None, None, true);
        self.polled = Some(now);
    }

    /// The lookup has ended, whatever it brought.
    pub(super) fn land(&mut self, now: Now) {
        self.ended_lookup(now);
        for waiter in &self.waiters {
            waiter.status.send_if_modified(|status| {
                status.polls += 1;
                false
            });
        }
        if self.waiters.is_empty() {
            self.keep(now.instant);
        }
    }

    fn ended_lookup(&mut self, now: Now) {
        self.in_flight = false;
        self.jitter = now.jitter;
        self.polled = Some(now.instant);
    }

    /// Its batch told nothing of it: it is looked up singly, at once or when it is due.
    pub(super) fn set_alone(&mut self, again: Option<Instant>) {
        (self.alone, self.again) = (true, again);
    }

    /// One of the waits asks for a lookup at once.
    pub(super) fn set_again(&mut self, now: Instant) {
        self.again = self.again.or(Some(now));
    }

    /// A lookup found it.
    pub(super) fn set_found(&mut self) {
        (self.alone, self.failure) = (false, None);
        self.waiters.iter_mut().for_each(|waiter| waiter.failures = 0);
    }

    /// Takes in a report. Returns it if it is the end of the task.
    pub(super) fn report(&mut self, task: Task, now: Now) -> Option<Arc<Task>> {
        let created = task.created_at.as_ref().and_then(|at| at.to_system_time());
        if let Some(age) = created.and_then(|at| now.wall.duration_since(at).ok()) {
            self.learn_age(age, now.instant);
        }
        let outcome = task.outcome();
        let is_end = self.believes(&outcome, now.instant);
        let state = match outcome {
            Outcome::Doubtful if is_end => TaskState::Failed,
            outcome => outcome.into(),
        };
        if state.is_terminal() && !is_end {
            for waiter in &self.waiters {
                waiter.publish(false, |status| status.failure = None);
            }
            return None;
        }
        let is_wanted = self.waiters.iter().any(|waiter| waiter.options.wants_updates);
        let task = (is_end || is_wanted).then(|| Arc::new(task));
        for waiter in &self.waiters {
            let news = task.clone().filter(|_| waiter.options.wants_updates);
            let end = task.clone().filter(|_| is_end).map(End::Task);
            waiter.publish(is_end, |status| {
                (status.task, status.failure) = (news, None);
                (status.state, status.end) = (Some(state.clone()), end);
            });
        }
        (self.state, self.report) = (Some(state), task);
        self.report.clone().filter(|_| is_end)
    }

    /// Whether the task has ended. Some ends are believed only after they were seen for some time.
    fn believes(&mut self, outcome: &Outcome, now: Instant) -> bool {
        let patience = match outcome {
            Outcome::Failed(FailureKind::NoVideo) => NO_VIDEO_FOR,
            Outcome::Doubtful => NO_REASON_FOR,
            Outcome::Completed | Outcome::Failed(_) => return true,
            _ => {
                self.doubt = None;
                return false;
            }
        };
        let seen = self.doubt.filter(|(known, _)| *known == patience);
        let (_, since) = *self.doubt.insert(seen.unwrap_or((patience, now)));
        now.saturating_duration_since(since) >= patience
    }

    /// Takes in that a lookup failed. Returns how many waits that has ended.
    pub(super) fn fail(&mut self, error: &Arc<RequestError>, blame: Blame, now: Instant) -> usize {
        let is_not_found = matches!(**error, RequestError::NotFound { .. });
        let (_, _, is_known) = self.age;
        if is_not_found && is_known && self.age(now) < SHOWN_AFTER {
            // A task that was submitted just now may take a moment to show.
            return 0;
        }
        let since = self.failure.as_ref().map_or(now.into_std(), |failure| failure.since);
        let error = error.clone();
        let failure = LookupFailure { error, since };
        let before = self.waiters.len();
        self.waiters.retain_mut(|waiter| {
            waiter.failures += 1;
            let max = waiter.options.max_errors;
            let is_over = match blame {
                Blame::Batch => {
                    waiter.failures = waiter.failures.min(max);
                    false
                }
                Blame::Task => waiter.failures > max || !failure.error.is_retryable(),
            };
            waiter.publish(is_over, |status| {
                (status.task, status.failure) = (None, Some(failure.clone()));
                status.end = is_over.then(|| match is_not_found {
                    true => End::NotFound,
                    false => End::Lookup(failure.error.clone()),
                });
            });
            !is_over
        });
        self.failure = Some(failure);
        if self.waiters.is_empty() {
            self.keep(now);
        }
        before - self.waiters.len()
    }

    /// Ends all waits.
    pub(super) fn end(self, end: &End) {
        self.waiters.iter().for_each(|waiter| waiter.end(end.clone()));
    }

    fn age(&self, now: Instant) -> Duration {
        let (age, then, _) = self.age;
        age.saturating_add(now.saturating_duration_since(then))
    }

    fn learn_age(&mut self, age: Duration, now: Instant) {
        if !self.age.2 {
            self.age = (age, now, true);
        }
    }
}
