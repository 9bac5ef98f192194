//! What describes the server to registries and hosts says what the crate is.

use luma_client::mcp;
use serde_json::Value;

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
