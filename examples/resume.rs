//! A paid video survives a crash: its `TaskRef` is stored at once, and any process can wait for it.
//!
//! ```sh
//! cargo run --example resume
//! ```
//!
//! The example starts itself twice: the first process submits, stores the `TaskRef` and is killed while
//! it waits; the second one finds the file and waits for the video. Runs against the embedded
//! simulator, which counts what was billed.

use std::{
    env, fs,
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use luma_client::{Luma, TaskRef, serde_json};
use luma_simulator::Simulator;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [url, file] => program(url, Path::new(file)).await,
        _ => play().await,
    }
}

/// The program: waits for the stored task, or else submits one and stores it.
async fn program(url: &str, file: &Path) -> Result<()> {
    let luma = Luma::builder().token("simulated").base_url(url).build()?;
    let task = match fs::read(file) {
        Ok(stored) => {
            let stored: TaskRef = serde_json::from_slice(&stored)?;
            println!("  resumes {}", stored.id);
            luma.task(stored)
        }
        Err(_) => {
            let task = luma.generate("A lighthouse at dusk").submit().await?;
            // Before anything else, and in one step: a half-written file would lose the task.
            let new = file.with_extension("new");
            fs::write(&new, serde_json::to_vec(&task.to_ref())?)?;
            fs::rename(&new, file)?;
            println!("  submitted {}", task.id());
            task
        }
    };
    println!("  {}", task.wait().await?);
    Ok(())
}

async fn play() -> Result<()> {
    let simulator = Simulator::with_duration(Duration::from_secs(3)).await?;
    let folder = env::temp_dir().join(format!("luma-resume-{}", std::process::id()));
    fs::create_dir(&folder)?;
    let file = folder.join("task.json");
    let start = || -> Result<Child> {
        let program = Command::new(env::current_exe()?).arg(simulator.url()).arg(&file).spawn();
        program.context("the example cannot start itself")
    };

    println!("first process:");
    let mut first = start()?;
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        ensure!(first.try_wait()?.is_none(), "it ended too early");
    }
    first.kill()?;
    first.wait()?;
    println!("  killed while it waits");

    println!("second process:");
    let mut second = start()?;
    let status = tokio::task::spawn_blocking(move || second.wait()).await??;
    fs::remove_dir_all(&folder)?;
    ensure!(status.success(), "it failed: {status}");
    println!("billed: {}", simulator.stats().submits_accepted);
    Ok(())
}
