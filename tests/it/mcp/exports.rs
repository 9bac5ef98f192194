//! The formats of the hosts, there and back.

use luma_client::mcp::{Call, UnknownTool, export};

use super::*;

#[test]
fn each_format() {
    insta::assert_json_snapshot!("export_mcp", export::mcp());
    insta::assert_json_snapshot!("export_openai_chat", export::openai_chat());
    insta::assert_json_snapshot!("export_openai_responses", export::openai_responses());
    insta::assert_json_snapshot!("export_anthropic", export::anthropic());
    insta::assert_json_snapshot!("export_gemini", export::gemini());
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

#[test]
fn strict_tools_keep_the_rules_of_strict() {
    let chat = export::openai_chat();
    let responses = export::openai_responses();
    let chat = list(&chat).iter().map(|tool| &tool["function"]);
    for function in chat.chain(list(&responses)) {
        let name = text_of(&function["name"]);
        assert_eq!(function["strict"], true, "{name}");
        let parameters = &function["parameters"];
        jsonschema::draft202012::meta::validate(parameters).expect("a schema");
        let original = json!(tool(name).input_schema);
        let required = list(&parameters["required"]);
        let properties = parameters["properties"].as_object().expect("properties");
        assert_eq!(parameters["additionalProperties"], false, "{name}");
        assert_eq!(required.len(), properties.len(), "{name}");
        for (property, schema) in properties {
            let path = format!("{name}/{property}");
            assert!(required.contains(&json!(property)), "{path}");
            let text = schema.to_string();
            for refused in ["\"default\"", "\"minLength\"", "\"minItems\"", "\"minimum\""] {
                assert!(!text.contains(refused), "{path}: {refused}");
            }
            let was_required = original["required"]
                .as_array()
                .is_some_and(|required| required.contains(&json!(property)));
            let nullable =
                schema["type"].as_array().is_some_and(|types| types.contains(&json!("null")));
            assert_eq!(nullable, !was_required, "{path}");
            if let (true, Some(values)) = (nullable, schema["enum"].as_array()) {
                assert!(values.contains(&Value::Null), "{path}");
            }
        }
    }
}

#[test]
fn gemini_gets_nothing_that_it_refuses() {
    let export = export::gemini();
    let declarations = list(&export[0]["functionDeclarations"]);
    assert_eq!(declarations.len(), 9);
    for declaration in declarations {
        let text = declaration.to_string();
        for refused in ["\"default\"", "\"minLength\"", "\"maxLength\"", "\"parameters\""] {
            assert!(!text.contains(refused), "{refused}: {text}");
        }
        let name = text_of(&declaration["name"]);
        let takes_none = name.contains("_list_") && name != "luma_list_tasks";
        let schema = declaration.get("parametersJsonSchema");
        assert_eq!(schema.is_none(), takes_none, "{name}");
        if let Some(schema) = schema {
            jsonschema::draft202012::meta::validate(schema).expect("a schema");
        }
    }
}

/// What a host takes no keyword for, its model reads.
#[test]
fn no_limit_is_lost() {
    let chat = export::openai_chat();
    let responses = export::openai_responses();
    let gemini = export::gemini();
    let exports = [
        list(&chat).iter().map(|tool| &tool["function"]).collect::<Vec<_>>(),
        list(&responses).iter().collect(),
        list(&gemini[0]["functionDeclarations"]).iter().collect(),
    ];
    let mut count = 0;
    for function in exports.into_iter().flatten() {
        let name = text_of(&function["name"]);
        let schema = function.get("parameters").or(function.get("parametersJsonSchema"));
        let original = json!(tool(name).input_schema);
        for (property, original) in original["properties"].as_object().expect("properties") {
            let exported = &schema.expect("a schema")["properties"][property];
            for (exported, original) in
                [(exported, original), (&exported["items"], &original["items"])]
            {
                let text = text_of(&exported["description"]);
                for (keyword, words) in [
                    ("minLength", "{} to "),
                    ("maxLength", "{} characters."),
                    ("minItems", "{} to "),
                    ("maxItems", "{} items."),
                    ("minimum", "At least {}."),
                ] {
                    let Some(limit) = original.get(keyword) else {
                        continue;
                    };
                    let words = words.replace("{}", &limit.to_string());
                    let is_known = exported.get(keyword) == Some(limit) || text.contains(&words);
                    assert!(is_known, "{name}/{property}: {keyword}: {text}");
                    count += 1;
                }
            }
        }
    }
    assert!(count > 80, "{count}");
}

/// A call of each host, and what of its answer has to be so.
fn calls(id: &str) -> [(Value, Value); 7] {
    let arguments = json!({ "task_id": id });
    [
        (
            json!({ "id": "call_1", "type": "function", "function":
                { "name": "luma_get_task", "arguments": arguments.to_string() } }),
            json!({ "role": "tool", "tool_call_id": "call_1", "content": "" }),
        ),
        (
            json!({ "type": "function_call", "id": "fc_1", "call_id": "call_2",
                "name": "luma_get_task", "arguments": arguments.to_string() }),
            json!({ "type": "function_call_output", "call_id": "call_2", "output": "" }),
        ),
        (
            json!({ "type": "tool_use", "id": "toolu_1", "name": "luma_get_task",
                "input": arguments }),
            json!({ "type": "tool_result", "tool_use_id": "toolu_1", "content": "",
                "is_error": false }),
        ),
        (
            json!({ "functionCall": { "id": "g1", "name": "luma_get_task", "args": arguments } }),
            json!({ "functionResponse": { "id": "g1", "name": "luma_get_task",
                "response": { "output": {} } } }),
        ),
        (
            json!({ "name": "luma_get_task", "args": arguments }),
            json!({ "functionResponse": { "name": "luma_get_task",
                "response": { "output": {} } } }),
        ),
        (
            json!({ "name": "luma_get_task", "arguments": arguments }),
            json!({ "content": [], "structuredContent": {}, "isError": false }),
        ),
        (
            json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call",
                "params": { "name": "luma_get_task", "arguments": arguments } }),
            json!({ "content": [], "structuredContent": {}, "isError": false }),
        ),
    ]
}

