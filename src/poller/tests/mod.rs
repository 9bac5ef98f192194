//! The poller's state against a simpler model of it, over random histories.
//!
//! The model knows for each wait what must have ended it, and for each task the last time that something
//! was done about it. From that follow the bounds that every lookup must keep: neither too early (interval)
//! nor too late (liveness), nor about a task that nobody waits for.

mod steps;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use ::http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::json;
use tokio::time::Instant;

use self::steps::{Answer, Join, Step, step};
use super::{
    early::EarlyReports,
    interval::PollInterval,
    state::{FEW_IN_FLIGHT, Now, Options, State},
    status::{End, Receiver, channel},
};
use crate::{
    http::{ApiError, RequestError, Token},
    model::Task,
    tasks::MAX_BATCH,
    util::TaskId,
};

const MAX_IN_FLIGHT: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Task,
    NotFound,
    Lookup,
}

struct Wait {
    id: TaskId,
    status: Receiver,
    joined: u64,
    join: Join,
    last_look: Option<u64>,
    expected: Option<Ending>,
}

/// What the model knows of a task.
#[derive(Debug, Default)]
struct Known {
    /// When the last lookup was sent or ended.
    last: Option<u64>,
    in_flight: bool,
    alone: bool,
    again: bool,
    failures: u32,
}

impl Known {
    /// The time to the next lookup.
    fn pause(&self, interval: u64) -> u64 {
        let doublings = self.failures.saturating_sub(1).min(16);
        (interval << doublings).min(interval.max(60_000))
    }
}

struct Model {
    state: State,
    begin: Instant,
    now: u64,
    waits: Vec<Wait>,
    known: BTreeMap<TaskId, Known>,
    flights: Vec<Arc<[TaskId]>>,
    /// Ends that came before a wait.
    early: BTreeSet<TaskId>,
    /// When the poller looks again on its own.
    next: Option<u64>,
    hold: u64,
    /// Lookups that failed since one succeeded.
    failures: u32,
}

fn id(name: &str) -> TaskId {
    name.parse().expect("an id")
}

fn task(id: &TaskId, is_end: bool) -> Task {
    let response = match is_end {
        true => json!({ "state": "completed", "video_url": "https://v" }),
        false => json!({ "state": "processing" }),
    };
    serde_json::from_value(json!({ "id": id, "response": response })).expect("a task")
}

fn error(status: u16, code: &str, retry_after: Option<u8>) -> RequestError {
    let token = Token::new(SecretString::from("s3cret"), 5).expect("a token");
    let wait = retry_after.map(|seconds| (RETRY_AFTER, HeaderValue::from(u16::from(seconds))));
    let headers: HeaderMap = wait.into_iter().collect();
    let body = json!({ "error": { "code": code } }).to_string();
    let status = StatusCode::from_u16(status).expect("a status");
    ApiError::read(status, &headers, body.as_bytes(), &token).into()
}

impl Model {
    fn new() -> Self {
        Self {
            state: State::new(EarlyReports::default()),
            begin: Instant::now(),
            now: 0,
            waits: Vec::new(),
            known: BTreeMap::new(),
            flights: Vec::new(),
            early: BTreeSet::new(),
            next: None,
            hold: 0,
            failures: 0,
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
        Now { instant: self.instant(self.now), wall: SystemTime::UNIX_EPOCH, jitter: 0.0 }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Join(join) => self.join(id(&format!("t{}", join.id)), join),
            Step::JoinMany(count, join) => {
                (0..count).for_each(|n| self.join(id(&format!("many{n}")), join));
            }
            Step::Leave(index) => {
                if !self.waits.is_empty() {
                    let wait = self.waits.swap_remove(index.index(self.waits.len()));
                    self.leave(wait);
                }
            }
            Step::Pass(time) => self.pass(time),
            Step::Land(index, answer) => {
                if !self.flights.is_empty() {
                    let flight = self.flights.swap_remove(index.index(self.flights.len()));
                    self.land(flight, answer);
                }
            }
            Step::Notify(n, is_end) => {
                let (id, now) = (id(&format!("t{n}")), self.read());
                self.state.notify(id.clone(), task(&id, is_end), now);
                let is_awaited = self.of(&id).next().is_some();
                match is_awaited {
                    true => self.report(&id, is_end),
                    false if is_end => drop(self.early.insert(id)),
                    false => {}
                }
            }
            Step::Abandon => self.abandon(),
        }
        self.check_ends();
        self.drive();
    }

