//! `luma wait`: tasks that were submitted earlier, to their ends.

use std::{
    fs,
    path::{Path, PathBuf},
};

use luma_client::TaskId;

use crate::{
    context::Context,
    failure::{Exit, Failure, Kind},
    follow::{File, Job, WaitOptions, follow},
    interrupt::Interrupts,
    save::{Content, Target, file_name},
    task::unique,
};

/// Wait for tasks that were submitted earlier, here or elsewhere
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --json: {\"tasks\": [...]}, in the order of the ids.

Examples:
  luma wait TASK_ID -o fox.mp4
  luma wait TASK_ID ANOTHER_ID --timeout 1h --download videos
  luma --json wait TASK_ID | jq -r '.tasks[0].video.url'")]
pub struct Args {
    /// The tasks, looked up together
    #[arg(required = true, value_name = "TASK_ID")]
    ids: Vec<TaskId>,

    #[command(flatten)]
    wait: WaitOptions,

    /// Download each video as soon as it is done, to DIR/TASK_ID.mp4. What is there already is kept
    #[arg(long, value_name = "DIR")]
    download: Option<PathBuf>,

    /// Download the video of a single task to this file
    #[arg(short, long, value_name = "FILE", conflicts_with = "download")]
    output: Option<PathBuf>,

    /// Replace files that are there
    #[arg(long)]
    overwrite: bool,
}

pub async fn run(context: &Context<'_>, args: Args) -> Result<Exit, Failure> {
    let interrupts = Interrupts::listen();
    let ids = unique(args.ids);
    if args.output.is_some() && ids.len() > 1 {
        let message = "-o takes the video of a single task: say --download DIR for several";
        return Err(Failure::new(Kind::BadInput, message));
    }
    if let Some(folder) = &args.download {
        fs::create_dir_all(folder).map_err(|error| {
            let message = format!("the folder {} cannot be made: {error}", folder.display());
            Failure::new(Kind::BadInput, message)
        })?;
    }
    let job = |id: &TaskId| {
        let file = match (&args.download, &args.output) {
            (Some(folder), _) => in_folder(folder, id, args.overwrite)?,
            (None, Some(path)) => {
                File::Save(Target::new(path.clone(), args.overwrite, Content::Video)?)
            }
            (None, None) => File::NotWanted,
        };
        let handle = context.luma.task(id.clone());
        Ok(Job { handle, file })
    };
    let jobs = ids.iter().map(job).collect::<Result<Vec<_>, Failure>>()?;
    let views = follow(context, &interrupts, jobs, &args.wait).await;
    let exit = context.output.tasks(&views);
    let open = views.iter().filter(|view| {
        let failure = view.error.as_ref();
        failure.is_some_and(|failure| failure.kind.can_go_on())
    });
    let open: Vec<&str> = open.map(|view| view.task_id.as_str()).collect();
    if !open.is_empty() {
        let folder = args.download.as_ref().map(|path| path.to_string_lossy());
        let file = args.output.as_ref().map(|path| path.to_string_lossy());
        let mut arguments = vec!["wait"];
        arguments.extend(&open);
        for (option, value) in [("--download", &folder), ("-o", &file)] {
            if let Some(value) = value {
                arguments.extend([option, value]);
            }
        }
        arguments.extend(args.overwrite.then_some("--overwrite"));
        let go_on = context.next_step("Go on with", &arguments);
        context.output.note(&go_on);
    }
    Ok(exit)
}

/// A file that has the name of its task is that task's: a wait that is repeated keeps it.
fn in_folder(folder: &Path, id: &TaskId, overwrite: bool) -> Result<File, Failure> {
    let path = folder.join(file_name(id, Content::Video));
    match Target::existing(&path) {
        Some(file) if !overwrite => Ok(File::Kept(file)),
        _ => Target::new(path, overwrite, Content::Video).map(File::Save),
    }
}
