//! The requests that ask for tasks, and what their responses say.

use std::time::SystemTime;

use http::HeaderMap;

use crate::{
    api::{
        self,
        types::{TaskAction, TaskQuery},
    },
    http::{ApiError, RequestError, Token, receive},
    model::{Outcome, QueryResponse, Task},
    util::{
        TaskId,
        time::{date, unix_seconds},
    },
};

/// How many ids one `retrieve_batch` carries at most, by the vendor's recommendation.
pub(crate) const MAX_BATCH: usize = 50;

impl Default for TaskAction {
    /// What most queries do.
    fn default() -> Self {
        Self::Retrieve
    }
}

impl TaskQuery {
    /// A query that does this and sets nothing else.
    pub fn new(action: TaskAction) -> Self {
        Self { action, ..Self::default() }
    }
}

/// Looks one task up.
pub(crate) async fn retrieve(api: &api::Client, id: &TaskId) -> Result<Task, RequestError> {
    let query = TaskQuery { id: Some(id.to_string()), ..TaskQuery::new(TaskAction::Retrieve) };
    let (response, _) = ask(api, &query).await.map_err(|error| error.about(id))?;
    let mut task = match response {
        QueryResponse::Task(task) => *task,
        QueryResponse::Batch(batch) => {
            batch.items.into_iter().find(|task| is_about(task, id)).unwrap_or_default()
        }
        QueryResponse::Deleted(_) => Task::default(),
    };
    let token = token(api);
    if task.id.is_some() && !is_about(&task, id) {
        let reason = "it is about another task";
        return Err(RequestError::unexpected(token, reason, &task));
    }
    match task.outcome() {
        Outcome::Missing => Err(RequestError::NotFound { task: id.clone() }),
        Outcome::Refused => Err(refusal(&task, token).about(id)),
        _ => {
            // A report that does not say what it is about is about what was asked for.
            task.id = Some(id.to_string());
            Ok(task)
        }
    }
}

/// Looks several tasks up. Unknown ids are missing from the result.
pub(crate) async fn retrieve_batch(
    api: &api::Client,
    ids: &[TaskId],
) -> Result<Vec<Task>, RequestError> {
    let query = TaskQuery { ids: ids.to_vec(), ..TaskQuery::new(TaskAction::RetrieveBatch) };
    let mut tasks = batch_of(ask(api, &query).await?.0, token(api))?;
    for task in &mut tasks {
        // The spelling that was asked for, if the service's differs in case.
        if let Some(id) = ids.iter().find(|id| is_about(task, id)) {
            task.id = Some(id.to_string());
        }
    }
    Ok(tasks)
}

/// A page of the account's tasks, also what only stands for one, and by how many seconds the service's clock is ahead of this
/// machine's, if the response tells.
pub(crate) async fn list(
    api: &api::Client,
    query: &TaskQuery,
) -> Result<(Vec<Task>, Option<f64>), RequestError> {
    let (response, headers) = ask(api, query).await?;
    let clock_ahead = || Some(unix_seconds(date(&headers)?)? - unix_seconds(SystemTime::now())?);
    Ok((batch_of(response, token(api))?, clock_ahead()))
}

/// An item of a page, or why it is not a task.
pub(crate) fn item(api: &api::Client, task: Task) -> Result<Task, RequestError> {
    match task.outcome() {
        Outcome::Refused => {
            let reason = format!("an item of it is an error: {}", refusal(&task, token(api)));
            Err(RequestError::item(token(api), &reason, &task))
        }
        Outcome::Missing if task.request.is_none() => {
            Err(RequestError::item(token(api), "an item of it is not a task", &task))
        }
        _ => Ok(task),
    }
}

/// Deletes a task from the account's history; returns whether the service did so.
pub(crate) async fn delete(api: &api::Client, id: &TaskId) -> Result<bool, RequestError> {
    let query = TaskQuery { id: Some(id.to_string()), ..TaskQuery::new(TaskAction::Delete) };
    let (response, _) = ask(api, &query).await.map_err(|error| error.about(id))?;
    match &response {
        QueryResponse::Deleted(deleted) if deleted.id.is_empty() || is_same(&deleted.id, id) => {
            Ok(deleted.deleted)
        }
        QueryResponse::Task(task) if **task == Task::default() => {
            Err(RequestError::NotFound { task: id.clone() })
        }
        QueryResponse::Task(task) if task.outcome() == Outcome::Refused => {
            Err(refusal(task, token(api)).about(id))
        }
        _ => {
            let reason = "it does not say whether the task was deleted";
            Err(RequestError::unexpected(token(api), reason, &response))
        }
    }
}

/// Sends a task query.
async fn ask(
    api: &api::Client,
    query: &TaskQuery,
) -> Result<(QueryResponse, HeaderMap), RequestError> {
    receive(token(api), api.query_tasks(query).await).await
}

fn batch_of(response: QueryResponse, token: &Token) -> Result<Vec<Task>, RequestError> {
    match response {
        QueryResponse::Batch(batch) => Ok(batch.items),
        QueryResponse::Task(task) if task.error_info().is_some() => Err(refusal(&task, token)),
        other => Err(RequestError::unexpected(token, "it has no items", &other)),
    }
}

/// The error that came in place of a task.
fn refusal(task: &Task, token: &Token) -> RequestError {
    ApiError::of_success(task, token).into()
}

/// Whether a report is about this task.
fn is_about(task: &Task, id: &TaskId) -> bool {
    task.id.as_ref().is_some_and(|about| is_same(about, id))
}

/// Whether the service means this task: a UUID is the same in upper and lower case.
fn is_same(about: &str, id: &TaskId) -> bool {
    about.eq_ignore_ascii_case(id.as_str())
}

fn token(api: &api::Client) -> &Token {
    &api.inner.token
}
