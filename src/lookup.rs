//! The calls that ask for tasks, and what their answers say.

use http::HeaderMap;
use progenitor_client::ResponseValue;
use serde::Serialize;

use crate::{
    api::{
        self,
        types::{TaskAction, TaskBatch, TaskQuery},
    },
    error::{ApiError, DecodeError, Error, Result, read_failure},
    task::{Task, TaskId, Verdict},
    wire::TaskAnswer,
};

/// How many ids one `retrieve_batch` carries at most, by the vendor's advice.
pub(crate) const MAX_BATCH: usize = 50;

/// Sends a task query; an answer of unexpected field types is read as far as it goes.
pub(crate) async fn ask(api: &api::Client, query: &TaskQuery) -> Result<TaskAnswer> {
    read(api.query_tasks(query).await).await
}

pub(crate) async fn ask_with_headers(
    api: &api::Client,
    query: &TaskQuery,
) -> Result<(TaskAnswer, HeaderMap)> {
    let answer = api.query_tasks(query).await;
    let headers = answer.as_ref().ok().map(|answer| answer.headers().clone());
    Ok((read(answer).await?, headers.unwrap_or_default()))
}

async fn read(answer: Result<ResponseValue<TaskAnswer>, api::Error>) -> Result<TaskAnswer> {
    match answer {
        Ok(answer) => Ok(answer.into_inner()),
        Err(api::Error::InvalidResponsePayload(body, reason)) => {
            crate::wire::salvage_answer(&body).ok_or_else(|| DecodeError::new(reason, &body).into())
        }
        Err(failure) => Err(read_failure(failure).await),
    }
}

pub(crate) async fn retrieve(api: &api::Client, id: &TaskId) -> Result<Task> {
    let answer = ask(
        api,
        &TaskQuery {
            id: Some(id.as_str().to_owned()),
            ..TaskQuery::new(TaskAction::Retrieve)
        },
    )
    .await
    .map_err(|error| match error.api() {
        Some(api) if api.says_not_found() => Error::NotFound { task: id.clone() },
        _ => error,
    })?;
    let mut task = match answer {
        TaskAnswer::Task(task) => *task,
        TaskAnswer::Batch(batch) => batch
            .items
            .into_iter()
            .find(|task| task.id.as_deref() == Some(id.as_str()))
            .unwrap_or_default(),
        TaskAnswer::Deleted(_) => Task::default(),
    };
    if task.id.as_deref().is_some_and(|got| got != id.as_str()) {
        return Err(DecodeError::other("it is about another task", &task).into());
    }
    match task.verdict() {
        Verdict::Missing => Err(Error::NotFound { task: id.clone() }),
        Verdict::Refused => Err(refusal(&task, id)),
        _ => {
            // A report that does not say what it is about is about what was asked.
            task.id.get_or_insert_with(|| id.as_str().to_owned());
            Ok(task)
        }
    }
}

pub(crate) async fn retrieve_batch(api: &api::Client, ids: &[TaskId]) -> Result<TaskBatch> {
    let query = TaskQuery {
        ids: ids.to_vec(),
        ..TaskQuery::new(TaskAction::RetrieveBatch)
    };
    batch_of(ask(api, &query).await?)
}

pub(crate) fn batch_of(answer: TaskAnswer) -> Result<TaskBatch> {
    match answer {
        TaskAnswer::Batch(batch) => Ok(batch),
        TaskAnswer::Task(task) if task.error_info().is_some() => Err(api_error(&task).into()),
        TaskAnswer::Task(task) => Err(no_items(&task)),
        TaskAnswer::Deleted(deleted) => Err(no_items(&deleted)),
    }
}

fn no_items(answer: &impl Serialize) -> Error {
    DecodeError::other("it has no items", answer).into()
}

/// An error that came with HTTP 200 in place of a task.
fn refusal(task: &Task, id: &TaskId) -> Error {
    let error = api_error(task);
    if error.says_not_found() {
        return Error::NotFound { task: id.clone() };
    }
    error.into()
}

pub(crate) fn api_error(task: &Task) -> ApiError {
    let trace_id = task.trace_id.as_deref();
    ApiError::new(http::StatusCode::OK, task.error_info(), trace_id)
}
