//! Workers are killed with SIGKILL at the most expensive moments. Each video is paid for once.
//!
//! ```sh
//! cargo test                # starts PostgreSQL itself; KILL_SEED=… for other moments
//! ```

mod support;

use std::{collections::HashSet, env, time::Duration};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use luma_simulator::{Fault, JobDuration, Simulator, Target};
use rustix::process::Signal;
use sqlx::PgPool;
use support::{
    postgres::Postgres,
    worker::{Program, Worker},
};
use tokio::time::{Instant, sleep, timeout};

/// How often each thing is done that can be done to a worker.
const ROUNDS: usize = 3;
/// Videos ordered before each of them.
const ORDERS: usize = 3;
/// Fewer prompts than videos: most are in flight several times.
const PROMPTS: [&str; 3] = ["A fox in the snow", "An owl at dusk", "A hare, running"];
/// How long the service delays a response: long enough to kill the worker meanwhile.
const HELD_BACK: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn every_video_is_paid_for_once() -> Result<()> {
    let seed = env::var("KILL_SEED").map_or(Ok(1), |seed| seed.parse())?;
    let mut stage = Stage::set(seed).await?;
    let end = async {
        stage.play().await?;
        stage.all_is_well().await
    };
    end.await.inspect_err(|_| eprintln!("{}", stage.program.log()))
}

struct Stage {
    random: Rng,
    service: Simulator,
    program: Program,
    submitters: Vec<Worker>,
    waiters: Vec<Worker>,
    pool: PgPool,
    ordered: usize,
    /// Videos that were paid for by a worker that did not live to write it down.
    orphans: usize,
    /// The last to be dropped.
    _postgres: Postgres,
}

impl Stage {
    async fn set(seed: u64) -> Result<Self> {
        let postgres = Postgres::start().await?;
        let service = Simulator::builder()
            .duration(JobDuration::Uniform {
                min: Duration::from_millis(200),
                max: Duration::from_millis(1_500),
            })
            .seed(seed)
            .start()
            .await?;
        let program = Program {
            database: postgres.url.clone(),
            service: service.url().to_owned(),
            log: postgres.folder.path().join("workers"),
        };
        program.run(&["setup"])?;
        Ok(Self {
            random: Rng::with_seed(seed),
            submitters: vec![program.worker("submit")?, program.worker("submit")?],
            waiters: vec![program.worker("wait")?, program.worker("wait")?],
            pool: PgPool::connect(&postgres.url).await?,
            program,
            service,
            ordered: 0,
            orphans: 0,
            _postgres: postgres,
        })
    }

    async fn play(&mut self) -> Result<()> {
        // A history that is empty looks like none.
        self.order()?;
        self.until("the first submit", async |stage| Ok(stage.billed() > 0)).await?;
        for _ in 0..ROUNDS {
            self.killed_after_it_paid().await?;
            self.killed_at_any_moment().await?;
            self.killed_after_a_lost_answer().await?;
            self.killed_while_it_waits().await?;
            self.taken_for_dead_while_it_pays().await?;
        }
        Ok(())
    }

    /// The service has accepted and billed; the worker will never hear of it.
    async fn killed_after_it_paid(&mut self) -> Result<()> {
        self.hold_an_answer_back().await?;
        for worker in self.submitters.drain(..) {
            worker.kill()?;
        }
        let orphans = self.orphans().await?;
        ensure!(orphans > 0, "no worker was killed in the middle");
        self.orphans += orphans;
        for _ in 0..2 {
            self.submitters.push(self.program.worker("submit")?);
        }
        Ok(())
    }

    async fn killed_at_any_moment(&mut self) -> Result<()> {
        self.order()?;
        sleep(Duration::from_millis(self.random.u64(0..400))).await;
        let victim = self.random.usize(..self.submitters.len());
        self.submitters.swap_remove(victim).kill()?;
        self.submitters.push(self.program.worker("submit")?);
        Ok(())
    }

    /// Responses are lost, some before and some after the service has accepted.
    async fn killed_after_a_lost_answer(&mut self) -> Result<()> {
        for fault in [Fault::reset_before(), Fault::reset_after(), Fault::html(502)] {
            self.service.inject(fault.on(Target::Submit));
        }
        self.killed_at_any_moment().await
    }

    async fn killed_while_it_waits(&mut self) -> Result<()> {
        self.order()?;
        sleep(Duration::from_millis(self.random.u64(0..1_500))).await;
        let victim = self.random.usize(..self.waiters.len());
        self.waiters.swap_remove(victim).kill()?;
        self.waiters.push(self.program.worker("wait")?);
        Ok(())
    }

