//! The poller's state against a simpler model of it, over random histories.
//!
//! The model knows for each wait what must have ended it, and for each id the last time that
//! something was done about it. From that follow the bounds that every lookup must keep: neither
//! too early (pace) nor too late (liveness), nor about an id that nobody waits for.

mod checks;
mod steps;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;
use serde_json::json;
use tokio::{runtime::Builder, time::Instant};

use self::steps::{Answer, Join, Step, step};
use super::{
    aftermath::Aftermath,
    census::Site,
    driver::Driver,
    state::{Joining, Now, State, WaitKey},
    window::MAX_IN_FLIGHT,
};
use crate::{
    Pace, Task, TaskId,
    error::{ApiError, Error},
    lookup::MAX_BATCH,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Task,
    NotFound,
    Lookup,
}

#[derive(Debug)]
struct Wait {
    id: TaskId,
    key: WaitKey,
    site: u8,
    joined: u64,
    interval: u64,
    edge: Option<u64>,
    budget: u32,
    failures: u32,
    at_once: bool,
    expected: Option<Ending>,
}

/// What the model knows of an id.
#[derive(Debug)]
struct Known {
    /// The last lookup was sent or landed then.
    last: Option<u64>,
    /// By the number of the driver.
    flight: Option<u64>,
    /// With how many it may be looked up, and whether at once.
    share: usize,
    again: bool,
    ended: bool,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            last: None,
            flight: None,
            share: MAX_BATCH,
            again: false,
            ended: false,
        }
    }
}

impl Wait {
    /// The time to its next lookup.
    fn pause(&self) -> u64 {
        let doublings = self.failures.saturating_sub(1);
        (self.interval << doublings).min(self.interval.max(60_000))
    }
}

struct Flight {
    driver: u64,
    ids: Arc<[TaskId]>,
}

struct Model {
    state: State,
    sites: [Site; 2],
    begin: Instant,
    now: u64,
    waits: Vec<Wait>,
    known: BTreeMap<TaskId, Known>,
    flights: Vec<Flight>,
    /// And the runtime that it is on.
    driver: Option<(Driver, u8)>,
    /// When the driver looks again by itself.
    next: Option<u64>,
    hold: u64,
    /// Lookups that failed since one succeeded.
    failed: u32,
}

fn task(id: &TaskId, is_end: bool) -> Task {
    let response = match is_end {
        true => json!({ "state": "completed", "video_url": "https://v" }),
        false => json!({ "state": "processing" }),
    };
    serde_json::from_value(json!({ "id": id, "response": response })).expect("a task")
}

fn error(status: u16, code: &str, retry_after: Option<u8>) -> Error {
    let mut headers = http::HeaderMap::new();
    if let Some(seconds) = retry_after {
        headers.insert("retry-after", u16::from(seconds).into());
    }
    let body = json!({ "error": { "code": code } }).to_string();
    let status = http::StatusCode::from_u16(status).expect("a status");
    ApiError::read(status, &headers, body.as_bytes()).into()
}

impl Model {
    fn new() -> Self {
        let state = State {
            jitter: 0.0,
            ..State::default()
        };
        let runtime = || Builder::new_current_thread().build().expect("a runtime");
        Self {
            state,
            sites: [runtime(), runtime()].map(|runtime| Some(runtime.handle().id())),
            begin: Instant::now(),
            now: 0,
            waits: Vec::new(),
            known: BTreeMap::new(),
            flights: Vec::new(),
            driver: None,
            next: None,
            hold: 0,
            failed: 0,
        }
    }

    fn instant(&self, time: u64) -> Instant {
        self.begin + Duration::from_millis(time)
    }

    fn time(&self, instant: Instant) -> u64 {
        // The next whole millisecond: that is how timers work.
        (instant - self.begin).as_micros().div_ceil(1_000) as u64
    }

