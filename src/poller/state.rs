//! The state of the poller and its decisions. No I/O, and no clock of its own.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{
    early::EarlyReports,
    interval::PollInterval,
    queue::{Due, Queue},
    status::{End, LookupFailure, Sender, Status},
};
use crate::{
    http::RequestError,
    model::{FailureKind, Outcome, Task, TaskState},
    util::{TaskId, time::after},
};

/// How many lookups are in flight as long as nothing is late: each may need a connection.
pub(crate) const FEW_IN_FLIGHT: usize = 2;
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
/// How long a lookup that nobody waited for is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// One odd header must not end every wait of a client: the default deadline is 15 minutes.
const MAX_HOLD: Duration = Duration::from_secs(5 * 60);
/// After more failures than this in a row it is not about the ids of one batch.
const FEW_FAILURES: u32 = 2;
/// How long a lookup may take before its waits are told. It is not a failure yet.
pub(crate) const SILENT_AFTER: Duration = Duration::from_secs(5);
/// How many unknown state words are remembered, so that each is logged once.
const MAX_WORDS: usize = 100;

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
    /// How long ago the task was submitted, if that is known.
    pub(crate) age: Option<Duration>,
}

/// A wait of a task.
struct Waiter {
    options: Options,
    /// It has left once nobody reads this.
    status: Sender,
    /// Lookups before it began.
    polls_before: u32,
}

/// A task. Without waits it is remembered until it would have been looked up, so that a wait that begins
/// anew does not undercut the interval.
struct Entry {
    waiters: Vec<Waiter>,
    /// What the waits are told. The last report is in it only if one of them wants updates, because a
    /// report is larger than all the rest.
    status: Status,
    /// As it is in the queue.
    queued: Option<Due>,
    in_flight: bool,
    /// Its batch told nothing of it: it is looked up singly.
    alone: bool,
    /// It is looked up again at once.
    again: bool,
    /// When a lookup was sent or ended last. Intervals count from here.
    polled: Option<Instant>,
    /// Lookups that failed in a row.
    failures: u32,
    jitter: f64,
    /// An age, and when that was.
    age: (Duration, Instant),
    knows_age: bool,
    /// An end that does not count yet: how long it must be seen, and since when it is seen.
    possible_end: Option<(Duration, Instant)>,
}

impl Entry {
    fn new(now: Now) -> Self {
        Self {
            waiters: Vec::with_capacity(1),
            status: Status::default(),
            queued: None,
            in_flight: false,
            alone: false,
            again: false,
            polled: None,
            failures: 0,
            jitter: now.jitter,
            age: (ASSUMED_AGE, now.instant),
            knows_age: false,
            possible_end: None,
        }
    }

    fn age(&self, now: Instant) -> Duration {
        let (age, then) = self.age;
        age.saturating_add(now.saturating_duration_since(then))
    }

    fn learn_age(&mut self, age: Option<Duration>, now: Instant) {
        if let Some(age) = age.filter(|_| !self.knows_age) {
            (self.age, self.knows_age) = ((age, now), true);
        }
    }

    fn join(&mut self, mut options: Options, status: Sender, now: Instant) {
        self.learn_age(options.age, now);
        let asked = self.status.asked;
        status.send(|status| {
            status.asked = asked;
            false
        });
        if let Some(polled) = self.polled {
            // Waits that come and go, each with a last lookup of its own, must not undercut the
            // interval.
            let due = after(polled, options.interval.interval(self.age(polled)));
            options.last_look =
                options.last_look.filter(|look| due.is_some_and(|due| due <= *look));
        }
        let polls_before = self.status.polls;
        self.waiters.push(Waiter { options, status, polls_before });
    }

    /// When it is to be looked up or, without waits, forgotten.
    fn due(&self) -> Option<Due> {
        if self.waiters.is_empty() {
            let polled = || Some(self.exactly(after(self.polled?, REMEMBERED_FOR)?));
            return self.queued.or_else(polled);
        }
        let due = self.waiters.iter().filter_map(|waiter| self.due_for(&waiter.options));
        due.reduce(Due::first)
    }

    fn exactly(&self, at: Instant) -> Due {
        Due { at, latest: at, alone: self.alone }
    }

