//! READMEs read the same on GitHub, crates.io, PyPI and npm; what they compare is measured, and the files
//! that the pages for developers name exist.

use std::{fs, path::Path};

use regex::Regex;

const READMES: [&str; 4] = [
    "README.md",
    "crates/luma-cli/README.md",
    "crates/luma-mcp/README.md",
    "crates/luma-simulator/README.md",
];

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Links and images of Markdown.
fn links(page: &str) -> Vec<String> {
    let link = Regex::new(r"\]\(([^)\s]+)\)").expect("a pattern");
    link.captures_iter(page).map(|found| found[1].to_owned()).collect()
}

/// The lines of code blocks, with their language.
fn code(page: &str) -> Vec<(String, String)> {
    let mut language = None;
    let mut lines = Vec::new();
    for line in page.lines() {
        match (line.strip_prefix("```"), &language) {
            (Some(info), None) => language = Some(info.to_owned()),
            (Some(_), Some(_)) => language = None,
            (None, Some(language)) => lines.push((language.clone(), line.to_owned())),
            (None, None) => {}
        }
    }
    lines
}

#[test]
fn links_are_absolute_and_lead_to_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let host = "https://(?:github.com/[^/]+/luma-client/(?:blob|tree)|\
                raw.githubusercontent.com/[^/]+/luma-client)/main/([^#]+)";
    let file = Regex::new(&format!("^{host}")).expect("a pattern");
    for readme in READMES {
        for link in links(&text(readme)) {
            assert!(link.starts_with("https://"), "{readme}: {link} leads nowhere on crates.io");
            if let Some(path) = file.captures(&link) {
                assert!(root.join(&path[1]).exists(), "{readme}: {link} leads to no file");
            }
        }
    }
}

/// Only rustdoc hides them.
#[test]
fn code_has_no_hidden_lines() {
    for readme in READMES {
        for (language, line) in code(&text(readme)) {
            let is_hidden = language.starts_with("rust") && (line.starts_with("# ") || line == "#");
            assert!(!is_hidden, "{readme}: {line}");
        }
    }
}

/// All files below a folder, without what is built.
fn files(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match path.is_dir() {
            true if name == "target" || name == ".git" || name == "node_modules" => {}
            true => all.extend(files(&path)),
            false => all.push(path.to_string_lossy().replace('\\', "/")),
        }
    }
    all
}

#[test]
fn files_that_developers_look_for_exist() {
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    let named = Regex::new(r"`([\w./-]+(?:\.(?:rs|md|json|toml)|/))`").expect("a pattern");
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        for found in named.captures_iter(&text(page)) {
            let name = format!("/{}", &found[1]);
            let exists = files.iter().any(|file| match name.ends_with('/') {
                true => file.contains(&name),
                false => file.ends_with(&name),
            });
            assert!(exists, "{page}: {name} does not exist");
        }
    }
}

/// The rows of the Markdown table whose first line begins so.
fn table(page: &str, start: &str) -> Vec<Vec<String>> {
    let lines = page.lines().skip_while(|line| !line.starts_with(start)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

#[test]
fn comparison_has_the_measured_numbers() {
    let readme = text("README.md");
    let benchmarks = text("benches/README.md");
    let (_, benchmarks) = benchmarks.split_once("## Beside the vendor").expect("the section");
    let measured = table(benchmarks, "| | luma-client |");
    let shown = table(&readme, "| measured |");
    assert!(shown.len() >= 5, "no table");
    for row in shown {
        let found = measured.iter().find(|measured| measured[0] == row[0]);
        let found = found.unwrap_or_else(|| panic!("{} is not measured", row[0]));
        assert_eq!([&row[1], &row[2]], [&found[1], &found[3]], "{}", row[0]);
    }
}
