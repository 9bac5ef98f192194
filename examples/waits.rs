//! What it costs to await many videos at once, beside one poll loop for each of them.
//!
//! ```sh
//! cargo bench --bench waits                             # 1, 100, 1,000 and 10,000 waits
//! cargo run --release --example waits -- 100000         # other numbers
//! ```
//!
//! Jobs take 90 to 150 seconds, evenly spread, and are submitted over one minute. All of that, and
//! the pace, is sped up by a factor; times are given as if it were not. The simulator runs in a
//! process of its own, so that its work does not count as the client's.

use std::{
    collections::HashMap,
    env,
    error::Error,
    future::IntoFuture,
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use luma_client::{
    Luma, Pace, RetryPolicy, Schedule, TaskHandle, TaskId, Ticket,
    simulator::{JobDuration, Simulator},
};
use peak_alloc::PeakAlloc;
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinSet,
    time::sleep,
};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const SHORTEST: Duration = Duration::from_secs(90);
const LONGEST: Duration = Duration::from_secs(150);
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
    if let [role, count, factor] = &arguments[..]
        && role == "serve"
    {
        return serve(count.parse()?, factor.parse()?).await;
    }
    let mut counts = Vec::new();
    for argument in &arguments {
        counts.push(argument.parse()?);
    }
    if counts.is_empty() {
        counts = vec![1, 100, 1_000, 10_000];
    }
    println!(
        "| waits | how | speed | requests | ids/request | CPU s | bytes/wait | mean lag s | p99 lag s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut shared = Vec::new();
    for &count in &counts {
        let factor = match count {
            0..=1_000 => 20,
            1_001..=10_000 => 10,
            _ => 1,
        };
        let figures = measure(count, factor, How::Shared).await?;
        println!("{figures}");
        shared.push(figures);
    }
    for ours in shared
        .iter()
        .filter(|ours| [100, 1_000].contains(&ours.count))
    {
        // The mean lag of a fixed interval is half of it.
        let interval = Duration::from_secs_f64(2.0 * ours.mean_lag);
        let theirs = measure(ours.count, 10, How::Alone(interval)).await?;
        println!("{theirs}");
        // Twice the lag would have taken half the requests.
        let fair = theirs.mean_lag / ours.mean_lag;
        let verdict = |ratio: f64| if ratio >= GOAL { "reached" } else { "missed" };
        let requests = theirs.requests as f64 * fair / ours.requests as f64;
        println!(
            "\n{} waits, at the same mean lag: 1/{requests:.0} of the requests",
            ours.count
        );
        if let [.., small, large] = &shared[..]
            && ours.count == 1_000
        {
            println!(
                "goal of 1/40 of the requests at 1,000: {}",
                verdict(requests)
            );
            let more = (large.count - small.count) as f64;
            let (per_wait, per_loop) = (1.0 / more, fair / theirs.count as f64);
            let requests = theirs.requests as f64 * per_loop
                / ((large.requests - small.requests) as f64 * per_wait);
            let cpu = theirs.cpu * per_loop / ((large.cpu - small.cpu) * per_wait);
            println!(
                "growth from {} to {} waits: 1/{requests:.0} of the requests ({}), 1/{cpu:.0} of the CPU time ({})",
                small.count,
                large.count,
                verdict(requests),
                verdict(cpu)
            );
        }
        println!();
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum How {
    /// All waits of one client.
    Shared,
    /// A loop for each task, at this interval of the jobs' time.
    Alone(Duration),
}

struct Figures {
    count: usize,
    how: How,
    factor: u32,
    requests: u64,
    ids: u64,
    cpu: f64,
    bytes: Option<usize>,
    mean_lag: f64,
    p99_lag: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = match self.how {
            How::Shared => "this client".to_owned(),
            How::Alone(interval) => format!("each alone, every {:.1} s", interval.as_secs_f64()),
        };
        write!(
            f,
            "| {} | {how} | {}x | {} | {:.1} | {:.3} | {} | {:.2} | {:.2} |",
            self.count,
            self.factor,
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

async fn measure(count: usize, factor: u32, how: How) -> Result<Figures> {
    let mut server = Server::start(count, factor).await?;
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
            How::Shared => waits.spawn(wait(luma.clone(), id, factor, notices)),
            How::Alone(interval) => {
                let luma = luma.with_retry(RetryPolicy::none());
                waits.spawn(poll(luma.task(id), interval / factor, notices))
            }
        };
    }
    sleep((FULL - ARRIVALS) / factor).await;
    let heap = HEAP.current_usage().saturating_sub(heap);
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
        count,
        how,
        factor,
        requests: requests - warm_up,
        ids: ids - warm_up,
        cpu,
        bytes: (count >= 100).then_some(heap / count),
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

async fn wait(luma: Luma, id: TaskId, factor: u32, notices: Notices) -> Result<()> {
    let mut ticket = Ticket::from(id);
    ticket.submitted_at = Some(SystemTime::now());
    let wait = luma.resume(ticket).wait().pace(Pace::custom(Fast(factor)));
    let video = wait.into_future().await?;
    let id = video.task_id().ok_or("a video without a task")?.clone();
    note(&notices, id)
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

/// The simulator, in a process of its own.
struct Server {
    url: String,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Server {
    async fn start(count: usize, factor: u32) -> Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .args(["serve", &count.to_string(), &factor.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = process.stdin.take().ok_or("no input")?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut server = Self {
            url: String::new(),
            input,
            output: BufReader::new(output).lines(),
            _process: process,
        };
        server.url = server.line().await?;
        Ok(server)
    }

    async fn line(&mut self) -> Result<String> {
        Ok(self
            .output
            .next_line()
            .await?
            .ok_or("the simulator has ended")?)
    }

    async fn tell(&mut self, word: &str) -> Result<()> {
        Ok(self.input.write_all(format!("{word}\n").as_bytes()).await?)
    }

    /// Requests, ids in them, and when each task ended.
    async fn end(&mut self) -> Result<(u64, u64, HashMap<String, f64>)> {
        self.tell("end").await?;
        let (requests, ids) = (self.line().await?.parse()?, self.line().await?.parse()?);
        let mut ends = HashMap::new();
        while let Ok(line) = self.line().await {
            let (id, time) = line.split_once(' ').ok_or("no time")?;
            ends.insert(id.to_owned(), time.parse()?);
        }
        Ok((requests, ids, ends))
    }
}

async fn serve(count: usize, factor: u32) -> Result<()> {
    let simulator = Simulator::builder()
        .duration(JobDuration::Uniform {
            min: SHORTEST / factor,
            max: LONGEST / factor,
        })
        .record_requests(false)
        .start()
        .await?;
    println!("{}", simulator.url());
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    input.next_line().await?;
    let luma = Luma::builder()
        .token("any")
        .base_url(simulator.url())
        .build()?;
    let begin = tokio::time::Instant::now();
    let mut submits = JoinSet::new();
    for number in 0..count {
        let due = ARRIVALS / factor * number as u32 / count as u32;
        tokio::time::sleep_until(begin + due).await;
        let submit = luma
            .generate("A lighthouse at dusk, waves, slow zoom in")
            .submit();
        submits.spawn(async move {
            let task = submit.await?;
            println!("{}", task.id());
            Ok::<_, luma_client::Error>(())
        });
        while let Some(done) = submits.try_join_next() {
            done??;
        }
    }
    while let Some(done) = submits.join_next().await {
        done??;
    }
    input.next_line().await?;
    let stats = simulator.stats();
    let batches = stats.batch_sizes.len() as u64;
    let ids: usize = stats.batch_sizes.iter().sum();
    println!(
        "{}\n{}",
        stats.lookups,
        stats.lookups - batches + ids as u64
    );
    for task in simulator.tasks() {
        let (id, end) = (&task["id"], &task["finished_at"]);
        println!("{} {}", id.as_str().unwrap_or_default(), end);
    }
    Ok(())
}