    fn read(&self) -> Now {
        Now {
            instant: self.instant(self.now),
            wall: SystemTime::UNIX_EPOCH,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Join(join) => self.join(format!("t{}", join.id), join),
            Step::JoinMany(count, join) => {
                (0..count).for_each(|n| self.join(format!("many{n}"), join));
            }
            Step::Leave(index) => self.leave(index),
            Step::Pass(time) => self.pass(time),
            Step::Land(index, answer) => {
                if !self.flights.is_empty() {
                    let flight = self.flights.swap_remove(index.index(self.flights.len()));
                    self.land(flight, answer);
                }
            }
            Step::Notify(id, is_end) => {
                let id: TaskId = format!("t{id}").parse().expect("an id");
                let now = self.read();
                let aftermath = self.state.notify(task(&id, is_end), now);
                if is_end {
                    self.end_task(&id);
                }
                self.follow(aftermath);
            }
            Step::Abandon => self.abandon(),
        }
        self.check_ends();
        self.drive();
    }

    fn join(&mut self, name: String, join: Join) {
        let id: TaskId = name.parse().expect("an id");
        let edge = join.deadline.map(|deadline| self.now + deadline);
        let time = self.instant(self.now);
        let known = self.known.entry(id.clone()).or_default();
        // One that comes and goes has no edge before its pace.
        let entry = self.state.entries.get(&id);
        let is_renewed =
            entry.is_some_and(|entry| entry.asked && entry.kept.is_some_and(|until| until > time));
        let due = known.last.map(|last| last + join.interval);
        let edge = edge.filter(|edge| !is_renewed || due.is_none_or(|due| due <= *edge));
        let at_once = join.eager || !join.knows_age;
        let ended = known.ended;
        let joining = Joining {
            id: id.clone(),
            pace: Pace::fixed(Duration::from_millis(join.interval)),
            age: join.knows_age.then_some(Duration::ZERO),
            edge: join
                .deadline
                .map(|deadline| self.instant(self.now + deadline)),
            budget: join.budget,
            wants_updates: join.eager,
            eager: join.eager,
        };
        let now = self.read();
        let (key, aftermath) = self.state.join(joining, now);
        self.follow(aftermath);
        self.waits.push(Wait {
            id,
            key,
            site: join.site,
            joined: self.now,
            interval: join.interval,
            edge,
            budget: join.budget,
            failures: 0,
            at_once,
            expected: ended.then_some(Ending::Task),
        });
    }

    fn leave(&mut self, index: prop::sample::Index) {
        if self.waits.is_empty() {
            return;
        }
        let wait = self.waits.swap_remove(index.index(self.waits.len()));
        let now = self.instant(self.now);
        let aftermath = self.state.leave(&wait.id, wait.key, now);
        assert!(aftermath.dropped.is_some(), "a wait leaves once");
        self.forget_batches(&wait.id);
        self.follow(aftermath);
        let is_last = !self.waits.iter().any(|other| other.id == wait.id);
        if is_last && wait.expected.is_some() {
            // The end was told: who comes next asks anew.
            let known = self.known.get_mut(&wait.id).expect("known");
            known.ended = false;
            if known.flight.is_none() {
                self.known.remove(&wait.id);
            }
        }
    }

    fn pass(&mut self, time: u64) {
        let until = self.now + time;
        while let Some(next) = self.next.filter(|next| *next <= until) {
            assert!(next > self.now, "a busy loop");
            self.now = next;
            self.drive();
        }
        self.now = until;
        self.check_due();
    }

