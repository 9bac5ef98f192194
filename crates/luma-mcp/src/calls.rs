//! The requests of a session that are not answered yet.
//!
//! rmcp takes any number of them, also two with the same id, and then answers only one of the two (tests:
//! `id_in_use_is_refused_before_anything_is_billed`, `ping_with_many_held_calls_is_answered`).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rmcp::model::RequestId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

/// The most tool calls at a time. More are refused.
pub(crate) const MAX_CALLS: usize = 256;
/// The most unanswered requests at a time. No more are read, because the answers of a host that sends and
/// never reads would fill the memory.
const MAX_REQUESTS: usize = MAX_CALLS + 64;

/// The requests in flight, by id.
#[derive(Clone)]
pub(crate) struct Calls {
    room: Arc<Semaphore>,
    running: TaskTracker,
    by_id: Arc<Mutex<HashMap<RequestId, Call>>>,
}

struct Call {
    is_tool: bool,
    /// Whether it is a lookup that only waits for a video.
    is_held: bool,
    /// Whether its answer is dropped.
    is_muted: bool,
    /// Until its answer is on its way. A server that stops waits for it.
    running: Option<TaskTrackerToken>,
    /// Until its answer is written, or is no longer wanted.
    room: Option<Room>,
}

/// Room for one more request.
pub(crate) struct Room(#[expect(dead_code, reason = "it is only held")] OwnedSemaphorePermit);

/// Why a request is refused before it is read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Another request with the same id is in flight.
    Repeated,
    /// Too many calls are in flight.
    TooMany,
}

impl Calls {
    pub(crate) fn new(running: TaskTracker) -> Self {
        Self { room: Arc::new(Semaphore::new(MAX_REQUESTS)), running, by_id: Arc::default() }
    }

    fn by_id(&self) -> MutexGuard<'_, HashMap<RequestId, Call>> {
        // Nothing that can panic runs under the lock.
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room.
    pub(crate) async fn room(&self) -> Option<Room> {
        // The semaphore is never closed.
        self.room.clone().acquire_owned().await.ok().map(Room)
    }

    pub(crate) fn begin(
        &self,
        id: RequestId,
        is_tool: bool,
        room: Option<Room>,
    ) -> Result<(), Refused> {
        let mut calls = self.by_id();
        let is_call = |call: &&Call| call.is_tool && call.room.is_some();
        if calls.contains_key(&id) {
            return Err(Refused::Repeated);
        }
        if is_tool && calls.values().filter(is_call).count() >= MAX_CALLS {
            return Err(Refused::TooMany);
        }
        let call = Call {
            is_tool,
            is_held: false,
            is_muted: false,
            running: Some(self.running.token()),
            room,
        };
        calls.insert(id, call);
        Ok(())
    }

    /// The client cancelled it. Its id stays in use, because its work may continue.
    pub(crate) fn cancel(&self, id: &RequestId) {
        if let Some(call) = self.by_id().get_mut(id) {
            call.running = None;
            call.room = None;
        }
    }

    /// It is a lookup that only waits for a video.
    pub(crate) fn hold(&self, id: &RequestId) {
        if let Some(call) = self.by_id().get_mut(id) {
            call.is_held = true;
        }
    }

    /// The client has closed its side: drops the answers of held lookups, over which some clients break.
    pub(crate) fn drop_held(&self) {
        for call in self.by_id().values_mut().filter(|call| call.is_held) {
            call.is_muted = true;
            call.running = None;
            call.room = None;
        }
    }

    /// Its answer is about to be written. Returns whether it should be.
    pub(crate) fn answer(&self, id: &RequestId) -> bool {
        match self.by_id().get_mut(id) {
            Some(call) => {
                call.running = None;
                call.is_held = false;
                !call.is_muted
            }
            None => true,
        }
    }

    /// Its answer is written.
    pub(crate) fn end(&self, id: &RequestId) {
        self.by_id().remove(id);
    }

    /// Waits until all answers are on their way.
    pub(crate) async fn answered(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn id_of_a_request_is_in_use_until_its_end() {
        let calls = Calls::new(TaskTracker::new());
        let id = RequestId::Number(9);
        let begin = |id: &RequestId| calls.begin(id.clone(), true, None);
        assert_eq!(begin(&id), Ok(()));
        assert!(calls.answered().now_or_never().is_none());
        calls.cancel(&id);
        assert_eq!(begin(&id), Err(Refused::Repeated));
        assert!(calls.answer(&id));
        assert_eq!(begin(&id), Err(Refused::Repeated));
        assert!(calls.answered().now_or_never().is_some());
        calls.end(&id);
        assert_eq!(begin(&id), Ok(()));
        assert_eq!(begin(&RequestId::String("9".into())), Ok(()));
    }

    #[test]
    fn held_lookups_of_a_client_that_leaves_are_not_answered() {
        let calls = Calls::new(TaskTracker::new());
        let [held, other] = [1, 2].map(RequestId::Number);
        for id in [&held, &other] {
            assert_eq!(calls.begin(id.clone(), true, None), Ok(()));
        }
        calls.hold(&held);
        calls.drop_held();
        assert!(!calls.answer(&held));
        // The other is still to be answered.
        assert!(calls.answered().now_or_never().is_none());
        assert!(calls.answer(&other));
        assert!(calls.answered().now_or_never().is_some());
    }

    #[test]
    fn tool_calls_leave_room_for_other_requests() {
        let calls = Calls::new(TaskTracker::new());
        let room = || calls.room().now_or_never().flatten();
        let begin = |id: usize, is_tool| {
            let room = room().expect("room");
            calls.begin(RequestId::Number(id as i64), is_tool, Some(room))
        };
        for id in 0..MAX_CALLS {
            assert_eq!(begin(id, true), Ok(()));
        }
        assert_eq!(begin(MAX_CALLS, true), Err(Refused::TooMany));
        for id in MAX_CALLS..MAX_REQUESTS {
            assert_eq!(begin(id, false), Ok(()));
        }
        assert!(room().is_none());
        calls.answer(&RequestId::Number(7));
        assert!(room().is_none());
        calls.end(&RequestId::Number(7));
        assert_eq!(begin(1000, true), Ok(()));
        calls.cancel(&RequestId::Number(8));
        assert!(room().is_some());
    }
}
