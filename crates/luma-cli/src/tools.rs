//! `luma tools`: the tools of the MCP server, for hosts that read schemas from a file.

use luma_client::mcp::export;

use crate::{failure::Exit, output::Output};

/// Print the schemas of the tools for a language model, as JSON
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  luma tools
  luma tools --format anthropic > tools.json")]
pub struct Args {
    /// The format of the host
    #[arg(long, value_enum, default_value_t = Format::Mcp)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Mcp,
    OpenaiChat,
    OpenaiResponses,
    Anthropic,
    Gemini,
}

pub fn run(output: &Output, args: &Args) -> Exit {
    output.document(&match args.format {
        Format::Mcp => export::mcp(),
        Format::OpenaiChat => export::openai_chat(),
        Format::OpenaiResponses => export::openai_responses(),
        Format::Anthropic => export::anthropic(),
        Format::Gemini => export::gemini(),
    });
    Exit::Done
}
