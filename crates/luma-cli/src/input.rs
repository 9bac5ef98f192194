//! Prompts and ids from the command line, a file or standard input.

use std::{
    fs,
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
};

use luma_client::{TaskId, text::clean};

use crate::error::Error;

/// Stands for standard input.
const STDIN: &str = "-";
/// No prompt and no list of ids is larger. An endless file is refused, too.
const MAX_BYTES: usize = 1 << 20;

/// A text, and what it is called in an error.
pub struct Input {
    pub name: String,
    pub text: String,
}

/// What a video is to show.
#[derive(Debug, clap::Args)]
pub struct Prompt {
    /// What the video is to show; - reads standard input
    #[arg(required_unless_present = "prompt_file")]
    prompt: Option<String>,

    /// Read the prompt from this file, of at most 1 MiB
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    prompt_file: Option<PathBuf>,
}

impl Prompt {
    pub fn is_stdin(&self) -> bool {
        self.prompt.as_deref().or(self.prompt_file.as_ref().and_then(|file| file.to_str()))
            == Some(STDIN)
    }

    pub fn read(&self) -> Result<Input, Error> {
        match &self.prompt_file {
            Some(file) => read_file(file),
            None => read(self.prompt.as_deref().unwrap_or_default()),
        }
    }
}

/// Reads an argument, or standard input if it is `-`.
pub fn read(argument: &str) -> Result<Input, Error> {
    match argument == STDIN {
        true => read_file(Path::new(STDIN)),
        false => Ok(Input { name: "the argument".to_owned(), text: argument.to_owned() }),
    }
}

fn read_file(path: &Path) -> Result<Input, Error> {
    let is_stdin = path == Path::new(STDIN);
    let name = if is_stdin { "standard input".into() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let mut read = |input: &mut dyn Read| input.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes);
    if is_stdin && io::stdin().is_terminal() {
        eprintln!("Reading standard input; Ctrl-D ends it.");
    }
    let result = match is_stdin {
        true => read(&mut io::stdin().lock()),
        false => fs::File::open(path).and_then(|mut file| read(&mut file)),
    };
    let refuse = |message| Err(Error::bad_input(message));
    match (result, String::from_utf8(bytes)) {
        (Err(error), _) => refuse(format!("cannot read {name}: {error}")),
        (Ok(read), _) if read > MAX_BYTES => refuse(format!("{name} is larger than 1 MiB")),
        (Ok(_), Err(_)) => refuse(format!("{name} is not UTF-8 text")),
        (Ok(_), Ok(text)) => {
            Ok(Input { name, text: text.trim_start_matches('\u{feff}').to_owned() })
        }
    }
}

/// The ids without repetitions, in their order. `-` stands for those on standard input.
pub fn ids(arguments: Vec<TaskId>) -> Result<Vec<TaskId>, Error> {
    let mut ids = Vec::new();
    for id in arguments {
        if id.as_str() != STDIN {
            ids.push(id);
            continue;
        }
        for word in read_file(Path::new(STDIN))?.text.split_whitespace() {
            ids.push(
                word.parse::<TaskId>().map_err(|error| {
                    Error::bad_input(format!("{:?} is {error}", clean(word, 100)))
                })?,
            );
        }
    }
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    match ids.is_empty() {
        true => Err(Error::bad_input("there are no task ids on standard input")),
        false => Ok(ids),
    }
}
