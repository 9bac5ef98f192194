//! Hostile and mistaken arguments. None reaches the service.

use super::*;

/// Each with the word that the answer must have in it.
fn cases(tool: &Tool) -> Vec<(Value, String)> {
    let valid = arguments(tool.name);
    let with = |name: &str, value: Value| {
        let mut arguments = valid.clone();
        arguments.insert(name.to_owned(), value);
        (Value::Object(arguments), name.to_owned())
    };
    let mut cases = vec![
        (json!([]), "object".to_owned()),
        (json!(7), "object".to_owned()),
        (json!(true), "object".to_owned()),
        (json!("[1]"), "object".to_owned()),
        (json!("{\"prompt\":"), "JSON".to_owned()),
        (json!("A lighthouse"), "JSON".to_owned()),
        (json!("x".repeat(1 << 20)), "JSON".to_owned()),
    ];
    let schema = json!(tool.input_schema);
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in schema["properties"].as_object().expect("properties") {
        let is_required = required.contains(&json!(name));
        if is_required {
            let mut missing = valid.clone();
            missing.remove(name);
            cases.push((Value::Object(missing), name.clone()));
            cases.push(with(name, Value::Null));
        }
        let wrong = match text_of(&property["type"]) {
            "string" => vec![json!(7), json!(true), json!(["a"]), json!({ "a": 1 })],
            "boolean" => vec![json!("yes"), json!("1"), json!(1), json!([])],
            "number" => {
                vec![json!("soon"), json!("-1"), json!(true), json!(-1), json!(-0.5), json!({})]
            }
            "array" => {
                vec![json!("a"), json!("[7]"), json!(7), json!({}), json!([[]]), json!([null])]
            }
            other => panic!("{other}"),
        };
        cases.extend(wrong.into_iter().map(|value| with(name, value)));
        if property["type"] == "string" {
            cases.push(with(name, json!("x".repeat(1 << 20))));
        }
        // An optional argument that is empty counts as left out.
        if property["minLength"] == 1 {
            for blank in ["", "  ", "\n\t"] {
                cases.push(with(name, json!(blank)));
            }
        }
        if name.ends_with("_url") {
            for text in [
                "picture.jpg",
                "/etc/passwd",
                "file:///etc/passwd",
                "ftp://example.com/a.jpg",
                "data:image/png;base64,AAAA",
                "javascript:alert(1)",
                "https://",
                "https://exam ple.com/a",
                "https://example.com/a\nb",
                " https://example.com/a",
                "https://h/\u{0}",
                "a\u{7}b",
            ] {
                cases.push(with(name, json!(text)));
            }
        }
        if name.ends_with("_id") {
            for text in ["a b", "a\nb", "a\u{85}b"] {
                // The check of the client says "the video id".
                cases.push((with(name, json!(text)).0, "id".to_owned()));
            }
        }
    }
    cases.extend(match tool.name {
        "luma_generate_video" | "luma_generate_video_from_image" => vec![
            with("aspect_ratio", json!("2:1")),
            with("aspect_ratio", json!("16x9")),
            with("aspectRatio", json!("1:1")),
        ],
        "luma_get_tasks_batch" => {
            let ids = |count: usize| (0..count).map(|id| format!("id-{id}")).collect::<Vec<_>>();
            vec![
                with("task_ids", json!([])),
                with("task_ids", json!(ids(51))),
                with("task_ids", json!(ids(10_000))),
                with("task_ids", json!(["a", ""])),
                with("task_ids", json!(["a", "b c"])),
                with("task_ids", json!(["a", "x".repeat(1 << 20)])),
                with("task_ids", json!(["a", 7])),
            ]
        }
        _ => vec![],
    });
    if tool.name == "luma_generate_video_from_image" {
        cases.push(with("start_image", json!("https://example.com/a.jpg")));
        for (start, end) in
            [(json!(null), json!(null)), (json!(""), json!("")), (json!(" "), json!(null))]
        {
            let mut arguments = valid.clone();
            arguments.insert("start_image_url".into(), start);
            arguments.insert("end_image_url".into(), end);
            cases.push((Value::Object(arguments), "start_image_url".into()));
        }
    }
    cases
}

#[tokio::test]
async fn hostile_arguments_are_refused_before_a_request() {
    let simulator = simulator(AT_ONCE).await;
    let luma = client(&simulator);
    let mut count = 0;
    for tool in mcp::tools() {
        for (arguments, word) in cases(tool) {
            let shown: String = arguments.to_string().chars().take(300).collect();
            let outcome = call(&luma, tool.name, arguments, &at_once()).await;
            let result = &outcome.structured_content["result"];
            assert!(outcome.is_error, "{}: {shown}", tool.name);
            assert_eq!(result["error"]["code"], "invalid_arguments", "{shown}");
            assert!(outcome.text.contains(&word), "{shown}: {}", outcome.text);
            assert!(outcome.text.len() < 2_000, "{}", outcome.text.len());
            assert!(text_of(&result["next_step"]).contains(tool.name));
            count += 1;
        }
    }
    assert!(count > 200, "{count}");
    assert_eq!(simulator.stats().connections, 0);
}

/// The table would prove nothing if the valid arguments it starts from were refused.
#[tokio::test]
async fn valid_arguments_are_accepted() {
    let simulator = simulator(AT_ONCE).await;
    let luma = client(&simulator);
    let (video_id, video_url) = finished(&simulator, &luma).await;
    for tool in mcp::tools() {
        let mut arguments = arguments(tool.name);
        for (name, value) in [("video_id", &video_id), ("video_url", &video_url)] {
            if let Some(argument) = arguments.get_mut(name) {
                *argument = value.as_str().into();
            }
        }
        let arguments = Value::Object(arguments);
        let outcome = call(&luma, tool.name, arguments, &at_once()).await;
        let code = &outcome.structured_content["result"]["error"]["code"];
        assert_ne!(code, "invalid_arguments", "{}: {}", tool.name, outcome.text);
    }
    assert_eq!(simulator.stats().submits_accepted, 5);
}
