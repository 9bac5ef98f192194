//! `luma mcp`: the tools as a server for hosts of the Model Context Protocol.

use crate::{
    context::Context,
    failure::{Exit, Failure, Kind},
};

/// Serve the tools to an MCP host
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  luma mcp")]
pub struct Args {}

/// The place of the server; standard output is its own.
pub async fn run(_context: &Context<'_>, Args {}: Args) -> Result<Exit, Failure> {
    let message = "the server is not in this build";
    Err(Failure::new(Kind::BadInput, message))
}
