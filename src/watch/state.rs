//! What the poller knows and decides. No I/O, no clock of its own, no randomness but the jitter.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    task::{Poll, Waker},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{
    aftermath::Aftermath,
    census::{Census, Site},
    driver::Driver,
    entry::{Entry, Record},
    kept::{Kept, lean},
    queue::{Departure, Queue},
    window::Window,
};
use crate::{
    error::Error,
    pace::{Pace, after},
    task::{Task, TaskId, TaskState},
};

/// How many lookups are under way as long as what is due has time left: each may need a connection.
pub(crate) const FEW_IN_FLIGHT: usize = 2;
/// By how much intervals are stretched at most, at random.
const JITTER: f64 = 0.1;
/// The time, twice: by the runtime's clock, which a test can pause, and by the wall's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) wall: SystemTime,
}

impl Now {
    pub(crate) fn read() -> Self {
        Self {
            instant: Instant::now(),
            wall: SystemTime::now(),
        }
    }
}

/// A wait that joins the set.
#[derive(Clone, Debug)]
pub(crate) struct Joining {
    pub(crate) id: TaskId,
    pub(crate) pace: Pace,
    /// How long ago the task was submitted; where that is not known, a lookup at once tells.
    pub(crate) age: Option<Duration>,
    /// When the last lookup goes out; there is none later.
    pub(crate) edge: Option<Instant>,
    /// How many lookups may fail in a row.
    pub(crate) budget: u32,
    /// Whether reports that are not the end are of interest.
    pub(crate) wants_updates: bool,
    /// Whether the first report is wanted at once, whatever the pace.
    pub(crate) eager: bool,
}

/// Names a wait among those on the same task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaitKey(usize);

/// What a wait is told.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    Update(Arc<Task>),
    End(End),
}

/// How a wait ends, unless by its deadline.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// The task is completed or has failed.
    Task(Arc<Task>),
    NotFound,
    /// Lookups fail for good, or failed too often.
    Lookup(Arc<Error>),
}

/// What a wait can say of its task where it does not end by itself.
pub(crate) struct Known {
    /// The last state.
    pub(crate) state: Option<TaskState>,
    /// Why the last lookup failed, if it did.
    pub(crate) error: Option<Arc<Error>>,
    /// How often the task was looked up for this wait.
    pub(crate) polls: u32,
}

/// What to do now, and when to ask again; `None` where only an event changes anything.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) batches: Vec<Arc<[TaskId]>>,
    pub(crate) next: Option<Instant>,
}

pub(crate) struct State {
    pub(super) entries: HashMap<TaskId, Box<Entry>>,
    pub(super) queue: Queue,
    pub(super) kept: Kept,
    /// Lookups of the driver.
    pub(super) window: Window,
    /// Lookups that failed since one succeeded.
    pub(super) failed: u32,
    /// States that nobody knows.
    pub(super) words: BTreeSet<String>,
    pub(super) active: Census,
    /// When the driver looks again by itself.
    pub(super) planned: Option<Instant>,
    /// Nothing goes out before, by the service's wish.
    pub(super) hold: Option<Instant>,
    pub(super) driver: Option<Driver>,
    pub(super) count: u64,
    pub(crate) jitter: f64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            queue: Queue::default(),
            kept: Kept::default(),
            window: Window::default(),
            failed: 0,
            words: BTreeSet::new(),
            active: Census::default(),
            planned: None,
            hold: None,
            driver: None,
            count: 0,
            jitter: JITTER,
        }
    }
}

