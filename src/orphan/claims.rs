//! Whose task is whose, among the submits of one client.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::evidence::{Resemblance, resemblance};
use crate::{intent::Intent, task::TaskId};

/// The latest tasks that submits of one client and its clones were answered with, or that a search
/// found, and the keys of those submits: none is the task of another submit, however equal. And
/// the submits that are under way, whose tasks are not known yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accepted(Arc<Mutex<Submits>>);

#[derive(Debug, Default)]
struct Submits {
    claims: VecDeque<(TaskId, u32)>,
    under_way: Vec<Arc<Intent>>,
}

impl Accepted {
    const KEPT: usize = 4_096;

    fn submits(&self) -> MutexGuard<'_, Submits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a task in; false where it is that of another submit.
    pub(crate) fn claim(&self, id: &TaskId, key: u32) -> bool {
        let claims = &mut self.submits().claims;
        if let Some(owner) = owner(claims, id) {
            return owner == key;
        }
        keep(claims, id, key);
        true
    }

    /// Takes in the task that a submit was answered with. Nobody's yet: it is not looked for among
    /// thousands. Were it somebody's, it would stay so, as the first claim counts.
    pub(crate) fn answered(&self, id: &TaskId, key: u32) {
        keep(&mut self.submits().claims, id, key);
    }

    pub(super) fn is_anothers(&self, id: &TaskId, key: u32) -> bool {
        owner(&self.submits().claims, id).is_some_and(|owner| owner != key)
    }

    /// A submit is under way until the guard is dropped.
    pub(crate) fn begin(&self, intent: &Arc<Intent>) -> UnderWay {
        self.submits().under_way.push(intent.clone());
        UnderWay(self.clone(), intent.key)
    }

    /// Whether an equal submit is under way, whose task may be any that nobody claims.
    pub(super) fn has_equal_under_way(&self, intent: &Intent) -> bool {
        let submits = self.submits();
        let mut others = submits.under_way.iter().filter(|it| it.key != intent.key);
        others.any(|other| {
            let shown = serde_json::to_value(&other.request).ok();
            resemblance(&intent.request, shown.as_ref()) != Resemblance::Other
        })
    }
}

/// A submit that has no answer yet.
pub(crate) struct UnderWay(Accepted, u32);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut submits = self.0.submits();
        submits.under_way.retain(|intent| intent.key != self.1);
    }
}

fn keep(claims: &mut VecDeque<(TaskId, u32)>, id: &TaskId, key: u32) {
    if claims.len() == Accepted::KEPT {
        claims.pop_front();
    }
    claims.push_back((id.clone(), key));
}

fn owner(claims: &VecDeque<(TaskId, u32)>, id: &TaskId) -> Option<u32> {
    let claim = claims.iter().find(|(claimed, _)| claimed == id);
    claim.map(|(_, key)| *key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::types::VideoRequest;

    #[test]
    fn a_task_is_claimed_once() {
        let accepted = Accepted::default();
        let id = |number: usize| number.to_string().parse::<TaskId>().expect("an id");
        assert!(accepted.claim(&id(0), 1));
        assert!(!accepted.clone().claim(&id(0), 2));
        assert!(accepted.claim(&id(0), 1), "its owner may come again");
        for number in 1..=Accepted::KEPT {
            assert!(accepted.claim(&id(number), 1));
        }
        assert!(!accepted.is_anothers(&id(0), 2));
        assert!(accepted.is_anothers(&id(1), 2));
        assert!(!accepted.is_anothers(&id(1), 1));
        accepted.answered(&id(2), 2);
        assert!(accepted.is_anothers(&id(2), 2), "it is the first one's");
        accepted.answered(&id(0), 2);
        assert!(accepted.is_anothers(&id(0), 1));
    }

    #[test]
    fn equal_submits_are_seen_while_they_are_under_way() {
        let intent = |prompt: &str| {
            Arc::new(Intent::new(VideoRequest {
                prompt: Some(prompt.to_owned()),
                ..VideoRequest::default()
            }))
        };
        let accepted = Accepted::default();
        let (lost, equal, other) = (intent("a fox"), intent("a fox "), intent("an owl"));
        let _lost = accepted.begin(&lost);
        let _other = accepted.begin(&other);
        assert!(!accepted.has_equal_under_way(&lost));
        let under_way = accepted.clone().begin(&equal);
        assert!(accepted.has_equal_under_way(&lost));
        drop(under_way);
        assert!(!accepted.has_equal_under_way(&lost));
    }
}
