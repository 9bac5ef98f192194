//! Lookups of single tasks that are made at the same time share their requests.
//!
//! The first one leaves at once. What comes while it is under way leaves together when it has landed,
//! or after [`PATIENCE`], whichever is sooner. There is no task of the runtime behind it: one of those
//! who wait asks for all of them, and should it be dropped, the others go by themselves.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use crate::{
    error::Result,
    lookup::MAX_BATCH,
    task::{Task, TaskId, Verdict},
    watch::Lookup,
};

/// How long a lookup waits for one that is under way: little beside what a distant service takes.
const PATIENCE: Duration = Duration::from_millis(20);

/// The lookups of one client and its clones.
#[derive(Clone, Default)]
pub(crate) struct Coalescer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Turns that somebody has.
    turns: usize,
    line: VecDeque<Waiting>,
    count: u64,
}

struct Waiting {
    number: u64,
    id: TaskId,
    teller: oneshot::Sender<Word>,
}

/// What somebody who waits in line is told.
enum Word {
    Task(Box<Task>),
    Go(Turn),
}

/// To make a request. When it is dropped, it is the next one's.
struct Turn(Coalescer);

impl Coalescer {
    /// Looks a task up: together with others, or `alone` where there are none or where that brings
    /// nothing.
    pub(crate) async fn get(
        &self,
        source: &impl Lookup,
        id: &TaskId,
        alone: impl Future<Output = Result<Task>>,
    ) -> Result<Task> {
        let turn = match self.enter(id) {
            Ok(turn) => Some(turn),
            Err((number, mut told)) => {
                let word = match timeout(PATIENCE, &mut told).await {
                    Ok(word) => word.ok(),
                    Err(_) => match self.leave(number) {
                        Some(turn) => Some(Word::Go(turn)),
                        // Somebody is asking for it already.
                        None => told.await.ok(),
                    },
                };
                match word {
                    Some(Word::Task(task)) => return Ok(*task),
                    Some(Word::Go(turn)) => Some(turn),
                    // Asked for in vain: only a lookup of its own has the right error.
                    None => None,
                }
            }
        };
        if let Some(turn) = &turn
            && let Some(task) = turn.ask(source, id).await
        {
            return Ok(task);
        }
        alone.await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a turn, or a place in line where somebody has one.
    fn enter(&self, id: &TaskId) -> Result<Turn, (u64, oneshot::Receiver<Word>)> {
        let mut state = self.state();
        if state.turns == 0 {
            state.turns = 1;
            return Ok(Turn(self.clone()));
        }
        let (teller, told) = oneshot::channel();
        state.count += 1;
        let (number, id) = (state.count, id.clone());
        state.line.push_back(Waiting { number, id, teller });
        Err((number, told))
    }

    /// Leaves the line with a turn; `None` where it is in line no more.
    fn leave(&self, number: u64) -> Option<Turn> {
        let mut state = self.state();
        let place = state.line.iter().position(|one| one.number == number)?;
        state.line.remove(place);
        state.turns += 1;
        Some(Turn(self.clone()))
    }
}

impl Turn {
    /// Asks for all who wait, and tells them. `None` where nobody does, or where the report on `id`
    /// is missing, refused or failed.
    async fn ask(&self, source: &impl Lookup, id: &TaskId) -> Option<Task> {
        let company: Vec<_> = {
            let mut state = self.0.state();
            state.line.retain(|one| !one.teller.is_closed());
            let count = state.line.len().min(MAX_BATCH - 1);
            state.line.drain(..count).collect()
        };
        if company.is_empty() {
            return None;
        }
        let mut ids: Vec<_> = company.iter().map(|one| one.id.clone()).collect();
        ids.push(id.clone());
        ids.sort();
        ids.dedup();
        let tasks = source.lookup(ids.into()).await.ok()?;
        let reports = tasks
            .into_iter()
            .filter(|task| !matches!(task.verdict(), Verdict::Refused | Verdict::Missing))
            .filter_map(|task| Some((task.id.clone()?, task)));
        let mut reports: HashMap<String, Task> = reports.collect();
        for one in company {
            if let Some(task) = reports.get(one.id.as_str()) {
                // Nobody may wait for it any more.
                let _ = one.teller.send(Word::Task(Box::new(task.clone())));
            }
        }
        reports.remove(id.as_str())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.state();
            let next = match state.turns {
                1 => state.line.pop_front(),
                // One is enough, unless somebody loses patience again.
                _ => None,
            };
            state.turns -= usize::from(next.is_none());
            next
        };
        if let Some(next) = next {
            // What cannot be sent is dropped, which is the turn of the one after.
            let _ = next.teller.send(Word::Go(Turn(self.0.clone())));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::{BoxFuture, join_all};
    use serde_json::json;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::error::Error;

    /// Answers after so many milliseconds; what is called "lost" is in no batch.
    #[derive(Clone)]
    struct Service {
        latency: u64,
        begin: Instant,
        calls: Arc<Mutex<Vec<(u128, usize)>>>,
        fails: bool,
    }

    impl Service {
        fn new(latency: u64) -> Self {
            Self {
                latency,
                begin: Instant::now(),
                calls: Arc::default(),
                fails: false,
            }
        }

        /// When how many were asked for.
        fn calls(&self) -> Vec<(u128, usize)> {
            self.calls.lock().unwrap().clone()
        }

        async fn alone(&self, id: &TaskId) -> Result<Task> {
            let is_lost = id.as_str().starts_with("lost");
            let mut tasks = self.lookup([id.clone()].into()).await?;
            tasks
                .pop()
                .filter(|_| !is_lost)
                .ok_or(Error::NotFound { task: id.clone() })
        }

        async fn get(&self, coalescer: &Coalescer, name: &str) -> Result<String> {
            let id: TaskId = name.parse().unwrap();
            let task = coalescer.get(self, &id, self.alone(&id)).await?;
            Ok(task.id.unwrap_or_default())
        }
    }

    impl Lookup for Service {
        fn lookup(&self, ids: Arc<[TaskId]>) -> BoxFuture<'static, Result<Vec<Task>>> {
            let time = self.begin.elapsed().as_millis();
            self.calls.lock().unwrap().push((time, ids.len()));
            let service = self.clone();
            Box::pin(async move {
                sleep(Duration::from_millis(service.latency)).await;
                if service.fails && ids.len() > 1 {
                    return Err(Error::NotFound {
                        task: ids[0].clone(),
                    });
                }
                let is_batch = ids.len() > 1;
                let known = ids.iter().filter(|id| !is_batch || id.as_str() != "lost");
                let video = json!({ "state": "completed", "video_url": "https://v" });
                let task = |id| serde_json::from_value(json!({ "id": id, "response": video }));
                Ok(known.map(|id| task(id).unwrap()).collect())
            })
        }
    }

