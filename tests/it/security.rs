//! Each promise of SECURITY.md names tests that exist.

use std::{collections::BTreeSet, fs, path::Path};

use regex::Regex;

/// Whether the source has a test function of this name: `fn NAME`, below a `#[test]` of any kind.
fn has_test(source: &str, name: &str) -> bool {
    let function = Regex::new(&format!(r"^\s*(async )?fn {name}\(")).expect("a pattern");
    let lines: Vec<&str> = source.lines().collect();
    let Some(at) = lines.iter().position(|line| function.is_match(line)) else {
        return false;
    };
    let above = lines[..at].iter().rev();
    let mut attributes = above.take_while(|line| line.trim_start().starts_with(['#', '/']));
    attributes.any(|line| line.contains("#[test]") || line.contains("#[tokio::test"))
}

#[test]
fn promise_of_each_row_has_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("SECURITY.md")).expect("SECURITY.md");
    let test = Regex::new(r"`([a-z0-9_/-]+\.rs)::([a-z0-9_]+)`").expect("a pattern");
    let mut missing = BTreeSet::new();
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise"));
    let mut promises = 0;
    for row in rows {
        promises += 1;
        assert!(test.is_match(row), "no test holds this promise: {row}");
        for found in test.captures_iter(row) {
            let source = fs::read_to_string(root.join(&found[1])).unwrap_or_default();
            if !has_test(&source, &found[2]) {
                missing.insert(found[0].to_owned());
            }
        }
    }
    assert!(promises > 20, "the tables are not read");
    assert!(missing.is_empty(), "SECURITY.md names tests that do not exist: {missing:#?}");
}

#[test]
fn test_function_is_told_from_others() {
    let source =
        "#[test]\nfn a() {}\nfn b() {}\n/// Why.\n#[tokio::test]\n#[cfg(unix)]\nasync fn c() {}\n";
    for (name, expected) in [("a", true), ("b", false), ("c", true), ("d", false)] {
        assert_eq!(has_test(source, name), expected, "{name}");
    }
}
