//! The one task of the runtime that polls for all waits of a client.
//!
//! It is started by the first wait, and ends after the last one. What it knows stays with the poller
//! until the next one starts, so that waits that begin again do not undercut their interval.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::{
    runtime::{Handle, Id},
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tracing::Instrument;

use super::{
    entry::{Now, Options},
    lookup::Lookup,
    state::{Join, State},
    status::Status,
};
use crate::{http::RequestError, model::Task, util::TaskId};

/// By how much intervals are stretched at most, at random.
const JITTER: f64 = 0.1;

/// All waits of one client and its clones.
#[derive(Clone)]
pub(crate) struct Poller(Arc<Shared>);

struct Shared {
    lookup: Box<dyn Lookup>,
    jitter: f64,
    /// How many may be in flight.
    lookups: usize,
    slot: Mutex<Slot>,
}

enum Slot {
    /// Nobody waits.
    Idle(Box<State>),
    Running(mpsc::UnboundedSender<Command>, Id),
}

enum Command {
    Join(Box<Join>),
    Leave(TaskId),
    Look(TaskId),
    Notify(Box<Task>),
}

impl Shared {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Now {
        Now {
            instant: Instant::now(),
            wall: SystemTime::now(),
            jitter: fastrand::f64() * self.jitter,
        }
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
            jitter,
            lookups: max_in_flight.saturating_sub(1).max(1),
            slot: Mutex::new(Slot::Idle(Box::default())),
        }))
    }

    /// Begins a wait. It ends if the membership is dropped.
    ///
    /// # Panics
    ///
    /// Outside a runtime.
    pub(crate) fn join(&self, id: TaskId, options: Options, age: Option<Duration>) -> Membership {
        let runtime = Handle::current();
        let (sender, status) = watch::channel(Status::default());
        let join = Command::Join(Box::new(Join {
            id: id.clone(),
            options,
            age,
            status: sender,
        }));
        let mut slot = self.0.slot();
        let (commands, actor) = match &mut *slot {
            // An actor without waits may be on a runtime that nobody runs any more.
            Slot::Running(commands, home)
                if commands.strong_count() > 1 || *home == runtime.id() =>
            {
                (commands.clone(), None)
            }
            slot => {
                let (sender, commands) = mpsc::unbounded_channel();
                let new = Slot::Running(sender.clone(), runtime.id());
                let state = match std::mem::replace(slot, new) {
                    Slot::Idle(state) => state,
                    Slot::Running(..) => Box::default(),
                };
                let shared = self.0.clone();
                let actor = Actor { shared, state, commands };
                (sender, Some(actor))
            }
        };
        drop(slot);
        // If the actor has just gone, the status closes, and the wait joins again.
        let _ = commands.send(join);
        if let Some(actor) = actor {
            runtime.spawn(actor.run());
        }
        let seat = Seat { id, commands };
        Membership { status, seat }
    }

    /// Takes in a report that came by another way than a lookup.
    pub(crate) fn notify(&self, task: Task) {
        match &mut *self.0.slot() {
            Slot::Idle(state) => state.notify(task, self.0.now()),
            Slot::Running(commands, _) => {
                let _ = commands.send(Command::Notify(Box::new(task)));
            }
        }
    }
}

/// A wait at the poller.
pub(crate) struct Membership {
    /// It closes without an end if the runtime of the actor has gone: then join again.
    pub(crate) status: watch::Receiver<Status>,
    seat: Seat,
}

impl Membership {
    pub(crate) fn id(&self) -> &TaskId {
        &self.seat.id
    }

    /// Asks for a lookup now, whatever the interval.
    pub(crate) fn look(&self) {
        let _ = self.seat.commands.send(Command::Look(self.seat.id.clone()));
    }
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
    state: Box<State>,
    commands: mpsc::UnboundedReceiver<Command>,
}

/// What a lookup was for, and what it brought.
type Landing = (Arc<[TaskId]>, Result<Vec<Task>, RequestError>);

impl Actor {
    async fn run(mut self) {
        let mut in_flight = FuturesUnordered::new();
        loop {
            self.apply_waiting();
            let next = loop {
                match self.state.next_batch(self.shared.lookups, Instant::now()) {
                    Ok(ids) => in_flight.push(self.send(ids)),
                    Err(next) => break next,
                }
            };
            if self.state.is_idle() && in_flight.is_empty() {
                return;
            }
            let timer = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            // What has arrived is read before a timer is looked at.
            tokio::select! {
                biased;
                Some(command) = self.commands.recv() => self.apply(command),
                Some((ids, result)) = in_flight.next() => {
                    self.state.land(&ids, result, self.shared.now());
                }
                () = timer => {}
            }
        }
    }

    fn apply_waiting(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            self.apply(command);
        }
    }

    fn apply(&mut self, command: Command) {
        let now = self.shared.now();
        match command {
            Command::Join(join) => self.state.join(*join, now),
            Command::Leave(id) => self.state.leave(&id, now.instant),
            Command::Look(id) => self.state.look(&id, now.instant),
            Command::Notify(task) => self.state.notify(*task, now),
        }
    }

    fn send(&self, ids: Arc<[TaskId]>) -> impl Future<Output = Landing> + use<> {
        let span = tracing::debug_span!(
            "lookup",
            tasks = ids.len(),
            first = ids.first().map(TaskId::as_str),
            elapsed_ms = tracing::field::Empty,
        );
        let lookup = self.shared.lookup.lookup(ids.clone());
        let begin = Instant::now();
        async move {
            tracing::trace!(?ids, "looking up");
            let result = lookup.await;
            let elapsed = begin.elapsed().as_millis() as u64;
            tracing::Span::current().record("elapsed_ms", elapsed);
            tracing::debug!(
                found = result.as_ref().ok().map(Vec::len),
                error = result.as_ref().err().map(tracing::field::display),
                "looked up"
            );
            (ids, result)
        }
        .instrument(span)
    }
}

/// It ends, or its runtime does while there are waits: these join again.
impl Drop for Actor {
    fn drop(&mut self) {
        self.apply_waiting();
        self.state.abandon(self.shared.now());
        let mut slot = self.shared.slot();
        // It is closed if another actor has replaced this one.
        if !self.commands.is_closed() {
            *slot = Slot::Idle(std::mem::take(&mut self.state));
        }
    }
}
