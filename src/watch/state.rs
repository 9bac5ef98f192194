//! What the poller knows and decides. No I/O, no clock of its own, no randomness but the jitter.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    task::{Poll, Waker},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use crate::{
    client::MAX_BATCH,
    error::{Error, Result},
    pace::Pace,
    task::{Task, TaskId, Verdict},
};

/// How many lookups are under way at once.
pub(crate) const MAX_IN_FLIGHT: usize = 4;
/// By how much intervals are stretched at most, at random.
const JITTER: f64 = 0.1;
/// How long what is due waits for company: this part of its interval, but never longer than that.
const SLACK: (u32, Duration) = (10, Duration::from_secs(1));
/// The same for a first lookup, which somebody may be watching for.
const FIRST_SLACK: Duration = Duration::from_millis(5);
/// How many reports are kept of tasks that nobody waits for yet.
const MAX_EARLY: usize = 1024;

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
    /// How long ago the task was submitted, where that is known.
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
pub(crate) struct WaitKey(u64);

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

/// What to do now, and when to ask again; `None` where only an event changes anything.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) batches: Vec<Arc<[TaskId]>>,
    pub(crate) next: Option<Instant>,
}

pub(crate) struct State {
    entries: HashMap<TaskId, Entry>,
    /// What is to be looked up and is not under way, by time; the number makes keys unique.
    due: BTreeMap<(Instant, u64), TaskId>,
    in_flight: usize,
    /// Waits that have not ended.
    active: usize,
    /// When the driver looks again by itself.
    planned: Option<Instant>,
    /// Nothing goes out before, by the service's wish.
    hold: Option<Instant>,
    /// The driver that runs, by its number.
    driver: Option<u64>,
    count: u64,
    early: VecDeque<(TaskId, Arc<Task>)>,
    pub(crate) jitter: f64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            due: BTreeMap::new(),
            in_flight: 0,
            planned: None,
            active: 0,
            hold: None,
            driver: None,
            count: 0,
            early: VecDeque::new(),
            jitter: JITTER,
        }
    }
}

/// A task that is waited for.
struct Entry {
    number: u64,
    waits: Vec<Record>,
    /// Its key in `due`.
    due: Option<Instant>,
    /// How long it may wait for company once it is due.
    slack: Duration,
    flying: bool,
    /// Was missing from a batch, or its batch was refused: it is looked up by itself.
    alone: bool,
    born: Option<Instant>,
    looked_up: Option<Instant>,
    last: Option<Arc<Task>>,
    failures: u32,
    /// Whether an unknown state was logged.
    logged: bool,
}

/// A wait.
struct Record {
    key: WaitKey,
    pace: Pace,
    edge: Option<Instant>,
    budget: u32,
    wants_updates: bool,
    due: Option<Instant>,
    polls: u32,
    /// Whether the last report was not told yet.
    news: bool,
    end: Option<End>,
    waker: Option<Waker>,
}

impl Record {
    /// Sets the time of the next lookup: at `time`, or at the edge where that comes first.
    fn schedule(&mut self, time: Instant, now: Instant) {
        self.due = match self.edge {
            _ if self.end.is_some() => None,
            Some(edge) if time >= edge => (edge > now).then_some(edge),
            _ => Some(time),
        };
    }

    fn conclude(&mut self, end: End, active: &mut usize) -> Option<Waker> {
        if self.end.is_none() {
            *active -= 1;
            self.end = Some(end);
        }
        self.due = None;
        self.waker.take()
    }
}

impl Entry {
    fn age(&self, now: Instant) -> Duration {
        self.born
            .map_or(Duration::ZERO, |born| now.saturating_duration_since(born))
    }

    /// What the task itself says decides for every wait on it.
    fn take_in(&mut self, task: Arc<Task>, now: Now, active: &mut usize, woken: &mut Vec<Waker>) {
        self.failures = 0;
        self.alone = false;
        if self.born.is_none() {
            let created = task.created_at.as_ref().and_then(|at| at.to_system_time());
            let age = created.and_then(|at| now.wall.duration_since(at).ok());
            self.born = now.instant.checked_sub(age.unwrap_or_default());
        }
        let is_end = match task.verdict() {
            Verdict::Completed | Verdict::Failed(_) => true,
            Verdict::Unknown(word) => {
                if !std::mem::replace(&mut self.logged, true) {
                    tracing::warn!(task = %task.id.as_deref().unwrap_or("?"), word,
                        "unknown state, waiting on");
                }
                false
            }
            _ => false,
        };
        self.last = Some(task.clone());
        for wait in &mut self.waits {
            wait.news = wait.wants_updates;
            if is_end {
                woken.extend(wait.conclude(End::Task(task.clone()), active));
            } else if wait.wants_updates {
                woken.extend(wait.waker.take());
            }
        }
    }
}

