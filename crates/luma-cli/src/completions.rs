//! `luma completions`: what a shell needs to complete this command line.

use clap_complete::Shell;
use serde_json::json;

use crate::{failure::Exit, output::Output};

/// Print the completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  luma completions bash > ~/.local/share/bash-completion/completions/luma
  luma completions zsh > \"${fpath[1]}/_luma\"
  luma completions fish > ~/.config/fish/completions/luma.fish")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(output: &Output, args: &Args, mut program: clap::Command) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "luma", &mut script);
    let script = String::from_utf8_lossy(&script);
    match output.json() {
        true => output.document(&json!({ "shell": args.shell.to_string(), "script": script })),
        false => output.text(&script),
    }
    Exit::Done
}
