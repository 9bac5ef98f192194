//! Many prompts: three submits at a time, and every video as it finishes. All waits share one poller.
//!
//! ```sh
//! cargo run --example many
//! ```
//!
//! Runs against the embedded simulator.

use std::time::Duration;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use luma_client::{Luma, TaskHandle};
use luma_simulator::{JobDuration, Simulator};

/// The service accepts five requests at a time for a token; this leaves room for lookups.
const SUBMITS_AT_A_TIME: usize = 3;

const ANIMALS: [&str; 8] = ["fox", "owl", "hare", "lynx", "otter", "crane", "badger", "heron"];

#[tokio::main]
async fn main() -> Result<()> {
    let simulator = Simulator::builder()
        .duration(JobDuration::Uniform { min: Duration::from_secs(1), max: Duration::from_secs(3) })
        .start()
        .await?;
    let luma = Luma::builder().token("simulated").base_url(simulator.url()).build()?;

    let tasks: Vec<TaskHandle> = stream::iter(ANIMALS)
        .map(|animal| luma.generate(format!("A {animal} in the snow at dawn")).submit())
        .buffer_unordered(SUBMITS_AT_A_TIME)
        .try_collect()
        .await?;

    let mut done = luma.watch(&tasks);
    while let Some((id, result)) = done.next().await {
        match result {
            Ok(video) => println!("{id}: {}", video.prompt().unwrap_or("no prompt")),
            Err(error) => println!("{error}"),
        }
    }
    let stats = simulator.stats();
    println!("{} billed, {} lookup requests", stats.submits_accepted, stats.lookups);
    Ok(())
}
