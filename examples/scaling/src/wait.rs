//! The worker that waits: from a task to its video. It can be killed and started at any time.

use anyhow::Result;
use apalis::prelude::{BoxDynError, Data, WorkerBuilder, WorkerBuilderExt};
use luma_client::{TaskRef, WaitError};
use sqlx::{PgPool, types::Json};

use crate::{queue, work::Work};

/// Waits cost next to nothing: all of a process share one poller, with fifty tasks in a request.
const AT_ONCE: usize = 200;

pub async fn worker(pool: PgPool) -> Result<()> {
    let work = Work::new(pool)?;
    let worker = WorkerBuilder::new(work.name(queue::WAIT).await?)
        .backend(work.storage(queue::WAIT))
        .concurrency(AT_ONCE)
        .data(work.clone())
        .build(job);
    work.until_drained(worker.run_until(work.clone().stopped())).await
}

async fn job(id: i64, work: Data<Work>) -> Result<(), BoxDynError> {
    let result = wait(id, &work).await;
    work.end(id, result).await
}

async fn wait(id: i64, work: &Work) -> Result<()> {
    let task = sqlx::query_scalar("SELECT task FROM videos WHERE id = $1").bind(id);
    let Json(task): Json<TaskRef> = task.fetch_one(&work.pool).await?;
    let wait =
        work.luma.task(task).wait().interval(work.times.interval).cancelled_by(work.stop.clone());
    let update = match wait.await {
        Ok(video) => {
            let update = sqlx::query("UPDATE videos SET url = $2 WHERE id = $1").bind(id);
            update.bind(video.url().to_owned())
        }
        Err(end @ (WaitError::Failed { .. } | WaitError::NotFound { .. })) => {
            let update = sqlx::query("UPDATE videos SET problem = $2 WHERE id = $1").bind(id);
            update.bind(end.to_string())
        }
        // The deadline, an outage, the end of this process: a later job waits again.
        Err(later) => return Err(later.into()),
    };
    update.execute(&work.pool).await?;
    Ok(())
}