impl State {
    /// Adds a wait. The bell is for a driver that has to look sooner than it planned.
    pub(crate) fn join(&mut self, joining: Joining, now: Now) -> (WaitKey, Aftermath) {
        let now = now.instant;
        self.forget_old(now);
        self.count += 1;
        let (number, driver) = (self.count, self.driver_number());
        let entry = self
            .entries
            .entry(joining.id.clone())
            .or_insert_with(|| Box::new(Entry::new(number, now)));
        let kept = entry.kept.take();
        if let Some(until) = kept {
            self.kept.remove((until, entry.number));
        }
        entry.learn_age(joining.age, now);
        let Joining { pace, edge, .. } = joining;
        // Waits that come and go, each with a last lookup of its own, must not undercut the pace.
        let edge = edge.filter(|edge| {
            let is_renewed = kept.is_some() && entry.asked;
            let due = || after(entry.since(), pace.next(entry.age(entry.since()), 0.0));
            !is_renewed || due().is_some_and(|due| due <= *edge)
        });
        let mut wait = Record::new(pace, edge, joining.budget, joining.wants_updates);
        wait.end = entry.end();
        if wait.end.is_none() {
            self.active.add(wait.site);
        }
        let is_flying = entry.is_flying(driver);
        let at_once = match entry.asked {
            false => joining.eager || !entry.knows_age(),
            // Nobody kept the last report. Not so where waits come and go: that is no new reason.
            true => joining.eager && entry.last.is_none() && kept.is_none(),
        };
        match (is_flying, at_once) {
            (true, _) => {}
            (false, true) => wait.schedule_now(now),
            (false, false) => {
                // The first lookup has its time from the submit on, however late the wait begins.
                let (since, age) = match (entry.asked, entry.birth()) {
                    (false, Some(birth)) => (birth, Duration::ZERO),
                    _ => (entry.since(), entry.age(entry.since())),
                };
                let jitter = fastrand::f64() * self.jitter;
                let interval = wait.pace.next(age, jitter);
                wait.schedule_after(since, interval, now);
            }
        }
        // An old report is no news where a new one is about to come.
        let is_fresh = wait.end.is_some() || wait.due.is_some_and(|due| due > now);
        wait.news = wait.wants_updates && entry.last.is_some() && is_fresh;
        let (due, latest) = (wait.due, wait.latest());
        let key = WaitKey(entry.waits.insert(wait));
        let queued = entry.queued(&self.queue);
        let is_sooner = queued.is_none_or(|(time, last)| due < Some(time) || latest < last);
        if due.is_some() && is_sooner {
            self.settle(&joining.id);
        }
        let is_next = due.is_some_and(|due| self.planned.is_none_or(|planned| due < planned));
        let driver = self.driver.as_ref().filter(|_| is_next);
        let aftermath = Aftermath {
            bell: driver.map(|driver| driver.bell.clone()),
            ..Aftermath::default()
        };
        (key, aftermath)
    }

    /// Takes a wait out.
    pub(crate) fn leave(&mut self, id: &TaskId, key: WaitKey, now: Instant) -> Aftermath {
        self.forget_old(now);
        let driver = self.driver_number();
        let Some(entry) = self.entries.get_mut(id) else {
            return Aftermath::default();
        };
        let Some(wait) = entry.waits.try_remove(key.0) else {
            return Aftermath::default();
        };
        if wait.end.is_none() {
            self.active.remove(wait.site);
        }
        let queued = entry.queued(&self.queue);
        let was_first =
            queued.is_some_and(|(time, last)| wait.due == Some(time) || wait.latest() == last);
        let is_flying = entry.is_flying(driver);
        if !entry.waits.is_empty() {
            if was_first {
                self.settle(id);
            }
        } else if wait.told && !is_flying {
            self.settle(id);
            self.entries.remove(id);
        } else {
            if wait.told {
                (entry.last, entry.state) = (None, None);
            }
            self.keep(id, wait.due, now);
        }
        Aftermath {
            dropped: Some(wait),
            ..self.relieve(now)
        }
    }

    /// Brings the queue in line with the waits of a task.
    pub(super) fn settle(&mut self, id: &TaskId) {
        let driver = self.driver_number();
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        if let Some(time) = entry.due.take() {
            self.queue.remove(time, entry.number);
        }
        if entry.is_flying(driver) {
            return;
        }
        if let Some((time, latest)) = entry.first() {
            entry.due = Some(time);
            self.queue
                .insert(time, entry.number, id.clone(), latest, entry.share);
        }
    }

