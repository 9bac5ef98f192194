//! A module imports only from the rows above it, and a crate only what its row allows. Read from the
//! source as text: `crate::`, `super::` and `self::` paths outside comments, strings and tests.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The modules of luma-client, lowest first. Those of one row may import each other only as
/// [`FEATURES`] says.
const ROWS: &[&[&str]] = &[
    &["util"],
    &["api"],
    &["model"],
    &["http"],
    &["tasks"],
    &["poller"],
    &["client"],
    &["wait", "submit", "history", "download", "webhook"],
    &["error"],
    &["blocking", "mcp"],
];

/// Which features import which.
const FEATURES: [(&str, &str); 2] = [("submit", "wait"), ("submit", "history")];

/// The generated code names the settings and the lenient field types; the fields belong to its types.
const GENERATED: [(&str, &str); 2] = [("api", "model"), ("api", "http")];

/// Which crates of ours a crate may name.
const CRATES: [(&str, &[&str]); 3] = [
    ("luma-simulator", &[]),
    ("luma-mcp", &["luma_client"]),
    ("luma-cli", &["luma_client", "luma_mcp", "luma_simulator"]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The source files under a folder, without those of tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let is_test = name == "tests" || name.ends_with("_tests");
        match path.is_dir() {
            _ if is_test => {}
            true => files.extend(sources(&path)),
            false if path.extension().is_some_and(|end| end == "rs") => files.push(path),
            false => {}
        }
    }
    files
}

/// The code of a file without comments, strings and test modules.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a file");
    let text = text.split("#[cfg(test)]\nmod tests {").next().expect("a part");
    let mut code = String::new();
    let mut in_string = false;
    for line in text.lines() {
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' if in_string => drop(chars.next()),
                '\'' if !in_string && chars.peek() == Some(&'"') => drop(chars.next()),
                '"' => in_string = !in_string,
                '/' if !in_string && chars.peek() == Some(&'/') => break,
                c if !in_string => code.push(c),
                _ => {}
            }
        }
        code.push('\n');
    }
    code
}

/// The first segments of the paths that begin with `start`, and of each member of a `{..}` group.
fn segments(code: &str, start: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(start) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '$')) {
            continue;
        }
        let rest = &code[at + start.len()..];
        let (mut depth, mut word) = (0_u32, String::new());
        let mut is_first = true;
        for c in rest.chars() {
            match c {
                c if c.is_alphanumeric() || c == '_' => word.push(c),
                _ => {
                    if !word.is_empty() && is_first {
                        found.push(word.clone());
                        is_first = false;
                    }
                    word.clear();
                    match c {
                        '{' => {
                            depth += 1;
                            is_first = depth == 1;
                        }
                        '}' if depth <= 1 => break,
                        '}' => depth -= 1,
                        ',' if depth == 1 => is_first = true,
                        _ if depth == 0 && c != ':' => break,
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// The module of the first level that a file belongs to.
fn module(src: &Path, file: &Path) -> String {
    let path = file.strip_prefix(src).expect("a source");
    let first = path.components().next().expect("a name").as_os_str();
    first.to_str().expect("a name").trim_end_matches(".rs").to_owned()
}

/// The modules that a file imports, by their names in the root of the crate.
fn imports(src: &Path, file: &Path) -> BTreeSet<String> {
    let code = code(file);
    let mut found: Vec<String> = segments(&code, "crate::");
    found.extend(segments(&code, "luma_client::"));
    // `super` leads to the root only from a file of the first level.
    if file.parent() == Some(src) {
        found.extend(segments(&code, "super::"));
    }
    // What the root re-exports belongs to a module; only its path names that.
    let names = found.into_iter().filter(|name| row(name).is_some());
    names.collect()
}

#[test]
fn modules_import_only_from_rows_above() {
    let src = root().join("src");
    let (mut checked, mut wrong) = (0, Vec::new());
    for file in sources(&src) {
        let from = module(&src, &file);
        if ["lib", "guide", "fuzzing"].contains(&from.as_str()) {
            continue;
        }
        let own = row(&from).unwrap_or_else(|| panic!("{from} is in no row"));
        for to in imports(&src, &file) {
            checked += 1;
            let pair = (from.as_str(), to.as_str());
            let is_below = row(&to).is_some_and(|row| row < own);
            let is_allowed =
                is_below || from == to || FEATURES.contains(&pair) || GENERATED.contains(&pair);
            if !is_allowed {
                wrong.push(format!("{} imports {to}", file.display()));
            }
        }
    }
    assert!(checked > 50, "only {checked} imports were read");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_import_only_what_their_row_allows() {
    for (name, allowed) in CRATES {
        for file in sources(&root().join("crates").join(name).join("src")) {
            let code = code(&file);
            let own = name.replace('-', "_");
            for other in ["luma_client", "luma_mcp", "luma_simulator", "luma_cli"] {
                let is_named = !segments(&code, &format!("{other}::")).is_empty();
                let is_allowed = own == other || allowed.contains(&other);
                assert!(!is_named || is_allowed, "{} names {other}", file.display());
            }
        }
    }
}

#[test]
fn import_in_each_form_is_read() {
    for (code, expected) in [
        ("use crate::model::Task;", &["model"][..]),
        ("use crate::{\n    api::{self, types::Task},\n    util::TaskId,\n};", &["api", "util"]),
        ("fn f() -> crate::http::Token {}", &["http"]),
        ("pub(crate) use crate::{poller::Poller as P, wait};", &["poller", "wait"]),
        ("use other::crate_::x; let a_crate::x = 1;", &[]),
    ] {
        assert_eq!(segments(code, "crate::"), expected, "{code}");
    }
}

/// A file that no module declares is never compiled, and its tests never run.
#[test]
fn test_files_are_all_modules_of_the_binary() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("it");
    let main = fs::read_to_string(folder.join("main.rs")).expect("a file");
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let name = name.expect("a name");
        let is_module = main.contains(&format!("mod {name};"));
        assert!(is_module || ["main", "snapshots"].contains(&name), "{name}");
    }
}
