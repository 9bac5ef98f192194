//! `docs/tutorial.md` as steps. A step is a section whose title begins with a number.
//!
//! A code block belongs to the file that the paragraph above it names last. A block of Rust is the whole
//! file. A `diff` changes it: what has no `+` must occur once; `@@` begins another change. In a `console`
//! block, `$ ` begins a command, and the lines below it are its output.

// The build script needs the files, and the test the commands.
#![allow(dead_code)]

use std::{collections::BTreeMap, fs};

pub const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/tutorial.md");

pub struct Step {
    pub number: usize,
    /// The source after this step, by path.
    pub files: BTreeMap<String, String>,
    pub commands: Vec<Command>,
    /// The numbers N of each `videos billed: N` in the text.
    pub billed: Vec<u64>,
}

pub struct Command {
    pub line: String,
    pub output: String,
}

pub fn read() -> Vec<Step> {
    // On Windows git may have changed the ends of lines.
    let page = fs::read_to_string(PATH).expect("the tutorial").replace("\r\n", "\n");
    let mut steps: Vec<Step> = Vec::new();
    for section in page.split("\n## ").skip(1) {
        let Some(number) = section.split_once(". ").and_then(|(number, _)| number.parse().ok())
        else {
            continue;
        };
        let files = steps.last().map(|step| step.files.clone()).unwrap_or_default();
        let mut step = Step { number, files, commands: Vec::new(), billed: Vec::new() };
        // Text and code in turn.
        let parts: Vec<&str> = section.split("\n```").collect();
        for pair in parts.chunks(2) {
            step.billed.extend(billed(pair[0]));
            if let Some((language, code)) = pair.get(1).and_then(|block| block.split_once('\n')) {
                step.take(language, &format!("{code}\n"), pair[0]);
            }
        }
        steps.push(step);
    }
    steps
}

fn billed(text: &str) -> impl Iterator<Item = u64> {
    text.split("`videos billed: ").skip(1).filter_map(|rest| rest.split('`').next()?.parse().ok())
}

impl Step {
    fn take(&mut self, language: &str, code: &str, text: &str) {
        let path = || {
            let paragraph = text.trim_end().rsplit("\n\n").next().unwrap_or_default();
            let names = paragraph.split('`').skip(1).step_by(2);
            let path = names.filter(|name| name.ends_with(".rs")).last();
            path.unwrap_or_else(|| panic!("no file is named above this:\n{code}")).to_owned()
        };
        match language {
            "rust" => {
                self.files.insert(path(), code.to_owned());
            }
            "diff" => {
                let path = path();
                let file = self.files.get_mut(&path).unwrap_or_else(|| panic!("no file {path}"));
                code.split("@@\n").for_each(|change| apply(change, file));
            }
            "console" => {
                for line in code.lines() {
                    match (line.strip_prefix("$ "), self.commands.last_mut()) {
                        (Some(line), _) => self
                            .commands
                            .push(Command { line: line.to_owned(), output: String::new() }),
                        (None, Some(command)) => command.output += &format!("{line}\n"),
                        (None, None) => panic!("output without a command: {line}"),
                    }
                }
            }
            other => panic!("a block of {other:?}"),
        }
    }
}

fn apply(change: &str, file: &mut String) {
    let side = |other: char| -> String {
        let lines = change.lines().filter(|line| !line.starts_with(other));
        lines.map(|line| format!("{}\n", line.get(1..).unwrap_or_default())).collect()
    };
    let (old, new) = (side('+'), side('-'));
    assert_eq!(file.matches(&old).count(), 1, "this does not occur once:\n{old}\nin:\n{file}");
    *file = file.replace(&old, &new);
}
