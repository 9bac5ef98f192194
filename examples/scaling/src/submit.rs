//! The worker that submits: from an order to a task. It is the only one that spends money.

use std::env;

use anyhow::{Context, Result, ensure};
use apalis::prelude::{BoxDynError, Data, WorkerBuilder, WorkerBuilderExt};
use luma_client::{ErrorCode, Reconciliation, RetryPolicy, Submission, SubmitError, TaskHandle};
use sqlx::{PgPool, types::Json};

use crate::{queue, work::Work};

/// How many submits are in flight at a time. Each takes two of the ten connections of the pool.
const AT_ONCE: usize = 4;

pub async fn worker(pool: PgPool) -> Result<()> {
    let callback = env::var("CALLBACK_URL").context("CALLBACK_URL is not set")?;
    let mut work = Work::new(pool)?;
    // One attempt for each submit, so that its timeout bounds it. The queue retries.
    work.luma = work.luma.with_retry(RetryPolicy::none());
    let worker = WorkerBuilder::new(work.name(queue::SUBMIT).await?)
        .backend(work.storage(queue::SUBMIT))
        .concurrency(AT_ONCE)
        .data(work.clone())
        .data(callback)
        .build(job);
    work.until_drained(worker.run_until(work.clone().stopped())).await
}

async fn job(id: i64, work: Data<Work>, callback: Data<String>) -> Result<(), BoxDynError> {
    let result = submit(id, &work, &callback).await;
    work.end(id, result).await
}

type Row = (String, Option<Json<Submission>>, bool);

/// May run any number of times, and pays once.
async fn submit(id: i64, work: &Work, callback: &str) -> Result<()> {
    // The queue may presume a worker dead that is alive. This lock lasts as long as the connection of its
    // holder: the worker that gets it knows that no other one is submitting.
    let mut transaction = work.pool.begin().await?;
    let lock = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(id);
    let is_mine: bool = lock.fetch_one(&mut *transaction).await?;
    ensure!(is_mine, "another worker is submitting it");

    const ROW: &str = "SELECT prompt, submission, task IS NOT NULL OR problem IS NOT NULL
        FROM videos WHERE id = $1";
    let row = sqlx::query_as(ROW).bind(id);
    let (prompt, stored, is_done): Row = row.fetch_one(&mut *transaction).await?;
    if is_done {
        return Ok(());
    }
    let task = match stored {
        // Another worker was here, and may have paid.
        Some(Json(submission)) => resubmit(&submission, work).await?,
        None => match prepare(id, &prompt, work, callback).await? {
            Ok(submission) => send(&submission, work).await?,
            Err(problem) => Err(problem),
        },
    };
    let update = match task {
        Ok(task) => {
            queue::push(&mut transaction, queue::WAIT, id).await?;
            let update = sqlx::query("UPDATE videos SET task = $2 WHERE id = $1").bind(id);
            update.bind(Json(task.to_ref()))
        }
        Err(problem) => {
            let update = sqlx::query("UPDATE videos SET problem = $2 WHERE id = $1").bind(id);
            update.bind(problem)
        }
    };
    update.execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

/// A task, or why there will be none.
type Outcome = Result<TaskHandle, String>;

/// Checks and commits the submission before anything is sent, on another connection.
async fn prepare(
    id: i64,
    prompt: &str,
    work: &Work,
    callback: &str,
) -> Result<Result<Submission, String>> {
    // The query tells this submission from those with the same prompt.
    let callback = format!("{callback}?video={id}");
    let submission = match work.luma.generate(prompt).callback_url(callback).prepare() {
        Ok(submission) => submission,
        Err(invalid) => return Ok(Err(invalid.to_string())),
    };
    let update = sqlx::query("UPDATE videos SET submission = $2 WHERE id = $1").bind(id);
    update.bind(Json(&submission)).execute(&work.pool).await?;
    Ok(Ok(submission))
}

/// Finds the task of a stored submission, or sends it if the service certainly does not have it.
async fn resubmit(submission: &Submission, work: &Work) -> Result<Outcome> {
    let search = work.luma.reconcile(submission).settle(work.times.settle);
    match search.await? {
        Reconciliation::Found(task) => Ok(Ok(task)),
        Reconciliation::NotFound { .. } => send(submission, work).await,
        Reconciliation::Inconclusive(reason) => Ok(Err(format!("perhaps paid for: {reason}"))),
        other => Ok(Err(format!("perhaps paid for: {other:?}"))),
    }
}

/// Submits. After an error the next attempt reconciles first.
async fn send(submission: &Submission, work: &Work) -> Result<Outcome> {
    match work.luma.submit(submission).await {
        Ok(task) => Ok(Ok(task)),
        Err(error) if is_about_the_prompt(&error) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Whether a refusal is permanent. One about the token or the balance is not: a person can solve it.
fn is_about_the_prompt(error: &SubmitError) -> bool {
    let SubmitError::NotAccepted(error) = error else {
        return false;
    };
    let code = error.api().and_then(|error| error.code.as_ref());
    matches!(code, Some(ErrorCode::BadRequest | ErrorCode::Forbidden))
}
