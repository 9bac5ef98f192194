//! Which tasks are to be looked up, by time, and which of them share a request.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::{tasks::MAX_BATCH, util::TaskId};

/// When a task is to be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Instant,
    /// Until when it may wait for others to share a request with.
    pub(super) latest: Instant,
    /// Whether it must not share a request.
    pub(super) alone: bool,
}

impl Due {
    /// What both allow.
    pub(super) fn first(self, other: Self) -> Self {
        Self { at: self.at.min(other.at), latest: self.latest.min(other.latest), ..self }
    }
}

/// The tasks that are due now or later and are not in flight.
#[derive(Default)]
pub(super) struct Queue(BTreeMap<(Instant, TaskId), Due>);

impl Queue {
    pub(super) fn insert(&mut self, due: Due, id: TaskId) {
        self.0.insert((due.at, id), due);
    }

    pub(super) fn remove(&mut self, at: Instant, id: &TaskId) {
        self.0.remove(&(at, id.clone()));
    }

    pub(super) fn first(&self) -> Option<Instant> {
        self.0.keys().next().map(|(at, _)| *at)
    }

    /// The next batch; or when to ask again, unless something is queued before.
    ///
    /// A due task waits for others, but only if they are due before its time is up. With `busy` it
    /// waits as long as it can: a response may make room before, so that few connections are needed.
    pub(super) fn take(
        &mut self,
        now: Instant,
        busy: bool,
    ) -> Result<Vec<TaskId>, Option<Instant>> {
        let Some(first) = self.0.values().next() else {
            return Err(None);
        };
        if first.at > now {
            return Err(Some(first.at));
        }
        let size = if first.alone { 1 } else { MAX_BATCH };
        let alike = self.0.iter().filter(|(_, due)| due.alone == first.alone);
        let (mut batch, mut leaves, mut latest) = (Vec::new(), first.at, first.latest);
        for (key, due) in alike.take(size) {
            if due.at > latest.max(now) {
                break;
            }
            batch.push(key.clone());
            (leaves, latest) = (due.at, latest.min(due.latest));
        }
        let leaves = if busy { latest } else { leaves };
        if leaves > now {
            return Err(Some(leaves));
        }
        for key in &batch {
            self.0.remove(key);
        }
        Ok(batch.into_iter().map(|(_, id)| id).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SHARED: bool = false;
    const ALONE: bool = true;

    /// A queue of tasks that are due so many milliseconds from now and can wait for so many more.
    fn queue(now: Instant, items: &[(u64, u64, bool)]) -> Queue {
        let mut queue = Queue::default();
        for (number, (due, patience, alone)) in items.iter().enumerate() {
            let at = now + Duration::from_millis(*due);
            let latest = at + Duration::from_millis(*patience);
            let id = format!("t{number:02}").parse().expect("an id");
            let alone = *alone;
            queue.insert(Due { at, latest, alone }, id);
        }
        queue
    }

    fn take(items: &[(u64, u64, bool)], busy: bool) -> Result<usize, Option<u128>> {
        let now = Instant::now();
        match queue(now, items).take(now, busy) {
            Ok(batch) => Ok(batch.len()),
            Err(time) => Err(time.map(|time| (time - now).as_millis())),
        }
    }

    #[test]
    fn take_waits_only_for_tasks_that_come_in_time() {
        let full = vec![(0, 500, SHARED); MAX_BATCH];
        let nearly = [&full[1..], &[(400, 500, SHARED), (450, 500, SHARED)]].concat();
        for (case, items, expected) in [
            ("empty", vec![], Err(None)),
            ("nothing due", vec![(70, 9, SHARED), (90, 9, SHARED)], Err(Some(70))),
            ("nobody in time", vec![(0, 500, SHARED), (501, 9, SHARED)], Ok(1)),
            ("no patience", vec![(0, 0, SHARED), (1, 9, SHARED)], Ok(1)),
            ("in time", vec![(0, 500, SHARED), (500, 9, SHARED), (501, 9, SHARED)], Err(Some(500))),
            (
                "the least patience",
                vec![(0, 500, SHARED), (0, 100, SHARED), (90, 0, SHARED), (200, 0, SHARED)],
                Err(Some(90)),
            ),
            ("full", full.clone(), Ok(MAX_BATCH)),
            ("full soon", nearly, Err(Some(400))),
            ("alone", vec![(0, 500, ALONE), (100, 500, SHARED)], Ok(1)),
            ("alone later", vec![(0, 500, SHARED), (0, 0, ALONE), (0, 500, SHARED)], Ok(2)),
        ] {
            assert_eq!(take(&items, false), expected, "{case}");
        }
    }

    #[test]
    fn take_if_busy_waits_as_long_as_it_can() {
        for (case, items, expected) in [
            ("empty", vec![], Err(None)),
            ("nothing due", vec![(70, 9, SHARED)], Err(Some(70))),
            ("one", vec![(0, 500, SHARED)], Err(Some(500))),
            ("full", vec![(0, 500, SHARED); MAX_BATCH], Err(Some(500))),
            ("the least patience", vec![(0, 500, SHARED), (90, 10, SHARED)], Err(Some(100))),
            ("no patience", vec![(0, 0, SHARED), (1, 9, SHARED)], Ok(1)),
        ] {
            assert_eq!(take(&items, true), expected, "{case}");
        }
    }

    #[test]
    fn take_again_gives_the_rest_in_order() {
        let now = Instant::now();
        let mut items = vec![(0, 0, SHARED); MAX_BATCH + 2];
        items.push((1, 0, SHARED));
        let mut queue = queue(now, &items);
        assert_eq!(queue.take(now, false).map(|batch| batch.len()), Ok(MAX_BATCH));
        let rest = queue.take(now, false).expect("a batch");
        assert_eq!(rest.iter().map(TaskId::as_str).collect::<Vec<_>>(), ["t50", "t51"]);
        assert_eq!(queue.take(now, false), Err(Some(now + Duration::from_millis(1))));
    }
}
