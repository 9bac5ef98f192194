//! The engine under every wait of one client: what is due goes out together.
//!
//! [`state`] decides, as pure functions over values; here is the thin shell that sleeps, sends and
//! wakes. One task of the runtime drives all waits; it is there only while there are any.

pub(crate) mod state;

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use futures_util::{
    future::{BoxFuture, Either, select},
    stream::{FuturesUnordered, StreamExt},
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::{
    api,
    client::{retrieve, retrieve_batch},
    error::Result,
    retry::RetryPolicy,
    task::{Task, TaskId},
};
use state::{Joining, Now, Report, State, WaitKey};

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
    /// Something changed that the driver has to know before its next sleep ends.
    changed: Notify,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock but the allocator's.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hub {
    pub(crate) fn new(source: impl Lookup) -> Self {
        Self(Arc::new(Shared {
            source: Box::new(source),
            state: Mutex::default(),
            changed: Notify::new(),
        }))
    }

    /// Adds a wait to the set. Must be called within a runtime.
    pub(crate) fn join(&self, joining: Joining) -> Membership {
        let id = joining.id.clone();
        let (key, is_next) = self.0.state().join(joining, Now::read());
        if is_next {
            self.0.changed.notify_one();
        }
        Membership {
            hub: self.clone(),
            id,
            key,
        }
    }

    /// Hands in a report that came by another way than a lookup.
    pub(crate) fn notify(&self, task: Task) {
        let mut state = self.0.state();
        let wakers = state.notify(task, Now::read());
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Starts the driver where none runs: for the first wait, and after a runtime that drove the
    /// waits of another one has gone.
    fn keep_driven(&self, state: &mut State) {
        if let Some(number) = state.hire() {
            let shared = self.0.clone();
            tokio::spawn(drive(Driving { shared, number }));
        }
    }
}

/// A wait in the set. It leaves when this is dropped.
pub(crate) struct Membership {
    hub: Hub,
    id: TaskId,
    key: WaitKey,
}

impl Membership {
    /// The next report or the end, whichever is there.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Report> {
        let mut state = self.hub.0.state();
        self.hub.keep_driven(&mut state);
        state.poll(&self.id, self.key, cx.waker())
    }

    /// What is known of the task, and how often it was looked up for this wait.
    pub(crate) fn known(&self) -> (Option<Arc<Task>>, u32) {
        self.hub.0.state().known(&self.id, self.key)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut state = self.hub.0.state();
        state.leave(&self.id, self.key);
        let is_last = !state.has_waits();
        drop(state);
        if is_last {
            self.hub.0.changed.notify_one();
        }
    }
}

/// Held by the driver. Should its runtime go first, the waits are told to start another.
struct Driving {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Driving {
    fn drop(&mut self) {
        let wakers = self.shared.state().abandon(self.number, Instant::now());
        wakers.into_iter().for_each(Waker::wake);
    }
}

async fn drive(driving: Driving) {
    let shared = &driving.shared;
    let mut flights = FuturesUnordered::new();
    loop {
        let plan = {
            let mut state = shared.state();
            if !state.has_waits() {
                // Under the same lock, so that a wait that joins now starts a driver of its own.
                state.retire();
                return;
            }
            state.plan(Instant::now())
        };
        for ids in plan.batches {
            let lookup = shared.source.lookup(ids.clone());
            tracing::debug!(ids = ids.len(), "lookup");
            flights.push(async move { (ids, lookup.await) });
        }
        let idle = async {
            match plan.next {
                Some(time) => {
                    let changed = pin!(shared.changed.notified());
                    select(changed, pin!(sleep_until(time))).await;
                }
                None => shared.changed.notified().await,
            }
        };
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
        if let Some((ids, outcome)) = landed {
            let wakers = shared.state().land(&ids, outcome, Now::read());
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}
