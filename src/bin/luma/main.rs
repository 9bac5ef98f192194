//! `luma`: Luma Dream Machine from the command line.
//!
//! [`cli`] says what can be typed; one file a command does it. All that is printed goes through
//! [`output::Output`]; why a command ended otherwise than well is a [`failure::Failure`].

mod board;
mod cli;
mod completions;
mod context;
mod download;
mod extend;
mod failure;
mod fault;
mod follow;
mod generate;
mod hint;
mod history;
mod interrupt;
mod logging;
#[cfg(feature = "mcp-server")]
mod mcp;
mod output;
mod save;
mod simulate;
mod simulated;
mod submit;
mod task;
mod times;
mod tools;
mod view;
mod wait;

use std::process::ExitCode;

use cli::{Cli, Command};
use context::Context;
use failure::{Exit, Failure};
use output::Output;

fn main() -> ExitCode {
    let cli = match cli::read() {
        Ok(cli) => cli,
        Err(exit) => return exit.into(),
    };
    let output = Output::new(&cli.globals, cli.command.serves());
    logging::start(cli.globals.verbose, cli.command.serves());
    // Next to all time passes waiting: one thread does, and needs the least memory.
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return output.failure(&error.into()).into(),
    };
    let end = runtime.block_on(run(cli, &output));
    // A read of standard input cannot be taken back; the program ends nevertheless.
    runtime.shutdown_background();
    end.unwrap_or_else(|failure| output.failure(&failure))
        .into()
}

async fn run(Cli { globals, command }: Cli, output: &Output) -> Result<Exit, Failure> {
    let open = || Context::open(&globals, output);
    match command {
        Command::Generate(args) => generate::run(&open().await?, args).await,
        Command::Extend(args) => extend::run(&open().await?, args).await,
        Command::Task(args) => task::run(&open().await?, args).await,
        Command::Wait(args) => wait::run(&open().await?, args).await,
        Command::History(args) => history::run(&open().await?, args).await,
        Command::Download(args) => download::run(&open().await?, args).await,
        Command::Tools(args) => tools::run(output, &args),
        Command::Simulate(args) => simulate::run(output, &globals, args).await,
        #[cfg(feature = "mcp-server")]
        Command::Mcp(args) => mcp::run(output, &globals, args).await,
        Command::Completions(args) => completions::run(output, &args),
    }
}
