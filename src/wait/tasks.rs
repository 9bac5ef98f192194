//! Looking many tasks up once.

use std::collections::HashSet;

use crate::{
    client::Luma,
    http::RequestError,
    model::{Outcome, Task},
    tasks::{MAX_BATCH, retrieve, retrieve_batch},
    util::TaskId,
};

impl Luma {
    /// Looks several tasks up once, 50 a request. The results are in the order of the ids. An id that is
    /// given twice is looked up once.
    ///
    /// If a request for 50 fails for another reason than an outage or a broken connection, its ids are
    /// looked up singly, so that one bad id costs only that id, such as the id of another account's task.
    ///
    /// # Errors
    ///
    /// For each task as [`TaskHandle::get`](crate::TaskHandle::get). For all of them if the service cannot
    /// be reached, or if the token or the account is the reason.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime with I/O and time enabled.
    ///
    /// ```no_run
    /// # async fn example(luma: luma_client::Luma, ids: Vec<luma_client::TaskId>)
    /// # -> Result<(), luma_client::RequestError> {
    /// for (id, task) in luma.tasks(&ids).await? {
    ///     match task {
    ///         Ok(task) => println!("{id} is {}", task.state()),
    ///         Err(error) => println!("{error}"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn tasks(
        &self,
        ids: &[TaskId],
    ) -> Result<Vec<(TaskId, Result<Task, RequestError>)>, RequestError> {
        let mut seen = HashSet::new();
        let ids: Vec<TaskId> = ids.iter().filter(|id| seen.insert(*id)).cloned().collect();
        let mut results = Vec::with_capacity(ids.len());
        for batch in ids.chunks(MAX_BATCH) {
            let mut found = match batch {
                [_] => Vec::new(),
                batch => match retrieve_batch(self.api(), batch).await {
                    Err(error) if is_about_all(&error) => return Err(error),
                    found => found.unwrap_or_default(),
                },
            };
            found.retain(|task| task.outcome() != Outcome::Refused);
            for id in batch {
                let place = found.iter().position(|task| task.id.as_deref() == Some(id.as_str()));
                let result = match place {
                    Some(place) => Ok(found.swap_remove(place)),
                    // A lookup of its own has the right error.
                    None => retrieve(self.api(), id).await,
                };
                match result {
                    Err(error) if is_about_all(&error) => return Err(error),
                    result => results.push((id.clone(), result)),
                }
            }
        }
        Ok(results)
    }
}

/// Whether no other lookup would fare better. A connection that breaks or times out after all retries is
/// no one id's fault.
fn is_about_all(error: &RequestError) -> bool {
    matches!(error, RequestError::Transport(_)) || error.is_outage() || error.ends_all_lookups()
}
