//! From one image to another: the first frame, the last frame, and what happens between them.
//!
//! ```sh
//! cargo run --example image_to_video
//! ```
//!
//! Runs against the embedded simulator.

use anyhow::Result;
use luma_client::{AspectRatio, Luma};
use luma_simulator::Simulator;

#[tokio::main]
async fn main() -> Result<()> {
    let simulator = Simulator::start().await?;
    let luma = Luma::builder().token("simulated").base_url(simulator.url()).build()?;

    // Images are given by public URLs. A first one without a last one is animated; with a last one,
    // the video leads from one to the other.
    let task = luma
        .generate("The seasons change over the same hill")
        .start_image_url("https://example.com/spring.jpg")
        .end_image_url("https://example.com/autumn.jpg")
        .aspect_ratio(AspectRatio::Ratio4x3)
        .submit()
        .await?;
    println!("submitted {}", task.id());

    let video = task.wait().on_update(|task| println!("{}", task.state())).await?;
    println!("{video}");
    Ok(())
}
