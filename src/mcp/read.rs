//! Reads arguments by the schema of their tool, and says what is wrong with them. Pure functions.

use serde_json::{Map, Value};

/// Returns the known arguments with the declared types, or every problem.
///
/// Hosts differ: arguments come as an object, as its JSON text, or not at all. Strict hosts send null or ""
/// for optional arguments, some send values as JSON text, and some add arguments of their own, such as
/// sessionId. An unknown argument is refused if it is probably a misspelling, or meant for one of the
/// `others`: arguments, each with its tool.
pub(crate) fn read(
    schema: &Map<String, Value>,
    others: &[(&str, &str)],
    arguments: Value,
) -> Result<Map<String, Value>, Vec<String>> {
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|list| list.iter().any(|it| it == name));

    let (mut known, mut ignored, mut problems) = (Map::new(), Vec::new(), Vec::new());
    for (name, value) in object(arguments).map_err(|problem| vec![problem])? {
        let Some(schema) = properties.get(&name) else {
            let shown = shorten(&name);
            if let Some(meant) = nearest(&name, properties.keys().map(String::as_str)) {
                problems.push(format!("{shown} is not known; did you mean {meant}?"));
            } else if let Some(meant) = nearest(&name, others.iter().map(|(other, _)| *other)) {
                let tool = others.iter().find(|(other, _)| *other == meant).map_or("", |it| it.1);
                problems.push(format!("{shown} is not known: {meant} is an argument of {tool}"));
            } else {
                ignored.push(format!("{shown} is not known"));
            }
            continue;
        };
        let is_blank = value.as_str().is_some_and(|text| text.trim().is_empty());
        if value.is_null() || (is_blank && !is_required(&name)) {
            continue;
        }
        let value = typed(schema, value);
        problems.extend(problem(&name, schema, &value));
        known.insert(name, value);
    }
    let missing = required.into_iter().flatten().filter_map(Value::as_str);
    let mut missing = missing.filter(|name| !known.contains_key(*name)).peekable();
    if missing.peek().is_some() {
        problems.extend(ignored);
    }
    problems.extend(missing.map(|name| format!("{name} is required and missing")));
    match problems.is_empty() {
        true => Ok(known),
        false => Err(problems),
    }
}

fn object(arguments: Value) -> Result<Map<String, Value>, String> {
    let wrong = |value: &Value| {
        let found = describe(value);
        Err(format!("the arguments must be a JSON object, not {found}"))
    };
    match arguments {
        Value::Null => Ok(Map::new()),
        Value::Object(map) => Ok(map),
        Value::String(text) if text.trim().is_empty() => Ok(Map::new()),
        // OpenAI sends them as text.
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(Value::Null) => Ok(Map::new()),
            Ok(other) => wrong(&other),
            Err(error) => Err(format!("the arguments are not valid JSON: {error}")),
        },
        other => wrong(&other),
    }
}

/// Reads the JSON text of a value, if it has the declared type. Texts stay as they are.
fn typed(schema: &Value, value: Value) -> Value {
    match &value {
        Value::String(text) if schema["type"] != "string" => match serde_json::from_str(text) {
            Ok(parsed) if has_type(schema, &parsed) => parsed,
            _ => value,
        },
        _ => value,
    }
}

fn has_type(schema: &Value, value: &Value) -> bool {
    match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("number") => value.is_number(),
        Some("array") => value.is_array(),
        _ => true,
    }
}

/// The name that is probably meant, if one is similar.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Names that are less similar have too little in common.
    const SIMILAR: f64 = 0.75;
    /// The shortest part of a name that stands for the whole, such as `ratio` or `image`.
    const PART: usize = 5;
    // Comparing takes quadratic time, and nobody misspells a name into so many letters.
    if name.len() > 100 {
        return None;
    }
    let bare = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
    let name = bare(name);
    let similarity = |known: &str| {
        let is_word = known.split('_').any(|word| word == name);
        let known = bare(known);
        let is_part = is_word || known.starts_with(&name) || known.ends_with(&name);
        let least = if is_part && name.len() >= PART { SIMILAR } else { 0.0 };
        strsim::normalized_damerau_levenshtein(&name, &known).max(least)
    };
    names
        .map(|known| (similarity(known), known))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

