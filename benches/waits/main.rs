//! What it costs to wait for many videos at once.
//!
//! ```sh
//! cargo bench -p luma-benches --bench waits                  # 1, 100 and 1,000 waits
//! cargo bench -p luma-benches --bench waits -- 10000 100000  # other numbers
//! ```
//!
//! Up to 1,000 waits, jobs take 15 to 25 seconds, and are looked up every 3 seconds. More waits are looked up
//! at the default interval, and jobs take 90 to 150 seconds. The service is a process of its own. CPU seconds
//! are those of this process, on one thread. Bytes are what its heap holds while all tasks are waited for,
//! divided by their number; each wait is a spawned task of the runtime, which is in it. Lag is the time from
//! the end of a job to the end of its wait.

use std::{
    alloc::System,
    env,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use luma_benches::{
    Result,
    service::{self, Service},
};
use luma_client::{Luma, PollInterval, TaskId, TaskRef, Wait};
use rustix::time::{ClockId, clock_gettime};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::{task::JoinSet, time::sleep};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How the video is waited for.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    OnUpdate,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [role, min, max] = &arguments[..]
        && role == "service"
    {
        return service::run(min, max).await;
    }
    // Cargo passes flags of its own to a benchmark.
    let counts = arguments.iter().filter(|argument| !argument.starts_with("--"));
    let mut counts = counts.map(|count| count.parse()).collect::<Result<Vec<usize>, _>>()?;
    if counts.is_empty() {
        counts = vec![1, 100, 1_000];
    }
    println!(
        "| waits | how | requests | connections | CPU s | bytes/wait | mean lag s | p99 lag s |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for count in counts {
        measure(count, Kind::Plain).await?;
        if count == 1_000 {
            measure(count, Kind::OnUpdate).await?;
        }
    }
    Ok(())
}

async fn measure(count: usize, kind: Kind) -> Result<()> {
    let (min, max, interval) = match count {
        0..=1_000 => (15, 25, PollInterval::fixed(Duration::from_secs(3))),
        _ => (90, 150, PollInterval::default()),
    };
    let [min, max] = [min, max].map(Duration::from_secs);
    let mut service = Service::start(min, max).await?;
    let luma = Luma::builder().token("any").base_url(&service.url).build()?;
    // The connection and the first buffers are not part of what a wait costs.
    let _ = luma.task("warm-up".parse::<TaskId>()?).get().await;
    let ids = service.submit(count).await?;
    let (before, heap, cpu) = (service.seen().await?, held(), cpu_seconds());
    let mut waits = JoinSet::<Result<_>>::new();
    for id in ids {
        // A submit would give the same: id and time.
        let mut task = TaskRef::from(id.parse::<TaskId>()?);
        task.submitted_at = Some(SystemTime::now());
        let wait = luma.task(task).wait().interval(interval);
        let wait: Wait<'static> = match kind {
            Kind::Plain => wait,
            Kind::OnUpdate => wait.on_update(|_| ()),
        };
        waits.spawn(async move {
            let end = wait.await?;
            let time = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
            Ok((end.task_id().ok_or("a video without a task")?.to_string(), time))
        });
    }
    sleep(min / 2).await;
    // The least of some looks, while no response is just being read.
    let mut bytes = usize::MAX;
    for _ in 0..50 {
        sleep(Duration::from_millis(10)).await;
        bytes = bytes.min(held().saturating_sub(heap));
    }
    let mut ends = Vec::with_capacity(count);
    while let Some(end) = waits.join_next().await {
        ends.push(end??);
    }
    let (cpu, after, finished) =
        (cpu_seconds() - cpu, service.seen().await?, service.ends().await?);
    let mut lags: Vec<f64> = ends.iter().map(|(id, time)| time - finished[id]).collect();
    lags.sort_by(f64::total_cmp);
    println!(
        "| {count} | {} | {} | {} | {cpu:.3} | {} | {:.2} | {:.2} |",
        if kind == Kind::Plain { "`wait()`" } else { "with `on_update`" },
        after.lookups - before.lookups,
        // The one of the warm-up is used again.
        after.connections - before.connections + 1,
        bytes / count,
        lags.iter().sum::<f64>() / count as f64,
        lags[(count * 99).div_ceil(100) - 1],
    );
    Ok(())
}

/// What the heap holds, in bytes.
fn held() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
