//! The requests that ask for tasks, and what their responses say.

use std::time::SystemTime;

use http::{HeaderMap, header::DATE};

use crate::{
    api::{
        self,
        types::{TaskAction, TaskBatch, TaskQuery},
    },
    http::{ApiError, RequestError, Token},
    model::{Outcome, Task, TaskAnswer, recover},
    util::{TaskId, time::unix_seconds},
};

/// How many ids one `retrieve_batch` carries at most, by the vendor's recommendation.
pub(crate) const MAX_BATCH: usize = 50;

impl TaskQuery {
    /// A query that does this and sets nothing else.
    pub fn new(action: TaskAction) -> Self {
        Self {
            action,
            application_id: None,
            created_at_max: None,
            created_at_min: None,
            id: None,
            ids: Vec::new(),
            limit: None,
            offset: None,
            trace_id: None,
            trace_ids: Vec::new(),
            type_: None,
            user_id: None,
        }
    }
}

/// Looks one task up.
pub(crate) async fn retrieve(api: &api::Client, id: &TaskId) -> Result<Task, RequestError> {
    let query = TaskQuery { id: Some(id.to_string()), ..TaskQuery::new(TaskAction::Retrieve) };
    let (answer, _) = ask(api, &query).await.map_err(|error| error.about(id))?;
    let mut task = match answer {
        TaskAnswer::Task(task) => *task,
        TaskAnswer::Batch(batch) => {
            let mut items = batch.items.into_iter();
            items.find(|task| is_about(task, id)).unwrap_or_default()
        }
        TaskAnswer::Deleted(_) => Task::default(),
    };
    let token = token(api);
    if task.id.is_some() && !is_about(&task, id) {
        let reason = "it is about another task";
        return Err(RequestError::unexpected(token, reason, &task));
    }
    match task.outcome() {
        Outcome::Missing => Err(RequestError::NotFound { task: id.clone() }),
        Outcome::Refused => Err(RequestError::from(ApiError::of_success(&task, token)).about(id)),
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
    let mut tasks = batch_of(ask(api, &query).await?.0, token(api))?.items;
    for task in &mut tasks {
        // The spelling that was asked for, if the service's differs in case.
        if let Some(id) = ids.iter().find(|id| is_about(task, id)) {
            task.id = Some(id.to_string());
        }
    }
    Ok(tasks)
}

/// A page of the account's tasks.
pub(crate) struct Page {
    pub(crate) tasks: Vec<Task>,
    /// Seconds by which the service's clock is ahead of this machine's, if the response tells.
    pub(crate) clock_ahead: Option<f64>,
}

/// Lists tasks of the account.
pub(crate) async fn list(api: &api::Client, query: &TaskQuery) -> Result<Page, RequestError> {
    let (answer, headers) = ask(api, query).await?;
    Ok(Page {
        tasks: batch_of(answer, token(api))?.items,
        clock_ahead: clock_ahead(&headers, SystemTime::now()),
    })
}

/// Deletes a task from the account's history; returns whether the service did so.
pub(crate) async fn delete(api: &api::Client, id: &TaskId) -> Result<bool, RequestError> {
    let query = TaskQuery { id: Some(id.to_string()), ..TaskQuery::new(TaskAction::Delete) };
    let token = token(api);
    let (answer, _) = ask(api, &query).await.map_err(|error| error.about(id))?;
    match &answer {
        TaskAnswer::Deleted(deleted)
            if deleted.id.is_empty() || deleted.id.eq_ignore_ascii_case(id.as_str()) =>
        {
            Ok(deleted.deleted)
        }
        TaskAnswer::Task(task) => match task.outcome() {
            Outcome::Refused => {
                Err(RequestError::from(ApiError::of_success(task.as_ref(), token)).about(id))
            }
            Outcome::Missing if **task == Task::default() => {
                Err(RequestError::NotFound { task: id.clone() })
            }
            _ => Err(no_deletion(token, &answer)),
        },
        _ => Err(no_deletion(token, &answer)),
    }
}

fn no_deletion(token: &Token, answer: &TaskAnswer) -> RequestError {
    RequestError::unexpected(token, "it does not say whether the task was deleted", answer)
}

/// Sends a task query. Odd fields in the response cost only themselves.
async fn ask(
    api: &api::Client,
    query: &TaskQuery,
) -> Result<(TaskAnswer, HeaderMap), RequestError> {
    let failure = match api.query_tasks(query).await {
        Ok(response) => {
            let headers = response.headers().clone();
            return Ok((response.into_inner(), headers));
        }
        Err(failure) => failure,
    };
    if let api::Error::InvalidResponsePayload(body, _) = &failure
        && let Some(answer) = recover(body)
    {
        return Ok((answer, HeaderMap::new()));
    }
    Err(RequestError::read(token(api), failure).await)
}

fn batch_of(answer: TaskAnswer, token: &Token) -> Result<TaskBatch, RequestError> {
    match answer {
        TaskAnswer::Batch(batch) => Ok(batch),
        TaskAnswer::Task(task) if task.error_info().is_some() => {
            Err(ApiError::of_success(&task, token).into())
        }
        other => Err(RequestError::unexpected(token, "it has no items", &other)),
    }
}

/// Whether a report is about this task: a UUID is the same in upper and lower case.
fn is_about(task: &Task, id: &TaskId) -> bool {
    let about = task.id.as_deref();
    about.is_some_and(|about| about.eq_ignore_ascii_case(id.as_str()))
}

fn clock_ahead(headers: &HeaderMap, now: SystemTime) -> Option<f64> {
    let date = headers.get(DATE)?.to_str().ok()?;
    Some(unix_seconds(httpdate::parse_http_date(date).ok()?)? - unix_seconds(now)?)
}

fn token(api: &api::Client) -> &Token {
    &api.inner.token
}