impl State {
    /// Adds a wait. Tells whether the driver has to look sooner than it planned.
    pub(crate) fn join(&mut self, joining: Joining, now: Now) -> (WaitKey, bool) {
        self.count += 1;
        let key = WaitKey(self.count);
        let entry = self
            .entries
            .entry(joining.id.clone())
            .or_insert_with(|| Entry {
                number: key.0,
                waits: Vec::new(),
                due: None,
                slack: Duration::ZERO,
                flying: false,
                alone: false,
                born: None,
                looked_up: None,
                last: None,
                failures: 0,
                logged: false,
            });
        if let (None, Some(age)) = (entry.born, joining.age) {
            entry.born = now.instant.checked_sub(age);
        }
        let interval = jittered(joining.pace.interval(entry.age(now.instant)), self.jitter);
        let known_end = entry
            .last
            .as_ref()
            .filter(|task| task.state().is_terminal());
        let mut record = Record {
            key,
            pace: joining.pace,
            edge: joining.edge,
            budget: joining.budget,
            wants_updates: joining.wants_updates,
            due: None,
            polls: 0,
            news: joining.wants_updates && entry.last.is_some(),
            end: known_end.map(|task| End::Task(task.clone())),
            waker: None,
        };
        self.active += usize::from(record.end.is_none());
        if !entry.flying {
            let first = match entry.looked_up {
                Some(time) => (time + interval).max(now.instant),
                None if joining.eager => now.instant,
                None => now.instant + interval,
            };
            record.schedule(first, now.instant);
        }
        let slack = match joining.eager {
            true => FIRST_SLACK,
            false => slack(interval),
        };
        entry.waits.push(record);
        let number = self.early.iter().position(|(id, _)| *id == joining.id);
        if let Some((_, task)) = number.and_then(|number| self.early.remove(number)) {
            entry.take_in(task, now, &mut self.active, &mut Vec::new());
        }
        self.settle(&joining.id, Some(slack));
        let due = self.entries.get(&joining.id).and_then(|entry| entry.due);
        let is_next = due.is_some_and(|due| self.planned.is_none_or(|planned| due < planned));
        (key, is_next)
    }

