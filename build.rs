//! Generates the client from `openapi/luma.json`: no network, nothing outside this package is read.
//!
//! The document says all that the service documents; the generator gets a lean copy of it. What the
//! copy leaves out is what would make generated code fragile, see [`lean`]. Types and signatures are
//! the generator's; how a request is sent is not, see [`send_our_way`].

use std::{collections::HashMap, env, error::Error, fs, path::Path};

use openapiv3::OpenAPI;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use progenitor::{GenerationSettings, Generator, TypePatch};
use quote::quote;
use serde_json::Value;

const DOCUMENT: &str = "openapi/luma.json";

/// Schemas whose Rust type is written by hand in `src/wire/`, because the wire is looser than a
/// schema can say.
const HAND_WRITTEN: [&str; 7] = [
    "AspectRatio",
    "ErrorInfo",
    "Number",
    "StateWord",
    "TaskAnswer",
    "TaskResponse",
    "Timestamp",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={DOCUMENT}");
    let document: Value = serde_json::from_str(&fs::read_to_string(DOCUMENT)?)?;
    let out = env::var("OUT_DIR")?;

    let paths = paths(&document);
    let mut lean_document = document.clone();
    lean(&mut lean_document);
    let lean_document: OpenAPI = serde_json::from_value(lean_document)?;
    let api = Generator::new(&settings()).generate_tokens(&lean_document)?;
    let api = send_our_way(api, &paths);
    fs::write(Path::new(&out).join("api.rs"), api.to_string())?;

    // Typed mocks for the tests, from the whole document: they offer the error responses too.
    if Path::new("tests").is_dir() {
        let document: OpenAPI = serde_json::from_value(without_private_ids(document))?;
        let mocks = Generator::new(&settings()).httpmock(&document, "luma_client::api")?;
        fs::write(Path::new(&out).join("mocks.rs"), mocks.to_string())?;
    }
    Ok(())
}

/// A struct that gets a field whenever the service does.
fn growing() -> TypePatch {
    let mut patch = TypePatch::default();
    patch.with_attr("#[non_exhaustive]");
    patch
}

fn settings() -> GenerationSettings {
    let mut settings = GenerationSettings::default();
    settings.with_inner_type(quote!(crate::transport::Transport));
    for name in HAND_WRITTEN {
        settings.with_replacement(
            name,
            format!("::luma_client::wire::{name}"),
            std::iter::empty(),
        );
    }
    settings.with_replacement("TaskId", "::luma_client::TaskId", std::iter::empty());
    // Structs that keep unknown fields get no `Default` of the generator's own.
    for name in ["Task", "VideoResult"] {
        settings.with_patch(name, growing().with_derive("Default"));
    }
    for name in [
        "DeletedTask",
        "ErrorResponse",
        "TaskBatch",
        "TaskQuery",
        "VideoRequest",
    ] {
        settings.with_patch(name, &growing());
    }
    settings.with_derive("PartialEq");
    settings
}

/// The path of each operation, by its id.
fn paths(document: &Value) -> HashMap<String, String> {
    let operation_id = |item: &Value| Some(item["post"]["operationId"].as_str()?.to_owned());
    let items = document["paths"].as_object().into_iter().flatten();
    items
        .filter_map(|(path, item)| Some((operation_id(item)?, path.clone())))
        .collect()
}

/// Gives the method of each operation a body that leaves it all to `src/transport.rs`.
///
/// The generator's own reads an answer after the hook that sends has ended. That hook has to read it
/// too, to know whether to send again, so that each answer would be read twice.
fn send_our_way(code: TokenStream, paths: &HashMap<String, String>) -> TokenStream {
    // The function whose name has been read, until its body comes.
    let (mut is_fn, mut operation) = (false, None);
    code.into_iter()
        .map(|token| match token {
            TokenTree::Ident(word) => {
                if is_fn {
                    operation = paths.get_key_value(&word.to_string());
                }
                is_fn = word == "fn";
                TokenTree::Ident(word)
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let body = match operation.take() {
                    Some((id, path)) => quote!(self.call(#id, #path, body).await),
                    None => send_our_way(group.stream(), paths),
                };
                Group::new(Delimiter::Brace, body).into()
            }
            token => token,
        })
        .collect()
}

/// Takes out of the document:
/// - responses other than 2xx: a gateway's HTML page under a JSON-typed error would lose its status,
///   `Retry-After` and body; without them every error arrives whole, as an unexpected response;
/// - `default`: the generator would make the field mandatory and send it always;
/// - `_id` of a task: as a Rust name it would collide with `id`; it stays reachable as unknown field.
fn lean(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("default");
            map.remove("_id");
            if let Some(Value::Object(responses)) = map.get_mut("responses") {
                responses.retain(|status, _| status.starts_with('2'));
            }
            map.values_mut().for_each(lean);
        }
        Value::Array(list) => list.iter_mut().for_each(lean),
        _ => {}
    }
}

fn without_private_ids(mut document: Value) -> Value {
    if let Some(task) = document.pointer_mut("/components/schemas/Task/properties") {
        task.as_object_mut().map(|fields| fields.remove("_id"));
    }
    document
}
