//! Writes the files of each step of the tutorial, which `src/bin` includes.

use std::{env, fs, path::Path};

#[path = "page.rs"]
mod page;

fn main() {
    println!("cargo::rerun-if-changed={}", page::PATH);
    println!("cargo::rerun-if-changed=page.rs");
    let folder = env::var("OUT_DIR").expect("cargo sets it");
    for step in page::read() {
        for (path, text) in step.files {
            let file = Path::new(&folder).join(format!("step_{}", step.number)).join(path);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, text).expect("a file");
        }
    }
}
