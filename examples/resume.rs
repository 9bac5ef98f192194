//! A paid video survives a crash: what was submitted is stored at once, and any process can go on.
//!
//! ```sh
//! cargo run --example resume
//! ```
//!
//! The example plays both lives of a program: it starts itself as a child that submits, stores the
//! ticket and is killed while it waits; then another that finds the ticket and awaits the video.
//! Runs against the embedded simulator, which counts what was billed.

use std::{
    env, fs,
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use luma_client::{Luma, Pace, simulator::Simulator};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [url, state] => program(url, Path::new(state)).await,
        _ => play().await,
    }
}

/// The program: goes on with what is stored, or else submits and stores.
async fn program(url: &str, state: &Path) -> Result<()> {
    let luma = Luma::builder().token("simulated").base_url(url).build()?;
    let task = match fs::read(state) {
        Ok(stored) => {
            let task = luma.resume(serde_json::from_slice(&stored)?);
            println!("  going on with {}", task.id());
            task
        }
        Err(_) => {
            let task = luma.generate("A lighthouse at dusk").submit().await?;
            // Before anything else, and in one step: half a file would be a lost video.
            let new = state.with_extension("new");
            fs::write(&new, serde_json::to_vec(&task.ticket())?)?;
            fs::rename(&new, state)?;
            println!("  submitted {}", task.id());
            task
        }
    };
    let pace = Pace::fixed(Duration::from_millis(300));
    let video = task.wait().pace(pace).await?;
    println!("  {video}");
    Ok(())
}

async fn play() -> Result<()> {
    let simulator = Simulator::with_duration(Duration::from_secs(3)).await?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("ticket.json");
    let start = || -> Result<Child> {
        let program = Command::new(env::current_exe()?)
            .arg(simulator.url())
            .arg(&state)
            .spawn();
        program.context("the example cannot start itself")
    };

    println!("first life:");
    let mut first = start()?;
    while !state.exists() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        ensure!(first.try_wait()?.is_none(), "it ended too early");
    }
    first.kill()?;
    first.wait()?;
    println!("  killed while it waits");

    println!("second life:");
    let mut second = start()?;
    let status = tokio::task::spawn_blocking(move || second.wait()).await??;
    ensure!(status.success(), "it failed: {status}");
    println!("billed: {}", simulator.stats().submits_billed);
    Ok(())
}
