//! Prompts and ids from the command line, a file or standard input.

use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::Path,
};

use luma_client::TaskId;

use crate::failure::Failure;

/// Stands for standard input.
const STDIN: &str = "-";

fn read_all(path: &Path) -> Result<String, Failure> {
    let bytes = match path == Path::new(STDIN) {
        true => {
            if io::stdin().is_terminal() {
                eprintln!("Reading standard input; Ctrl-D ends it.");
            }
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        }
        false => fs::read(path),
    };
    let name = path.display();
    let bytes =
        bytes.map_err(|error| Failure::bad_input(format!("cannot read {name}: {error}")))?;
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| Failure::bad_input(format!("{name} is not UTF-8 text")))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// An argument as it stands, or the text of standard input if it is `-`.
pub fn text(argument: String) -> Result<String, Failure> {
    match argument == STDIN {
        true => Ok(read_all(Path::new(STDIN))?.trim().to_owned()),
        false => Ok(argument),
    }
}

/// The prompt of the command line, of standard input (`-`) or of a file.
pub fn prompt(argument: Option<String>, file: Option<&Path>) -> Result<String, Failure> {
    match file {
        Some(file) => Ok(read_all(file)?.trim().to_owned()),
        None => text(argument.unwrap_or_default()),
    }
}

/// The ids without repetitions, in their order. `-` stands for those on standard input.
pub fn ids(arguments: Vec<TaskId>) -> Result<Vec<TaskId>, Failure> {
    let mut ids = Vec::new();
    for id in arguments {
        if id.as_str() != STDIN {
            ids.push(id);
            continue;
        }
        for word in read_all(Path::new(STDIN))?.split_whitespace() {
            let id = word.parse::<TaskId>();
            ids.push(id.map_err(|error| Failure::bad_input(format!("{word:?}: {error}")))?);
        }
    }
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    match ids.is_empty() {
        true => Err(Failure::bad_input("there are no task ids on standard input")),
        false => Ok(ids),
    }
}
