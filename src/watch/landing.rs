//! What a lookup brought, and what it means for the waits.

use std::{collections::HashMap, sync::Arc, task::Waker, time::Duration};

use tokio::time::Instant;

use super::{
    aftermath::Aftermath,
    state::{End, Now, State},
};
use crate::{
    error::{ApiError, Error, Result},
    lookup::MAX_BATCH,
    pace::after,
    task::{Task, TaskId, Verdict},
};

/// One odd header must not end every wait of a client: the default deadline is 15 minutes.
const MAX_HOLD: Duration = Duration::from_secs(5 * 60);
/// After more failures than this in a row it is not about the ids of one batch.
const FEW: u32 = 2;

impl State {
    /// Takes in what a lookup brought.
    ///
    /// A driver that was dismissed meanwhile brings reports, but its failures count for nobody.
    pub(crate) fn land(
        &mut self,
        driver: u64,
        ids: &[TaskId],
        outcome: Result<Vec<Task>>,
        now: Now,
    ) -> Aftermath {
        let is_current = self.driver_number() == Some(driver);
        let mut aftermath = Aftermath::default();
        for id in ids {
            let current = self.driver_number();
            let Some(entry) = self.entries.get_mut(id) else {
                continue;
            };
            let was_sent = entry.flight == Some(driver);
            if was_sent {
                entry.flight = None;
                entry.waits.iter_mut().for_each(|(_, wait)| wait.polls += 1);
            }
            // News that come by a driver that was dismissed are as new as any other.
            let is_flying = entry.is_flying(current);
            if was_sent || (outcome.is_ok() && !is_flying) {
                entry.set_since(now.instant);
                // If only for an earlier entry of the task.
                entry.asked = true;
            }
        }
        match outcome {
            Ok(tasks) => {
                if is_current {
                    self.window.land(ids.len() > 1, now.instant);
                }
                self.take_tasks(ids, tasks, now, &mut aftermath);
            }
            Err(error) => {
                self.obey(&error, now.instant);
                if !is_current {
                    return aftermath;
                }
                match error.is_outage() || matches!(error, Error::Transport(_)) {
                    true => self.window.land_lost(),
                    false => self.window.land(ids.len() > 1, now.instant),
                }
                self.take_error(ids, error, now.instant, &mut aftermath.woken);
            }
        }
        // One factor for all of them: what went out together comes back together.
        let jitter = fastrand::f64() * self.jitter;
        for id in ids {
            self.reschedule(id, now.instant, jitter);
        }
        aftermath.and(self.relieve(now.instant))
    }

    fn take_tasks(
        &mut self,
        ids: &[TaskId],
        tasks: Vec<Task>,
        now: Now,
        aftermath: &mut Aftermath,
    ) {
        self.failed = 0;
        let is_batch = ids.len() > 1;
        let none = ids.iter().map(|id| (id.as_str(), None));
        let mut reports: HashMap<&str, Option<Task>> = none.collect();
        for task in tasks {
            // Where a task comes twice, an end is the newer of the two.
            if let Some(report) = task.id.as_deref().and_then(|id| reports.get_mut(id))
                && !report
                    .as_ref()
                    .is_some_and(|known| known.state().is_terminal())
            {
                *report = Some(task);
            }
        }
        for id in ids {
            let Some(entry) = self.entries.get_mut(id) else {
                continue;
            };
            match reports.remove(id.as_str()).flatten() {
                Some(task) if is_batch && task.verdict() == Verdict::Refused => {
                    (entry.share, entry.again) = (1, true);
                }
                Some(task) => {
                    entry.share = (2 * entry.share).min(MAX_BATCH as u8);
                    entry.learn_age_from(&task, now);
                    for (_, wait) in &mut entry.waits {
                        wait.failures = 0;
                    }
                    entry.error = None;
                    entry.take_in(task, &mut self.active, &mut aftermath.woken);
                    aftermath.note_word(id, entry.state.as_ref(), &mut self.words);
                    if entry.kept.is_some() {
                        self.keep(id, None, now.instant);
                    }
                }
                None if is_batch => (entry.share, entry.again) = (1, true),
                None => {
                    for (_, wait) in &mut entry.waits {
                        let waker = wait.conclude(End::NotFound, &mut self.active);
                        aftermath.woken.extend(waker);
                    }
                }
            }
        }
    }

    /// A `Retry-After` is for everybody, as long as it leaves a wait some time.
    fn obey(&mut self, error: &Error, now: Instant) {
        let hold = error.retry_after().map(|time| time.min(MAX_HOLD));
        let hold = hold.and_then(|time| after(now, time));
        self.hold = self.hold.max(hold);
    }

    fn take_error(&mut self, ids: &[TaskId], error: Error, now: Instant, woken: &mut Vec<Waker>) {
        if error.api().is_some_and(ApiError::refuses_lookups) {
            let end = End::Lookup(Arc::new(error));
            for entry in self.entries.values_mut() {
                entry.due = None;
                for (_, wait) in &mut entry.waits {
                    woken.extend(wait.conclude(end.clone(), &mut self.active));
                }
            }
            self.queue.clear();
            return;
        }
        self.failed += 1;
        let is_retryable = error.is_retryable();
        // What a batch fails for may be the fault of one id in it. Its halves tell, and nobody's
        // wait ends before; at once, unless it looks as if everything failed.
        let is_split = ids.len() > 1 && !error.is_outage();
        let again = is_split && (!is_retryable || self.failed <= FEW);
        let error = Arc::new(error);
        let end = match &*error {
            Error::NotFound { .. } => End::NotFound,
            _ => End::Lookup(error.clone()),
        };
        for id in ids {
            let Some(entry) = self.entries.get_mut(id) else {
                continue;
            };
            if is_split {
                (entry.share, entry.again) = (ids.len() as u8 / 2, again);
            }
            // What was submitted just now may take a moment to show.
            let is_early = matches!(end, End::NotFound) && entry.is_young(now);
            if again || is_early {
                continue;
            }
            entry.error = Some(error.clone());
            for (_, wait) in &mut entry.waits {
                wait.failures += 1;
                if is_split {
                    wait.failures = wait.failures.min(wait.budget);
                } else if !is_retryable || wait.failures > wait.budget {
                    woken.extend(wait.conclude(end.clone(), &mut self.active));
                }
            }
        }
    }

    /// Sets the time of the next lookup after one.
    pub(super) fn reschedule(&mut self, id: &TaskId, now: Instant, jitter: f64) {
        if let Some(entry) = self.entries.get_mut(id) {
            let age = entry.age(now);
            let again = std::mem::take(&mut entry.again);
            for (_, wait) in &mut entry.waits {
                match again {
                    true => wait.schedule_now(now),
                    false => wait.schedule_after(now, wait.interval(age, jitter), now),
                }
            }
        }
        self.settle(id);
    }
}
