//! What both kinds of workers have in common.

use std::{env, time::Duration};

use anyhow::Result;
use apalis::prelude::{BackendExt, BoxDynError, DeferredError, PollWith, Strategy, WorkerError};
use apalis_postgres::{Config, PostgresStorage};
use luma_client::{CancellationToken, Luma, PollInterval};
use sqlx::PgPool;
use tokio::signal::unix::{SignalKind, signal};

/// How long a submit may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a job needs.
#[derive(Clone)]
pub struct Work {
    pub luma: Luma,
    pub pool: PgPool,
    pub times: Times,
    /// Cancelled when this process is to end.
    pub stop: CancellationToken,
}

#[derive(Clone)]
pub struct Times {
    /// How often a worker says that it is alive. After three missed heartbeats it is presumed dead.
    heartbeat: Duration,
    /// How long the service may take to show what it has accepted. More than [`TIMEOUT`], in case a worker
    /// is alive without the database, and so without its lock.
    pub settle: Duration,
    /// The delay before a failed job is retried.
    pause: Duration,
    pub interval: PollInterval,
}

impl Times {
    /// Short times are for a simulated service.
    fn new(quick: bool) -> Self {
        let (second, interval) = match quick {
            false => (Duration::from_secs(1), PollInterval::default()),
            true => (Duration::from_millis(50), PollInterval::fixed(Duration::from_millis(200))),
        };
        Self { heartbeat: 10 * second, settle: 45 * second, pause: 10 * second, interval }
    }
}

impl Work {
    pub fn new(pool: PgPool) -> Result<Self> {
        let quick = env::var_os("QUICK").is_some();
        Ok(Self {
            luma: Luma::builder().timeout(TIMEOUT).build()?,
            pool,
            times: Times::new(quick),
            stop: CancellationToken::new(),
        })
    }

    /// Where a worker's jobs come from.
    pub fn storage(&self, queue: &str) -> PollWith<PostgresStorage<i64>, Strategy> {
        let config = Config::default()
            .queue(queue)
            .heartbeat_interval(self.times.heartbeat)
            .missed_heartbeats(3)
            // A worker that is busy has no heartbeat while it holds more fetched jobs.
            .batch_size(1);
        PostgresStorage::new(&self.pool)
            .with_config(config)
            .poll_with_strategy(Strategy::new().interval(self.times.pause / 10))
    }

    /// A name for a worker, never used again: jobs of a dead worker with this name would look taken.
    pub async fn name(&self, queue: &str) -> Result<String> {
        let name = sqlx::query_scalar("SELECT $1 || '-' || gen_random_uuid()").bind(queue);
        Ok(name.fetch_one(&self.pool).await?)
    }

    /// Ends a job. A failed one is retried without a limit, until there is a video or a problem for a
    /// person.
    pub async fn end(&self, id: i64, result: Result<()>) -> Result<(), BoxDynError> {
        let Err(error) = result else { return Ok(()) };
        eprintln!("video {id}: {error:#}");
        // The queue hands it out again at once.
        self.stop.run_until_cancelled(tokio::time::sleep(self.times.pause)).await;
        Err(DeferredError::new(error).into())
    }

    /// Waits for a worker to end. When it has been told to and no submit can be in flight any more, the
    /// process ends without it: the end of the queue's worker was seen to hang in a transaction, and
    /// everything that counts is in the database.
    pub async fn until_drained(
        &self,
        worker: impl Future<Output = Result<(), WorkerError>>,
    ) -> Result<()> {
        let overdue = async {
            self.stop.cancelled().await;
            tokio::time::sleep(TIMEOUT + Duration::from_secs(5)).await;
        };
        tokio::select! {
            end = worker => Ok(end?),
            () = overdue => {
                eprintln!("the worker has not ended in time");
                Ok(())
            }
        }
    }

    /// Ctrl-C or SIGTERM. Waits are dropped: they are free, and another process starts them again.
    pub async fn stopped(self) -> Result<(), WorkerError> {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => {}
            ctrl_c = tokio::signal::ctrl_c() => ctrl_c?,
        }
        self.stop.cancel();
        Ok(())
    }
}
