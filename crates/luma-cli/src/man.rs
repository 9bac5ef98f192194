//! `luma man`: the manual pages.

use std::path::PathBuf;

use clap_mangen::Man;
use serde_json::json;

use crate::{
    failure::{Exit, Failure},
    output::Output,
};

/// Write the manual pages, one for each command
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  luma man ~/.local/share/man/man1
  luma man | man -l -")]
pub struct Args {
    /// The folder for the pages; without it, the first page goes to standard output
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub fn run(output: &Output, args: Args, program: clap::Command) -> Result<Exit, Failure> {
    let Some(folder) = args.folder else {
        let mut page = Vec::new();
        Man::new(program).render(&mut page)?;
        let page = String::from_utf8_lossy(&page);
        match output.json() {
            true => output.document(&json!({ "page": page })),
            false => output.text(&page),
        }
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(&folder)?;
    clap_mangen::generate_to(program, &folder)?;
    match output.json() {
        true => output.document(&json!({ "folder": folder.to_string_lossy() })),
        false => output.note(&format!("The manual pages are in {}.", folder.display())),
    }
    Ok(Exit::Done)
}