/// Empties what depends on the task, after a look at it.
fn without_content(mut answer: Value, outcome: &Outcome) -> Value {
    let result = &outcome.structured_content["result"];
    let mut put = |pointer: &str, expected: Value, empty: Value| {
        if let Some(value) = answer.pointer_mut(pointer) {
            assert_eq!(*value, expected, "{pointer}");
            *value = empty;
        }
    };
    let text = json!(outcome.text);
    if let Some(0) = outcome.links.len().checked_sub(1) {
        put("/structuredContent", json!({ "result": result }), json!({}));
        put("/functionResponse/response/output", result.clone(), json!({}));
        put("/output", text.clone(), json!(""));
    }
    match answer.get("content") {
        Some(Value::Array(content)) => {
            assert_eq!(content[0], json!({ "type": "text", "text": text }));
            assert_eq!(content[1]["type"], "resource_link");
            assert_eq!(content[1]["uri"], result["video"]["url"]);
            assert_eq!(content[1]["mimeType"], "video/mp4");
            answer["content"] = json!([]);
        }
        Some(Value::String(content)) => {
            assert_eq!(*content, outcome.text);
            answer["content"] = json!("");
        }
        _ => {}
    }
    answer
}

#[tokio::test]
async fn a_call_of_each_host_is_answered_in_its_format() {
    let simulator = simulator(AT_ONCE).await;
    let luma = client(&simulator);
    let task = luma.generate("a").submit().await.expect("accepted");
    for (message, expected) in calls(task.id().as_str()) {
        let call = Call::read(&message).expect("a call");
        let outcome = call.run(&luma, &at_once()).await.expect("a known tool");
        check(&call.name, &outcome);
        assert_eq!(outcome.structured_content["result"]["state"], "completed");
        let answer = without_content(call.answer(&outcome), &outcome);
        assert_eq!(answer, expected, "{message}");
    }
}

#[tokio::test]
async fn strict_calls_come_with_nulls() {
    let simulator = simulator(AT_ONCE).await;
    let luma = client(&simulator);
    let call = Call::read(&json!({
        "type": "function_call",
        "call_id": "call_1",
        "name": "luma_generate_video",
        "arguments": r#"{"prompt":"a","aspect_ratio":null,"loop":null,"enhancement":null,
            "timeout":null,"callback_url":null}"#,
    }))
    .expect("a call");
    let outcome = call.run(&luma, &at_once()).await.expect("a known tool");
    assert!(!outcome.is_error, "{}", outcome.text);
    assert_eq!(
        simulator.requests()[0].json(),
        Some(json!({ "action": "generate", "async": true, "prompt": "a" }))
    );
}

#[tokio::test]
async fn errors_are_marked_where_the_host_has_a_mark() {
    let simulator = simulator(AT_ONCE).await;
    let luma = client(&simulator);
    for (message, pointer, expected) in [
        (
            json!({ "type": "tool_use", "id": "t", "name": "luma_get_task", "input": {} }),
            "/is_error",
            json!(true),
        ),
        (
            json!({ "functionCall": { "name": "luma_get_task", "args": {} } }),
            "/functionResponse/response/error/error/code",
            json!("invalid_arguments"),
        ),
        (json!({ "name": "luma_get_task" }), "/isError", json!(true)),
    ] {
        let call = Call::read(&message).expect("a call");
        let outcome = call.run(&luma, &at_once()).await.expect("a known tool");
        let answer = call.answer(&outcome);
        assert_eq!(answer.pointer(pointer), Some(&expected), "{answer}");
    }
    assert_eq!(simulator.stats().requests(), 0);
}

#[tokio::test]
async fn unknown_tool_is_an_error_of_its_own() {
    let simulator = simulator(AT_ONCE).await;
    let luma = client(&simulator);
    for (name, nearest) in [
        ("luma_get_tasks", Some("luma_get_task")),
        ("generate_video", Some("luma_generate_video")),
        ("Luma_Get_Task", Some("luma_get_task")),
        ("weather", None),
        ("", None),
    ] {
        let error: UnknownTool =
            mcp::call(&luma, name, json!({}), &at_once()).await.expect_err("no such tool");
        assert_eq!((&*error.name, error.nearest), (name, nearest));
        let outcome = Outcome::from(error);
        assert!(outcome.is_error);
        assert!(outcome.text.contains("luma_generate_video"), "{}", outcome.text);
    }
}

#[test]
fn what_is_no_call() {
    for message in [
        json!(null),
        json!([]),
        json!("luma_get_task"),
        json!({}),
        json!({ "name": 7 }),
        json!({ "type": "text", "text": "Hello" }),
        json!({ "type": "tool_use", "id": "t" }),
        json!({ "method": "tools/list", "params": {} }),
    ] {
        assert!(Call::read(&message).is_err(), "{message}");
    }
}
