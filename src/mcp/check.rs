//! Arguments against the schema of their tool, with words that a model can act on. Pure functions.

use serde_json::{Map, Value};

/// Gives the arguments without what is null, or all that is wrong with them.
///
/// They may come as an object, as the text of one, or not at all.
pub(crate) fn check(
    schema: &Map<String, Value>,
    arguments: Value,
) -> Result<Map<String, Value>, Vec<String>> {
    let mut arguments = object(arguments).map_err(|problem| vec![problem])?;
    arguments.retain(|_, value| !value.is_null());
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let required = schema.get("required").and_then(Value::as_array);

    let missing = required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|name| !arguments.contains_key(*name))
        .map(|name| format!("{name} is required and missing"));
    let mut problems: Vec<String> = missing.collect();
    for (name, value) in &arguments {
        match properties.get(name) {
            Some(schema) => problems.extend(problem(name, schema, value)),
            None => problems.push(unknown(name, properties)),
        }
    }
    match problems.is_empty() {
        true => Ok(arguments),
        false => Err(problems),
    }
}

fn object(arguments: Value) -> Result<Map<String, Value>, String> {
    match arguments {
        Value::Null => Ok(Map::new()),
        Value::Object(map) => Ok(map),
        // OpenAI sends them as text, and nothing at all for a tool without parameters.
        Value::String(text) if text.trim().is_empty() => Ok(Map::new()),
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(Value::Null) => Ok(Map::new()),
            Ok(other) => Err(no_object(&other)),
            Err(error) => Err(format!("the arguments are no valid JSON: {error}")),
        },
        other => Err(no_object(&other)),
    }
}

fn no_object(value: &Value) -> String {
    format!(
        "the arguments must be a JSON object, not {}",
        describe(value)
    )
}

fn unknown(name: &str, properties: &Map<String, Value>) -> String {
    let shown = shorten(name);
    if properties.is_empty() {
        return format!("{shown} is not known: this tool takes no arguments");
    }
    let names = || properties.keys().map(String::as_str);
    match nearest(name, names()) {
        Some(nearest) => format!("{shown} is not known; did you mean {nearest}?"),
        None => {
            let names: Vec<_> = names().collect();
            format!("{shown} is not known; known are {}", names.join(", "))
        }
    }
}

/// The name most like this one, if one is like it at all.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below it, names have too little in common.
    const ALIKE: f64 = 0.75;
    // Nothing that long is a slip of the pen, and comparing takes quadratic time.
    if name.len() > 100 {
        return None;
    }
    let name = name.to_ascii_lowercase();
    names
        .map(|known| (strsim::jaro_winkler(&name, known), known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

/// What is wrong with a value, if anything is.
fn problem(name: &str, schema: &Value, value: &Value) -> Option<String> {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    let wrong = |wanted: &str| Some(format!("{name} must be {wanted}, not {}", describe(value)));
    match (schema["type"].as_str(), value) {
        (Some("string"), Value::String(text)) => {
            if let Some(allowed) = schema["enum"].as_array()
                && !allowed.contains(value)
            {
                let allowed: Vec<_> = allowed.iter().filter_map(Value::as_str).collect();
                return wrong(&format!("one of {}", allowed.join(", ")));
            }
            bad_text(name, text, limit("minLength"), limit("maxLength"))
        }
        (Some("string"), _) => wrong("a string"),
        (Some("boolean"), Value::Bool(_)) => None,
        (Some("boolean"), _) => wrong("true or false, without quotes"),
        (Some("number"), Value::Number(number)) => match limit("minimum") {
            Some(least) if number.as_f64().is_none_or(|number| number < least) => {
                wrong(&format!("{least} or more"))
            }
            _ => None,
        },
        (Some("number"), _) => wrong("a number, without quotes"),
        (Some("array"), Value::Array(list)) => {
            let count = list.len() as f64;
            match (limit("minItems"), limit("maxItems")) {
                (Some(least), _) if count < least => Some(format!("{name} is empty")),
                (_, Some(most)) if count > most => Some(format!(
                    "{name} has {count} items, and at most {most} are allowed: split them over \
                     several calls"
                )),
                _ => list.iter().enumerate().find_map(|(index, item)| {
                    problem(&format!("{name}[{index}]"), &schema["items"], item)
                }),
            }
        }
        (Some("array"), _) => wrong("a list"),
        _ => None,
    }
}

fn bad_text(name: &str, text: &str, least: Option<f64>, most: Option<f64>) -> Option<String> {
    if least.is_some() && text.trim().is_empty() {
        return Some(format!("{name} is blank"));
    }
    let characters = text.chars().count();
    if let Some(most) = most
        && characters as f64 > most
    {
        return Some(format!(
            "{name} has {characters} characters, and at most {most} are allowed"
        ));
    }
    let control = text
        .chars()
        .find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))?;
    Some(format!(
        "{name} has a control character in it (U+{:04X}): remove it",
        u32::from(control)
    ))
}