    /// The next lookup that a wait wants.
    fn due_for(&self, options: &Options) -> Option<Due> {
        let interval = |age| options.interval.stretched(age, self.jitter, self.failures);
        let (time, delay) = match self.polled {
            Some(polled) if self.again => return Some(self.exactly(polled)),
            Some(polled) => {
                let interval = interval(self.age(polled));
                (after(polled, interval), interval / BATCH_DELAY.0)
            }
            None if options.immediately || !self.knows_age => (Some(self.age.1), FIRST_BATCH_DELAY),
            // The first interval counts from the submit, however late the wait begins.
            None => {
                let interval = interval(Duration::ZERO);
                let rest = interval.saturating_sub(self.age.0);
                (after(self.age.1, rest), interval / BATCH_DELAY.0)
            }
        };
        // The last lookup before a deadline waits for nobody, and none follows it.
        let look = options.last_look.filter(|look| Some(*look) > self.polled);
        let time = time.filter(|time| look.is_none_or(|look| *time < look));
        match (time, look) {
            (Some(time), look) => {
                let latest = time.checked_add(delay.min(BATCH_DELAY.1))?;
                let latest = look.map_or(latest, |look| latest.min(look));
                Some(Due { latest, ..self.exactly(time) })
            }
            (None, Some(look)) => Some(self.exactly(look)),
            // After the last look, or never.
            (None, None) => None,
        }
    }

    /// Takes note of when the lookup in flight was sent, if there is one. No wait needs to wake for it.
    fn set_asked(&mut self, asked: Option<Instant>) {
        self.status.asked = asked;
        for waiter in &self.waiters {
            waiter.status.send(|status| {
                status.asked = asked;
                false
            });
        }
    }

    /// Tells the waits that lookups fail, and with what. `since` counts if they did not fail before.
    fn set_failure(&mut self, error: &Arc<RequestError>, since: Instant) {
        let known = self.status.failure.as_ref().map(|failure| failure.since);
        let since = known.unwrap_or(since.into_std());
        let failure = LookupFailure { error: error.clone(), since };
        (self.status.task, self.status.failure) = (None, Some(failure));
        self.publish();
    }

    /// Tells the waits, and wakes those that want it.
    fn publish(&self) {
        for waiter in &self.waiters {
            waiter.status.send(|status| {
                *status = self.status.clone();
                status.polls -= waiter.polls_before;
                status.end.is_some() || waiter.options.wants_updates
            });
        }
    }

    /// Applies a report. Returns it if it is the end.
    fn report(&mut self, task: Task, now: Now) -> Option<Arc<Task>> {
        let created = task.created_at.as_ref().and_then(|at| at.to_system_time());
        let age = created.and_then(|at| now.wall.duration_since(at).ok());
        self.learn_age(age, now.instant);
        (self.alone, self.failures, self.status.failure) = (false, 0, None);
        let outcome = task.outcome();
        if self.has_ended(&outcome, now.instant) {
            return Some(Arc::new(task));
        }
        let state = TaskState::from(outcome);
        if !state.is_terminal() {
            let is_wanted = self.waiters.iter().any(|waiter| waiter.options.wants_updates);
            let task = is_wanted.then(|| Arc::new(task));
            (self.status.state, self.status.task) = (Some(state), task);
        }
        self.publish();
        None
    }

    /// Whether the task has ended. Some ends count only after they were seen for some time.
    fn has_ended(&mut self, outcome: &Outcome, now: Instant) -> bool {
        let patience = match outcome {
            Outcome::Failed(FailureKind::NoVideo) => NO_VIDEO_FOR,
            Outcome::Unsuccessful => NO_REASON_FOR,
            outcome => {
                self.possible_end = None;
                return matches!(outcome, Outcome::Completed | Outcome::Failed(_));
            }
        };
        let seen = self.possible_end.filter(|(known, _)| *known == patience);
        let (_, since) = *self.possible_end.insert(seen.unwrap_or((patience, now)));
        now.saturating_duration_since(since) >= patience
    }

    /// Applies a failed lookup, which ends the waits that allow no more failures.
    fn fail(&mut self, error: &Arc<RequestError>, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.set_failure(error, now);
        self.waiters.retain(|waiter| {
            let is_over = self.failures > waiter.options.max_errors;
            if is_over {
                let end = Some(End::Lookup(error.clone()));
                waiter.status.send(|status| {
                    status.end = end;
                    true
                });
            }
            !is_over
        });
    }
}

/// A lookup without a response yet.
struct InFlight {
    ids: Arc<[TaskId]>,
    sent: Instant,
    /// Whether its waits were told that there is no response.
    is_told: bool,
}

