//! The requests of a session that are not answered yet.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rmcp::model::RequestId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

/// So many at a time; no more are read before one of them is answered. A host that sends and never
/// reads would fill the memory otherwise.
const MOST: usize = 256;

/// The requests under way, by their ids.
#[derive(Clone)]
pub(super) struct Calls {
    places: Arc<Semaphore>,
    running: TaskTracker,
    by_id: Arc<Mutex<HashMap<RequestId, Call>>>,
}

struct Call {
    /// Until its answer is on its way: a server that stops waits for it.
    running: Option<TaskTrackerToken>,
    /// Until its answer is written, or nobody waits for one.
    place: Option<Place>,
    /// Whether it is free, and waits for a video.
    is_held: bool,
}

/// Room for one more request.
pub(super) struct Place(#[expect(dead_code, reason = "it is only held")] OwnedSemaphorePermit);

/// Another request with the same id is under way.
#[derive(Debug, PartialEq)]
pub(super) struct Repeated;

impl Calls {
    pub(super) fn new(running: TaskTracker) -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST)),
            running,
            by_id: Arc::default(),
        }
    }

    fn by_id(&self) -> MutexGuard<'_, HashMap<RequestId, Call>> {
        // Nothing that can panic runs under the lock.
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room.
    pub(super) async fn place(&self) -> Option<Place> {
        // It is never closed, so that there always is one in the end.
        self.places.clone().acquire_owned().await.ok().map(Place)
    }

    pub(super) fn begin(&self, id: RequestId, place: Option<Place>) -> Result<(), Repeated> {
        match self.by_id().entry(id) {
            Entry::Occupied(_) => Err(Repeated),
            Entry::Vacant(entry) => {
                entry.insert(Call {
                    running: Some(self.running.token()),
                    place,
                    is_held: false,
                });
                Ok(())
            }
        }
    }

    /// Nobody waits for its answer any more. Its id stays taken: what it does may go on.
    pub(super) fn cancel(&self, id: &RequestId) {
        if let Some(call) = self.by_id().get_mut(id) {
            call.running = None;
            call.place = None;
        }
    }

    /// It waits for a video that is paid for already.
    pub(super) fn hold(&self, id: &RequestId) {
        if let Some(call) = self.by_id().get_mut(id) {
            call.is_held = true;
        }
    }

    /// Cancels one that is held.
    pub(super) fn cancel_held(&self) -> Option<RequestId> {
        let mut calls = self.by_id();
        let (id, call) = calls.iter_mut().find(|(_, call)| call.is_held)?;
        call.is_held = false;
        call.running = None;
        call.place = None;
        Some(id.clone())
    }

    /// Its answer is being written.
    pub(super) fn answer(&self, id: &RequestId) {
        if let Some(call) = self.by_id().get_mut(id) {
            call.running = None;
            call.is_held = false;
        }
    }

    /// It is over.
    pub(super) fn end(&self, id: &RequestId) {
        self.by_id().remove(id);
    }

    /// Waits until the answers of all are on their way.
    pub(super) async fn answered(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn an_id_is_taken_until_its_request_is_over() {
        let calls = Calls::new(TaskTracker::new());
        let id = RequestId::Number(9);
        assert_eq!(calls.begin(id.clone(), None), Ok(()));
        assert!(calls.answered().now_or_never().is_none());
        calls.cancel(&id);
        assert_eq!(calls.begin(id.clone(), None), Err(Repeated));
        calls.answer(&id);
        assert_eq!(calls.begin(id.clone(), None), Err(Repeated));
        assert!(calls.answered().now_or_never().is_some());
        calls.end(&id);
        assert_eq!(calls.begin(id.clone(), None), Ok(()));
        assert_eq!(calls.begin(RequestId::String("9".into()), None), Ok(()));
    }

    #[test]
    fn who_leaves_waits_for_no_video() {
        let calls = Calls::new(TaskTracker::new());
        let ids = [1, 2, 3].map(RequestId::Number);
        for id in &ids {
            assert_eq!(calls.begin(id.clone(), None), Ok(()));
        }
        calls.hold(&ids[0]);
        calls.hold(&ids[1]);
        calls.answer(&ids[1]);
        assert_eq!(calls.cancel_held().as_ref(), Some(&ids[0]));
        assert_eq!(calls.cancel_held(), None);
        // The third is still to be answered.
        assert!(calls.answered().now_or_never().is_none());
        calls.answer(&ids[2]);
        assert!(calls.answered().now_or_never().is_some());
    }

    #[test]
    fn there_is_room_for_so_many() {
        let calls = Calls::new(TaskTracker::new());
        let place = || calls.place().now_or_never().flatten();
        for id in 0..MOST {
            let place = place().expect("a place");
            let begun = calls.begin(RequestId::Number(id as i64), Some(place));
            assert_eq!(begun, Ok(()));
        }
        assert!(place().is_none());
        calls.answer(&RequestId::Number(7));
        assert!(place().is_none());
        calls.end(&RequestId::Number(7));
        assert!(place().is_some());
        calls.cancel(&RequestId::Number(8));
        assert!(place().is_some());
    }
}
