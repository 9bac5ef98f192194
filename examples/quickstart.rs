//! From a prompt to an MP4. Without a token it runs against the embedded simulator, for free.
//!
//! ```text
//! cargo run --example quickstart -- "A lighthouse at dusk, waves, slow zoom in"
//! ```

use std::{env, io::Write, path::PathBuf};

use anyhow::{Context, bail};
use luma_client::{Luma, TOKEN_VARIABLE, TaskHandle, TaskId};
use luma_simulator::Simulator;

const HELP: &str = "\
Makes a video from a prompt and downloads it to luma-video.mp4, or to the next free name.

Usage: quickstart [PROMPT]
       quickstart --resume TASK_ID

With ACEDATACLOUD_API_TOKEN set it calls the real service, and the video is billed. Without it, it
calls a simulator inside this program, which always gives the same two seconds of film.

Examples:
  quickstart
  quickstart \"A lighthouse at dusk, waves, slow zoom in\"
  quickstart --resume b8976e18-32dc-4718-9ed8-1ea090fcb6ea";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (prompt, resume) = match args[..] {
        [] => ("A lighthouse at dusk, waves, slow zoom in", None),
        ["-h" | "--help"] => {
            println!("{HELP}");
            return Ok(());
        }
        ["--resume", id] => ("", Some(id.parse::<TaskId>().context("--resume")?)),
        [prompt] if !prompt.starts_with('-') => (prompt, None),
        _ => bail!("unknown arguments {args:?}: put the prompt in quotes, or see --help"),
    };

    let (luma, simulator) = connect().await?;
    let task: TaskHandle = match resume {
        Some(id) => luma.task(id),
        None => {
            println!("prompt: {prompt}");
            luma.generate(prompt).submit().await?
        }
    };
    match &simulator {
        // The simulator's tasks end with this process.
        Some(_) => println!("task:   {}", task.id()),
        None => println!("task:   {} (--resume waits for it again)", task.id()),
    }
    let video = task
        .wait()
        .on_update(|task| {
            print!("\rstate:  {:<12}", task.state());
            let _ = std::io::stdout().flush();
        })
        .await?;
    println!();

    let file = luma.download(&video, free_name()?).await?;
    println!("video:  {video}");
    println!("file:   {} ({} bytes)", file.path().display(), file.bytes());
    Ok(())
}

/// The real service if there is a token, otherwise a simulator, which runs until it is dropped.
async fn connect() -> anyhow::Result<(Luma, Option<Simulator>)> {
    if env::var_os(TOKEN_VARIABLE).is_some() {
        return Ok((Luma::from_env()?, None));
    }
    println!("{TOKEN_VARIABLE} is not set: this is the simulator, nothing is billed");
    let simulator = Simulator::start().await.context("the simulator did not start")?;
    let luma = Luma::builder().token("simulated").base_url(simulator.url()).build()?;
    Ok((luma, Some(simulator)))
}

/// `luma-video.mp4`, or the first of `luma-video-2.mp4`, ... that does not exist.
fn free_name() -> anyhow::Result<PathBuf> {
    let names = (2..1000).map(|number| format!("luma-video-{number}.mp4"));
    std::iter::once("luma-video.mp4".to_owned())
        .chain(names)
        .map(PathBuf::from)
        .find(|path| path.symlink_metadata().is_err())
        .context("there are a thousand files luma-video-N.mp4: remove some")
}
