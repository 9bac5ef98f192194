//! Generates typed mocks of each operation from `openapi/luma.json`, with the settings of the client,
//! and the client itself, for its snapshot.

use std::{env, error::Error, fs, path::Path};

use openapiv3::OpenAPI;
use progenitor::Generator;
use serde_json::Value;

/// The build script of the client, for its settings.
#[allow(dead_code)]
#[path = "../build.rs"]
mod client;

const DOCUMENT: &str = "../openapi/luma.json";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../build.rs");
    println!("cargo:rerun-if-changed={DOCUMENT}");
    let out = env::var("OUT_DIR")?;
    let mut document: Value = serde_json::from_str(&fs::read_to_string(DOCUMENT)?)?;
    // What the client includes, for its snapshot.
    let api = client::generate(document.clone())?;
    fs::write(Path::new(&out).join("api.rs"), api)?;
    remove_private_ids(&mut document);
    // The whole document: mocks offer the error responses too.
    let document: OpenAPI = serde_json::from_value(document)?;
    let mocks = Generator::new(&client::settings()).httpmock(&document, "luma_client::api")?;
    fs::write(Path::new(&out).join("mocks.rs"), mocks.to_string())?;
    Ok(())
}

/// As a Rust name, `_id` collides with `id`.
fn remove_private_ids(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("_id");
            map.values_mut().for_each(remove_private_ids);
        }
        Value::Array(list) => list.iter_mut().for_each(remove_private_ids),
        _ => {}
    }
}
