//! Which task belongs to which submission of a client.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    matching::{Comparison, compare},
    submission::Submission,
};
use crate::util::TaskId;

/// The latest tasks of submissions, and the submissions in flight, whose tasks are not known yet. A task
/// of one submission is never that of another, however equal.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<Submissions>);

#[derive(Debug, Default)]
struct Submissions {
    /// Latest first.
    tasks: VecDeque<(TaskId, u64)>,
    in_flight: Vec<Submission>,
}

impl Registry {
    const MAX_TASKS: usize = 4_096;

    fn lock(&self) -> MutexGuard<'_, Submissions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a task for that of the submission with this key; false if it is that of another: the first
    /// owner of a task stays its owner.
    pub(super) fn assign(&self, id: &TaskId, key: u64) -> bool {
        let mut submissions = self.lock();
        let owner = submissions.owner(id);
        if owner.is_none() {
            submissions.tasks.truncate(Self::MAX_TASKS - 1);
            submissions.tasks.push_front((id.clone(), key));
        }
        owner.is_none_or(|owner| owner == key)
    }

    pub(super) fn is_of_another(&self, id: &TaskId, key: u64) -> bool {
        self.lock().owner(id).is_some_and(|owner| owner != key)
    }

    /// The submission is in flight until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, submission: &Submission) -> InFlight {
        self.lock().in_flight.push(submission.clone());
        InFlight(self.clone(), submission.key)
    }

    /// Whether an equal submission is in flight: a task that nobody owns may be its task.
    pub(super) fn has_equal_in_flight(&self, submission: &Submission) -> bool {
        let submissions = self.lock();
        submissions.in_flight.iter().filter(|other| other.key != submission.key).any(|other| {
            let shown = serde_json::to_value(&other.request).ok();
            let comparison = compare(&submission.request, shown.as_ref());
            !matches!(comparison, Comparison::Different | Comparison::OtherSubmission)
        })
    }
}

impl Submissions {
    fn owner(&self, id: &TaskId) -> Option<u64> {
        let task = self.tasks.iter().find(|(known, _)| known == id);
        task.map(|(_, key)| *key)
    }
}

/// A submission without a response yet.
pub(super) struct InFlight(Arc<Registry>, u64);

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut submissions = self.0.lock();
        submissions.in_flight.retain(|other| other.key != self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::types::VideoRequest;

    #[test]
    fn task_of_one_submission_is_not_assigned_to_another() {
        let registry = Registry::default();
        let id = |number: usize| number.to_string().parse::<TaskId>().expect("an id");
        assert!(registry.assign(&id(0), 1));
        assert!(!registry.assign(&id(0), 2));
        assert!(registry.assign(&id(0), 1), "its owner may have it again");
        for number in 1..=Registry::MAX_TASKS {
            assert!(registry.assign(&id(number), 1));
        }
        assert!(!registry.is_of_another(&id(0), 2), "the oldest is forgotten");
        assert!(registry.is_of_another(&id(1), 2));
        assert!(!registry.is_of_another(&id(1), 1));
        assert!(!registry.assign(&id(2), 2));
        assert!(registry.is_of_another(&id(2), 2), "the first owner stays");
    }

    #[test]
    fn equal_submission_is_seen_while_it_is_in_flight() {
        let submission = |prompt: &str| {
            Submission::new(VideoRequest {
                prompt: Some(prompt.to_owned()),
                ..VideoRequest::default()
            })
        };
        let registry = Arc::new(Registry::default());
        let (lost, equal, other) =
            (submission("a fox"), submission("a fox "), submission("an owl"));
        let _lost = registry.begin(&lost);
        let _other = registry.begin(&other);
        assert!(!registry.has_equal_in_flight(&lost));
        let in_flight = registry.begin(&equal);
        assert!(registry.has_equal_in_flight(&lost));
        drop(in_flight);
        assert!(!registry.has_equal_in_flight(&lost));
    }
}
