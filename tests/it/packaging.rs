//! The descriptions of the server for registries and hosts agree with the crates.

use std::path::Path;

use luma_client::{TOKEN_VARIABLE, mcp};
use serde_json::{Value, json};

fn text(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path)).expect(path)
}

fn read(path: &str) -> Value {
    serde_json::from_str(&text(path)).expect(path)
}

/// A field of the `[package]` in a manifest.
fn package(manifest: &str, field: &str) -> String {
    let manifest = text(manifest);
    let start = format!("{field} = ");
    let line = manifest
        .split("[package]")
        .nth(1)
        .and_then(|package| package.lines().find_map(|line| line.strip_prefix(&start)));
    line.expect("a field").trim_matches('"').to_owned()
}

/// The package of `server.json` in one registry.
fn registered(kind: &str) -> Value {
    let server = read("server.json");
    let packages = server["packages"].as_array().expect("packages");
    let package = packages.iter().find(|package| package["registryType"] == kind);
    package.expect(kind).clone()
}

const REGISTRIES: [&str; 4] = ["pypi", "npm", "cargo", "mcpb"];

#[test]
fn versions_equal_that_of_the_crate() {
    let version = package("Cargo.toml", "version");
    let mut described = vec![
        read("server.json")["version"].clone(),
        read("packaging/mcpb/manifest.json")["version"].clone(),
        read("packaging/npm/luma-client/package.json")["version"].clone(),
        package("crates/luma-cli/Cargo.toml", "version").into(),
    ];
    described.extend(REGISTRIES.map(|kind| registered(kind)["version"].clone()));
    let npm = read("packaging/npm/luma-client/package.json");
    described.extend(npm["optionalDependencies"].as_object().expect("packages").values().cloned());
    for described in described {
        assert_eq!(described, version.as_str());
    }
    let bundle = &registered("mcpb")["identifier"];
    assert!(bundle.as_str().expect("a URL").contains(&format!("/v{version}/")), "{bundle}");
}

/// Each registry installs what has the binary, and runs its `mcp` command.
#[test]
fn registries_install_the_packages_with_the_binary() {
    let python = text("crates/luma-cli/pyproject.toml");
    assert!(python.contains("\nname = \"luma-client\"\n"));
    let npm = read("packaging/npm/luma-client/package.json");
    for (kind, name) in [
        ("pypi", "luma-client"),
        ("npm", npm["name"].as_str().expect("a name")),
        ("cargo", &package("crates/luma-cli/Cargo.toml", "name")),
    ] {
        let package = registered(kind);
        assert_eq!(package["identifier"], name);
        assert_eq!(package["packageArguments"][0]["value"], "mcp");
    }
    // uvx and npx run the program with the name of the package.
    assert!(text("crates/luma-cli/Cargo.toml").contains("\nname = \"luma-client\"\n"));
    assert!(npm["bin"]["luma-client"].is_string());
}

/// The registry reads the name of the server in each published package.
#[test]
fn packages_name_the_server() {
    let name = &read("server.json")["name"];
    let line = format!("mcp-name: {}", name.as_str().expect("a name"));
    // The page of crates.io, PyPI and npm.
    assert!(text("crates/luma-cli/README.md").contains(&line));
    assert!(text("crates/luma-cli/pyproject.toml").contains("\nreadme = \"README.md\"\n"));
    assert_eq!(&read("packaging/npm/luma-client/package.json")["mcpName"], name);
}

