//! What the poller knows and decides. No I/O and no clock of its own.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{
    early::{EarlyReports, MAX_REPORTS},
    entry::{Blame, Entry, Now, Options},
    queue::Queue,
    status::{End, Status},
};
use crate::{
    http::RequestError,
    model::{Outcome, Task, TaskState},
    tasks::MAX_BATCH,
    util::{TaskId, time::after},
};

/// How many lookups are in flight as long as nothing is late: each may need a connection.
pub(crate) const FEW_IN_FLIGHT: usize = 2;
/// One odd header must not end every wait of a client: the default deadline is 15 minutes.
const MAX_HOLD: Duration = Duration::from_secs(5 * 60);
/// After more failures than this in a row it is not about the ids of one batch.
const FEW_FAILURES: u32 = 2;
/// How many unknown state words are remembered, so that each is logged once.
const MAX_WORDS: usize = 100;

/// A wait that begins.
pub(crate) struct Join {
    pub(crate) id: TaskId,
    pub(crate) options: Options,
    /// How long ago the task was submitted, if that is known.
    pub(crate) age: Option<Duration>,
    /// What the wait reads. It has left once nobody does.
    pub(crate) status: watch::Sender<Status>,
}

#[derive(Default)]
pub(crate) struct State {
    entries: HashMap<TaskId, Box<Entry>>,
    queue: Queue,
    early: EarlyReports,
    waiters: usize,
    in_flight: usize,
    /// Lookups that failed since one succeeded.
    failures: u32,
    /// Nothing goes out before, because the service asked for it.
    hold_until: Option<Instant>,
    /// Unknown state words that were logged.
    words: BTreeSet<String>,
    /// How many entries there ever were.
    count: u64,
}

