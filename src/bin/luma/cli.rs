//! What can be typed: the commands and the options that all of them share.

use std::{convert::Infallible, ffi::OsStr, fmt};

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, error::ErrorKind};

#[cfg(feature = "mcp-server")]
use crate::mcp;
use crate::{
    completions, download, extend,
    failure::{Exit, Failure, Kind},
    generate, history,
    output::{print_document, printed},
    simulate, task, tools, wait,
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
  3    the API, the network or a file failed
  4    a deadline passed, or the task has not ended yet
  130  interrupted by Ctrl-C or SIGTERM
Where tasks end differently, 3 counts before 4, and 4 before 1.

Examples:
  export ACEDATACLOUD_API_TOKEN=...
  luma generate \"A lighthouse at dusk, slow zoom in\" -o lighthouse.mp4
  luma generate \"A fox in the snow\" --no-wait
  luma wait TASK_ID --download videos
  luma --simulate generate \"No token, no network, no bill\" -o test.mp4"
)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Command,
}

/// The options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// API token. Others can see a command line: prefer the environment variable
    /// ACEDATACLOUD_API_TOKEN
    #[arg(long, global = true, value_parser = Token::read)]
    pub token: Option<Token>,

    /// Where the service is [env: ACEDATACLOUD_API_BASE_URL] [default: https://api.acedata.cloud]
    #[arg(long, global = true, value_name = "URL")]
    pub base_url: Option<String>,

    /// Run this command against a simulated service: no token, no network, no bill
    #[arg(long, global = true)]
    pub simulate: bool,

    /// Print one JSON document to standard output, and all else to standard error
    #[arg(long, global = true)]
    pub json: bool,

    /// Log what is sent to standard error; -vv logs more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// No colours; so does the environment variable NO_COLOR
    #[arg(long, global = true)]
    pub no_color: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Generate(generate::Args),
    Extend(extend::Args),
    Task(task::Args),
    Wait(wait::Args),
    History(history::Args),
    Download(download::Args),
    Tools(tools::Args),
    #[cfg(feature = "mcp-server")]
    Mcp(mcp::Args),
    Simulate(simulate::Args),
    Completions(completions::Args),
}

impl Command {
    /// Whether it serves others, so that only its log says what went wrong.
    pub fn serves(&self) -> bool {
        match self {
            #[cfg(feature = "mcp-server")]
            Self::Mcp(_) => true,
            _ => false,
        }
    }
}

/// A token as it was typed. It is never shown.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    pub fn read(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Reads the command line. Help and mistakes are printed here.
pub fn read() -> Result<Cli, Exit> {
    let cli = Cli::try_parse().and_then(check);
    cli.map_err(|error| {
        let result = error.print();
        if !error.use_stderr() {
            printed(result);
            return Exit::Done;
        }
        if std::env::args_os().any(|arg| arg == OsStr::new("--json")) {
            let message = message(&error.to_string());
            print_document(&Failure::new(Kind::BadInput, message).document());
        }
        Exit::BadInput
    })
}

/// What clap says of a mistake, as one line, without the usage.
fn message(text: &str) -> String {
    let lines = text.trim_start_matches("error: ").lines().map(str::trim);
    let facts = lines.take_while(|line| {
        !line.starts_with("Usage:") && !line.starts_with("For more information")
    });
    let facts: Vec<_> = facts.filter(|line| !line.is_empty()).collect();
    facts.join(" ")
}

/// What clap cannot check: it sees the global options of each level by themselves.
fn check(cli: Cli) -> Result<Cli, clap::Error> {
    if cli.globals.simulate && cli.globals.base_url.is_some() {
        return Err(Cli::command().error(
            ErrorKind::ArgumentConflict,
            "the argument '--simulate' cannot be used with '--base-url <URL>'",
        ));
    }
    Ok(cli)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_token_is_not_shown() {
        let cli = Cli::parse_from(["luma", "history", "--token", "s3cret"]);
        assert!(!format!("{cli:?}").contains("s3cret"));
    }

    #[test]
    fn every_command_has_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            assert!(
                help.contains("Examples:\n  luma "),
                "{}",
                command.get_name()
            );
        }
    }
}
