//! The engine under every wait of one client: what is due goes out together.
//!
//! [`state`] decides, as pure functions over values; here is the thin shell that sleeps, sends and
//! wakes. One task of the runtime drives all waits. It is there only while there are any, and until
//! the lookups that it sent have landed.

mod aftermath;
mod census;
mod driver;
mod entry;
mod kept;
mod landing;
mod queue;
pub(crate) mod state;
mod window;

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_util::{
    future::{BoxFuture, Either, select},
    stream::{FuturesUnordered, StreamExt},
};
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use crate::{
    api,
    error::Result,
    lookup::{retrieve, retrieve_batch},
    retry::RetryPolicy,
    task::{Task, TaskId},
};
use census::here;
use driver::Driver;
use state::{Joining, Known, Now, Report, State, WaitKey};

/// Where reports of tasks come from: the service, or a test.
pub(crate) trait Lookup: Send + Sync + 'static {
    /// One id is retrieved, several are retrieved as a batch.
    fn lookup(&self, ids: Arc<[TaskId]>) -> BoxFuture<'static, Result<Vec<Task>>>;
}

impl Lookup for api::Client {
    fn lookup(&self, ids: Arc<[TaskId]>) -> BoxFuture<'static, Result<Vec<Task>>> {
        let mut api = self.clone();
        // The waits repeat a failed lookup at their own pace.
        api.inner.limits.retry = RetryPolicy::none();
        Box::pin(async move {
            match &*ids {
                [id] => Ok(vec![retrieve(&api, id).await?]),
                ids => Ok(retrieve_batch(&api, ids).await?.items),
            }
        })
    }
}

/// All waits of one client and its clones.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Shared>);

struct Shared {
    source: Box<dyn Lookup>,
    state: Mutex<State>,
}

impl Shared {
    /// Wakers are woken, and what is other people's dropped, without the lock. What runs under it
    /// is a waker's clone and a [`Schedule`](crate::Schedule).
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    pub(crate) fn new(source: impl Lookup) -> Self {
        Self(Arc::new(Shared {
            source: Box::new(source),
            state: Mutex::default(),
        }))
    }

    /// Adds a wait to the set.
    pub(crate) fn join(&self, joining: Joining) -> Membership {
        let id = joining.id.clone();
        let (key, aftermath) = self.0.state().join(joining, Now::read());
        aftermath.finish();
        Membership {
            hub: self.clone(),
            id,
            key,
        }
    }

    /// Hands in a report that came by another way than a lookup.
    pub(crate) fn notify(&self, task: Task) {
        let aftermath = self.0.state().notify(task, Now::read());
        aftermath.finish();
    }
}

/// A wait in the set. It leaves when this is dropped.
pub(crate) struct Membership {
    hub: Hub,
    id: TaskId,
    key: WaitKey,
}

impl Membership {
    pub(crate) fn id(&self) -> &TaskId {
        &self.id
    }

    /// The next report or the end, whichever is there. Starts the driver where none runs: for the
    /// first wait, and after the runtime of the last one has gone.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Report> {
        let shared = &self.hub.0;
        let site = here();
        let (report, old, aftermath, driver) = {
            let mut state = shared.state();
            let (report, old) = state.poll(&self.id, self.key, site, cx.waker());
            (report, old, state.relieve(Instant::now()), state.hire(site))
        };
        drop(old);
        aftermath.finish();
        if let Some(driver) = driver {
            let shared = shared.clone();
            // A runtime that shuts down drops it here and now, which takes the lock.
            tokio::spawn(drive(Driving { shared, driver }));
        }
        report
    }

    /// What is known of the task.
    pub(crate) fn known(&self) -> Known {
        self.hub.0.state().known(&self.id, self.key)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let shared = &self.hub.0;
        let aftermath = shared.state().leave(&self.id, self.key, Instant::now());
        aftermath.finish();
    }
}

/// Held by the driver. Should its runtime go first, the waits are told to start another.
struct Driving {
    shared: Arc<Shared>,
    driver: Driver,
}

impl Drop for Driving {
    fn drop(&mut self) {
        let number = self.driver.number;
        let wakers = self.shared.state().abandon(number, Instant::now());
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// What a lookup was for, and what it brought.
type Landing = (Arc<[TaskId]>, Result<Vec<Task>>);

impl Driving {
    fn send(&self, ids: Arc<[TaskId]>) -> impl Future<Output = Landing> + use<> {
        let span = tracing::debug_span!(
            "lookup",
            tasks = ids.len(),
            first = ids.first().map(TaskId::as_str),
            elapsed_ms = tracing::field::Empty,
        );
        let lookup = self.shared.source.lookup(ids.clone());
        let begin = Instant::now();
        async move {
            tracing::trace!(?ids, "looking up");
            let outcome = lookup.await;
            let elapsed = begin.elapsed().as_millis() as u64;
            tracing::Span::current().record("elapsed_ms", elapsed);
            tracing::debug!(
                found = outcome.as_ref().ok().map(Vec::len),
                error = outcome.as_ref().err().map(tracing::field::display),
                "looked up"
            );
            (ids, outcome)
        }
        .instrument(span)
    }

    fn land(&self, (ids, outcome): Landing) {
        let number = self.driver.number;
        let mut state = self.shared.state();
        let aftermath = state.land(number, &ids, outcome, Now::read());
        drop(state);
        aftermath.finish();
    }
}

async fn drive(driving: Driving) {
    let (shared, bell) = (&driving.shared, &driving.driver.bell);
    let mut flights = FuturesUnordered::new();
    loop {
        let plan = shared.state().plan(driving.driver.number, Instant::now());
        let Some(plan) = plan else {
            break;
        };
        flights.extend(plan.batches.into_iter().map(|ids| driving.send(ids)));
        let idle = async {
            match plan.next {
                Some(time) => {
                    select(pin!(bell.notified()), pin!(sleep_until(time))).await;
                }
                None => bell.notified().await,
            }
        };
        // Without flights there is no next one.
        let landed = match flights.is_empty() {
            true => {
                idle.await;
                None
            }
            false => match select(flights.next(), pin!(idle)).await {
                Either::Left((landed, _)) => landed,
                Either::Right(_) => None,
            },
        };
        if let Some(landing) = landed {
            driving.land(landing);
        }
    }
    // A wait that was dropped may have been begun anew: what it asked for is not lost.
    while let Some(landing) = flights.next().await {
        driving.land(landing);
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
