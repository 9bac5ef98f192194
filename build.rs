//! Generates the client from `openapi/luma.json`. It needs no network and no file outside the package.
//!
//! The document says everything that the service documents; the generator gets a lean copy of it, see
//! [`lean`].

use std::{env, error::Error, fs, path::Path};

use openapiv3::OpenAPI;
use progenitor::{GenerationSettings, Generator, HooksMode, TypePatch};
use quote::quote;
use serde_json::Value;

const DOCUMENT: &str = "openapi/luma.json";

/// Schemas whose Rust type is written by hand, because responses are looser than a schema can say.
const HAND_WRITTEN: [(&str, &str); 8] = [
    ("AspectRatio", "::luma_client::AspectRatio"),
    ("ErrorInfo", "::luma_client::fields::ErrorInfo"),
    ("Number", "::luma_client::fields::Number"),
    ("RawState", "::luma_client::fields::RawState"),
    ("QueryResponse", "::luma_client::fields::QueryResponse"),
    ("TaskId", "::luma_client::TaskId"),
    ("TaskResponse", "::luma_client::fields::TaskResponse"),
    ("Timestamp", "::luma_client::fields::Timestamp"),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={DOCUMENT}");
    let document = serde_json::from_str(&fs::read_to_string(DOCUMENT)?)?;
    let file = Path::new(&env::var("OUT_DIR")?).join("api.rs");
    fs::write(file, generate(document)?)?;
    Ok(())
}

/// The source of the client.
pub fn generate(mut document: Value) -> Result<String, Box<dyn Error>> {
    lean(&mut document);
    let document: OpenAPI = serde_json::from_value(document)?;
    let api = Generator::new(&settings()).generate_tokens(&document)?;
    Ok(api.to_string())
}

pub fn settings() -> GenerationSettings {
    let mut settings = GenerationSettings::default();
    settings
        // Token, limits and retries: `src/http/hooks.rs`. Without it, the client does not compile.
        .with_hooks(HooksMode::Expected)
        .with_inner_type(quote!(crate::http::Settings))
        .with_derive("PartialEq");
    for (schema, path) in HAND_WRITTEN {
        settings.with_replacement(schema, path, std::iter::empty());
    }
    // Structs that keep unknown fields get no `Default` from the generator.
    for name in ["Task", "TaskQuery", "VideoResult"] {
        settings.with_patch(name, growing().with_derive("Default"));
    }
    for name in ["DeletedTask", "ErrorResponse", "TaskBatch", "VideoRequest"] {
        settings.with_patch(name, &growing());
    }
    settings
}

/// A struct that gets a field whenever the service does.
fn growing() -> TypePatch {
    let mut patch = TypePatch::default();
    patch.with_attr("#[non_exhaustive]");
    patch
}

/// Removes from the document:
/// - responses other than 2xx: under a JSON-typed error, a gateway's HTML page would lose its status,
///   `Retry-After` and body; without them every error arrives whole, as an unexpected response;
/// - `default`: the generator would make the field mandatory and send it always;
/// - `_id` of a task: as a Rust name it would collide with `id`; it stays reachable as an unknown field.
///
/// And it widens each 200 to `2XX`: any success that holds the requested data is one.
fn lean(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("default");
            map.remove("_id");
            if let Some(Value::Object(responses)) = map.get_mut("responses") {
                let success = responses.remove("200");
                responses.clear();
                responses.extend(success.map(|response| ("2XX".to_owned(), response)));
            }
            map.values_mut().for_each(lean);
        }
        Value::Array(list) => list.iter_mut().for_each(lean),
        _ => {}
    }
}
