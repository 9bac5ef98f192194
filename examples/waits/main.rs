//! What it costs to await many videos at once, beside one poll loop for each of them.
//!
//! ```sh
//! cargo bench --bench waits                             # 1, 100, 1,000 and 10,000 waits
//! cargo run --release --example waits -- 100000         # other numbers
//! cargo run --release --example waits -- 50000@200      # and each answer takes 200 ms
//! ```
//!
//! Jobs take 90 to 150 seconds, evenly spread, and are submitted over one minute. All of that, and
//! the pace, is sped up by a factor; times are given as if it were not. Only where answers take
//! their time, it all runs in real time.

mod memory;
mod server;

use std::{
    env,
    error::Error,
    fmt,
    future::IntoFuture,
    str::FromStr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::FutureExt;
use luma_client::{Luma, Pace, RetryPolicy, Schedule, TaskHandle, TaskId, Ticket};
use peak_alloc::PeakAlloc;
use rustix::time::{ClockId, clock_gettime};
use tokio::{task::JoinSet, time::sleep};

use server::Server;

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The submits are spread over this time.
const ARRIVALS: Duration = Duration::from_secs(60);
/// When memory is measured: all tasks are there, and none has ended.
const FULL: Duration = Duration::from_secs(75);
/// What is to be gained over one poll loop a task.
const GOAL: f64 = 40.0;

#[tokio::main(flavor = "current_thread")]
pub async fn main() -> Result<()> {
    // Cargo hands flags of its own to a benchmark.
    let arguments: Vec<String> = env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    if let [role, load, factor] = &arguments[..]
        && role == "serve"
    {
        let mut load: Load = load.parse()?;
        load.factor = factor.parse()?;
        return server::serve(load).await;
    }
    let mut loads = Vec::new();
    for argument in &arguments {
        loads.push(argument.parse()?);
    }
    if loads.is_empty() {
        loads = ["1", "100", "1000", "10000"]
            .map(Load::from_str)
            .into_iter()
            .collect::<Result<_>>()?;
        memory::measure().await?;
    }
    println!(
        "| waits | how | speed | requests | ids/request | CPU s | bytes/wait | mean lag s | p99 lag s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut shared = Vec::new();
    for load in loads {
        let figures = measure(load, How::Shared).await?;
        println!("{figures}");
        shared.push(figures);
    }
    for ours in shared
        .iter()
        .filter(|ours| [100, 1_000].contains(&ours.load.count))
    {
        // The mean lag of a fixed interval is half of it.
        let interval = Duration::from_secs_f64(2.0 * ours.mean_lag);
        let slower = Load {
            factor: 10,
            ..ours.load
        };
        let theirs = measure(slower, How::Alone(interval)).await?;
        println!("{theirs}");
        // Twice the lag would have taken half the requests.
        let fair = theirs.mean_lag / ours.mean_lag;
        let verdict = |ratio: f64| if ratio >= GOAL { "reached" } else { "missed" };
        let requests = theirs.requests as f64 * fair / ours.requests as f64;
        println!(
            "\n{} waits, at the same mean lag: 1/{requests:.0} of the requests",
            ours.load.count
        );
        if let [.., small, large] = &shared[..]
            && ours.load.count == 1_000
        {
            println!(
                "goal of 1/40 of the requests at 1,000: {}",
                verdict(requests)
            );
            let more = (large.load.count - small.load.count) as f64;
            let (per_wait, per_loop) = (1.0 / more, fair / theirs.load.count as f64);
            let requests = theirs.requests as f64 * per_loop
                / ((large.requests - small.requests) as f64 * per_wait);
            let cpu = theirs.cpu * per_loop / ((large.cpu - small.cpu) * per_wait);
            println!(
                "growth from {} to {} waits: 1/{requests:.0} of the requests ({}), 1/{cpu:.0} of the CPU time ({})",
                small.load.count,
                large.load.count,
                verdict(requests),
                verdict(cpu)
            );
        }
        println!();
    }
    Ok(())
}

/// How many waits, and how they are run.
#[derive(Clone, Copy)]
pub struct Load {
    count: usize,
    /// By what everything is sped up.
    factor: u32,
    /// How long each answer to a lookup takes.
    latency: Duration,
}

impl FromStr for Load {
    type Err = Box<dyn Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Self> {
        let (count, latency) = text.split_once('@').unwrap_or((text, "0"));
        let count = count.parse()?;
        let latency = Duration::from_millis(latency.parse()?);
        let factor = match count {
            _ if !latency.is_zero() => 1,
            0..=1_000 => 20,
            1_001..=10_000 => 10,
            _ => 1,
        };
        Ok(Self {
            count,
            factor,
            latency,
        })
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.count)?;
        match self.latency.as_millis() {
            0 => Ok(()),
            latency => write!(f, "@{latency}"),
        }
    }
}

#[derive(Clone, Copy)]
enum How {
    /// All waits of one client.
    Shared,
    /// A loop for each task, at this interval of the jobs' time.
    Alone(Duration),
}

struct Figures {
    load: Load,
    how: How,
    requests: u64,
    ids: u64,
    cpu: f64,
    bytes: Option<usize>,
    mean_lag: f64,
    p99_lag: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            How::Shared => "this client".to_owned(),
            How::Alone(interval) => format!("each alone, every {:.1} s", interval.as_secs_f64()),
        };
        write!(
            f,
            "| {} | {how} | {}x | {} | {:.1} | {:.3} | {} | {:.2} | {:.2} |",
            self.load,
            self.load.factor,
            self.requests,
            self.ids as f64 / self.requests as f64,
            self.cpu,
            self.bytes.map_or("-".to_owned(), |bytes| bytes.to_string()),
            self.mean_lag,
            self.p99_lag,
        )
    }
}