/// The registry's schema of 2025-12-11, as far as it concerns these packages.
#[test]
fn registry_can_read_the_description() {
    let formats = json!(["string", "number", "boolean", "filepath"]);
    let argument = json!({
        "type": "object",
        "properties": {
            "type": { "enum": ["positional", "named"] },
            "name": { "type": "string", "pattern": "^--[a-z-]+$" },
            "value": { "type": "string" },
            "default": { "type": "string" },
            "description": { "type": "string" },
            "format": { "enum": formats },
        },
        "required": ["type", "description"],
        "if": { "properties": { "type": { "const": "named" } } },
        "then": { "required": ["name"] },
        "else": { "required": ["value"] },
        "additionalProperties": false,
    });
    let variable = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "pattern": "^[A-Z_]+$" },
            "description": { "type": "string" },
            "format": { "enum": formats },
            "default": { "type": "string" },
            "isRequired": { "type": "boolean" },
            "isSecret": { "type": "boolean" },
        },
        "required": ["name", "description"],
        "additionalProperties": false,
    });
    let package = json!({
        "type": "object",
        "properties": {
            "registryType": { "enum": REGISTRIES },
            "identifier": { "type": "string", "minLength": 1 },
            "version": { "type": "string", "pattern": r"^\d+\.\d+\.\d+$" },
            "fileSha256": { "type": "string", "pattern": "^[a-f0-9]{64}$" },
            "runtimeHint": { "enum": ["uvx", "npx"] },
            "transport": { "const": { "type": "stdio" } },
            "packageArguments": { "type": "array", "items": argument },
            "environmentVariables": { "type": "array", "items": variable },
        },
        "required": ["registryType", "identifier", "version", "transport"],
        "additionalProperties": false,
        // A file is downloaded: its URL says what it is, and its hash is compared.
        "if": { "properties": { "registryType": { "const": "mcpb" } } },
        "then": {
            "properties": { "identifier": { "pattern": r"^https://github\.com/.+\.mcpb$" } },
            "required": ["fileSha256"],
        },
        "else": { "required": ["packageArguments", "environmentVariables"] },
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "$schema": { "const":
                "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json" },
            "name": { "type": "string", "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$",
                "minLength": 3, "maxLength": 200 },
            "title": { "type": "string", "minLength": 1, "maxLength": 100 },
            "description": { "type": "string", "minLength": 1, "maxLength": 100 },
            "version": { "type": "string", "maxLength": 255 },
            "websiteUrl": { "type": "string", "pattern": "^https://" },
            "repository": {
                "type": "object",
                "properties": {
                    "url": { "type": "string", "pattern": "^https://github\\.com/" },
                    "source": { "const": "github" },
                },
                "required": ["url", "source"],
                "additionalProperties": false,
            },
            "packages": { "type": "array", "minItems": REGISTRIES.len(), "items": package },
        },
        "required": ["$schema", "name", "description", "version", "packages"],
        "additionalProperties": false,
    });
    let validator = jsonschema::draft7::new(&schema).expect("a schema");
    if let Err(error) = validator.validate(&read("server.json")) {
        panic!("{error} at {}", error.instance_path());
    }
}

#[test]
fn bundle_names_the_tools() {
    let bundle = read("packaging/mcpb/manifest.json");
    let named = bundle["tools"].as_array().expect("tools").iter();
    let named: Vec<_> = named.filter_map(|tool| tool["name"].as_str()).collect();
    let tools: Vec<_> = mcp::tools().iter().map(|tool| tool.name).collect();
    assert_eq!(named, tools);
}

#[test]
fn token_is_a_secret_in_each_description() {
    for kind in ["pypi", "npm", "cargo"] {
        let package = registered(kind);
        let mut variables = package["environmentVariables"].as_array().expect("variables").iter();
        let token = variables.find(|variable| variable["name"] == TOKEN_VARIABLE);
        assert_eq!(token.expect("a variable")["isSecret"], true, "{kind}");
    }
    let bundle = read("packaging/mcpb/manifest.json");
    assert_eq!(bundle["user_config"]["api_token"]["sensitive"], true);
    let environment = &bundle["server"]["mcp_config"]["env"];
    assert_eq!(environment[TOKEN_VARIABLE], "${user_config.api_token}");
}

/// Copies what git has of the repository, and what is new in it.
#[cfg(unix)]
fn copy_of_the_repository() -> tempfile::TempDir {
    use std::process::Command;

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let copy = tempfile::tempdir().expect("a folder");
    let files = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let files = Command::new("git").args(files).current_dir(&root).output().expect("git");
    assert!(files.status.success(), "{files:?}");
    for file in String::from_utf8(files.stdout).expect("UTF-8").lines() {
        let to = copy.path().join(file);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        // A file that is deleted, but not yet committed, is no part of it.
        if root.join(file).is_file() {
            std::fs::copy(root.join(file), to).expect("a copy");
        }
    }
    copy
}

/// The files with a text that is not a binary's.
#[cfg(unix)]
fn files_with(folder: &Path, text: &str, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_with(&path, text, found);
        } else if std::fs::read_to_string(&path).is_ok_and(|content| content.contains(text)) {
            found.push(path);
        }
    }
}

#[cfg(unix)]
#[test]
fn owner_is_set_everywhere() {
    use std::process::Command;

    let copy = copy_of_the_repository();
    let set = |name: &str| {
        let script = copy.path().join("packaging/set-owner");
        Command::new(script).arg(name).output().expect("a script").status.success()
    };
    let with = |text: &str| {
        let mut found = Vec::new();
        files_with(copy.path(), text, &mut found);
        found
    };
    let name = read("server.json")["name"].as_str().expect("a name").to_owned();
    let (_, owner) =
        name.split_once('/').and_then(|(space, _)| space.rsplit_once('.')).expect("an owner");
    let before = with(&format!("{owner}/luma-client"));
    assert!(before.len() >= 10, "{before:?}");
    assert!(set("first-account"));
    // Once more, by another account. A prefix of a name is not the name.
    assert!(set("first"));
    assert_eq!(with(&["first", "luma-client"].join("/")), before);
    for missed in [owner, "first-account"] {
        let missed = with(&format!("{missed}/"));
        assert!(missed.is_empty(), "{missed:?}");
    }
    for refused in ["", "-a", "a b", "a/b", "a;b"] {
        assert!(!set(refused), "{refused}");
    }
}
