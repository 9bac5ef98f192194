//! The worker that spends money: from an order to a task.

use std::env;

use anyhow::{Context, Result, ensure};
use apalis::prelude::{BoxDynError, Data, WorkerBuilder, WorkerBuilderExt};
use luma_client::{Error, ErrorCode, Intent, RetryPolicy, Search, TaskHandle};
use sqlx::{PgPool, types::Json};

use crate::{queue, work::Work};

/// How many submits are under way at once. Each takes two of the ten connections of the pool.
const AT_ONCE: usize = 4;

pub async fn worker(pool: PgPool) -> Result<()> {
    let callback = env::var("CALLBACK_URL").context("CALLBACK_URL is not set")?;
    let mut work = Work::new(pool)?;
    // One attempt a submit, so that its timeout bounds it. The queue tries again.
    work.luma = work.luma.with_retry(RetryPolicy::none());
    let worker = WorkerBuilder::new(work.name(queue::SUBMIT).await?)
        .backend(work.storage(queue::SUBMIT))
        .concurrency(AT_ONCE)
        .data(work.clone())
        .data(callback)
        .build(job);
    Ok(worker.run_until(work.stopped()).await?)
}

async fn job(id: i64, work: Data<Work>, callback: Data<String>) -> Result<(), BoxDynError> {
    let result = submit(id, &work, &callback).await;
    work.end(id, result).await
}

type Row = (String, Option<Json<Intent>>, bool);

/// Runs as often as the queue likes, and pays once.
async fn submit(id: i64, work: &Work, callback: &str) -> Result<()> {
    // The queue may take a worker for dead that is not. This lock lasts as long as the connection of
    // its holder: who has it knows that nobody else is in the middle.
    let mut transaction = work.pool.begin().await?;
    let lock = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(id);
    let is_mine: bool = lock.fetch_one(&mut *transaction).await?;
    ensure!(is_mine, "another worker is at it");

    const ROW: &str = "SELECT prompt, intent, ticket IS NOT NULL OR problem IS NOT NULL
        FROM videos WHERE id = $1";
    let row = sqlx::query_as(ROW).bind(id);
    let (prompt, intent, is_done): Row = row.fetch_one(&mut *transaction).await?;
    if is_done {
        return Ok(());
    }
    // With an intent, somebody was here, and may have paid.
    let earlier = match intent {
        Some(Json(intent)) => {
            let pending = work.luma.pending(intent).settle(work.times.settle);
            pending.find().await?
        }
        None => Search::NotThere,
    };
    let task = match earlier {
        Search::Found(task) => Ok(task),
        Search::NotThere => pay(id, &prompt, work, callback).await?,
        Search::CannotTell(doubt) => Err(format!("perhaps paid for: {doubt}")),
        other => Err(format!("perhaps paid for: {other:?}")),
    };
    let update = match task {
        Ok(task) => {
            queue::push(&mut transaction, queue::WAIT, id).await?;
            let update = sqlx::query("UPDATE videos SET ticket = $2 WHERE id = $1").bind(id);
            update.bind(Json(task.ticket()))
        }
        Err(problem) => {
            let update = sqlx::query("UPDATE videos SET problem = $2 WHERE id = $1").bind(id);
            update.bind(problem)
        }
    };
    update.execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

/// Submits: a task, or why there will be none. After an error the next attempt searches first.
async fn pay(
    id: i64,
    prompt: &str,
    work: &Work,
    callback: &str,
) -> Result<Result<TaskHandle, String>> {
    // The query tells this submit from those with the same prompt.
    let callback = format!("{callback}?video={id}");
    let generate = work.luma.generate(prompt).callback_url(callback);
    let prepared = match generate.prepare() {
        Ok(prepared) => prepared,
        Err(invalid) => return Ok(Err(invalid.to_string())),
    };
    // On another connection, so that it is committed before anything is sent.
    let update = sqlx::query("UPDATE videos SET intent = $2 WHERE id = $1").bind(id);
    update
        .bind(Json(prepared.intent()))
        .execute(&work.pool)
        .await?;
    match prepared.submit().await {
        Ok(task) => Ok(Ok(task)),
        Err(error) if is_about_the_prompt(&error) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// A refusal that comes again; not one of the token or the balance, which a person mends.
fn is_about_the_prompt(error: &Error) -> bool {
    let Error::Api(error) = error else {
        return false;
    };
    matches!(
        error.code,
        Some(ErrorCode::BadRequest | ErrorCode::Forbidden)
    )
}
