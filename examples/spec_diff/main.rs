//! Shows how a newer document of the vendor differs from `openapi/luma.json`.
//!
//! ```sh
//! cargo run --example spec_diff -- vendor.json
//! ```
//!
//! Exit code 0: no field was added, removed or changed; 1: some were; 2: a document is unreadable.

mod diff;

use std::{env, fs, process::ExitCode};

use serde_json::Value;

const OURS: &str = include_str!("../../openapi/luma.json");

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [path] = arguments.as_slice() else {
        eprintln!("usage: cargo run --example spec_diff -- vendor.json");
        return ExitCode::from(2);
    };
    match compare(path) {
        Ok(changes) if changes.is_empty() => {
            println!("no field was added, removed or changed");
            ExitCode::SUCCESS
        }
        Ok(changes) => {
            changes.iter().for_each(|change| println!("{change}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::from(2)
        }
    }
}

fn compare(path: &str) -> Result<Vec<diff::Change>, Box<dyn std::error::Error>> {
    let theirs: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    if !theirs["paths"].is_object() {
        return Err("not an OpenAPI document: it has no paths".into());
    }
    Ok(diff::diff(&serde_json::from_str(OURS)?, &theirs))
}