    /// What the driver does after an event.
    fn drive(&mut self) {
        let mut live = self.waits.iter().filter(|wait| wait.expected.is_none());
        if let Some(wait) = live.next()
            && let Some(driver) = self.state.hire(self.sites[usize::from(wait.site)])
        {
            self.driver = Some((driver, wait.site));
        }
        let Some((driver, site)) = self.driver.as_ref().map(|(d, site)| (d.number, *site)) else {
            return;
        };
        let mut live = self.waits.iter().filter(|wait| wait.expected.is_none());
        let is_idle = live.clone().next().is_none() && self.under_way(driver) > 0;
        assert!(
            is_idle || live.any(|wait| wait.site == site),
            "its runtime may stand still"
        );
        let plan = self.state.plan(driver, self.instant(self.now));
        let plan = plan.expect("a plan for the driver");
        for ids in plan.batches {
            self.check_batch(driver, &ids);
            self.flights.push(Flight { driver, ids });
        }
        assert!(self.under_way(driver) <= MAX_IN_FLIGHT);
        assert_eq!(self.under_way(driver), self.state.window.under_way());
        self.next = plan.next.map(|next| self.time(next));
        self.check_due();
    }

    fn under_way(&self, driver: u64) -> usize {
        let flights = self.flights.iter().filter(|f| f.driver == driver);
        flights.count()
    }

    /// What follows from what was done: the driver may be let go.
    fn follow(&mut self, aftermath: Aftermath) {
        aftermath.finish();
        let Some((driver, site)) = &self.driver else {
            return;
        };
        let (driver, site) = (driver.number, *site);
        if self.state.driver_number() == Some(driver) {
            return;
        }
        let mut live = self.waits.iter().filter(|wait| wait.expected.is_none());
        assert!(live.all(|wait| wait.site != site), "let go while needed");
        (self.driver, self.next) = (None, None);
        self.lose(driver);
    }

    /// Nothing of what this driver has under way counts any more.
    fn lose(&mut self, driver: u64) {
        let is_idle = self.waits.iter().all(|wait| wait.expected.is_some());
        for known in self.known.values_mut() {
            if known.flight == Some(driver) {
                (known.flight, known.again) = (None, false);
                if !is_idle {
                    known.last = Some(self.now);
                }
            }
        }
    }

    fn land(&mut self, flight: Flight, answer: Answer) {
        let Flight { driver, ids } = flight;
        let is_current = self
            .driver
            .as_ref()
            .is_some_and(|(d, _)| d.number == driver);
        let is_batch = ids.len() > 1;
        for id in &*ids {
            if let Some(known) = self.known.get_mut(id)
                && known.flight == Some(driver)
            {
                (known.flight, known.last) = (None, Some(self.now));
                known.again = false;
            }
        }
        let outcome = match answer {
            Answer::Reports { ended, missing } => {
                self.failed = 0;
                let mut tasks = Vec::new();
                for (bit, id) in ids.iter().enumerate() {
                    // A driver that was dismissed tells news all the same.
                    if let Some(known) = self.known.get_mut(id)
                        && known.flight.is_none()
                    {
                        known.last = Some(self.now);
                    }
                    let has = |bits: u64| bits >> (bit % 64) & 1 == 1;
                    match (has(missing), is_batch) {
                        (true, true) => {
                            if let Some(known) = self.known.get_mut(id) {
                                (known.share, known.again) = (1, true);
                            }
                        }
                        (true, false) => self.end(id, Ending::NotFound),
                        (false, _) => {
                            if let Some(known) = self.known.get_mut(id) {
                                known.share = (2 * known.share).min(MAX_BATCH);
                                known.again = false;
                            }
                            self.of(id).for_each(|wait| wait.failures = 0);
                            tasks.push(task(id, has(ended)));
                            if has(ended) && self.state.entries.contains_key(id) {
                                self.end_task(id);
                            }
                        }
                    }
                }
                Ok(tasks)
            }
            Answer::Transient => {
                self.fail(&ids, is_current, is_batch);
                Err(error(500, "", None))
            }
            Answer::Outage => {
                self.fail(&ids, is_current, false);
                Err(error(502, "", None))
            }
            Answer::Busy(seconds) => {
                self.fail(&ids, is_current, false);
                let hold = self.now + u64::from(seconds) * 1_000;
                self.hold = self.hold.max(hold);
                Err(error(429, "too_many_requests", Some(seconds)))
            }
            Answer::Refused => {
                if is_current {
                    self.failed += 1;
                    for id in &*ids {
                        let known = self.known.get_mut(id).expect("known");
                        match is_batch {
                            true => (known.share, known.again) = (ids.len() / 2, true),
                            false => self.end(id, Ending::Lookup),
                        }
                    }
                }
                Err(error(400, "bad_request", None))
            }
            Answer::Account => {
                if is_current {
                    for wait in &mut self.waits {
                        wait.expected = wait.expected.or(Some(Ending::Lookup));
                    }
                }
                Err(error(401, "invalid_token", None))
            }
        };
        let now = self.read();
        let aftermath = self.state.land(driver, &ids, outcome, now);
        ids.iter().for_each(|id| self.forget_batches(id));
        self.follow(aftermath);
    }

