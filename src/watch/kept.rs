//! Tasks that have no waits, kept for one that is dropped and begun again, and for a callback that
//! comes before the wait.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::state::State;
use crate::{
    task::{Task, TaskId},
    wire::TaskResponse,
};

/// How many reports are kept, and for how long.
pub(crate) const MAX_KEPT: usize = 1024;
pub(super) const KEPT_FOR: Duration = Duration::from_secs(15 * 60);
/// The largest report that is kept, as JSON in bytes: one has about one KiB.
const MAX_REPORT: usize = 8 << 10;

/// Where a task is kept: until when, and its number.
pub(super) type Place = (Instant, u64);

#[derive(Default)]
pub(super) struct Kept {
    /// With a report: so many at most, because anybody may send callbacks.
    reports: BTreeMap<Place, TaskId>,
    /// Without one, until it may be looked up again: as many as there are, or else waits that are
    /// begun anew would undercut their pace.
    stamps: BTreeMap<Place, TaskId>,
}

impl Kept {
    /// Keeps a task. Returns the report that has to go for it.
    pub(super) fn insert(&mut self, place: Place, id: TaskId, is_report: bool) -> Option<TaskId> {
        if !is_report {
            self.stamps.insert(place, id);
            return None;
        }
        self.reports.insert(place, id);
        let (_, id) = (self.reports.len() > MAX_KEPT).then(|| self.reports.pop_first())??;
        Some(id)
    }

    pub(super) fn remove(&mut self, place: Place) {
        if self.reports.remove(&place).is_none() {
            self.stamps.remove(&place);
        }
    }

    /// The next task whose time is over.
    pub(super) fn pop_old(&mut self, now: Instant) -> Option<TaskId> {
        let old = |map: &mut BTreeMap<Place, TaskId>| {
            let first = map.first_entry()?;
            (first.key().0 <= now).then(|| first.remove())
        };
        old(&mut self.reports).or_else(|| old(&mut self.stamps))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.reports.len() + self.stamps.len()
    }
}

impl State {
    /// Keeps a task that has no waits and is not to be looked up before it is due.
    pub(super) fn keep(&mut self, id: &TaskId, due: Option<Instant>, now: Instant) {
        self.settle(id);
        let driver = self.driver_number();
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        entry.waits = slab::Slab::new();
        let is_report = entry.last.is_some();
        // What is under way has to find it.
        let is_flying = entry.is_flying(driver);
        let until = match due {
            Some(due) if !is_report && !is_flying => due,
            _ => now.checked_add(KEPT_FOR).unwrap_or(now),
        };
        let place = (until, entry.number);
        if let Some(old) = entry.kept.replace(until) {
            self.kept.remove((old, entry.number));
        }
        if let Some(id) = self.kept.insert(place, id.clone(), is_report) {
            self.forget(&id, now, true);
        }
    }

    pub(super) fn forget_old(&mut self, now: Instant) {
        while let Some(id) = self.kept.pop_old(now) {
            self.forget(&id, now, false);
        }
    }

    /// Forgets a task that was kept; before its time only what it reported, not the lookup.
    fn forget(&mut self, id: &TaskId, now: Instant, is_early: bool) {
        let driver = self.driver_number();
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        (entry.kept, entry.last, entry.state) = (None, None, None);
        let is_flying = entry.is_flying(driver);
        match is_flying || (is_early && entry.asked) {
            true => self.keep(id, None, now),
            false => drop(self.entries.remove(id)),
        }
    }
}

/// An end as it is kept, without what nobody knows; `None` where it is too large.
pub(super) fn lean(mut task: Task) -> Option<Task> {
    task.request = None;
    task.extra.clear();
    if let Some(TaskResponse::Result(result)) = &mut task.response {
        result.extra.clear();
    }
    let size = serde_json::to_vec(&task).ok()?.len();
    (size <= MAX_REPORT && task.state().is_terminal()).then_some(task)
}
