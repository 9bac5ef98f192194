//! From a prompt to an MP4. Without a token it runs against the embedded simulator, for free.
//!
//! ```text
//! cargo run --example quickstart -- "A lighthouse at dusk, waves, slow zoom in"
//! ```

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use luma_client::{Luma, Pace, TOKEN_VARIABLE, TaskHandle, TaskId, simulator::Simulator};

const HELP: &str = "\
Makes a video from a prompt and downloads it.

Usage: quickstart [OPTIONS] [PROMPT]

Options:
  --output FILE   where the video goes [default: luma-video.mp4]; where that exists, the next
                  free name is taken, like luma-video-2.mp4
  --overwrite     replace the file instead
  --resume TASK   wait for a task that was submitted before, in place of a new video
  --help          this text

With ACEDATACLOUD_API_TOKEN set it asks the real service, and the video is billed. Without, it
asks a simulator inside this program, which always gives the same two seconds of film.

Examples:
  quickstart
  quickstart \"A lighthouse at dusk, waves, slow zoom in\"
  quickstart --output lighthouse.mp4 --overwrite \"A lighthouse at dusk\"
  quickstart --resume b8976e18-32dc-4718-9ed8-1ea090fcb6ea";

const PROMPT: &str = "A lighthouse at dusk, waves, slow zoom in";

#[derive(Debug)]
struct Options {
    prompt: String,
    output: PathBuf,
    overwrite: bool,
    resume: Option<TaskId>,
    help: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match options(env::args_os().skip(1).map(OsString::into_string)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}; --help shows what there is");
            return ExitCode::from(2);
        }
    };
    if options.help {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> anyhow::Result<()> {
    // All that can be wrong here is found out before anything is paid.
    let output = choose_output(&options.output, options.overwrite)?;
    check_folder(&output)?;
    if output != options.output {
        println!(
            "{} exists: this video goes to {}",
            options.output.display(),
            output.display()
        );
    }
    let (luma, pace, simulator) = connect().await?;
    let task = submitted(&luma, options).await?;
    // The simulator's tasks go with this process.
    let hint = match simulator {
        None => " (--resume goes on with it)",
        Some(_) => "",
    };
    println!("task:   {}{hint}", task.id());

    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {elapsed} {msg}")?);
    bar.set_message("submitted");
    bar.enable_steady_tick(Duration::from_millis(100));
    let wait = task.wait().pace(pace);
    let video = wait
        .on_update(|task| bar.set_message(task.state().to_string()))
        .await;
    bar.finish_and_clear();
    let video = video?;

    let download = video.download_to(&output).overwrite(options.overwrite);
    let file = download.await?;
    println!("video:  {}", video.id().unwrap_or("(no id)"));
    if let (Some(width), Some(height)) = (video.width(), video.height()) {
        println!("size:   {width}x{height} pixels, {} bytes", file.bytes);
    } else {
        println!("size:   {} bytes", file.bytes);
    }
    println!("file:   {}", file.path.display());
    Ok(())
}

async fn submitted(luma: &Luma, options: &Options) -> anyhow::Result<TaskHandle> {
    if let Some(id) = &options.resume {
        return Ok(luma.task(id.clone()));
    }
    println!("prompt: {}", options.prompt);
    Ok(luma.generate(&options.prompt).submit().await?)
}

/// The real service where there is a token, else a simulator, which lives as long as it is held.
async fn connect() -> anyhow::Result<(Luma, Pace, Option<Simulator>)> {
    if env::var_os(TOKEN_VARIABLE).is_some() {
        return Ok((Luma::from_env()?, Pace::default(), None));
    }
    println!("no {TOKEN_VARIABLE}: this is the simulator, nothing is billed");
    let simulator = Simulator::start()
        .await
        .context("the simulator did not start")?;
    let luma = Luma::builder()
        .token("simulated")
        .base_url(simulator.url())
        .build()?;
    Ok((
        luma,
        Pace::fixed(Duration::from_millis(200)),
        Some(simulator),
    ))
}

/// The file itself, or where it exists and may not be replaced, the next free name.
fn choose_output(wanted: &Path, overwrite: bool) -> anyhow::Result<PathBuf> {
    let folder = wanted
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    }
    ensure!(!wanted.is_dir(), "{} is a folder", wanted.display());
    let stem = wanted
        .file_stem()
        .context("--output needs the name of a file")?;
    if overwrite || wanted.symlink_metadata().is_err() {
        return Ok(wanted.to_owned());
    }
    let name = |number: u32| {
        let mut name = stem.to_owned();
        name.push(format!("-{number}"));
        if let Some(extension) = wanted.extension() {
            name.push(".");
            name.push(extension);
        }
        wanted.with_file_name(name)
    };
    (2..1000)
        .map(name)
        .find(|path| path.symlink_metadata().is_err())
        .context("there are a thousand files of that name: choose another by --output")
}

/// Tries the folder by a file that is gone at once.
fn check_folder(output: &Path) -> anyhow::Result<()> {
    let folder = match output.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    tempfile::tempfile_in(folder)
        .map(drop)
        .with_context(|| format!("{} cannot be written to", folder.display()))
}

fn options(args: impl Iterator<Item = Result<String, OsString>>) -> Result<Options, String> {
    let mut options = Options {
        prompt: PROMPT.to_owned(),
        output: "luma-video.mp4".into(),
        overwrite: false,
        resume: None,
        help: false,
    };
    let mut prompts = 0;
    let mut args = args.map(|arg| arg.map_err(|_| "an argument is no Unicode".to_owned()));
    while let Some(arg) = args.next().transpose()? {
        let mut value = |what: &str| match args.next().transpose()? {
            Some(value) if !value.starts_with("--") => Ok(value),
            _ => Err(format!("{arg} needs {what}")),
        };
        match arg.as_str() {
            "--help" | "-h" => options.help = true,
            "--overwrite" => options.overwrite = true,
            "--output" => options.output = value("a file")?.into(),
            "--resume" => {
                let id = value("a task id")?.parse();
                options.resume = Some(id.map_err(|error| format!("--resume: {error}"))?);
            }
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
            prompt => {
                prompts += 1;
                options.prompt = prompt.to_owned();
            }
        }
    }
    match prompts {
        1 if options.resume.is_some() => Err("--resume takes no prompt".to_owned()),
        0 | 1 => Ok(options),
        _ => Err("more than one prompt: put it in quotes".to_owned()),
    }
}
