//! What is to be looked up, by time, and which of it leaves together.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use crate::{client::MAX_BATCH, task::TaskId};

/// How far is looked for who has less time than a batch that lets them wait.
const MAX_CROWD: usize = 20 * MAX_BATCH;

/// The ids that are due now or later and are not under way.
#[derive(Default)]
pub(super) struct Queue(BTreeMap<(Instant, u64), Item>);

struct Item {
    id: TaskId,
    /// How long it may wait for company once it is due, in microseconds.
    slack: u32,
    /// With how many it may leave at most.
    share: u8,
}

impl Item {
    /// When it leaves at the latest, where it is due at `time`.
    fn end(&self, time: Instant) -> Instant {
        match self.share {
            // It goes by itself.
            1 => time,
            _ => self.latest(time),
        }
    }

    fn latest(&self, time: Instant) -> Instant {
        let slack = Duration::from_micros(self.slack.into());
        time.checked_add(slack).unwrap_or(time)
    }
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
        share: u8,
    ) {
        let slack = (latest - time).as_micros().try_into().unwrap_or(u32::MAX);
        let item = Item { id, slack, share };
        self.0.insert((time, number), item);
    }

    pub(super) fn remove(&mut self, time: Instant, number: u64) {
        self.0.remove(&(time, number));
    }

    /// How long what is queued may wait for company.
    pub(super) fn latest(&self, time: Instant, number: u64) -> Option<Instant> {
        let item = self.0.get(&(time, number))?;
        Some(item.latest(time))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn first(&self) -> Option<Instant> {
        self.0.keys().next().map(|(time, _)| *time)
    }

    /// What is due waits until its batch is full or a slack in it is used up, but only where
    /// company is on its way. Where enough is under way (`crowded`) it waits for as long as it and
    /// all behind it can, so that few connections do; not so where too much is behind it.
    pub(super) fn departure(&self, now: Instant, crowded: bool) -> Departure {
        let Some(first) = self.first() else {
            return Departure::Never;
        };
        if first > now {
            return Departure::At(first);
        }
        let (mut last, mut latest) = (first, None::<Instant>);
        for ((time, _), item) in self.together() {
            if latest.is_some_and(|latest| *time > latest) {
                break;
            }
            // Company that comes on the way may have less time than who waits for it.
            let end = item.end(*time);
            latest = Some(latest.map_or(end, |latest| end.min(latest)));
            last = *time;
        }
        let latest = latest.filter(|_| crowded);
        let leaves = latest.and_then(|latest| self.all_wait(latest));
        let leaves = leaves.unwrap_or(last);
        match leaves > now {
            true => Departure::At(leaves),
            false => Departure::Now,
        }
    }

    /// Until when all can wait, at most until `end`. `None` where they are too many to be asked.
    fn all_wait(&self, mut end: Instant) -> Option<Instant> {
        for (place, ((time, _), item)) in self.0.iter().enumerate() {
            if *time > end {
                break;
            }
            if place == MAX_CROWD {
                return None;
            }
            end = end.min(item.end(*time));
        }
        Some(end)
    }

    /// The next batch of what is due.
    pub(super) fn take(&mut self, now: Instant) -> Vec<TaskId> {
        let due = self.together().take_while(|((time, _), _)| *time <= now);
        let count = due.count();
        let batch = std::iter::from_fn(|| self.0.pop_first()).take(count);
        batch.map(|(_, item)| item.id).collect()
    }

    /// What may leave together, were all of it due.
    fn together(&self) -> impl Iterator<Item = (&(Instant, u64), &Item)> {
        let mut most = MAX_BATCH;
        self.0.iter().enumerate().map_while(move |(before, entry)| {
            most = most.min(entry.1.share.into());
            (before < most).then_some(entry)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: u8 = MAX_BATCH as u8;

    /// A queue of ids that are due so many milliseconds from now, with so much slack, each in
    /// batches of so many.
    fn queue(now: Instant, items: &[(u64, u64, u8)]) -> Queue {
        let mut queue = Queue::default();
        for (number, (due, slack, share)) in (0..).zip(items) {
            let time = now + Duration::from_millis(*due);
            let id = format!("t{number}").parse().expect("an id");
            let latest = time + Duration::from_millis(*slack);
            queue.insert(time, number, id, latest, *share);
        }
        queue
    }

    #[test]
    fn departures() {
        let now = Instant::now();
        let full = vec![(0, 500, ANY); MAX_BATCH];
        let nearly = [&full[1..], &[(400, 500, ANY), (450, 500, ANY)]].concat();
        let at = |ms| Departure::At(now + Duration::from_millis(ms));
        for (what, items, expected) in [
            ("nothing", vec![], Departure::Never),
            ("nothing due", vec![(70, 9, ANY), (90, 9, ANY)], at(70)),
            (
                "no company",
                vec![(0, 500, ANY), (501, 9, ANY)],
                Departure::Now,
            ),
            ("no slack", vec![(0, 0, ANY), (1, 9, ANY)], Departure::Now),
            (
                "company",
                vec![(0, 500, ANY), (500, 9, ANY), (501, 9, ANY)],
                at(500),
            ),
            (
                "the least slack",
                vec![(0, 500, ANY), (0, 100, ANY), (90, 0, ANY), (200, 0, ANY)],
                at(90),
            ),
            (
                "company in a hurry",
                vec![(0, 500, ANY), (90, 0, ANY), (400, 500, ANY)],
                at(90),
            ),
            ("full", full, Departure::Now),
            ("full soon", nearly, at(400)),
            ("alone", vec![(0, 500, 1), (100, 500, ANY)], Departure::Now),
        ] {
            assert_eq!(queue(now, &items).departure(now, false), expected, "{what}");
        }
    }

    #[test]
    fn departures_where_enough_is_under_way() {
        let now = Instant::now();
        let at = |ms| Departure::At(now + Duration::from_millis(ms));
        let hurry = [vec![(0, 500, ANY); MAX_BATCH], vec![(90, 0, ANY)]].concat();
        for (what, items, expected) in [
            ("nothing", vec![], Departure::Never),
            ("nothing due", vec![(70, 9, ANY)], at(70)),
            ("no company", vec![(0, 500, ANY)], at(500)),
            ("full", vec![(0, 500, ANY); MAX_BATCH], at(500)),
            ("no slack", vec![(0, 0, ANY), (1, 9, ANY)], Departure::Now),
            (
                "the least slack",
                vec![(0, 500, ANY), (90, 10, ANY)],
                at(100),
            ),
            ("alone", vec![(0, 500, 1)], Departure::Now),
            ("a hurry behind", hurry, at(90)),
            ("a crowd", vec![(0, 500, ANY); MAX_CROWD], at(500)),
            (
                "too large a crowd",
                vec![(0, 500, ANY); MAX_CROWD + 1],
                Departure::Now,
            ),
        ] {
            assert_eq!(queue(now, &items).departure(now, true), expected, "{what}");
        }
    }

    #[test]
    fn batches_are_full_in_order_and_of_what_is_due() {
        let now = Instant::now();
        let mut items = vec![(0, 0, ANY); MAX_BATCH + 2];
        items.push((1, 0, ANY));
        let mut queue = queue(now, &items);
        assert_eq!(queue.take(now).len(), MAX_BATCH);
        let rest: Vec<_> = queue.take(now).iter().map(TaskId::to_string).collect();
        assert_eq!(rest, ["t50", "t51"]);
        assert_eq!(queue.take(now), []);
        assert_eq!(
            queue.departure(now, false),
            Departure::At(now + Duration::from_millis(1))
        );
    }

    #[test]
    fn a_batch_is_as_small_as_any_in_it_asks_for() {
        let now = Instant::now();
        let mut items = vec![(0, 0, ANY), (0, 0, 1), (0, 0, 2), (0, 0, ANY), (0, 0, ANY)];
        items.extend([(0, 0, 3); 4]);
        let mut queue = queue(now, &items);
        let sizes: Vec<_> = (0..7).map(|_| queue.take(now).len()).collect();
        assert_eq!(sizes, [1, 1, 2, 3, 2, 0, 0]);
    }
}
