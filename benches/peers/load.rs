//! Calls of `luma_get_task`, over bare pipes and sockets, as fast as they are answered.

use std::time::{Duration, Instant};

use memchr::memmem;
use serde::{Deserialize, de::IgnoredAny};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    task::JoinSet,
};

use luma_benches::{Result, process::Process};

use super::waits::cpu_seconds;

/// What came of a load.
#[derive(Default)]
pub struct Load {
    latencies: Vec<Duration>,
    elapsed: Duration,
    /// Of an answer, on average.
    pub bytes: f64,
    /// What part of a core the driver took.
    pub driver: f64,
}

impl Load {
    pub fn calls(&self) -> usize {
        self.latencies.len()
    }

    pub fn calls_per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// In milliseconds.
    pub fn p99(&self) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort();
        let p99 = sorted.get((sorted.len() * 99).div_ceil(100).saturating_sub(1));
        p99.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }

    fn add(&mut self, latency: Duration, bytes: usize) {
        self.latencies.push(latency);
        self.bytes += bytes as f64;
    }

    fn close(mut self, begin: Instant, cpu: f64) -> Self {
        self.elapsed = begin.elapsed();
        self.driver = (cpu_seconds() - cpu) / self.elapsed.as_secs_f64();
        self.bytes /= self.latencies.len() as f64;
        self
    }
}

#[derive(Deserialize)]
struct Answer {
    id: usize,
    #[serde(rename = "result")]
    _result: IgnoredAny,
}

fn request(id: usize, task: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"luma_get_task","arguments":{{"task_id":"{task}"}}}}}}"#
    )
}

/// Every answer is read, and has the finished video of its task.
fn check<'a>(answer: &[u8], task: impl Fn(usize) -> &'a str) -> Result<usize> {
    let shown = || String::from_utf8_lossy(answer).into_owned();
    let Ok(Answer { id, .. }) = serde_json::from_slice(answer) else {
        return Err(format!("no answer: {}", shown()).into());
    };
    let has = |part: &str| memmem::find(answer, part.as_bytes()).is_some();
    match has(task(id)) && has("completed") && has(".mp4") {
        true => Ok(id),
        false => Err(format!("not the video: {}", shown()).into()),
    }
}

fn pick(tasks: &[String], id: usize) -> &str {
    &tasks[id % tasks.len()]
}

/// So many calls are always under way.
pub async fn stdio(
    server: &mut Process,
    tasks: &[String],
    at_once: usize,
    time: Duration,
    first: usize,
) -> Result<Load> {
    let (mut load, mut sent) = (Load::default(), Vec::new());
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let mut line = Vec::new();
    let mut under_way = 0;
    loop {
        let mut requests = String::new();
        while under_way < at_once && begin.elapsed() < time {
            let id = first + sent.len();
            requests += &request(id, pick(tasks, id));
            requests.push('\n');
            sent.push(Instant::now());
            under_way += 1;
        }
        server.send(&requests).await?;
        if under_way == 0 {
            return Ok(load.close(begin, cpu));
        }
        // What else has come already is taken as well.
        loop {
            line.clear();
            server.read(&mut line).await?;
            let id = check(&line, |id| pick(tasks, id))?;
            load.add(sent[id - first].elapsed(), line.len());
            under_way -= 1;
            if !server.has_line() {
                break;
            }
        }
    }
}

/// One connection for each of the calls that are under way at a time.
pub async fn http(
    address: &str,
    key: &str,
    tasks: &[String],
    at_once: usize,
    time: Duration,
) -> Result<Load> {
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let mut connections = JoinSet::<Result<Load>>::new();
    for number in 0..at_once {
        let (address, key, tasks) = (address.to_owned(), key.to_owned(), tasks.to_vec());
        connections.spawn(async move {
            let mut load = Load::default();
            let stream = TcpStream::connect(&address).await?;
            stream.set_nodelay(true)?;
            let mut stream = BufReader::new(stream);
            for round in 0.. {
                if begin.elapsed() >= time {
                    break;
                }
                let task = pick(&tasks, number + round * at_once);
                let sent = Instant::now();
                let answer = exchange(&mut stream, &address, &key, &request(round, task)).await?;
                check(&answer, |_| task)?;
                load.add(sent.elapsed(), answer.len());
            }
            Ok(load)
        });
    }
    let mut all = Load::default();
    while let Some(load) = connections.join_next().await {
        let load = load??;
        all.latencies.extend(load.latencies);
        all.bytes += load.bytes;
    }
    Ok(all.close(begin, cpu))
}

async fn exchange(
    stream: &mut BufReader<TcpStream>,
    address: &str,
    key: &str,
    body: &str,
) -> Result<Vec<u8>> {
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\
         Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n\
         MCP-Protocol-Version: 2025-06-18\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Err("the server hung up".into());
        }
        match line.trim_end().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse()?;
            }
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}
