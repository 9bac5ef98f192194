//! Looking many tasks up once.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;

use crate::{
    client::Luma,
    http::RequestError,
    model::{Outcome, Task},
    tasks::{MAX_BATCH, retrieve, retrieve_batch},
    util::TaskId,
};

/// How many single lookups are sent at a time.
const AT_A_TIME: usize = 4;

impl Luma {
    /// Looks several tasks up once, 50 a request. The results are in the order of the ids. An id that is
    /// given twice is looked up once.
    ///
    /// If a request for 50 fails for another reason than an outage, its ids are looked up singly, so that
    /// one bad id costs only that id.
    ///
    /// # Errors
    ///
    /// For each task as [`TaskHandle::get`](crate::TaskHandle::get). For all of them if the service cannot
    /// be reached, or if the token or the account is the reason.
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
            let mut found = self.look_up(batch).await?;
            results.extend(batch.iter().filter_map(|id| found.remove_entry(id)));
        }
        Ok(results)
    }

    async fn look_up(
        &self,
        ids: &[TaskId],
    ) -> Result<HashMap<TaskId, Result<Task, RequestError>>, RequestError> {
        let mut found = HashMap::with_capacity(ids.len());
        if ids.len() > 1 {
            let tasks = match retrieve_batch(self.api(), ids).await {
                Ok(tasks) => tasks,
                Err(error) if is_about_all(&error) => return Err(error),
                Err(_) => Vec::new(),
            };
            for task in tasks {
                if let Some(Ok(id)) = task.id.as_deref().map(str::parse::<TaskId>)
                    && task.outcome() != Outcome::Refused
                {
                    found.insert(id, Ok(task));
                }
            }
        }
        // What the batch did not tell: a lookup of its own has the right error.
        let rest: Vec<&TaskId> = ids.iter().filter(|id| !found.contains_key(*id)).collect();
        for group in rest.chunks(AT_A_TIME) {
            let lookups = group.iter().map(|id| retrieve(self.api(), id));
            let results = join_all(lookups).await;
            let is_down = |result: &Result<_, RequestError>| {
                result.as_ref().is_err_and(RequestError::is_retryable)
            };
            let all_down = group.len() == AT_A_TIME && results.iter().all(is_down);
            for (id, result) in group.iter().zip(results) {
                match result {
                    Err(error) if all_down || is_about_all(&error) => return Err(error),
                    result => found.insert((*id).clone(), result),
                };
            }
        }
        Ok(found)
    }
}

/// Whether no other lookup would fare better.
fn is_about_all(error: &RequestError) -> bool {
    error.is_outage() || error.ends_all_lookups()
}