impl State {
    /// Whether nobody waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiters == 0
    }

    /// Adds a wait.
    pub(crate) fn join(&mut self, join: Join, now: Now) {
        let Join { id, options, age, status } = join;
        if let Some(task) = self.early.take(&id, now.instant) {
            status.send_modify(|status| {
                (status.state, status.end) = (Some(task.state()), Some(End::Task(task)));
            });
            return;
        }
        let count = &mut self.count;
        let entry = self.entries.entry(id.clone()).or_insert_with(|| {
            *count += 1;
            Box::new(Entry::new(*count, now))
        });
        let is_alone = entry.waiters() == 0;
        let due = entry.join(options, age, status, now);
        self.waiters += 1;
        // With many waits of one task, only the new one is asked.
        let is_sooner = due.is_some_and(|due| {
            let queued = entry.queued();
            queued.is_none_or(|queued| due.at < queued.at || due.latest < queued.latest)
        });
        if is_alone || is_sooner {
            self.enqueue(&id);
        }
    }

    /// Removes the waits of a task whose status nobody reads any more.
    pub(crate) fn leave(&mut self, id: &TaskId, now: Instant) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        self.waiters -= entry.leave(now);
        if entry.is_forgettable(now) {
            self.remove(id);
        } else {
            self.enqueue(id);
        }
    }

    /// Looks a task up at once for one of its waits.
    pub(crate) fn look(&mut self, id: &TaskId, now: Instant) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.set_again(now);
            self.enqueue(id);
        }
    }

    /// Takes in a report that came by another way than a lookup.
    pub(crate) fn notify(&mut self, task: Task, now: Now) {
        let Some(Ok(id)) = task.id.as_deref().map(str::parse::<TaskId>) else {
            return;
        };
        match self.entries.get(&id) {
            Some(entry) if entry.waiters() > 0 => self.report(&id, task, now),
            _ if matches!(task.outcome(), Outcome::Completed | Outcome::Failed(_)) => {
                self.early.insert(id, task, now.instant);
            }
            _ => {}
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
        while self.in_flight < limit {
            let mut ids = self.queue.take(now, self.in_flight >= FEW_IN_FLIGHT)?;
            ids.retain(|id| match self.entries.get_mut(id) {
                Some(entry) if entry.waiters() > 0 => {
                    entry.send(now);
                    true
                }
                _ => {
                    self.entries.remove(id);
                    false
                }
            });
            if !ids.is_empty() {
                self.in_flight += 1;
                return Ok(ids.into());
            }
        }
        Err(None)
    }

    /// Takes in what a lookup brought.
    pub(crate) fn land(&mut self, ids: &[TaskId], result: Result<Vec<Task>, RequestError>, now: Now) {
        self.in_flight = self.in_flight.saturating_sub(1);
        for id in ids {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.land(now);
            }
        }
        match result {
            Ok(tasks) => self.apply_tasks(ids, tasks, now),
            Err(error) => {
                self.apply_retry_after(&error, now.instant);
                self.apply_error(ids, error, now.instant);
            }
        }
        ids.iter().for_each(|id| self.enqueue(id));
    }

    fn apply_tasks(&mut self, ids: &[TaskId], tasks: Vec<Task>, now: Now) {
        self.failures = 0;
        let is_batch = ids.len() > 1;
        let mut reports: HashMap<&str, Option<Task>> =
            ids.iter().map(|id| (id.as_str(), None)).collect();
        for task in tasks {
            // If a task comes twice, an end is the newer of the two.
            if let Some(report) = task.id.as_deref().and_then(|id| reports.get_mut(id))
                && !report.as_ref().is_some_and(|known| known.state().is_terminal())
            {
                *report = Some(task);
            }
        }
        for id in ids {
            let Some(entry) = self.entries.get_mut(id) else {
                continue;
            };
            let report = reports.remove(id.as_str()).flatten();
            let report = report.filter(|task| !is_batch || task.outcome() != Outcome::Refused);
            match report {
                Some(task) => {
                    entry.set_found();
                    self.report(id, task, now);
                }
                // A lookup of its own tells what the matter is.
                None if is_batch => entry.set_alone(Some(now.instant)),
                None => self.end(id, &End::NotFound),
            }
        }
    }

    /// A `Retry-After` holds all lookups, as long as it leaves a wait some time.
    fn apply_retry_after(&mut self, error: &RequestError, now: Instant) {
        let hold = error.retry_after().map(|time| time.min(MAX_HOLD));
        let hold = hold.and_then(|time| after(now, time));
        self.hold_until = self.hold_until.max(hold);
    }

    fn apply_error(&mut self, ids: &[TaskId], error: RequestError, now: Instant) {
        if error.ends_all_lookups() {
            let end = End::Lookup(Arc::new(error));
            self.queue.clear();
            self.waiters = 0;
            self.entries.drain().for_each(|(_, entry)| entry.end(&end));
            return;
        }
        let is_split = ids.len() > 1 && !error.is_outage();
        let is_few = !error.is_retryable() || self.failures < FEW_FAILURES;
        if error.is_retryable() {
            self.failures = self.failures.saturating_add(1);
        }
        let error = Arc::new(error);
        for (place, id) in ids.iter().enumerate() {
            let Some(entry) = self.entries.get_mut(id) else {
                continue;
            };
            if is_split && is_few {
                // One of the ids may be the reason. Single lookups tell, and nobody's wait ends before.
                entry.set_alone(Some(now));
                continue;
            }
            if is_split && place == 0 {
                // It looks as if everything failed: one id is enough to find out.
                entry.set_alone(None);
            }
            let blame = if is_split { Blame::Batch } else { Blame::Task };
            self.waiters -= entry.fail(&error, blame, now);
            if entry.is_forgettable(now) {
                self.remove(id);
            }
        }
    }

    /// Everything in flight is lost, and the waits begin again on their own.
    pub(crate) fn abandon(&mut self, now: Now) {
        (self.waiters, self.in_flight) = (0, 0);
        self.queue.clear();
        self.entries.retain(|_, entry| {
            entry.abandon(now);
            entry.set_queued(None);
            !entry.is_forgettable(now.instant)
        });
        self.entries.shrink_to(MAX_REPORTS);
        let ids: Vec<_> = self.entries.keys().cloned().collect();
        ids.iter().for_each(|id| self.enqueue(id));
    }

    fn report(&mut self, id: &TaskId, task: Task, now: Now) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        note_word(&mut self.words, id, &task);
        let Some(end) = entry.report(task, now) else {
            return;
        };
        if entry.waiters() == 0 {
            self.early.insert(id.clone(), Arc::unwrap_or_clone(end), now.instant);
        }
        self.remove(id);
    }

    fn end(&mut self, id: &TaskId, end: &End) {
        if let Some(entry) = self.remove(id) {
            entry.end(end);
        }
    }

    fn remove(&mut self, id: &TaskId) -> Option<Box<Entry>> {
        let entry = self.entries.remove(id)?;
        self.waiters -= entry.waiters();
        if let Some(due) = entry.queued() {
            self.queue.remove(due.at, entry.number);
        }
        Some(entry)
    }

    /// Puts a task where it belongs in the queue.
    fn enqueue(&mut self, id: &TaskId) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        if let Some(due) = entry.queued() {
            self.queue.remove(due.at, entry.number);
        }
        let due = entry.due();
        entry.set_queued(due);
        if let Some(due) = due {
            self.queue.insert(due, entry.number, id.clone());
        }
    }
}

/// Logs an unknown state once for all tasks.
fn note_word(words: &mut BTreeSet<String>, id: &TaskId, task: &Task) {
    if let TaskState::Unknown(word) = task.state()
        && words.len() < MAX_WORDS
        && words.insert(word.clone())
    {
        tracing::warn!(task = %id, word, "unknown state, waiting on");
    }
}
