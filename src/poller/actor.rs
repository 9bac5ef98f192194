//! The one task of the runtime that polls for all waits of a client.
//!
//! The first wait starts it. It ends after the last one, once a wait that begins anew could no longer
//! undercut an interval.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use futures_util::{
    future::{BoxFuture, OptionFuture},
    stream::{FuturesUnordered, StreamExt},
};
use tokio::{
    runtime::{Handle, Id},
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tracing::Instrument;

use super::{
    early::EarlyReports,
    state::{Now, Options, State},
    status::{Receiver, Sender, channel},
};
use crate::{
    api,
    http::{RequestError, RetryPolicy},
    model::Task,
    tasks::{retrieve, retrieve_batch},
    util::TaskId,
};

/// By how much intervals are stretched at most, at random.
const JITTER: f64 = 0.1;

/// Where reports of tasks come from: the service, or a test.
pub(crate) trait Lookup: Send + Sync + 'static {
    /// Retrieves one id singly, and several as a batch. Nothing is repeated: the poller does so at its
    /// own pace.
    fn lookup(&self, ids: Arc<[TaskId]>) -> BoxFuture<'static, Result<Vec<Task>, RequestError>>;
}

impl Lookup for api::Client {
    fn lookup(&self, ids: Arc<[TaskId]>) -> BoxFuture<'static, Result<Vec<Task>, RequestError>> {
        let mut api = self.clone();
        api.inner.retry = RetryPolicy::none();
        Box::pin(async move {
            match &*ids {
                [id] => Ok(vec![retrieve(&api, id).await?]),
                ids => retrieve_batch(&api, ids).await,
            }
        })
    }
}

/// All waits of one client and its clones.
#[derive(Clone)]
pub(crate) struct Poller(Arc<Shared>);

struct Shared {
    lookup: Box<dyn Lookup>,
    /// How many lookups may be in flight.
    limit: usize,
    jitter: f64,
    early: EarlyReports,
    running: Mutex<Option<Running>>,
}

/// How to reach the actor.
struct Running {
    commands: mpsc::UnboundedSender<Command>,
    runtime: Id,
}

enum Command {
    Join(TaskId, Box<Options>, Sender),
    Leave(TaskId),
    Notify(TaskId, Box<Task>),
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Poller {
    /// `max_in_flight` is what the client may have in flight. Lookups use one less, so that a submit
    /// never waits for one.
    pub(crate) fn new(lookup: impl Lookup, max_in_flight: usize) -> Self {
        Self::with_jitter(lookup, max_in_flight, JITTER)
    }

    pub(crate) fn with_jitter(lookup: impl Lookup, max_in_flight: usize, jitter: f64) -> Self {
        Self(Arc::new(Shared {
            lookup: Box::new(lookup),
            limit: max_in_flight.saturating_sub(1).max(1),
            jitter,
            early: EarlyReports::default(),
            running: Mutex::default(),
        }))
    }

    /// Begins a wait. It ends when the membership is dropped.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub(crate) fn join(&self, id: &TaskId, options: Options) -> Membership {
        let runtime = Handle::current();
        let (sender, status) = channel();
        let mut running = self.0.running();
        // An actor without waits may be on a runtime that nobody runs any more.
        let usable = |running: &&Running| {
            running.commands.strong_count() > 1 || running.runtime == runtime.id()
        };
        let (commands, actor) = match running.as_ref().filter(usable) {
            Some(running) => (running.commands.clone(), None),
            None => {
                let (commands, receiver) = mpsc::unbounded_channel();
                *running = Some(Running { commands: commands.clone(), runtime: runtime.id() });
                let actor = Actor {
                    shared: self.0.clone(),
                    state: State::new(self.0.early.clone()),
                    commands: receiver,
                };
                (commands, Some(actor))
            }
        };
        drop(running);
        // If the actor has just gone, the status closes, and the wait joins again.
        let _ = commands.send(Command::Join(id.clone(), Box::new(options), sender));
        if let Some(actor) = actor {
            runtime.spawn(actor.run());
        }
        let id = id.clone();
        Membership { status, _seat: Seat { id, commands } }
    }

    /// Applies a report that did not come from a lookup.
    pub(crate) fn notify(&self, task: Task) {
        let Some(Ok(id)) = task.id.as_deref().map(str::parse::<TaskId>) else {
            return;
        };
        match &*self.0.running() {
            Some(Running { commands, .. }) => {
                let _ = commands.send(Command::Notify(id, Box::new(task)));
            }
            None => self.0.early.insert(id, task, Instant::now()),
        }
    }
}

/// A wait at the poller.
pub(crate) struct Membership {
    pub(crate) status: Receiver,
    _seat: Seat,
}

/// Dropped after the status: by that the actor sees who has left.
struct Seat {
    id: TaskId,
    commands: mpsc::UnboundedSender<Command>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Leave(self.id.clone()));
    }
}

struct Actor {
    shared: Arc<Shared>,
    state: State,
    commands: mpsc::UnboundedReceiver<Command>,
}

/// The ids of a lookup, and its result.
type Response = (Arc<[TaskId]>, Result<Vec<Task>, RequestError>);

impl Actor {
    async fn run(mut self) {
        let mut in_flight = FuturesUnordered::new();
        loop {
            self.apply_commands();
            let next = loop {
                match self.state.next_batch(self.shared.limit, Instant::now()) {
                    Ok(ids) => in_flight.push(self.send(ids)),
                    Err(next) => break next,
                }
            };
            if self.state.is_empty() {
                return;
            }
            let silence = self.state.tell_silence(Instant::now());
            let timer = next.into_iter().chain(silence).min().map(sleep_until);
            // What has arrived is read before a timer is looked at.
            tokio::select! {
                biased;
                Some(command) = self.commands.recv() => self.apply(command),
                Some((ids, result)) = in_flight.next() => {
                    let now = self.now();
                    self.state.receive(&ids, result, now);
                }
                Some(()) = OptionFuture::from(timer) => {}
            }
        }
    }

    fn now(&self) -> Now {
        Now {
            instant: Instant::now(),
            wall: SystemTime::now(),
            jitter: fastrand::f64() * self.shared.jitter,
        }
    }

    fn apply_commands(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            self.apply(command);
        }
    }

    fn apply(&mut self, command: Command) {
        let now = self.now();
        match command {
            Command::Join(id, options, status) => self.state.join(id, *options, status, now),
            Command::Leave(id) => self.state.leave(&id),
            Command::Notify(id, task) => self.state.notify(id, *task, now),
        }
    }

    fn send(&self, ids: Arc<[TaskId]>) -> impl Future<Output = Response> + use<> {
        let first = ids.first().map(TaskId::as_str);
        let span = tracing::debug_span!("lookup", tasks = ids.len(), first);
        let lookup = self.shared.lookup.lookup(ids.clone());
        let begin = Instant::now();
        async move {
            tracing::trace!(?ids, "looking up");
            let result = lookup.await;
            tracing::debug!(
                found = result.as_ref().ok().map(Vec::len),
                error = result.as_ref().err().map(tracing::field::display),
                elapsed_ms = begin.elapsed().as_millis() as u64,
                "looked up"
            );
            (ids, result)
        }
        .instrument(span)
    }
}

/// It ends, or its runtime does, and what waits are left join again.
impl Drop for Actor {
    fn drop(&mut self) {
        let mut running = self.shared.running();
        // It is closed if another actor has replaced this one.
        if !self.commands.is_closed() {
            *running = None;
        }
        drop(running);
        // A callback is not lost with it.
        self.apply_commands();
    }
}
