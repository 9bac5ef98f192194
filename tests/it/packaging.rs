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

#[test]
fn versions_equal_that_of_the_crate() {
    let server = read("server.json");
    let bundle = read("packaging/mcpb/manifest.json");
    let version = package("Cargo.toml", "version");
    for described in [&server["version"], &server["packages"][0]["version"], &bundle["version"]] {
        assert_eq!(described, version.as_str());
    }
}

/// The registry installs the crate that has the binary, and runs its `mcp` command.
#[test]
fn registry_installs_the_crate_with_the_binary() {
    let package = &read("server.json")["packages"][0];
    assert_eq!(package["identifier"], "luma-cli");
    assert_eq!(package["packageArguments"][0]["value"], "mcp");
}

/// The registry's schema of 2025-12-11, as far as it concerns one crate with one binary.
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
            "registryType": { "const": "cargo" },
            "identifier": { "type": "string", "minLength": 1 },
            "version": { "type": "string", "minLength": 1 },
            "transport": { "const": { "type": "stdio" } },
            "runtimeArguments": { "type": "array", "items": argument },
            "packageArguments": { "type": "array", "items": argument },
            "environmentVariables": { "type": "array", "items": variable },
        },
        "required": ["registryType", "identifier", "version", "transport"],
        "additionalProperties": false,
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "$schema": { "type": "string", "pattern": "/2025-12-11/server\\.schema\\.json$" },
            "name": { "type": "string", "pattern": "^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$",
                "minLength": 3, "maxLength": 200 },
            "title": { "type": "string", "minLength": 1, "maxLength": 100 },
            "description": { "type": "string", "minLength": 1, "maxLength": 100 },
            "version": { "type": "string", "maxLength": 255 },
            "websiteUrl": { "type": "string", "pattern": "^https://" },
            "packages": { "type": "array", "minItems": 1, "items": package },
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
    let server = read("server.json");
    let variables = server["packages"][0]["environmentVariables"].as_array();
    let mut variables = variables.expect("variables").iter();
    let token = variables.find(|variable| variable["name"] == TOKEN_VARIABLE);
    assert_eq!(token.expect("a variable")["isSecret"], true);
    let bundle = read("packaging/mcpb/manifest.json");
    assert_eq!(bundle["user_config"]["api_token"]["sensitive"], true);
    let environment = &bundle["server"]["mcp_config"]["env"];
    assert_eq!(environment[TOKEN_VARIABLE], "${user_config.api_token}");
}