/// A value in few words.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the string {}", shorten(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// The beginning of a text, quoted, with its control characters escaped.
pub(crate) fn shorten(text: &str) -> String {
    const CHARACTERS: usize = 60;
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_model_gets_wrong() {
        let Value::Object(schema) = json!({
            "type": "object",
            "properties": {
                "prompt": { "type": "string", "minLength": 1, "maxLength": 5 },
                "url": { "type": "string", "maxLength": 5 },
                "ratio": { "type": "string", "enum": ["1:1", "4:3"] },
                "loop": { "type": "boolean" },
                "timeout": { "type": "number", "minimum": 0 },
                "ids": { "type": "array", "minItems": 1, "maxItems": 2,
                    "items": { "type": "string", "minLength": 1 } },
            },
            "required": ["prompt"],
        }) else {
            panic!("an object");
        };
        for (arguments, expected) in [
            (json!({ "prompt": "a" }), Ok(1)),
            (json!({ "prompt": "a", "loop": null }), Ok(1)),
            (json!(r#"{"prompt":"a","loop":null}"#), Ok(1)),
            (json!({ "prompt": "a\nb", "url": "", "timeout": 0 }), Ok(3)),
            (json!({ "prompt": "äöüßé" }), Ok(1)),
            (json!(null), Err("prompt is required and missing")),
            (json!(" "), Err("prompt is required and missing")),
            (
                json!({ "prompt": null }),
                Err("prompt is required and missing"),
            ),
            (
                json!([]),
                Err("the arguments must be a JSON object, not a list"),
            ),
            (
                json!("7"),
                Err("the arguments must be a JSON object, not the number 7"),
            ),
            (
                json!("{\"prompt\":"),
                Err(
                    "the arguments are no valid JSON: EOF while parsing a value at line 1 column 10",
                ),
            ),
            (
                json!({ "prompt": 7 }),
                Err("prompt must be a string, not the number 7"),
            ),
            (json!({ "prompt": " \n" }), Err("prompt is blank")),
            (
                json!({ "prompt": "123456" }),
                Err("prompt has 6 characters, and at most 5 are allowed"),
            ),
            (
                json!({ "prompt": "a\u{0}" }),
                Err("prompt has a control character in it (U+0000): remove it"),
            ),
            (
                json!({ "prompt": "a", "promt": "b" }),
                Err("\"promt\" is not known; did you mean prompt?"),
            ),
            (
                json!({ "prompt": "a", "xyz": 1 }),
                Err("\"xyz\" is not known; known are ids, loop, prompt, ratio, timeout, url"),
            ),
            (
                json!({ "prompt": "a", "ratio": "2:1" }),
                Err("ratio must be one of 1:1, 4:3, not the string \"2:1\""),
            ),
            (
                json!({ "prompt": "a", "loop": "true" }),
                Err("loop must be true or false, without quotes, not the string \"true\""),
            ),
            (
                json!({ "prompt": "a", "timeout": "5" }),
                Err("timeout must be a number, without quotes, not the string \"5\""),
            ),
            (
                json!({ "prompt": "a", "timeout": -1 }),
                Err("timeout must be 0 or more, not the number -1"),
            ),
            (
                json!({ "prompt": "a", "ids": "a" }),
                Err("ids must be a list, not the string \"a\""),
            ),
            (json!({ "prompt": "a", "ids": [] }), Err("ids is empty")),
            (
                json!({ "prompt": "a", "ids": ["a", 7] }),
                Err("ids[1] must be a string, not the number 7"),
            ),
            (
                json!({ "prompt": "a", "ids": ["a", "b", "c"] }),
                Err("ids has 3 items, and at most 2 are allowed: split them over several calls"),
            ),
            (
                json!({ "loop": 1, "url": "123456" }),
                Err("prompt is required and missing; \
                     loop must be true or false, without quotes, not the number 1; \
                     url has 6 characters, and at most 5 are allowed"),
            ),
        ] {
            let shown = arguments.to_string();
            let got = check(&schema, arguments)
                .map(|map| map.len())
                .map_err(|problems| problems.join("; "));
            assert_eq!(got, expected.map_err(str::to_owned), "{shown}");
        }
    }

    #[test]
    fn nearest_names() {
        let known = ["prompt", "aspect_ratio", "start_image_url", "end_image_url"];
        for (name, expected) in [
            ("promt", Some("prompt")),
            ("Prompt", Some("prompt")),
            ("aspectRatio", Some("aspect_ratio")),
            ("start_image", Some("start_image_url")),
            ("end_image", Some("end_image_url")),
            ("model", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known.into_iter()), expected, "{name}");
        }
        assert_eq!(nearest(&"prompt".repeat(100_000), known.into_iter()), None);
    }
}
