//! A longer film: a video that is extended twice. Each extension is a task of its own, and is billed.
//!
//! ```sh
//! cargo run --example longer_film
//! ```
//!
//! Runs against the embedded simulator.

use anyhow::Result;
use luma_client::{Luma, Video};
use luma_simulator::Simulator;

const SCENES: [&str; 3] = [
    "A lighthouse at dusk, waves, slow zoom in",
    "The lamp is lit, its beam sweeps over the sea",
    "A ship answers with a light of its own",
];

#[tokio::main]
async fn main() -> Result<()> {
    let simulator = Simulator::start().await?;
    let luma = Luma::builder().token("simulated").base_url(simulator.url()).build()?;

    let mut film: Option<Video> = None;
    for scene in SCENES {
        let task = match &film {
            None => luma.generate(scene).submit().await?,
            // A finished video is extended; the original stays.
            Some(video) => luma.extend(video, scene).submit().await?,
        };
        println!("{scene}: task {}", task.id());
        film = Some(task.wait().await?);
    }
    if let Some(video) = film {
        println!("{video}");
    }
    println!("billed: {}", simulator.stats().submits_accepted);
    Ok(())
}