    /// No heartbeat, so others get its work; but it lives, and its submit is under way.
    async fn taken_for_dead_while_it_pays(&mut self) -> Result<()> {
        self.hold_an_answer_back().await?;
        for worker in &self.submitters {
            worker.signal(Signal::STOP)?;
        }
        self.submitters.push(self.program.worker("submit")?);
        sleep(2 * HELD_BACK).await;
        for worker in &self.submitters {
            worker.signal(Signal::CONT)?;
        }
        let surplus = self.submitters.swap_remove(0);
        ensure!(surplus.stop()?.success(), "it did not stop by itself");
        Ok(())
    }

    /// Returns when a submit was billed whose response is still delayed.
    async fn hold_an_answer_back(&mut self) -> Result<()> {
        self.service.clear_faults();
        let before = self.service.stats().faults;
        self.service.inject(Fault::slow(HELD_BACK).on(Target::Submit));
        self.order()?;
        self.until("a held answer", async |stage| Ok(stage.service.stats().faults > before))
            .await?;
        self.until("a bill", async |stage| Ok(stage.orphans().await? > 0)).await
    }

    fn order(&mut self) -> Result<()> {
        let prompts = (0..ORDERS).map(|number| PROMPTS[(self.ordered + number) % PROMPTS.len()]);
        let arguments: Vec<_> = ["order"].into_iter().chain(prompts).collect();
        self.ordered += ORDERS;
        self.program.run(&arguments)
    }

    fn billed(&self) -> usize {
        self.service.stats().submits_accepted as usize
    }

    /// How many tasks of the service are written down nowhere.
    async fn orphans(&self) -> Result<usize> {
        const KNOWN: &str = "SELECT task ->> 'id' FROM videos WHERE task IS NOT NULL";
        // In this order, so that what is written down meanwhile does not count.
        let tasks = self.service.tasks();
        let known: Vec<String> = sqlx::query_scalar(KNOWN).fetch_all(&self.pool).await?;
        let is_known = |id: &str| known.iter().any(|known| known == id);
        Ok(tasks.iter().filter_map(|task| task["id"].as_str()).filter(|id| !is_known(id)).count())
    }

    async fn until(
        &self,
        what: &str,
        mut is_so: impl AsyncFnMut(&Self) -> Result<bool>,
    ) -> Result<()> {
        let come = async {
            while !is_so(self).await? {
                sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        timeout(Duration::from_secs(60), come).await.with_context(|| format!("no end: {what}"))?
    }

    async fn all_is_well(&mut self) -> Result<()> {
        let begun = Instant::now();
        const OPEN: &str = "SELECT count(*) FROM videos WHERE url IS NULL AND problem IS NULL";
        let done = async |stage: &Self| {
            let open: i64 = sqlx::query_scalar(OPEN).fetch_one(&stage.pool).await?;
            Ok(open == 0)
        };
        let all = self.until("the last video", done).await;
        self.program.run(&["list"])?;
        all?;
        const ENDS: &str = "SELECT task ->> 'id', url, problem FROM videos";
        type End = (Option<String>, Option<String>, Option<String>);
        let ends: Vec<End> = sqlx::query_as(ENDS).fetch_all(&self.pool).await?;
        let tasks: HashSet<_> = ends.iter().filter_map(|(task, ..)| task.as_ref()).collect();
        let urls: HashSet<_> = ends.iter().filter_map(|(_, url, _)| url.as_ref()).collect();
        println!(
            "{} videos, {} billed, {} orphans found, {} s after the last kill",
            ends.len(),
            self.billed(),
            self.orphans,
            begun.elapsed().as_secs()
        );
        ensure!(ends.len() == self.ordered, "an order is gone");
        let problems: Vec<_> = ends.iter().filter_map(|(.., problem)| problem.as_ref()).collect();
        ensure!(problems.is_empty(), "{problems:?}");
        ensure!(tasks.len() == self.ordered, "two videos have one task");
        ensure!(urls.len() == self.ordered, "two orders have one video");
        ensure!(self.billed() == self.ordered, "{} were paid for", self.billed());
        for worker in self.submitters.drain(..).chain(self.waiters.drain(..)) {
            ensure!(worker.stop()?.success(), "it did not stop by itself");
        }
        // The one that was not dead was met, and not raced.
        let log = self.program.log();
        ensure!(
            log.contains("another worker is submitting it"),
            "no live worker was presumed dead"
        );
        Ok(())
    }
}
