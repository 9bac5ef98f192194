//! `luma`: Luma Dream Machine from the command line.
//!
//! One file a command, or a few that are alike. All that is printed goes through [`output::Output`];
//! why a command did not end well is a [`error::Error`]; [`jobs`] submits, waits and downloads.

mod config_file;
mod context;
mod doctor;
mod error;
mod extend;
mod generate;
mod globals;
mod history;
mod host;
mod input;
mod install;
mod jobs;
mod mcp;
mod output;
mod print;
mod progress;
mod proxy;
mod save;
mod signals;
mod simulate;
mod submit;
mod tasks;
mod times;

use std::{io::Write, process::ExitCode};

use clap::{
    CommandFactory, Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets, dynamic_filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

use crate::{
    context::Context,
    error::{Error, Exit},
    globals::Globals,
    output::Output,
};

/// Make videos with Luma Dream Machine through the Ace Data Cloud API.
#[derive(Debug, Parser)]
#[command(
    name = "luma",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "\
Exit codes:
  0    done
  1    a task failed: there will be no video
  2    usage or bad input; nothing was sent
  3    the API, the network or a file failed, or the limit of the day is used up; nothing was
       submitted, so nothing is billed
  4    a deadline passed, or the task has not ended yet
  5    a video was or may have been accepted and billed, but its end is unknown, its file is not
       saved or its id could not be printed to standard output: do not submit it again before you
       have looked (luma history, luma wait)
  130  interrupted by Ctrl-C, SIGTERM or SIGHUP
If several tasks end differently, the order is 130, 2, 5, 3, 4, 1: the first of these counts.

Examples:
  export ACEDATACLOUD_API_TOKEN=...
  luma generate \"A lighthouse at dusk, slow zoom in\" -o lighthouse.mp4
  luma generate \"A fox in the snow\" --no-wait
  luma wait TASK_ID -o videos/
  luma --simulate generate \"No token, no network, no cost\" -o test.mp4"
)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Generate(generate::Args),
    Extend(extend::Args),
    Task(tasks::Show),
    Wait(tasks::Wait),
    History(history::Args),
    Download(tasks::Download),
    Tools(print::Tools),
    Mcp(mcp::Args),
    Simulate(simulate::Args),
    Doctor(doctor::Args),
    Completions(print::Completions),
    Man(print::Pages),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse().map_err(suggest).and_then(check) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error).code().into(),
    };
    // It serves others, so only its log tells what went wrong.
    let serves = matches!(&cli.command, Command::Mcp(args) if args.action.is_none());
    let Globals { json, verbose, no_color, .. } = cli.globals;
    // A server has standard output for its protocol only.
    let output = Output::new(json && !serves, verbose > 0, no_color);
    let log = start_log(verbose, serves);
    // Nearly all time is spent waiting: one thread is enough, and needs the least memory.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return output.error(&error.into()).code().into(),
    };
    let end = runtime.block_on(run(cli, &output));
    // A read of standard input cannot be cancelled; the program ends nevertheless.
    runtime.shutdown_background();
    end_log(log);
    let exit = end.unwrap_or_else(|error| output.error(&error));
    output.end(exit).code().into()
}

async fn run(Cli { globals, command }: Cli, output: &Output) -> Result<Exit, Error> {
    let open = || Context::open(&globals, output);
    match command {
        Command::Generate(args) => generate::run(&open().await?, args).await,
        Command::Extend(args) => extend::run(&open().await?, args).await,
        Command::Task(args) => tasks::show(&open().await?, args).await,
        Command::Wait(args) => tasks::wait(&open().await?, args).await,
        Command::History(args) => history::run(&open().await?, args).await,
        Command::Download(args) => tasks::download(&open().await?, args).await,
        Command::Simulate(args) => simulate::run(output, &globals, args).await,
        Command::Mcp(mcp::Args { action: Some(action), .. }) => {
            install::run(output, &globals, &action)
        }
        Command::Mcp(args) => mcp::run(output, &globals, args).await,
        Command::Doctor(doctor::Args {}) => doctor::run(output, &globals).await,
        Command::Tools(args) => Ok(print::tools(output, &args)),
        Command::Completions(args) => Ok(print::completions(output, &args, Cli::command())),
        Command::Man(args) => print::man(output, args, Cli::command()),
    }
}