    /// Takes a wait out; the task with it, where it was the last.
    pub(crate) fn leave(&mut self, id: &TaskId, key: WaitKey) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        if let Some(at) = entry.waits.iter().position(|wait| wait.key == key) {
            let wait = entry.waits.swap_remove(at);
            self.active -= usize::from(wait.end.is_none());
        }
        self.settle(id, None);
        if self.entries.get(id).is_some_and(|e| e.waits.is_empty()) {
            self.entries.remove(id);
        }
    }

    /// Brings `due` in line with the waits of an entry.
    fn settle(&mut self, id: &TaskId, slack: Option<Duration>) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        if let Some(time) = entry.due.take() {
            self.due.remove(&(time, entry.number));
        }
        if entry.flying {
            return;
        }
        let Some(first) = entry
            .waits
            .iter()
            .filter(|wait| wait.due.is_some())
            .min_by_key(|wait| wait.due)
        else {
            return;
        };
        // The last lookup before a deadline waits for nobody.
        let is_edge = first.due == first.edge;
        entry.slack = match is_edge {
            true => Duration::ZERO,
            false => slack.unwrap_or(entry.slack),
        };
        entry.due = first.due;
        if let Some(time) = entry.due {
            self.due.insert((time, entry.number), id.clone());
        }
    }

    /// What goes out now.
    pub(crate) fn plan(&mut self, now: Instant) -> Plan {
        let plan = self.next_plan(now);
        self.planned = plan.next;
        plan
    }

    fn next_plan(&mut self, now: Instant) -> Plan {
        let mut plan = Plan::default();
        if let Some(hold) = self.hold.filter(|hold| *hold > now) {
            plan.next = (!self.due.is_empty()).then_some(hold);
            return plan;
        }
        self.hold = None;
        while self.in_flight < MAX_IN_FLIGHT {
            match self.wait_for_company(now) {
                Gathering::Nothing => break,
                Gathering::Until(time) => {
                    plan.next = Some(time);
                    break;
                }
                Gathering::Done => plan.batches.push(self.take_batch(now)),
            }
            self.in_flight += 1;
        }
        plan
    }

    fn wait_for_company(&self, now: Instant) -> Gathering {
        let mut flush = None;
        let mut ready = 0;
        for ((time, _), id) in &self.due {
            if *time > now || ready == MAX_BATCH {
                break;
            }
            ready += 1;
            let entry = self.entries.get(id);
            let slack = entry.map_or(Duration::ZERO, |entry| match entry.alone {
                true => Duration::ZERO,
                false => entry.slack,
            });
            let latest = *time + slack;
            flush = Some(flush.map_or(latest, |flush: Instant| flush.min(latest)));
        }
        let Some(flush) = flush else {
            return match self.due.keys().next() {
                Some((time, _)) => Gathering::Until(*time),
                None => Gathering::Nothing,
            };
        };
        if ready == MAX_BATCH || flush <= now {
            return Gathering::Done;
        }
        // Company until then: wait for the one that fills the batch, or for the last.
        let company = self.due.keys().skip(ready).take(MAX_BATCH - ready);
        match company.take_while(|(time, _)| *time <= flush).last() {
            Some((time, _)) => Gathering::Until(*time),
            None => Gathering::Done,
        }
    }

    fn take_batch(&mut self, now: Instant) -> Arc<[TaskId]> {
        let mut ids = Vec::new();
        while let Some(first) = self.due.first_entry() {
            if first.key().0 > now || ids.len() == MAX_BATCH {
                break;
            }
            let alone = self.entries.get(first.get()).is_some_and(|e| e.alone);
            if alone && !ids.is_empty() {
                break;
            }
            let id = first.remove();
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.due = None;
                entry.flying = true;
                entry.waits.iter_mut().for_each(|wait| wait.due = None);
            }
            ids.push(id);
            if alone {
                break;
            }
        }
        ids.into()
    }

    /// Takes in what a lookup brought. Returns whom to wake, once the lock is released.
    pub(crate) fn land(
        &mut self,
        ids: &[TaskId],
        outcome: Result<Vec<Task>>,
        now: Now,
    ) -> Vec<Waker> {
        self.in_flight = self.in_flight.saturating_sub(1);
        let mut woken = Vec::new();
        for id in ids {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.flying = false;
                entry.looked_up = Some(now.instant);
                entry.waits.iter_mut().for_each(|wait| wait.polls += 1);
            }
        }
        match outcome {
            Ok(tasks) => self.take_tasks(ids, tasks, now, &mut woken),
            Err(error) => self.take_error(ids, error, now.instant, &mut woken),
        }
        // One factor for all of them: what went out together comes back together.
        let jitter = fastrand::f64() * self.jitter;
        for id in ids {
            self.reschedule(id, now.instant, jitter);
        }
        woken
    }

    fn take_tasks(&mut self, ids: &[TaskId], tasks: Vec<Task>, now: Now, woken: &mut Vec<Waker>) {
        let mut tasks: HashMap<String, Task> = tasks
            .into_iter()
            .filter_map(|task| Some((task.id.clone()?, task)))
            .collect();
        for id in ids {
            let Some(entry) = self.entries.get_mut(id) else {
                continue;
            };
            match tasks.remove(id.as_str()) {
                Some(task) if task.verdict() == Verdict::Refused => entry.alone = true,
                Some(task) => entry.take_in(Arc::new(task), now, &mut self.active, woken),
                None if ids.len() > 1 => entry.alone = true,
                None => {
                    for wait in &mut entry.waits {
                        woken.extend(wait.conclude(End::NotFound, &mut self.active));
                    }
                }
            }
        }
    }

    fn take_error(&mut self, ids: &[TaskId], error: Error, now: Instant, woken: &mut Vec<Waker>) {
        if let Some(after) = error.retry_after() {
            let hold = now + after;
            self.hold = Some(self.hold.map_or(hold, |held| held.max(hold)));
        }
        if error.api().is_some_and(|error| error.is_account()) {
            let end = End::Lookup(Arc::new(error));
            for entry in self.entries.values_mut() {
                for wait in &mut entry.waits {
                    woken.extend(wait.conclude(end.clone(), &mut self.active));
                }
            }
            self.entries.values_mut().for_each(|entry| entry.due = None);
            self.due.clear();
            return;
        }
        let is_transient = error.is_retryable();
        let end = match &error {
            Error::NotFound { .. } => End::NotFound,
            _ => End::Lookup(Arc::new(error)),
        };
        for id in ids {
            let Some(entry) = self.entries.get_mut(id) else {
                continue;
            };
            entry.failures += u32::from(is_transient);
            // One bad id must not end the waits on the others.
            entry.alone |= !is_transient && ids.len() > 1;
            let failures = entry.failures;
            for wait in &mut entry.waits {
                let is_over = match is_transient {
                    true => failures > wait.budget,
                    false => ids.len() == 1,
                };
                if is_over {
                    woken.extend(wait.conclude(end.clone(), &mut self.active));
                }
            }
        }
    }

    /// Sets the times of the next lookup after one.
    fn reschedule(&mut self, id: &TaskId, now: Instant, jitter: f64) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        let (age, alone) = (entry.age(now), entry.alone && entry.failures == 0);
        let mut shortest = Duration::MAX;
        for wait in &mut entry.waits {
            let interval = wait.pace.interval(age).mul_f64(1.0 + jitter);
            shortest = shortest.min(interval);
            wait.schedule(if alone { now } else { now + interval }, now);
        }
        self.settle(id, Some(slack(shortest)));
    }

    /// Takes in a report that came by another way than a lookup. One of a task that has ended is
    /// kept for a wait that comes later.
    pub(crate) fn notify(&mut self, task: Task, now: Now) -> Vec<Waker> {
        let mut woken = Vec::new();
        let Some(Ok(id)) = task.id.as_deref().map(str::parse::<TaskId>) else {
            return woken;
        };
        let task = Arc::new(task);
        match self.entries.get_mut(&id) {
            Some(entry) => {
                entry.take_in(task, now, &mut self.active, &mut woken);
                self.settle(&id, None);
            }
            None if task.state().is_terminal() => {
                self.early.retain(|(known, _)| *known != id);
                if self.early.len() == MAX_EARLY {
                    self.early.pop_front();
                }
                self.early.push_back((id, task));
            }
            None => {}
        }
        woken
    }

    /// What a wait has not been told yet.
    pub(crate) fn poll(&mut self, id: &TaskId, key: WaitKey, waker: &Waker) -> Poll<Report> {
        let Some(entry) = self.entries.get_mut(id) else {
            return Poll::Pending;
        };
        let Some(wait) = entry.waits.iter_mut().find(|wait| wait.key == key) else {
            return Poll::Pending;
        };
        if let (true, Some(task)) = (std::mem::take(&mut wait.news), &entry.last) {
            return Poll::Ready(Report::Update(task.clone()));
        }
        if let Some(end) = &wait.end {
            return Poll::Ready(Report::End(end.clone()));
        }
        match &mut wait.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        Poll::Pending
    }

    /// The last report, and how often the task was looked up for this wait.
    pub(crate) fn known(&self, id: &TaskId, key: WaitKey) -> (Option<Arc<Task>>, u32) {
        let entry = self.entries.get(id);
        let wait = entry.and_then(|entry| entry.waits.iter().find(|wait| wait.key == key));
        (
            entry.and_then(|entry| entry.last.clone()),
            wait.map_or(0, |wait| wait.polls),
        )
    }

    /// Whether any wait has not ended.
    pub(crate) fn has_waits(&self) -> bool {
        self.active > 0
    }

    /// The number of a new driver, where one is needed and none runs.
    pub(crate) fn hire(&mut self) -> Option<u64> {
        if self.driver.is_some() || !self.has_waits() {
            return None;
        }
        self.count += 1;
        self.driver = Some(self.count);
        self.driver
    }

    /// The driver stops because there is nothing to do.
    pub(crate) fn retire(&mut self) {
        self.driver = None;
        self.in_flight = 0;
        self.planned = None;
        self.entries.values_mut().for_each(|e| e.flying = false);
    }

    /// The driver is gone, with what was under way, while waits are left. Returns whom to wake, so
    /// that one of them starts another.
    pub(crate) fn abandon(&mut self, driver: u64, now: Instant) -> Vec<Waker> {
        if self.driver != Some(driver) {
            return Vec::new();
        }
        let mut woken = Vec::new();
        let mut flying = Vec::new();
        for (id, entry) in &mut self.entries {
            woken.extend(entry.waits.iter_mut().filter_map(|wait| wait.waker.take()));
            if entry.flying {
                let again = |wait: &mut Record| wait.schedule(now, now);
                entry.waits.iter_mut().for_each(again);
                flying.push(id.clone());
            }
        }
        self.retire();
        flying.iter().for_each(|id| self.settle(id, None));
        woken
    }
}

enum Gathering {
    /// Nothing is due, ever.
    Nothing,
    Until(Instant),
    Done,
}

fn slack(interval: Duration) -> Duration {
    (interval / SLACK.0).min(SLACK.1)
}

fn jittered(interval: Duration, jitter: f64) -> Duration {
    interval.mul_f64(1.0 + fastrand::f64() * jitter)
}