    /// What goes out now; `None` where the driver has nothing to do any more.
    pub(crate) fn plan(&mut self, driver: u64, now: Instant) -> Option<Plan> {
        if self.driver_number() != Some(driver) {
            return None;
        }
        let mut plan = Plan::default();
        self.hold = self.hold.filter(|hold| *hold > now);
        if let Some(hold) = self.hold {
            plan.next = self.queue.first().map(|first| first.max(hold));
        } else {
            self.window.relax(now);
            while self.window.has_room() {
                let crowded = self.window.under_way() >= FEW_IN_FLIGHT;
                match self.queue.departure(now, crowded) {
                    Departure::Never => break,
                    Departure::At(time) => {
                        plan.next = Some(time);
                        break;
                    }
                    Departure::Now => plan.batches.push(self.send(driver, now)),
                }
            }
            let first = self.queue.first().filter(|_| !self.window.has_room());
            let is_due = first.is_some_and(|first| first <= now);
            let room = self.window.set_short(is_due, now);
            plan.next = plan.next.or(room).or(first);
        }
        self.planned = plan.next;
        Some(plan)
    }

    fn send(&mut self, driver: u64, now: Instant) -> Arc<[TaskId]> {
        self.window.send();
        let ids = self.queue.take(now);
        for id in &ids {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.due = None;
                entry.flight = Some(driver);
                entry.asked = true;
                entry.set_since(now);
                entry.waits.iter_mut().for_each(|(_, wait)| wait.due = None);
            }
        }
        ids.into()
    }

    /// Takes in a report that came by another way than a lookup.
    pub(crate) fn notify(&mut self, task: Task, now: Now) -> Aftermath {
        let mut aftermath = Aftermath::default();
        let Some(Ok(id)) = task.id.as_deref().map(str::parse::<TaskId>) else {
            return aftermath;
        };
        self.forget_old(now.instant);
        let entry = self.entries.get_mut(&id);
        if let Some(entry) = entry.filter(|entry| entry.kept.is_none()) {
            entry.take_in(task, &mut self.active, &mut aftermath.woken);
            aftermath.note_word(&id, entry.state.as_ref(), &mut self.words);
            self.settle(&id);
        } else if let Some(task) = lean(task) {
            self.count += 1;
            let new = || Box::new(Entry::new(self.count, now.instant));
            let entry = self.entries.entry(id.clone()).or_insert_with(new);
            entry.take_in(task, &mut self.active, &mut aftermath.woken);
            self.keep(&id, None, now.instant);
        }
        aftermath.and(self.relieve(now.instant))
    }

    /// What a wait has not been told yet. The waker that was there before is to be dropped once the
    /// lock is released.
    pub(crate) fn poll(
        &mut self,
        id: &TaskId,
        key: WaitKey,
        site: Site,
        waker: &Waker,
    ) -> (Poll<Report>, Option<Waker>) {
        let Some(entry) = self.entries.get_mut(id) else {
            return (Poll::Pending, None);
        };
        let Some(wait) = entry.waits.get_mut(key.0) else {
            return (Poll::Pending, None);
        };
        if let (true, Some(task)) = (std::mem::take(&mut wait.news), &entry.last) {
            return (Poll::Ready(Report::Update(task.clone())), None);
        }
        if let Some(end) = &wait.end {
            wait.told = true;
            return (Poll::Ready(Report::End(end.clone())), None);
        }
        if wait.site != site {
            self.active.remove(wait.site);
            self.active.add(site);
            wait.site = site;
        }
        let old = match &wait.waker {
            Some(known) if known.will_wake(waker) => None,
            _ => wait.waker.replace(waker.clone()),
        };
        (Poll::Pending, old)
    }

    /// What is known of the task of a wait.
    pub(crate) fn known(&self, id: &TaskId, key: WaitKey) -> Known {
        let entry = self.entries.get(id);
        let wait = entry.and_then(|entry| entry.waits.get(key.0));
        Known {
            state: entry.and_then(|entry| entry.state.clone()),
            error: entry.and_then(|entry| entry.error.clone()),
            polls: wait.map_or(0, |wait| wait.polls),
        }
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.entries.len(), self.kept.len(), self.active.count())
    }
}