/// When each task was noticed to have ended.
type Notices = Arc<Mutex<Vec<(TaskId, f64)>>>;

async fn measure(load: Load, how: How) -> Result<Figures> {
    let Load { count, factor, .. } = load;
    let mut server = Server::start(load).await?;
    let luma = Luma::builder().token("any").base_url(&server.url).build()?;
    // The connection and the first buffers are not part of what a wait costs.
    let _ = luma.task("warm-up".parse()?).get().await;
    let warm_up = 1;
    let notices = Notices::new(Mutex::new(Vec::with_capacity(count)));
    let mut waits = JoinSet::new();
    let (heap, cpu) = (HEAP.current_usage(), cpu_seconds());
    server.tell("go").await?;
    for _ in 0..count {
        let id: TaskId = server.line().await?.parse()?;
        let notices = notices.clone();
        match how {
            How::Shared => waits.spawn(wait(&luma, id, factor, notices)),
            How::Alone(interval) => {
                let luma = luma.with_retry(RetryPolicy::none());
                waits.spawn(poll(luma.task(id), interval / factor, notices))
            }
        };
    }
    sleep((FULL - ARRIVALS) / factor).await;
    let heap = memory::settled().await.saturating_sub(heap);
    while let Some(end) = waits.join_next().await {
        end??;
    }
    let cpu = cpu_seconds() - cpu;

    let (requests, ids, ends) = server.end().await?;
    let mut lags: Vec<f64> = notices
        .lock()
        .map_err(|_| "a wait panicked")?
        .iter()
        .map(|(id, noticed)| (noticed - ends[id.as_str()]) * f64::from(factor))
        .collect();
    lags.sort_by(f64::total_cmp);
    Ok(Figures {
        load,
        how,
        requests: requests - warm_up,
        ids: ids - warm_up,
        cpu,
        // With connections of their own it is those that are measured.
        bytes: (count >= 100 && matches!(how, How::Shared)).then_some(heap / count),
        mean_lag: lags.iter().sum::<f64>() / lags.len() as f64,
        p99_lag: lags[(lags.len() * 99).div_ceil(100) - 1],
    })
}

/// The default pace, sped up.
struct Fast(u32);

impl Schedule for Fast {
    fn interval(&self, age: Duration) -> Duration {
        Pace::default().interval(age * self.0) / self.0
    }
}

fn wait(
    luma: &Luma,
    id: TaskId,
    factor: u32,
    notices: Notices,
) -> impl Future<Output = Result<()>> + use<> {
    let mut ticket = Ticket::from(id);
    ticket.submitted_at = Some(SystemTime::now());
    let wait = luma.resume(ticket).wait().pace(Pace::custom(Fast(factor)));
    wait.into_future().map(move |video| {
        let video = video?;
        let id = video.task_id().ok_or("a video without a task")?.clone();
        note(&notices, id)
    })
}

/// What an app does that has no shared poller.
async fn poll(task: TaskHandle, interval: Duration, notices: Notices) -> Result<()> {
    loop {
        sleep(interval).await;
        if task.get().await?.state().is_terminal() {
            return note(&notices, task.id().clone());
        }
    }
}

fn note(notices: &Notices, id: TaskId) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    notices
        .lock()
        .map_err(|_| "a wait panicked")?
        .push((id, now));
    Ok(())
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
