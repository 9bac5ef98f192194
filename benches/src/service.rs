//! The simulated service, in its own process, the same one for both sides.

use std::{collections::HashMap, time::Duration};

use luma_client::Luma;
use luma_simulator::{JobDuration, Simulator};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

use crate::{Result, process::Process};

pub struct Service {
    process: Process,
    pub url: String,
}

/// What the service has seen.
#[derive(Clone, Copy)]
pub struct Seen {
    pub lookups: u64,
    pub connections: u64,
}

impl Service {
    pub async fn start(min: Duration, max: Duration) -> Result<Self> {
        let [min, max] = [min, max].map(|time| time.as_millis().to_string());
        let mut process = Process::role(&["service", &min, &max])?;
        let url = process.line().await?;
        Ok(Self { process, url })
    }

    /// Makes tasks, in its own process, over one connection that is open from the start.
    pub async fn submit(&mut self, count: usize) -> Result<Vec<String>> {
        self.process.send(&format!("submit {count}\n")).await?;
        self.process.paragraph().await
    }

    pub async fn seen(&mut self) -> Result<Seen> {
        self.process.send("seen\n").await?;
        Ok(Seen {
            lookups: self.process.line().await?.parse()?,
            connections: self.process.line().await?.parse()?,
        })
    }

    /// When each task ended, in Unix seconds.
    pub async fn ends(&mut self) -> Result<HashMap<String, f64>> {
        self.process.send("ends\n").await?;
        let lines = self.process.paragraph().await?;
        lines.iter().map(|line| end(line)).collect()
    }
}

/// An id and a time.
pub fn end(line: &str) -> Result<(String, f64)> {
    let (id, time) = line.split_once(' ').ok_or("no time")?;
    Ok((id.to_owned(), time.parse()?))
}

/// The role of the service.
pub async fn run(min: &str, max: &str) -> Result<()> {
    let [min, max] = [min.parse()?, max.parse()?].map(Duration::from_millis);
    let simulator = Simulator::builder()
        .duration(JobDuration::Uniform { min, max })
        .record_requests(false)
        .start()
        .await?;
    let luma = Luma::builder().token("any").base_url(simulator.url()).build()?;
    println!("{}", simulator.url());
    let mut input = BufReader::new(stdin()).lines();
    while let Some(line) = input.next_line().await? {
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("submit", count) => {
                for _ in 0..count.parse()? {
                    let task = luma.generate("A lighthouse at dusk, waves, slow zoom in");
                    println!("{}", task.submit().await?.id());
                }
                println!();
            }
            ("seen", _) => {
                let stats = simulator.stats();
                println!("{}\n{}", stats.lookups, stats.connections);
            }
            ("ends", _) => {
                for task in simulator.tasks() {
                    println!("{} {}", task["id"].as_str().unwrap_or_default(), task["finished_at"]);
                }
                println!();
            }
            _ => return Err("unknown command".into()),
        }
    }
    Ok(())
}
