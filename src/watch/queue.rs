//! What is to be looked up, by time, and which of it leaves together.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::{client::MAX_BATCH, task::TaskId};

/// The ids that are due now or later and are not under way.
#[derive(Default)]
pub(super) struct Queue(BTreeMap<(Instant, u64), Item>);

struct Item {
    id: TaskId,
    /// How long it may wait for company once it is due.
    latest: Instant,
    alone: bool,
}

/// When the next batch leaves.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// Nothing is queued.
    Never,
    At(Instant),
    Now,
}

impl Queue {
    /// Queues an id; `number` tells it from others that are due at the same instant.
    pub(super) fn insert(
        &mut self,
        time: Instant,
        number: u64,
        id: TaskId,
        latest: Instant,
        alone: bool,
    ) {
        let latest = if alone { time } else { latest };
        let item = Item { id, latest, alone };
        self.0.insert((time, number), item);
    }

    pub(super) fn remove(&mut self, time: Instant, number: u64) {
        self.0.remove(&(time, number));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn first(&self) -> Option<Instant> {
        self.0.keys().next().map(|(time, _)| *time)
    }

    /// What is due waits until its batch is full or a slack in it is used up, but only where
    /// company is on its way. Looks at one batch at most.
    pub(super) fn departure(&self, now: Instant) -> Departure {
        let Some(first) = self.first() else {
            return Departure::Never;
        };
        if first > now {
            return Departure::At(first);
        }
        let (mut last, mut latest) = (first, None);
        for ((time, _), item) in self.0.iter().take(MAX_BATCH) {
            if latest.is_some_and(|latest| *time > latest) {
                break;
            }
            // Company that comes on the way may have less time than who waits for it.
            latest = Some(latest.map_or(item.latest, |latest| item.latest.min(latest)));
            last = *time;
        }
        match last > now {
            true => Departure::At(last),
            false => Departure::Now,
        }
    }

    /// The next batch of what is due.
    pub(super) fn take(&mut self, now: Instant) -> Vec<TaskId> {
        let mut ids = Vec::new();
        while let Some(first) = self.0.first_entry() {
            let alone = first.get().alone;
            if first.key().0 > now || ids.len() == MAX_BATCH || (alone && !ids.is_empty()) {
                break;
            }
            ids.push(first.remove().id);
            if alone {
                break;
            }
        }
        ids
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A queue of ids that are due so many milliseconds from now, with so much slack.
    fn queue(now: Instant, items: &[(u64, u64, bool)]) -> Queue {
        let mut queue = Queue::default();
        for (number, (due, slack, alone)) in (0..).zip(items) {
            let time = now + Duration::from_millis(*due);
            let id = format!("t{number}").parse().expect("an id");
            let latest = time + Duration::from_millis(*slack);
            queue.insert(time, number, id, latest, *alone);
        }
        queue
    }

    #[test]
    fn departures() {
        let now = Instant::now();
        let full = vec![(0, 500, false); MAX_BATCH];
        let nearly = [&full[1..], &[(400, 500, false), (450, 500, false)]].concat();
        let at = |ms| Departure::At(now + Duration::from_millis(ms));
        for (what, items, expected) in [
            ("nothing", vec![], Departure::Never),
            ("nothing due", vec![(70, 9, false), (90, 9, false)], at(70)),
            (
                "no company",
                vec![(0, 500, false), (501, 9, false)],
                Departure::Now,
            ),
            (
                "no slack",
                vec![(0, 0, false), (1, 9, false)],
                Departure::Now,
            ),
            (
                "company",
                vec![(0, 500, false), (500, 9, false), (501, 9, false)],
                at(500),
            ),
            (
                "the least slack",
                vec![
                    (0, 500, false),
                    (0, 100, false),
                    (90, 0, false),
                    (200, 0, false),
                ],
                at(90),
            ),
            (
                "company in a hurry",
                vec![(0, 500, false), (90, 0, false), (400, 500, false)],
                at(90),
            ),
            ("full", full, Departure::Now),
            ("full soon", nearly, at(400)),
            (
                "alone",
                vec![(0, 500, true), (100, 500, false)],
                Departure::Now,
            ),
        ] {
            assert_eq!(queue(now, &items).departure(now), expected, "{what}");
        }
    }

    #[test]
    fn batches_are_full_in_order_and_of_what_is_due() {
        let now = Instant::now();
        let mut items = vec![(0, 0, false); MAX_BATCH + 2];
        items.push((1, 0, false));
        let mut queue = queue(now, &items);
        assert_eq!(queue.take(now).len(), MAX_BATCH);
        let rest: Vec<_> = queue.take(now).iter().map(TaskId::to_string).collect();
        assert_eq!(rest, ["t50", "t51"]);
        assert_eq!(queue.take(now), []);
        assert_eq!(
            queue.departure(now),
            Departure::At(now + Duration::from_millis(1))
        );
    }

    #[test]
    fn what_goes_alone_splits_a_batch() {
        let now = Instant::now();
        let mut queue = queue(
            now,
            &[(0, 0, false), (0, 0, true), (0, 0, false), (0, 0, false)],
        );
        let sizes: Vec<_> = (0..4).map(|_| queue.take(now).len()).collect();
        assert_eq!(sizes, [1, 1, 2, 0]);
    }
}
