//! Many prompts: three at a time, a progress bar each. All waits share their lookups.
//!
//! ```sh
//! cargo run --example many
//! ```
//!
//! Runs against the embedded simulator.

use std::time::Duration;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use luma_client::{
    Luma, Pace, Video,
    simulator::{JobDuration, Simulator},
};

/// What the account may have in work at once.
const AT_ONCE: usize = 3;

const ANIMALS: [&str; 8] = [
    "fox", "owl", "hare", "lynx", "otter", "crane", "badger", "heron",
];

#[tokio::main]
async fn main() -> Result<()> {
    let simulator = Simulator::builder()
        .duration(JobDuration::Uniform {
            min: Duration::from_secs(1),
            max: Duration::from_secs(3),
        })
        .start()
        .await?;
    let luma = Luma::builder()
        .token("simulated")
        .base_url(simulator.url())
        .build()?;

    let bars = MultiProgress::new();
    let videos: Vec<Video> = stream::iter(ANIMALS)
        .map(|animal| make(&luma, animal, bars.add(ProgressBar::new_spinner())))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;

    let stats = simulator.stats();
    println!(
        "{} videos, {} billed, {} lookups",
        videos.len(),
        stats.submits_billed,
        stats.lookups
    );
    Ok(())
}

async fn make(luma: &Luma, animal: &'static str, bar: ProgressBar) -> Result<Video> {
    bar.set_style(ProgressStyle::with_template(
        "{spinner} {prefix:8} {elapsed} {msg}",
    )?);
    bar.set_prefix(animal);
    bar.enable_steady_tick(Duration::from_millis(100));
    let task = luma
        .generate(format!("A {animal} in the snow at dawn"))
        .submit()
        .await?;
    let video = task
        .wait()
        .pace(Pace::fixed(Duration::from_millis(300)))
        .on_update(|task| bar.set_message(task.state().to_string()))
        .await?;
    bar.finish_with_message("done");
    Ok(video)
}