    fn join(&mut self, id: TaskId, join: Join) {
        let known = self.known.entry(id.clone()).or_default();
        let look = join.deadline.map(|deadline| self.now + deadline);
        // A wait that comes and goes has no last look before its interval has passed.
        let due = known.last.map(|last| last + join.interval);
        let last_look = look.filter(|look| due.is_none_or(|due| due <= *look));
        let options = Options {
            interval: PollInterval::fixed(Duration::from_millis(join.interval)),
            last_look: look.map(|look| self.instant(look)),
            max_errors: join.max_errors,
            wants_updates: join.immediately,
            immediately: join.immediately,
            age: join.knows_age.then_some(Duration::ZERO),
        };
        let (sender, status) = channel();
        let now = self.read();
        self.state.join(id.clone(), options, sender, now);
        let expected = self.early.remove(&id).then_some(Ending::Task);
        let joined = self.now;
        self.waits.push(Wait { id, status, joined, join, last_look, expected });
        self.forget();
    }

    fn leave(&mut self, wait: Wait) {
        let Wait { id, status, .. } = wait;
        drop(status);
        self.state.leave(&id);
        self.forget();
    }

    /// What the poller has forgotten of tasks without waits is not expected of it.
    fn forget(&mut self) {
        self.known.retain(|id, _| self.state.knows(id));
        for wait in self.waits.iter().filter(|wait| wait.expected.is_none()) {
            assert!(self.known.contains_key(&wait.id), "{} is forgotten", wait.id);
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

    /// What the actor does after an event.
    fn drive(&mut self) {
        let next = loop {
            match self.state.next_batch(MAX_IN_FLIGHT, self.instant(self.now)) {
                Ok(ids) => {
                    self.check_batch(&ids);
                    self.flights.push(ids);
                }
                Err(next) => break next,
            }
        };
        assert!(self.flights.len() <= MAX_IN_FLIGHT);
        self.next = next.map(|next| self.time(next));
        self.forget();
        self.check_due();
    }

    fn land(&mut self, ids: Arc<[TaskId]>, answer: Answer) {
        for id in &*ids {
            if let Some(known) = self.known.get_mut(id) {
                (known.in_flight, known.last) = (false, Some(self.now));
            }
        }
        let is_batch = ids.len() > 1;
        let result = match answer {
            Answer::Reports { ended, missing } => {
                self.failures = 0;
                let mut tasks = Vec::new();
                for (bit, id) in ids.iter().enumerate() {
                    let has = |bits: u64| bits >> (bit % 64) & 1 == 1;
                    match (has(missing), self.known.get_mut(id)) {
                        (true, Some(known)) if is_batch => {
                            (known.alone, known.again) = (true, true)
                        }
                        (true, _) => self.end(id, Ending::NotFound),
                        (false, _) => {
                            tasks.push(task(id, has(ended)));
                            self.report(id, has(ended));
                        }
                    }
                }
                Ok(tasks)
            }
            Answer::Transient => Err(self.fail(&ids, is_batch, error(500, "", None))),
            Answer::Outage => Err(self.fail(&ids, false, error(502, "", None))),
            Answer::Busy(seconds) => {
                self.hold = self.hold.max(self.now + u64::from(seconds) * 1_000);
                let error = error(429, "too_many_requests", Some(seconds));
                Err(self.fail(&ids, false, error))
            }
            Answer::Refused => {
                for id in &*ids {
                    match self.known.get_mut(id) {
                        Some(known) if is_batch => (known.alone, known.again) = (true, true),
                        _ => self.end(id, Ending::Lookup),
                    }
                }
                Err(error(400, "bad_request", None))
            }
            Answer::Account => {
                for wait in &mut self.waits {
                    wait.expected = wait.expected.or(Some(Ending::Lookup));
                }
                Err(error(401, "invalid_token", None))
            }
        };
        let now = self.read();
        self.state.receive(&ids, result, now);
        self.forget();
    }

    fn of(&mut self, id: &TaskId) -> impl Iterator<Item = &mut Wait> {
        let live = self.waits.iter_mut().filter(|wait| wait.expected.is_none());
        live.filter(move |wait| wait.id == *id)
    }

    fn report(&mut self, id: &TaskId, is_end: bool) {
        let Some(known) = self.known.get_mut(id) else {
            return;
        };
        (known.alone, known.failures) = (false, 0);
        if is_end && self.of(id).next().is_none() {
            self.early.insert(id.clone());
        } else if is_end {
            self.end(id, Ending::Task);
        }
    }

    fn fail(&mut self, ids: &[TaskId], is_split: bool, error: RequestError) -> RequestError {
        let is_few = self.failures < 2;
        self.failures += 1;
        for (place, id) in ids.iter().enumerate() {
            let Some(known) = self.known.get_mut(id) else {
                continue;
            };
            known.alone |= is_split && (is_few || place == 0);
            known.again = is_split && is_few;
            if !known.again {
                known.failures += 1;
                let failures = known.failures;
                for wait in self.of(id).filter(|wait| failures > wait.join.max_errors) {
                    wait.expected = Some(Ending::Lookup);
                }
            }
        }
        error
    }

    fn end(&mut self, id: &TaskId, ending: Ending) {
        self.of(id).for_each(|wait| wait.expected = Some(ending));
        self.known.remove(id);
    }

    /// The runtime of the actor goes: the waits join another one.
    fn abandon(&mut self) {
        let early = EarlyReports::default();
        for id in &self.early {
            early.insert(id.clone(), task(id, true), self.instant(self.now));
        }
        self.state = State::new(early);
        self.flights.clear();
        self.known.clear();
        (self.hold, self.failures) = (0, 0);
        for wait in std::mem::take(&mut self.waits) {
            match wait.expected {
                Some(_) => self.waits.push(wait),
                None => self.join(wait.id, wait.join),
            }
        }
    }

    fn check_batch(&mut self, ids: &[TaskId]) {
        assert!((1..=MAX_BATCH).contains(&ids.len()));
        assert!(self.now >= self.hold, "a Retry-After was not kept");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        for id in ids {
            let known = self.known.get_mut(id).expect("nobody ever waited for it");
            assert!(!known.in_flight, "{id} is in flight already");
            assert!(!known.alone || ids.len() == 1, "{id} is not looked up singly");
            let live = self.waits.iter().filter(|wait| wait.expected.is_none());
            let mut live = live.filter(|wait| wait.id == *id).peekable();
            assert!(live.peek().is_some(), "nobody waits for {id}");
            let is_due = live.any(|wait| {
                let pause = known.pause(wait.join.interval);
                let is_paced = known.last.is_none_or(|last| self.now >= last + pause);
                is_paced || wait.last_look.is_some_and(|look| self.now >= look)
            });
            assert!(known.again || is_due, "{id} is looked up too soon");
            (known.again, known.in_flight, known.last) = (false, true, Some(self.now));
        }
    }

    /// Nothing that is due is left lying.
    fn check_due(&self) {
        let live = || self.waits.iter().filter(|wait| wait.expected.is_none());
        let ids: BTreeSet<_> = live().map(|wait| &wait.id).collect();
        let is_busy = self.flights.len() >= FEW_IN_FLIGHT && ids.len() > MAX_BATCH;
        if is_busy || self.flights.len() >= MAX_IN_FLIGHT || self.now < self.hold {
            return;
        }
        for wait in live() {
            let known = &self.known[&wait.id];
            if known.in_flight {
                continue;
            }
            let pause = known.pause(wait.join.interval);
            let patience = (pause / 10).clamp(5, 1_000);
            let base = known.last.map_or(wait.joined, |last| last.max(wait.joined));
            let latest = match known.last {
                None if wait.join.immediately => base + 5,
                Some(_) if known.again => base,
                _ => base + pause + patience,
            };
            let look = wait.last_look.filter(|look| known.last.is_none_or(|last| *look > last));
            let due = base + pause;
            let latest = match (look, wait.last_look) {
                (Some(look), _) => latest.min(look),
                // After the last look there is none.
                (None, Some(past)) if due >= past => continue,
                (None, _) => latest,
            };
            assert!(self.now <= latest.max(self.hold), "{} is late at {}", wait.id, self.now);
        }
    }

    /// Each wait has ended as it must, or not.
    fn check_ends(&self) {
        for wait in &self.waits {
            let ending = wait.status.read(|status| status.end.clone()).map(|end| match end {
                End::Task(_) => Ending::Task,
                End::NotFound => Ending::NotFound,
                End::Lookup(_) => Ending::Lookup,
            });
            assert_eq!(ending, wait.expected, "{}", wait.id);
        }
    }

    /// Whatever has happened: responses that come end everything, and then nothing is left.
    fn finish(mut self) {
        const ALL_DONE: Answer = Answer::Reports { ended: u64::MAX, missing: 0 };
        for _ in 0..200 {
            while let Some(flight) = self.flights.pop() {
                self.land(flight, ALL_DONE);
                self.check_ends();
                self.drive();
            }
            self.pass(1_000);
        }
        let now = self.now;
        let is_over =
            |wait: &Wait| wait.expected.is_some() || wait.last_look.is_some_and(|look| look < now);
        assert!(self.waits.iter().all(is_over));
        while let Some(wait) = self.waits.pop() {
            self.leave(wait);
        }
        self.pass(120_000);
        assert!(self.state.is_empty());
        assert_eq!(self.next, None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_intervals_and_ends(steps in prop::collection::vec(step(), 1..80)) {
        let mut model = Model::new();
        for step in steps {
            model.step(step);
        }
        model.finish();
    }
}

/// Few by default, and as many as `PROPTEST_CASES` asks for.
fn cases() -> u32 {
    let cases = std::env::var("PROPTEST_CASES").ok();
    cases.and_then(|cases| cases.parse().ok()).unwrap_or(128)
}
