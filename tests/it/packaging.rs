//! What describes the server to registries and hosts says what the crate is.

use luma_client::mcp;
use serde_json::{Value, json};

fn read(path: &str) -> Value {
    let text = std::fs::read_to_string(path).expect(path);
    serde_json::from_str(&text).expect(path)
}

#[test]
fn versions_are_that_of_the_crate() {
    let server = read("server.json");
    let bundle = read("packaging/mcpb/manifest.json");
    for version in [
        &server["version"],
        &server["packages"][0]["version"],
        &bundle["version"],
    ] {
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
    }
    assert_eq!(server["packages"][0]["identifier"], env!("CARGO_PKG_NAME"));
    // The registry takes no more.
    let description = server["description"].as_str().expect("a text");
    assert!(description.chars().count() <= 100, "{description}");
}

/// The registry's schema of 2025-12-11, as far as it concerns one crate with one binary.
#[test]
fn the_registry_can_read_it_and_a_host_can_install_it() {
    let argument = json!({
        "type": "object",
        "properties": {
            "type": { "enum": ["positional", "named"] },
            "name": { "type": "string", "pattern": "^--[a-z-]+$" },
            "value": { "type": "string" },
            "default": { "type": "string" },
            "description": { "type": "string" },
            "format": { "enum": ["string", "number", "boolean", "filepath"] },
        },
        "required": ["type", "description"],
        "if": { "properties": { "type": { "const": "named" } } },
        "then": { "required": ["name"] },
        "else": { "required": ["value"] },
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
            "packages": { "type": "array", "minItems": 1, "items": {
                "type": "object",
                "properties": {
                    "registryType": { "const": "cargo" },
                    "identifier": { "type": "string", "minLength": 1 },
                    "version": { "type": "string", "minLength": 1 },
                    "transport": { "const": { "type": "stdio" } },
                    "runtimeArguments": { "type": "array", "items": argument },
                    "packageArguments": { "type": "array", "items": argument },
                    "environmentVariables": { "type": "array", "items": {
                        "type": "object",
                        "properties": {
                            "name": { "type": "string", "pattern": "^[A-Z_]+$" },
                            "description": { "type": "string" },
                            "format": { "enum": ["string", "number", "boolean", "filepath"] },
                            "default": { "type": "string" },
                            "isRequired": { "type": "boolean" },
                            "isSecret": { "type": "boolean" },
                        },
                        "required": ["name", "description"],
                        "additionalProperties": false,
                    } },
                },
                "required": ["registryType", "identifier", "version", "transport"],
                "additionalProperties": false,
            } },
        },
        "required": ["$schema", "name", "description", "version", "packages"],
        "additionalProperties": false,
    });
    let server = read("server.json");
    if let Err(error) = jsonschema::draft7::new(&schema)
        .expect("a schema")
        .validate(&server)
    {
        panic!("{error} at {}", error.instance_path());
    }
    // The features that the binary and its command need, as the manifest has them.
    let manifest = std::fs::read_to_string("Cargo.toml").expect("the manifest");
    let package = &server["packages"][0];
    let features = package["runtimeArguments"][0]["value"].as_str();
    let features = features.expect("features");
    assert_eq!(package["runtimeArguments"][0]["name"], "--features");
    assert!(features.split(',').any(|feature| feature == "mcp-server"));
    for feature in features.split(',') {
        assert!(manifest.contains(&format!("\n{feature} = [")), "{feature}");
    }
    let binary = manifest.split("[[bin]]").nth(1).expect("a binary");
    let needed = binary
        .lines()
        .find(|line| line.starts_with("required-features"));
    let needed = needed.expect("features").split('"').nth(1).expect("one");
    assert!(
        features.split(',').any(|feature| feature == needed),
        "{needed}"
    );
}

#[test]
fn the_bundle_names_the_tools() {
    let bundle = read("packaging/mcpb/manifest.json");
    let named = bundle["tools"].as_array().expect("tools");
    let named: Vec<_> = named
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    let tools: Vec<_> = mcp::tools().iter().map(|tool| tool.name).collect();
    assert_eq!(named, tools);
}

#[test]
fn the_token_is_a_secret_everywhere() {
    let server = read("server.json");
    let variables = server["packages"][0]["environmentVariables"].as_array();
    let token = variables.and_then(|variables| {
        let mut variables = variables.iter();
        variables.find(|variable| variable["name"] == luma_client::TOKEN_VARIABLE)
    });
    assert_eq!(token.expect("a variable")["isSecret"], true);
    let bundle = read("packaging/mcpb/manifest.json");
    assert_eq!(bundle["user_config"]["api_token"]["sensitive"], true);
    let environment = &bundle["server"]["mcp_config"]["env"];
    assert_eq!(
        environment[luma_client::TOKEN_VARIABLE],
        "${user_config.api_token}"
    );
}