/// What is wrong with a value, by its schema.
fn problem(name: &str, schema: &Value, value: &Value) -> Option<String> {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    let wrong = |wanted: &str| Some(format!("{name} must be {wanted}, not {}", describe(value)));
    match (schema["type"].as_str(), value) {
        (Some("string"), Value::String(text)) => {
            let length = text.chars().count();
            if let Some(allowed) = schema["enum"].as_array()
                && !allowed.contains(value)
            {
                let allowed: Vec<_> = allowed.iter().filter_map(Value::as_str).collect();
                wrong(&format!("one of {}", allowed.join(", ")))
            } else if limit("minLength").is_some() && text.trim().is_empty() {
                Some(format!("{name} is blank"))
            } else {
                let most = limit("maxLength").filter(|most| length as f64 > *most)?;
                Some(format!("{name} has {length} characters, and at most {most} are allowed"))
            }
        }
        (Some("number"), Value::Number(number)) => {
            let least = limit("minimum")?;
            let is_less = number.as_f64().is_none_or(|number| number < least);
            wrong(&format!("{least} or more")).filter(|_| is_less)
        }
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
        (Some("string"), _) => wrong("a string"),
        (Some("boolean"), found) if !found.is_boolean() => wrong("true or false"),
        (Some("number"), _) => wrong("a number"),
        (Some("array"), _) => wrong("a list"),
        _ => None,
    }
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

/// The beginning of a text, quoted, with control characters escaped.
fn shorten(text: &str) -> String {
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

    fn schema() -> Map<String, Value> {
        let schema = json!({
            "type": "object",
            "properties": {
                "prompt": { "type": "string", "minLength": 1, "maxLength": 5 },
                "callback_url": { "type": "string", "maxLength": 5 },
                "ratio": { "type": "string", "enum": ["1:1", "4:3"] },
                "loop": { "type": "boolean" },
                "timeout": { "type": "number", "minimum": 0 },
                "ids": { "type": "array", "minItems": 1, "maxItems": 2,
                    "items": { "type": "string", "minLength": 1 } },
            },
            "required": ["prompt"],
        });
        schema.as_object().cloned().expect("an object")
    }

    const OTHERS: [(&str, &str); 2] = [("start_image_url", "animate"), ("video_id", "extend")];

    #[test]
    fn read_of_odd_hosts_gives_declared_types() {
        for (arguments, expected) in [
            (json!({ "prompt": "a" }), json!({ "prompt": "a" })),
            (json!({ "prompt": "a", "loop": null }), json!({ "prompt": "a" })),
            (json!(r#"{"prompt":"a","loop":true}"#), json!({ "prompt": "a", "loop": true })),
            (json!({ "prompt": "a", "callback_url": "" }), json!({ "prompt": "a" })),
            (json!({ "prompt": "a", "ratio": " " }), json!({ "prompt": "a" })),
            (json!({ "prompt": "a", "loop": "" }), json!({ "prompt": "a" })),
            (
                json!({ "prompt": "a", "loop": "true", "timeout": "0", "ids": "[\"b\"]" }),
                json!({ "prompt": "a", "loop": true, "timeout": 0, "ids": ["b"] }),
            ),
            // A text stays a text, whatever it looks like.
            (json!({ "prompt": "true" }), json!({ "prompt": "true" })),
            (json!({ "prompt": "äöüßé" }), json!({ "prompt": "äöüßé" })),
            (
                json!({ "prompt": "a", "toolCallId": "1", "sessionId": "2", "model": "m", "": 1 }),
                json!({ "prompt": "a" }),
            ),
            (json!({ "prompt": "a", "x".repeat(1 << 20): 1 }), json!({ "prompt": "a" })),
        ] {
            let shown = arguments.to_string();
            let read = read(&schema(), &OTHERS, arguments).map(Value::Object);
            assert_eq!(read, Ok(expected), "{}", &shown[..shown.len().min(200)]);
        }
    }

    #[test]
    fn read_of_wrong_arguments_names_every_problem() {
        for (arguments, expected) in [
            (json!(null), "prompt is required and missing"),
            (json!(" "), "prompt is required and missing"),
            (json!({ "prompt": null }), "prompt is required and missing"),
            (json!([]), "the arguments must be a JSON object, not a list"),
            (json!("7"), "the arguments must be a JSON object, not the number 7"),
            (
                json!("{\"prompt\":"),
                "the arguments are not valid JSON: EOF while parsing a value at line 1 column 10",
            ),
            (json!({ "prompt": 7 }), "prompt must be a string, not the number 7"),
            (json!({ "prompt": " \n" }), "prompt is blank"),
            (json!({ "prompt": "123456" }), "prompt has 6 characters, and at most 5 are allowed"),
            (
                json!({ "prompt": "a", "promt": "b" }),
                "\"promt\" is not known; did you mean prompt?",
            ),
            (
                json!({ "prompt": "a", "image_url": "b" }),
                "\"image_url\" is not known: start_image_url is an argument of animate",
            ),
            (
                json!({ "prompt": "a", "image": "b" }),
                "\"image\" is not known: start_image_url is an argument of animate",
            ),
            (
                json!({ "prompt": "a", "video_id": "b" }),
                "\"video_id\" is not known: video_id is an argument of extend",
            ),
            (json!({ "text": "a" }), "\"text\" is not known; prompt is required and missing"),
            (
                json!({ "prompt": "a", "ratio": "2:1" }),
                "ratio must be one of 1:1, 4:3, not the string \"2:1\"",
            ),
            (
                json!({ "prompt": "a", "loop": "yes" }),
                "loop must be true or false, not the string \"yes\"",
            ),
            (
                json!({ "prompt": "a", "loop": "1" }),
                "loop must be true or false, not the string \"1\"",
            ),
            (
                json!({ "prompt": "a", "timeout": "soon" }),
                "timeout must be a number, not the string \"soon\"",
            ),
            (
                json!({ "prompt": "a", "timeout": "-1" }),
                "timeout must be 0 or more, not the number -1",
            ),
            (json!({ "prompt": "a", "ids": "a" }), "ids must be a list, not the string \"a\""),
            (json!({ "prompt": "a", "ids": [] }), "ids is empty"),
            (
                json!({ "prompt": "a", "ids": ["a", 7] }),
                "ids[1] must be a string, not the number 7",
            ),
            (
                json!({ "prompt": "a", "ids": ["a", "b", "c"] }),
                "ids has 3 items, and at most 2 are allowed: split them over several calls",
            ),
            (
                json!({ "loop": 1, "callback_url": "123456" }),
                "callback_url has 6 characters, and at most 5 are allowed; \
                 loop must be true or false, not the number 1; \
                 prompt is required and missing",
            ),
        ] {
            let shown = arguments.to_string();
            let problems =
                read(&schema(), &OTHERS, arguments).map_err(|problems| problems.join("; "));
            assert_eq!(problems, Err(expected.to_owned()), "{shown}");
        }
    }

    #[test]
    fn nearest_of_a_misspelling_is_the_name() {
        let known = [
            "prompt",
            "aspect_ratio",
            "start_image_url",
            "end_image_url",
            "callback_url",
            "task_id",
            "video_id",
            "timeout",
        ];
        for (name, expected) in [
            ("promt", Some("prompt")),
            ("Prompt", Some("prompt")),
            ("aspectRatio", Some("aspect_ratio")),
            ("ratio", Some("aspect_ratio")),
            ("start_image", Some("start_image_url")),
            ("end_image", Some("end_image_url")),
            ("image", Some("end_image_url")),
            ("task_ids", Some("task_id")),
            ("callback", Some("callback_url")),
            ("model", None),
            ("seed", None),
            ("toolCallId", None),
            ("sessionId", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known.into_iter()), expected, "{name}");
        }
        assert_eq!(nearest(&"prompt".repeat(100_000), known.into_iter()), None);
    }
}
