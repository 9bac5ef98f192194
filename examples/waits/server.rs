//! The simulator, in a process of its own: its work and its memory do not count as the client's.

use std::{collections::HashMap, env, process::Stdio, time::Duration};

use luma_client::{
    Luma,
    simulator::{Fault, JobDuration, Simulator, Target},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinSet,
    time::sleep_until,
};

use super::{ARRIVALS, Load, Result};

const SHORTEST: Duration = Duration::from_secs(90);
const LONGEST: Duration = Duration::from_secs(150);

/// Runs the simulator.
pub struct Server {
    pub url: String,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Server {
    pub async fn start(load: Load) -> Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .args(["serve", &load.to_string(), &load.factor.to_string()])
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

    pub async fn line(&mut self) -> Result<String> {
        Ok(self
            .output
            .next_line()
            .await?
            .ok_or("the simulator has ended")?)
    }

    pub async fn tell(&mut self, word: &str) -> Result<()> {
        Ok(self.input.write_all(format!("{word}\n").as_bytes()).await?)
    }

    /// Requests, ids in them, and when each task ended.
    pub async fn end(&mut self) -> Result<(u64, u64, HashMap<String, f64>)> {
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

/// What that process does.
pub async fn serve(load: Load) -> Result<()> {
    let Load {
        count,
        factor,
        latency,
    } = load;
    let simulator = Simulator::builder()
        .duration(JobDuration::Uniform {
            min: SHORTEST / factor,
            max: LONGEST / factor,
        })
        .record_requests(false)
        .start()
        .await?;
    if !latency.is_zero() {
        let slow = Fault::slow(latency).on(Target::Lookup).always();
        simulator.inject(slow);
    }
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
        sleep_until(begin + due).await;
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
