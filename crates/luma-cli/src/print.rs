//! `luma tools`, `luma completions` and `luma man`: what the program says about itself.

use std::path::PathBuf;

use clap_complete::Shell;
use clap_mangen::Man;
use luma_client::mcp::export;
use serde_json::json;

use crate::{
    error::{Error, Exit, Kind},
    output::Output,
    save::make_folder,
};

/// Print the schemas of the tools for a language model, as JSON
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  luma tools
  luma tools --format anthropic > tools.json")]
pub struct Tools {
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

/// Print the completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  luma completions bash > ~/.local/share/bash-completion/completions/luma
  luma completions zsh > \"${fpath[1]}/_luma\"
  luma completions fish > ~/.config/fish/completions/luma.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Write the manual pages, one for each command
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  luma man ~/.local/share/man/man1
  luma man | man -l -")]
pub struct Pages {
    /// The folder for the pages; without it, the first page goes to standard output
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub fn tools(output: &Output, args: &Tools) -> Exit {
    output.document(&match args.format {
        Format::Mcp => export::mcp(),
        Format::OpenaiChat => export::openai_chat(),
        Format::OpenaiResponses => export::openai_responses(),
        Format::Anthropic => export::anthropic(),
        Format::Gemini => export::gemini(),
    });
    Exit::Done
}

pub fn completions(output: &Output, args: &Completions, mut program: clap::Command) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "luma", &mut script);
    let script = String::from_utf8_lossy(&script);
    output.result(&script, &json!({ "shell": args.shell.to_string(), "script": script }));
    Exit::Done
}

pub fn man(output: &Output, args: Pages, program: clap::Command) -> Result<Exit, Error> {
    let Some(folder) = args.folder else {
        let mut page = Vec::new();
        Man::new(program).render(&mut page)?;
        let page = String::from_utf8_lossy(&page);
        output.result(&page, &json!({ "page": page }));
        return Ok(Exit::Done);
    };
    make_folder(&folder)?;
    clap_mangen::generate_to(program, &folder).map_err(|error| {
        let folder = folder.display();
        Error::new(Kind::File, format!("cannot write the manual pages to {folder}: {error}"))
            .next_step("Choose another folder.")
    })?;
    output.note(&format!("The manual pages are in {}.", folder.display()));
    output.result("", &json!({ "folder": folder.to_string_lossy() }));
    Ok(Exit::Done)
}
