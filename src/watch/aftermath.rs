//! What an event leaves to do.

use std::{collections::BTreeSet, sync::Arc, task::Waker};

use tokio::sync::Notify;

use super::entry::Record;
use crate::task::{TaskId, TaskState};

/// How many words that nobody knows are remembered, so that each is logged once.
const MAX_WORDS: usize = 100;

/// What is to be done once the lock is released: wakers, destructors and what listens to the log
/// are other people's code.
#[derive(Default)]
#[must_use]
pub(crate) struct Aftermath {
    pub(super) woken: Vec<Waker>,
    pub(super) bell: Option<Arc<Notify>>,
    pub(super) dropped: Option<Record>,
    /// States that were not known before, each with a task that has it.
    pub(super) unknown: Vec<(TaskId, String)>,
}

impl Aftermath {
    /// Has the state of a task logged where nobody knows it, once for all tasks.
    pub(super) fn note_word(
        &mut self,
        id: &TaskId,
        state: Option<&TaskState>,
        words: &mut BTreeSet<String>,
    ) {
        if let Some(TaskState::Unknown(word)) = state
            && words.len() < MAX_WORDS
            && words.insert(word.clone())
        {
            self.unknown.push((id.clone(), word.clone()));
        }
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        self.woken.extend(other.woken);
        self.unknown.extend(other.unknown);
        self.bell = self.bell.or(other.bell);
        self.dropped = self.dropped.or(other.dropped);
        self
    }

    pub(crate) fn finish(self) {
        if let Some(bell) = self.bell {
            bell.notify_one();
        }
        drop(self.dropped);
        for (task, word) in self.unknown {
            tracing::warn!(%task, word, "unknown state, waiting on");
        }
        self.woken.into_iter().for_each(Waker::wake);
    }
}