/// The tasks that are waited for, and what is to be done about them.
#[derive(Default)]
pub(crate) struct State {
    entries: HashMap<TaskId, Box<Entry>>,
    queue: Queue,
    early: EarlyReports,
    in_flight: Vec<InFlight>,
    /// Lookups that failed since one succeeded.
    failures: u32,
    /// Nothing goes out before, because the service asked for it.
    hold_until: Option<Instant>,
    /// Unknown state words that were logged.
    words: BTreeSet<String>,
}

impl State {
    pub(crate) fn new(early: EarlyReports) -> Self {
        Self { early, ..Self::default() }
    }

    /// Whether nobody waits, and there is nothing to remember.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[cfg(test)]
    pub(super) fn knows(&self, id: &TaskId) -> bool {
        self.entries.contains_key(id)
    }

    /// Adds a wait.
    pub(crate) fn join(&mut self, id: TaskId, options: Options, status: Sender, now: Now) {
        if let Some(task) = self.early.take(&id, now.instant) {
            status.send(|status| {
                status.end = Some(End::Task(task));
                true
            });
            return;
        }
        let entry = self.entries.entry(id.clone()).or_insert_with(|| Box::new(Entry::new(now)));
        entry.join(options, status, now.instant);
        let Some(waiter) = entry.waiters.last() else {
            return;
        };
        let due = entry.due_for(&waiter.options).filter(|_| !entry.in_flight);
        // An old report is not news if a new one is about to come.
        if !entry.in_flight && due.is_none_or(|due| due.at > now.instant) {
            let (state, task) = (entry.status.state.clone(), entry.status.task.clone());
            waiter.status.send(|status| {
                (status.state, status.task) = (state, task);
                status.task.is_some()
            });
        }
        // With many waits of one task, only the new one is asked.
        let is_sooner = |due: Due| {
            let is_sooner = |queued: Due| due.at < queued.at || due.latest < queued.latest;
            entry.queued.is_none_or(is_sooner)
        };
        if entry.waiters.len() == 1 || due.is_some_and(is_sooner) {
            self.enqueue(&id);
        }
    }