    async fn all(service: &Service, names: &[String]) {
        let coalescer = Coalescer::default();
        let ends = join_all(names.iter().map(|name| service.get(&coalescer, name))).await;
        for (name, end) in names.iter().zip(ends) {
            match end {
                Ok(id) => assert_eq!(id, *name),
                Err(error) => assert!(matches!(error, Error::NotFound { .. }) && name == "lost"),
            }
        }
        let state = coalescer.state();
        assert_eq!((state.turns, state.line.len()), (0, 0));
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("t{number}")).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn one_goes_and_the_others_follow_together() {
        for (latency, count, expected) in [
            (1, 1, vec![(0, 1)]),
            (1, 2, vec![(0, 1), (1, 1)]),
            (1, 51, vec![(0, 1), (1, 50)]),
            (1, 60, vec![(0, 1), (1, 50), (2, 9)]),
            // Nobody waits for a slow one.
            (100, 60, vec![(0, 1), (20, 50), (20, 9)]),
        ] {
            let service = Service::new(latency);
            all(&service, &names(count)).await;
            assert_eq!(service.calls(), expected, "{count} at {latency} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_batch_does_not_bring_is_looked_up_singly() {
        let service = Service::new(1);
        let names = ["a", "b", "lost", "b"].map(str::to_owned);
        all(&service, &names).await;
        assert_eq!(service.calls(), [(0, 1), (1, 2), (2, 1)]);

        let mut service = Service::new(1);
        service.fails = true;
        all(&service, &["a", "b", "c"].map(str::to_owned)).await;
        assert_eq!(service.calls(), [(0, 1), (1, 2), (2, 1), (2, 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_dropped_holds_nobody_up() {
        for dropped in 0..3 {
            let (service, coalescer) = (Service::new(3), Coalescer::default());
            let get = |name: &'static str, patience| {
                let (service, coalescer) = (&service, &coalescer);
                timeout(Duration::from_millis(patience), async move {
                    service.get(coalescer, name).await
                })
            };
            let patience = |number| if number == dropped { 4 } else { 1_000 };
            let ends = futures::join!(
                get("a", patience(0)),
                get("b", patience(1)),
                get("c", patience(2))
            );
            for (number, end) in [ends.0, ends.1, ends.2].into_iter().enumerate() {
                // The first has ended by then.
                let is_dropped = number == dropped && number > 0;
                assert_eq!(end.is_err(), is_dropped, "{number} of {dropped}");
            }
            assert!(service.begin.elapsed() < Duration::from_millis(20));
            let state = coalescer.state();
            assert_eq!((state.turns, state.line.len()), (0, 0));
        }
    }
}