/// Checks what clap cannot: it sees the global options of each level separately.
fn check(cli: Cli) -> Result<Cli, clap::Error> {
    if cli.globals.simulate && cli.globals.base_url.is_some() {
        return Err(Cli::command().error(
            ErrorKind::ArgumentConflict,
            "the argument '--simulate' cannot be used with '--base-url <URL>'",
        ));
    }
    Ok(cli)
}

/// Suggests the command for a name that other programs use.
fn suggest(mut error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let meant = match name.as_str() {
        "get" | "status" | "show" | "info" | "tasks" | "delete" | "cancel" | "rm" => "task",
        "list" | "ls" | "log" => "history",
        "create" | "new" | "make" | "submit" => "generate",
        "watch" | "poll" | "resume" => "wait",
        "save" | "fetch" => "download",
        "serve" | "server" => "mcp",
        _ => return error,
    };
    let deletes = matches!(name.as_str(), "delete" | "cancel" | "rm");
    error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![meant.to_owned()]));
    if deletes {
        let tip =
            "a task cannot be deleted or cancelled: `luma task` shows one, `luma history` all";
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// Prints help, or a mistake.
fn refuse(error: &clap::Error) -> Exit {
    let output = Output::new(std::env::args_os().any(|word| word == "--json"), false, false);
    let result = error.print();
    if !error.use_stderr() {
        output.note_write(result);
        return output.end(Exit::Done);
    }
    output.error_document(&Error::bad_input(message(&error.to_string())));
    Exit::BadInput
}

/// What clap says of a mistake, as one line, without the usage.
fn message(text: &str) -> String {
    let lines = text.trim_start_matches("error: ").lines().map(str::trim);
    let facts = lines.take_while(|line| {
        !line.starts_with("Usage:") && !line.starts_with("For more information")
    });
    facts.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

type Log = (NonBlocking, WorkerGuard);

/// Starts the log on standard error. `-v` shows the client's own events, `-vv` also those of the HTTP
/// libraries; their trace level would show headers, so it is left out. A server tells of trouble
/// unasked.
///
/// A thread of its own writes the lines, because a host that does not read them must not stop the
/// program.
fn start_log(verbose: u8, serves: bool) -> Option<Log> {
    /// Further lines that wait to be written are dropped.
    const MAX_LINES: usize = 10_000;
    let (own, others) = match verbose {
        0 if serves => (LevelFilter::WARN, LevelFilter::OFF),
        0 => return None,
        1 => (LevelFilter::TRACE, LevelFilter::WARN),
        _ => (LevelFilter::TRACE, LevelFilter::DEBUG),
    };
    let builder = NonBlockingBuilder::default().buffered_lines_limit(MAX_LINES);
    let (writer, guard) = builder.finish(std::io::stderr());
    let targets = ["luma_client", "luma_mcp"].map(|target| (target, own));
    let targets = Targets::new().with_targets(targets).with_default(others);
    // rmcp warns of each message.
    let is_due = dynamic_filter_fn(|event, _| {
        let is_noisy = event.target().starts_with("rmcp") && *event.level() <= LevelFilter::WARN;
        !is_noisy || luma_mcp::is_due(event.name())
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(writer.clone()).with_ansi(false);
    let lines = lines.with_filter(is_due);
    tracing_subscriber::registry().with(lines).with(targets).init();
    Some((writer, guard))
}

/// Writes the rest of the log, for at most a second, and how many lines are missing.
fn end_log(log: Option<Log>) {
    let Some((mut writer, guard)) = log else {
        return;
    };
    let counter = writer.error_counter();
    let dropped = counter.dropped_lines();
    if dropped > 0 {
        let line = format!("{dropped} log lines were dropped: standard error was not read\n");
        let _ = writer.write_all(line.as_bytes());
    }
    if counter.dropped_lines() > dropped {
        // Nobody reads it. The guard would say so on standard output, which is for results.
        std::mem::forget(guard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn token_is_not_shown() {
        let cli = Cli::parse_from(["luma", "history", "--token", "s3cret"]);
        assert!(!format!("{cli:?}").contains("s3cret"));
    }

    #[test]
    fn every_command_has_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            let name = command.get_name();
            assert!(help.contains("Examples:\n  "), "{name}");
            assert!(help.contains(&format!("luma {name}")), "{name}");
        }
    }
}