    /// Removes the waits of a task that have left.
    pub(crate) fn leave(&mut self, id: &TaskId) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.waiters.retain(|waiter| !waiter.status.is_closed());
            self.enqueue(id);
        }
    }

    /// Applies a report that did not come from a lookup.
    pub(crate) fn notify(&mut self, id: TaskId, task: Task, now: Now) {
        match self.entries.get(&id) {
            Some(entry) if !entry.waiters.is_empty() => {
                self.report(&id, task, now);
                self.enqueue(&id);
            }
            _ => self.early.insert(id, task, now.instant),
        }
    }

    /// The next lookup to send now, if less than `limit` are in flight; or when to ask again, unless
    /// something happens before.
    pub(crate) fn next_batch(
        &mut self,
        limit: usize,
        now: Instant,
    ) -> Result<Arc<[TaskId]>, Option<Instant>> {
        self.hold_until = self.hold_until.filter(|hold| *hold > now);
        if let Some(hold) = self.hold_until {
            return Err(self.queue.first().map(|first| first.max(hold)));
        }
        while self.in_flight.len() < limit {
            let mut ids = self.queue.take(now, self.in_flight.len() >= FEW_IN_FLIGHT)?;
            ids.retain(|id| {
                let entry = self.entries.get_mut(id).filter(|entry| !entry.waiters.is_empty());
                if let Some(entry) = entry {
                    (entry.queued, entry.again, entry.in_flight) = (None, false, true);
                    entry.polled = Some(now);
                    entry.set_asked(Some(now));
                    return true;
                }
                self.entries.remove(id);
                false
            });
            if !ids.is_empty() {
                let ids: Arc<[TaskId]> = ids.into();
                self.in_flight.push(InFlight { ids: ids.clone(), sent: now, is_told: false });
                return Ok(ids);
            }
        }
        Err(None)
    }

    /// Reports to the waits which lookups have had no response for some time. Returns when to check again.
    pub(crate) fn tell_silence(&mut self, now: Instant) -> Option<Instant> {
        let error = Arc::new(RequestError::no_response(SILENT_AFTER));
        for lookup in self.in_flight.iter_mut().filter(|lookup| !lookup.is_told) {
            if now < lookup.sent + SILENT_AFTER {
                // The others were sent later.
                return Some(lookup.sent + SILENT_AFTER);
            }
            lookup.is_told = true;
            for id in &*lookup.ids {
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.set_failure(&error, lookup.sent);
                }
            }
        }
        None
    }

    /// Applies the result of a lookup.
    pub(crate) fn receive(
        &mut self,
        ids: &[TaskId],
        result: Result<Vec<Task>, RequestError>,
        now: Now,
    ) {
        self.in_flight.retain(|lookup| !std::ptr::eq(&*lookup.ids, ids));
        for id in ids {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.in_flight = false;
                entry.set_asked(None);
                (entry.polled, entry.jitter) = (Some(now.instant), now.jitter);
                entry.status.polls += 1;
            }
        }
        match result {
            Ok(tasks) => self.apply_tasks(ids, tasks, now),
            Err(error) => self.apply_error(ids, error, now.instant),
        }
        ids.iter().for_each(|id| self.enqueue(id));
    }

    fn apply_tasks(&mut self, ids: &[TaskId], tasks: Vec<Task>, now: Now) {
        self.failures = 0;
        let is_batch = ids.len() > 1;
        let mut missing: BTreeSet<&TaskId> = ids.iter().collect();
        for task in tasks {
            let id = task.id.as_deref().map(str::parse::<TaskId>);
            if let Some(Ok(id)) = id.filter(|_| !is_batch || task.outcome() != Outcome::Refused) {
                missing.remove(&id);
                self.report(&id, task, now);
            }
        }
        for id in missing {
            match self.entries.get_mut(id) {
                // A lookup of its own tells what the matter is.
                Some(entry) if is_batch => (entry.alone, entry.again) = (true, true),
                _ => self.end(id, End::NotFound),
            }
        }
    }

    fn apply_error(&mut self, ids: &[TaskId], error: RequestError, now: Instant) {
        let hold = error.retry_after().and_then(|time| after(now, time.min(MAX_HOLD)));
        self.hold_until = self.hold_until.max(hold);
        let is_retryable = error.is_retryable();
        let is_split = ids.len() > 1 && !error.is_outage();
        let is_few = !is_retryable || self.failures < FEW_FAILURES;
        self.failures = self.failures.saturating_add(is_retryable.into());
        let is_not_found = matches!(error, RequestError::NotFound { .. });
        let ends_all = error.ends_all_lookups();
        let error = Arc::new(error);
        if ends_all {
            let all: Vec<_> = self.entries.keys().cloned().collect();
            all.iter().for_each(|id| self.end(id, End::Lookup(error.clone())));
            return;
        }
        for (place, id) in ids.iter().enumerate() {
            let Some(entry) = self.entries.get_mut(id) else {
                continue;
            };
            // One of the ids may be the reason. Single lookups tell, and nobody's wait ends before. If
            // everything fails, one id is enough to find out when that is over.
            entry.alone |= is_split && (is_few || place == 0);
            entry.again = is_split && is_few;
            let is_young = entry.knows_age && entry.age(now) < SHOWN_AFTER;
            match is_not_found {
                _ if entry.again => {}
                // A task that was submitted just now may take a moment to show.
                true if is_young => {
                    entry.status.failure = None;
                    entry.publish();
                }
                true => self.end(id, End::NotFound),
                false if is_retryable => entry.fail(&error, now),
                false => self.end(id, End::Lookup(error.clone())),
            }
        }
    }

    fn report(&mut self, id: &TaskId, task: Task, now: Now) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        if let Some(task) = entry.report(task, now) {
            self.end(id, End::Task(task));
        } else if let Some(TaskState::Unknown(word)) = &entry.status.state
            && self.words.len() < MAX_WORDS
            && self.words.insert(word.clone())
        {
            tracing::warn!(task = %id, word, "unknown state, waiting on");
        }
    }

    /// Ends all waits of a task. Without waits, its end is kept for one that comes.
    fn end(&mut self, id: &TaskId, end: End) {
        let Some(mut entry) = self.entries.remove(id) else {
            return;
        };
        if let Some(due) = entry.queued {
            self.queue.remove(due.at, id);
        }
        if entry.waiters.is_empty()
            && let End::Task(task) = end
        {
            let (at, task) = (entry.polled.unwrap_or(entry.age.1), Arc::unwrap_or_clone(task));
            self.early.insert(id.clone(), task, at);
            return;
        }
        entry.status.end = Some(end);
        entry.publish();
    }

    /// Puts a task where it belongs in the queue.
    fn enqueue(&mut self, id: &TaskId) {
        let Some(entry) = self.entries.get_mut(id).filter(|entry| !entry.in_flight) else {
            return;
        };
        let due = entry.due();
        if let Some(old) = std::mem::replace(&mut entry.queued, due) {
            self.queue.remove(old.at, id);
        }
        match due {
            Some(due) => self.queue.insert(due, id.clone()),
            None if entry.waiters.is_empty() => drop(self.entries.remove(id)),
            None => {}
        }
    }
}