    /// What its batches came to may be forgotten with the last wait.
    fn forget_batches(&mut self, id: &TaskId) {
        let is_idle = !self.waits.iter().any(|wait| wait.id == *id);
        if let Some(known) = self.known.get_mut(id).filter(|_| is_idle) {
            (known.share, known.again) = (MAX_BATCH, false);
        }
    }

    fn of(&mut self, id: &TaskId) -> impl Iterator<Item = &mut Wait> {
        self.waits.iter_mut().filter(move |wait| wait.id == *id)
    }

    fn fail(&mut self, ids: &[TaskId], is_current: bool, is_split: bool) {
        if !is_current {
            return;
        }
        self.failed += 1;
        let again = is_split && self.failed <= 2;
        for id in ids {
            if is_split {
                let known = self.known.get_mut(id).expect("known");
                (known.share, known.again) = (ids.len() / 2, again);
            }
            for wait in self.of(id).filter(|_| !again) {
                wait.failures += 1;
                if is_split {
                    wait.failures = wait.failures.min(wait.budget);
                } else if wait.failures > wait.budget {
                    wait.expected = wait.expected.or(Some(Ending::Lookup));
                }
            }
        }
    }

    fn end(&mut self, id: &TaskId, ending: Ending) {
        self.of(id)
            .for_each(|wait| wait.expected = wait.expected.or(Some(ending)));
    }

    fn end_task(&mut self, id: &TaskId) {
        self.known.entry(id.clone()).or_default().ended = true;
        self.end(id, Ending::Task);
    }

    fn abandon(&mut self) {
        let Some((driver, _)) = self.driver.take() else {
            return;
        };
        let _ = self.state.abandon(driver.number, self.instant(self.now));
        self.flights.retain(|flight| flight.driver != driver.number);
        self.lose(driver.number);
        self.next = None;
    }

    /// Whatever has happened: answers that come end everything, and then nothing is left.
    fn finish(mut self) {
        const ALL_DONE: Answer = Answer::Reports {
            ended: u64::MAX,
            missing: 0,
        };
        for _ in 0..200 {
            while let Some(flight) = self.flights.pop() {
                self.land(flight, ALL_DONE);
                self.check_ends();
                self.drive();
            }
            self.pass(1_000);
        }
        let now = self.now;
        let is_over = |wait: &Wait| wait.expected.is_some() || wait.edge.is_some_and(|e| e < now);
        assert!(self.waits.iter().all(is_over));
        while let Some(wait) = self.waits.pop() {
            let now = self.instant(self.now);
            self.state.leave(&wait.id, wait.key, now).finish();
        }
        assert_eq!(self.state.sizes().2, 0);
        assert!(self.state.hire(None).is_none());
        assert_eq!(self.state.queue.first(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_history_is_kept_straight(steps in prop::collection::vec(step(), 1..80)) {
        let mut model = Model::new();
        for step in steps {
            model.step(step);
        }
        model.finish();
    }
}
