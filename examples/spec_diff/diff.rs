//! The differences between two OpenAPI documents, by the fields of requests and responses. Pure functions.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

/// What a document says about one field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    pub types: BTreeSet<String>,
    pub allowed: BTreeSet<String>,
    pub default: Option<String>,
    pub required: bool,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
        f.write_str(&match self.types.is_empty() {
            true => "anything".to_owned(),
            false => words(&self.types).join(" or "),
        })?;
        if !self.allowed.is_empty() {
            write!(f, ", one of {}", words(&self.allowed).join(" "))?;
        }
        if let Some(default) = &self.default {
            write!(f, ", default {default}")?;
        }
        if self.required {
            f.write_str(", required")?;
        }
        Ok(())
    }
}

/// A difference between our document and the other one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Added(String, Field),
    Removed(String, Field),
    Changed(String, Field, Field),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(path, field) => write!(f, "added    {path}: {field}"),
            Self::Removed(path, field) => write!(f, "removed  {path}: {field}"),
            Self::Changed(path, ours, theirs) => {
                write!(f, "changed  {path}: {ours} -> {theirs}")
            }
        }
    }
}

/// All differences, by path.
pub fn diff(ours: &Value, theirs: &Value) -> Vec<Change> {
    let (ours, theirs) = (fields(ours), fields(theirs));
    let paths: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    paths
        .into_iter()
        .filter_map(|path| match (ours.get(path), theirs.get(path)) {
            (Some(ours), Some(theirs)) if ours == theirs => None,
            (Some(ours), Some(theirs)) => {
                Some(Change::Changed(path.clone(), ours.clone(), theirs.clone()))
            }
            (Some(ours), None) => Some(Change::Removed(path.clone(), ours.clone())),
            (None, Some(theirs)) => Some(Change::Added(path.clone(), theirs.clone())),
            (None, None) => None,
        })
        .collect()
}

/// Every field of every request and every successful response.
pub fn fields(document: &Value) -> BTreeMap<String, Field> {
    let mut found = BTreeMap::new();
    for (path, methods) in entries(&document["paths"]) {
        for (method, operation) in entries(methods) {
            let place = format!("{} {path}", method.to_uppercase());
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            collect(document, body, &format!("{place} request"), 0, &mut found);
            for (status, response) in entries(&operation["responses"]) {
                if status.starts_with('2') {
                    let schema = &response["content"]["application/json"]["schema"];
                    let place = format!("{place} {status}");
                    collect(document, schema, &place, 0, &mut found);
                }
            }
        }
    }
    found
}

fn collect(
    document: &Value,
    schema: &Value,
    place: &str,
    depth: usize,
    found: &mut BTreeMap<String, Field>,
) {
    // A schema may contain itself.
    const DEEPEST: usize = 8;
    if depth > DEEPEST {
        return;
    }
    for part in parts(document, schema, 0) {
        let required: BTreeSet<&str> = list(&part["required"]).filter_map(Value::as_str).collect();
        for (name, schema) in entries(&part["properties"]) {
            let path = format!("{place}.{name}");
            let mut field = found.remove(&path).unwrap_or_default();
            describe(document, schema, &mut field);
            field.required |= required.contains(name.as_str());
            found.insert(path.clone(), field);
            collect(document, schema, &path, depth + 1, found);
        }
        if part["items"].is_object() {
            collect(document, &part["items"], &format!("{place}[]"), depth + 1, found);
        }
    }
}

fn describe(document: &Value, schema: &Value, field: &mut Field) {
    for part in parts(document, schema, 0) {
        // 3.1 writes a list of types.
        let types = list(&part["type"]).chain(std::iter::once(&part["type"]));
        let types = types.filter_map(Value::as_str).filter(|word| *word != "null");
        field.types.extend(types.map(str::to_owned));
        field.allowed.extend(list(&part["enum"]).map(plain));
        if !part["default"].is_null() {
            field.default = Some(plain(&part["default"]));
        }
    }
}

/// A schema and what it is composed of, references followed.
fn parts<'a>(document: &'a Value, schema: &'a Value, depth: usize) -> Vec<&'a Value> {
    const DEEPEST: usize = 16;
    if depth > DEEPEST {
        return Vec::new();
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        return match document.pointer(pointer) {
            Some(target) => parts(document, target, depth + 1),
            None => Vec::new(),
        };
    }
    let composed = ["allOf", "oneOf", "anyOf"]
        .into_iter()
        .flat_map(|word| list(&schema[word]))
        .flat_map(|part| parts(document, part, depth + 1));
    std::iter::once(schema).chain(composed).collect()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
