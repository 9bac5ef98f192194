//! One session: what is offered, calls, progress, cancellation, prompts.

use std::time::Duration;

use luma_simulator::{Fault, Target};
use rmcp::{
    model::{
        ArgumentInfo, CacheScope, CallToolRequest, CancelledNotificationParam, ClientRequest,
        CompleteRequestParams, ContentBlock, GetPromptRequestParams, Reference,
    },
    service::PeerRequestOptions,
};

use super::*;

#[tokio::test]
async fn session_of_each_era_lists_everything() {
    let simulator = simulator().await;
    for era in Era::BOTH {
        let session = connect(server(&simulator), era, Client::default()).await;
        let info = session.peer_info().expect("information");
        let implementation = info.server_info.clone().expect("an identity");
        assert_eq!(implementation.name, "luma");
        assert_eq!(implementation.version, env!("CARGO_PKG_VERSION"));
        assert!(implementation.title.is_some() && implementation.website_url.is_some());
        assert!(info.instructions.as_ref().is_some_and(|text| text.contains("credits")));
        // Extensions and cache hints are new in 2026-07-28.
        let is_modern = era == Era::Modern;
        assert_eq!(info.capabilities.supports_tasks(), is_modern);

        let list = session.list_tools(None).await.expect("a list");
        assert_eq!(list.ttl_ms.is_some_and(|ttl| ttl > 0), is_modern);
        assert_eq!(list.cache_scope, is_modern.then_some(CacheScope::Public));
        let expected: Vec<_> = luma_client::mcp::tools().iter().map(|tool| json!(tool)).collect();
        assert_eq!(list.tools.len(), 9);
        for (tool, expected) in list.tools.iter().zip(&expected) {
            let mut tool = json!(tool);
            // The module app has tests of it.
            tool.as_object_mut().map(|tool| tool.remove("_meta"));
            let title = tool["annotations"].as_object_mut().and_then(|map| map.remove("title"));
            assert_eq!(title.as_ref(), tool.get("title"));
            assert_eq!(&tool, expected);
        }
        assert_eq!(session.list_all_prompts().await.expect("prompts").len(), 3);
    }
    assert_eq!(simulator.stats().submits_accepted, 0);
}

#[tokio::test]
async fn video_from_submit_to_links() {
    let simulator = simulator().await;
    for (over, era) in Over::BOTH.into_iter().flat_map(|over| Era::BOTH.map(|era| (over, era))) {
        let (stop, server) = (CancellationToken::new(), server(&simulator));
        let (session, _) = connect_until(stop, over, server, era, Client::default()).await;
        let tools = session.list_all_tools().await.expect("tools");
        let arguments = json!({ "prompt": "A fox", "aspect_ratio": "21:9" });
        let submitted = call(&session, "luma_generate_video", arguments).await;
        let submission = result_of(&tools, "luma_generate_video", &submitted);
        let id = submission["task_id"].as_str().expect("an id");
        simulator.complete(id);

        let found = call(&session, "luma_get_task", json!({ "task_id": id })).await;
        assert_eq!(found.is_error, Some(false));
        let task = result_of(&tools, "luma_get_task", &found);
        assert_eq!(task["state"], "completed");
        let links = found.content.iter().filter_map(|block| match block {
            ContentBlock::ResourceLink(link) => Some((link.uri.clone(), link.mime_type.clone())),
            _ => None,
        });
        let links: Vec<_> = links.collect();
        let video = (simulator.video_url(id).expect("a URL"), Some("video/mp4".to_owned()));
        assert_eq!((links.len(), links.first()), (1, Some(&video)));
    }
    assert_eq!(simulator.stats().submits_accepted, 4);
}

#[tokio::test]
async fn unknown_tool_is_a_protocol_error_and_bad_input_a_tool_error() {
    let simulator = simulator().await;
    let session = connect(server(&simulator), Era::Legacy, Client::default()).await;
    let tools = session.list_all_tools().await.expect("tools");
    let unknown = session.call_tool_once(params("luma_generate_vidoe", json!({}))).await;
    let error = mcp_error(unknown);
    assert_eq!(error.code.0, -32602);
    assert!(error.message.contains("luma_generate_video"), "{}", error.message);

    let arguments = json!({ "prompt": "A fox", "aspect_ratio": "2:1", "promt": "A" });
    let refused = call(&session, "luma_generate_video", arguments).await;
    assert_eq!(refused.is_error, Some(true));
    let result = result_of(&tools, "luma_generate_video", &refused);
    assert_eq!(result["error"]["code"], "invalid_arguments");
    assert_eq!(simulator.stats().requests(), 0);
}

#[tokio::test]
async fn cancelled_call_with_progress_ends_its_hold() {
    let simulator = simulator().await;
    for era in Era::BOTH {
        let client = Client::default();
        let session = connect(server(&simulator), era, client.clone()).await;
        let id = generate(&session).await;
        // rmcp's client asks for progress with every request.
        let request = CallToolRequest::new(params("luma_get_task", json!({ "task_id": id })));
        let held = session
            .send_cancellable_request(
                ClientRequest::CallToolRequest(request),
                PeerRequestOptions::no_options(),
            )
            .await
            .expect("sent");
        eventually("progress", || !client.progress.lock().expect("no panic").is_empty()).await;
        let first = client.progress.lock().expect("no panic")[0].clone();
        assert_eq!(first.progress_token, held.progress_token);
        assert!(first.progress < 5.0 && first.total == Some(45.0), "{first:?}");
        assert!(first.message.is_some_and(|message| message.contains("video")));

        let lookups = simulator.stats().requests();
        session
            .notify_cancelled(CancelledNotificationParam::new(Some(held.id.clone()), None))
            .await
            .expect("sent");
        // It answers on, and looks nothing up any more.
        assert_eq!(session.list_all_tools().await.expect("tools").len(), 9);
        assert_eq!(simulator.stats().requests(), lookups);
    }
}

#[tokio::test]
async fn server_that_stops_answers_held_lookups() {
    for (over, era) in [(Over::Pipe, Era::Legacy), (Over::Http, Era::Modern)] {
        let simulator = simulator().await;
        let (stop, client) = (CancellationToken::new(), Client::default());
        let server = server(&simulator);
        let (session, serving) =
            connect_until(stop.clone(), over, server, era, client.clone()).await;
        let id = generate(&session).await;
        eventually("processing", || is_processing(&simulator, &id)).await;
        let held = async { call(&session, "luma_get_task", json!({ "task_id": id })).await };
        let stopping = async {
            eventually("progress", || !client.progress.lock().expect("no panic").is_empty()).await;
            stop.cancel();
        };
        let (held, ()) = tokio::join!(held, stopping);
        // It says how things stand.
        let held = held.structured_content.expect("content");
        assert_eq!(held["result"]["state"], "processing", "{over:?}");
        drop(session);
        ended(serving).await;
    }
}

#[tokio::test]
async fn server_that_stops_does_not_wait_for_a_silent_service() {
    let simulator = simulator().await;
    let (stop, client) = (CancellationToken::new(), Client::default());
    let server = server(&simulator);
    let (session, serving) =
        connect_until(stop.clone(), Over::Pipe, server, Era::Legacy, client).await;
    let id = generate(&session).await;
    simulator.inject(Fault::silence().on(Target::Lookup).always());
    let lookups = simulator.stats().lookups;
    let held = async { call(&session, "luma_get_task", json!({ "task_id": id })).await };
    let stopping = async {
        eventually("a lookup", || simulator.stats().lookups > lookups).await;
        stop.cancel();
    };
    // A lookup itself is given up after 30 seconds.
    let both = async { tokio::join!(held, stopping) };
    let end = tokio::time::timeout(Duration::from_secs(20), both).await;
    let (held, ()) = end.expect("in time");
    assert_eq!(held.is_error, Some(true));
    ended(serving).await;
}

#[tokio::test]
async fn prompt_and_completion_are_answered() {
    let simulator = simulator().await;
    for era in Era::BOTH {
        let session = connect(server(&simulator), era, Client::default()).await;
        let prompt = GetPromptRequestParams::new("luma_prompt_suggestions")
            .with_arguments(json!({ "subject": "a fox" }).as_object().cloned().expect("a map"));
        let prompt = session.get_prompt(prompt).await.expect("a prompt");
        assert!(json!(prompt.messages[0]).to_string().contains("a fox"));
        let unknown = session.get_prompt(GetPromptRequestParams::new("nothing")).await;
        assert_eq!(mcp_error(unknown).code.0, -32602);

        let reference = Reference::for_prompt("luma_prompt_suggestions");
        let typed = ArgumentInfo::new("aspect_ratio", "9:");
        let values = session.complete(CompleteRequestParams::new(reference, typed)).await;
        assert_eq!(values.expect("values").completion.values, ["9:16", "9:21"]);
    }
}

#[tokio::test]
async fn client_that_leaves_is_answered_except_held_lookups() {
    let simulator = simulator().await;
    let mut lines = Lines::new(server(&simulator));
    let mut meta = meta();
    meta["progressToken"] = 7.into();
    let call = |id: u64, tool: &str, arguments: Value| {
        let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
        request(id, "tools/call", params)
    };
    let fox = json!({ "prompt": "A fox" });
    lines.send(&call(1, "luma_generate_video", fox.clone())).await;
    let answer = lines.next().await;
    let id = &answer["result"]["structuredContent"]["result"]["task_id"];
    lines.send(&call(2, "luma_get_task", json!({ "task_id": id }))).await;
    assert_eq!(lines.next().await["method"], "notifications/progress");

    // What was sent before the end is done and answered all the same, however long it takes.
    simulator.inject(Fault::slow(Duration::from_secs(6)).on(Target::Submit));
    lines.send(&call(3, "luma_generate_video", fox)).await;
    let answered = lines.rest().await;
    let answered: Vec<_> = answered.iter().filter_map(|message| message["id"].as_u64()).collect();
    assert_eq!(answered, [3]);
    assert_eq!(simulator.stats().submits_accepted, 2);
}

/// Sends lines as they are, and gives the answer to each.
async fn answers(texts: &[Vec<u8>]) -> Vec<Value> {
    let simulator = simulator().await;
    let mut lines = Lines::begun(server(&simulator), "2025-11-25", json!({})).await;
    lines.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    let mut found = Vec::new();
    for text in texts {
        lines.write(&[text, &b"\n"[..]].concat()).await;
        found.push(lines.next().await);
    }
    found
}

#[tokio::test]
async fn broken_lines_are_answered() {
    let request = |params: String| {
        let text = format!(r#"{{"method":"ping","params":{params},"jsonrpc":"2.0","id":7}}"#);
        text.into_bytes()
    };
    let cases = [
        (request(format!("{:?}", "x".repeat(1 << 20))), -32600, json!(7)),
        (request("[".repeat(200) + &"]".repeat(200)), -32600, json!(7)),
        (b"no JSON".to_vec(), -32700, Value::Null),
        (b"\xff\xfe".to_vec(), -32700, Value::Null),
        (b"[]".to_vec(), -32600, Value::Null),
        // More than is kept.
        (request(format!("{:?}", "x".repeat(17 << 20))), -32600, Value::Null),
    ];
    let lines: Vec<_> = cases.iter().map(|(line, ..)| line.clone()).collect();
    let found = answers(&lines).await;
    for ((line, code, id), found) in cases.iter().zip(&found) {
        let line = String::from_utf8_lossy(&line[..line.len().min(60)]);
        assert_eq!(found["error"]["code"], *code, "{line}: {found}");
        assert_eq!(found["id"], *id, "{line}: {found}");
    }
    // Nothing of them is left: an empty line, a byte order mark and a carriage return do no harm.
    let ping = "\n\u{feff}{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"}\r";
    let found = answers(&[b"{".to_vec(), ping.into()]).await;
    assert_eq!(found[1], json!({ "jsonrpc": "2.0", "id": 8, "result": {} }));
}

#[tokio::test]
async fn unknown_methods_and_parameters_are_explained() {
    for (method, params, code) in [
        ("tools/call", None, -32602),
        ("tools/call", Some(json!({})), -32602),
        ("tools/call", Some(json!({ "name": 5 })), -32602),
        ("tools/call", Some(json!({ "name": "luma_list_actions", "arguments": "a" })), -32602),
        ("prompts/get", Some(json!({})), -32602),
        ("completion/complete", Some(json!({})), -32602),
        ("resources/read", Some(json!({})), -32602),
        ("resources/subscribe", Some(json!({ "uri": "file:///a" })), -32601),
        ("resources/unsubscribe", Some(json!({ "uri": "file:///a" })), -32601),
        ("logging/setLevel", Some(json!({ "level": "debug" })), -32601),
        ("subscriptions/listen", Some(json!({ "notifications": {} })), -32601),
        ("skills/list", None, -32601),
        ("tasks/list", None, -32601),
        ("roots/list", None, -32601),
        ("nothing/at/all", None, -32601),
    ] {
        let mut request = json!({ "jsonrpc": "2.0", "id": 1, "method": method });
        if let Some(params) = &params {
            request["params"] = params.clone();
        }
        let found = answers(&[request.to_string().into()]).await;
        let error = &found[0]["error"];
        assert_eq!((&error["code"], &found[0]["id"]), (&json!(code), &json!(1)), "{request}");
        let message = error["message"].as_str().expect("a message");
        let is_reasoned = message.contains(method) && message.len() > method.len() + 20;
        assert!(is_reasoned, "{request}: {error}");
    }
}

#[tokio::test]
async fn ping_is_answered_before_and_after_the_session_begins() {
    let ping = request(1, "ping", json!({}));
    let mut lines = Lines::new(server(&simulator().await));
    lines.send(&ping).await;
    assert_eq!(lines.next().await["result"], json!({}));
    let found = answers(&[ping.to_string().into()]).await;
    assert_eq!(found[0]["result"], json!({}));
}

#[tokio::test]
async fn schema_of_each_tool_has_only_what_hosts_convert() {
    let simulator = simulator().await;
    let session = connect(server(&simulator), Era::Legacy, Client::default()).await;
    for tool in session.list_all_tools().await.expect("tools") {
        let schema = json!(tool.input_schema);
        assert_eq!(schema["type"], "object", "{}", tool.name);
        let text = schema.to_string();
        for keyword in ["additionalProperties", "$ref", "$defs", "anyOf", "oneOf", "allOf"] {
            assert!(!text.contains(&format!("\"{keyword}\":")), "{}: {keyword}", tool.name);
        }
    }
}

#[tokio::test]
async fn arguments_of_odd_hosts_are_read() {
    let simulator = simulator().await;
    let session = connect(server(&simulator), Era::Legacy, Client::default()).await;
    let fox = |more: Value| {
        let mut arguments = json!({ "prompt": "A fox" });
        let more = more.as_object().cloned().expect("an object");
        arguments.as_object_mut().expect("an object").extend(more);
        arguments
    };
    let id = generate(&session).await;
    for (tool, arguments, is_error) in [
        // Optional arguments that a host fills with nothing.
        (
            "luma_generate_video",
            fox(json!({ "aspect_ratio": "", "loop": "", "timeout": "" })),
            false,
        ),
        ("luma_generate_video", fox(json!({ "callback_url": " ", "enhancement": null })), false),
        // Values as JSON text.
        ("luma_generate_video", fox(json!({ "loop": "true", "timeout": "0" })), false),
        ("luma_get_tasks_batch", json!({ "task_ids": format!("[\"{id}\"]") }), false),
        // Arguments that hosts add: n8n and Cursor.
        (
            "luma_generate_video",
            fox(json!({ "toolCallId": "1", "sessionId": "2", "action": "a", "chatInput": "b" })),
            false,
        ),
        ("luma_list_actions", json!({ "random_string": "dummy" }), false),
        // What is probably a mistake is not passed over.
        ("luma_generate_video", fox(json!({ "aspectratio": "1:1" })), true),
        ("luma_generate_video", json!({ "promt": "A fox" }), true),
        ("luma_generate_video", json!({ "prompt": "" }), true),
        ("luma_generate_video", fox(json!({ "loop": "often" })), true),
    ] {
        let result = call(&session, tool, arguments.clone()).await;
        assert_eq!(result.is_error, Some(is_error), "{tool} {arguments}: {result:?}");
    }
}

#[tokio::test]
async fn id_in_use_is_refused_before_anything_is_billed() {
    let simulator = simulator().await;
    simulator.inject(Fault::slow(Duration::from_millis(500)).on(Target::Submit));
    let mut lines = Lines::begun(server(&simulator), "2025-11-25", json!({})).await;
    for _ in 0..5 {
        lines.send(&submit(9)).await;
    }
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(lines.next().await);
    }
    let refused = |answer: &&Value| answer["error"]["code"] == -32600 && answer["id"].is_null();
    assert_eq!(answers.iter().filter(refused).count(), 4, "{answers:?}");
    let accepted = answers.iter().find(|answer| answer["id"] == 9);
    let accepted = &accepted.expect("an answer")["result"]["structuredContent"]["result"];
    assert_eq!(accepted["task_id"], simulator.tasks()[0]["id"]);
    assert_eq!(simulator.stats().submits_accepted, 1);
    // It is free again.
    lines.send(&submit(9)).await;
    let answer = lines.next().await;
    assert!(answer.to_string().contains("task_id"), "{answer}");
}

#[tokio::test]
async fn last_line_without_end_is_read() {
    let simulator = simulator().await;
    let mut lines = Lines::new(server(&simulator));
    let list = request(1, "tools/list", json!({ "_meta": meta() })).to_string();
    lines.write(list.as_bytes()).await;
    let rest = lines.rest().await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert!(rest[0]["result"]["tools"].is_array(), "{rest:?}");
}

#[tokio::test]
async fn initialize_of_any_form_begins_a_session() {
    let simulator = simulator().await;
    let client = json!({ "name": "a", "version": "1" });
    for (field, value) in [
        ("capabilities", json!({})),
        ("capabilities", json!({ "roots": true, "elicitation": true, "sampling": "yes" })),
        ("capabilities", json!({ "elicitation": { "form": true, "url": 5 } })),
        ("capabilities", json!({ "experimental": { "x": true }, "extensions": [], "tasks": 1 })),
        ("capabilities", json!([])),
        ("clientInfo", json!({ "name": 5 })),
        ("clientInfo", json!({ "name": "a", "version": "1", "icons": { "sizes": "48x48" } })),
        ("clientInfo", json!({ "name": "a", "icons": [{ "src": "x", "sizes": "48x48" }] })),
        ("clientInfo", Value::Null),
        ("protocolVersion", Value::Null),
        ("protocolVersion", json!("1999-01-01")),
        ("_meta", json!(5)),
        ("", Value::Null),
    ] {
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": client });
        let params = match field {
            "" => Value::Null,
            field => {
                let mut params = params;
                params[field] = value;
                params
            }
        };
        let mut lines = Lines::new(server(&simulator));
        lines.send(&request(0, "ping", json!({}))).await;
        lines.send(&request(1, "initialize", params.clone())).await;
        lines.send(&request(2, "tools/list", Value::Null)).await;
        for id in 0..3 {
            let answer = lines.next().await;
            assert_eq!(answer["id"], id, "{params}: {answer}");
            assert!(answer["result"].is_object(), "{params}: {answer}");
        }
    }
}

#[tokio::test]
async fn notifications_before_the_session_are_ignored() {
    let simulator = simulator().await;
    let mut lines = Lines::new(server(&simulator));
    lines.send(&request(1, "server/discover", json!({ "_meta": meta() }))).await;
    lines.send(&cancelled(1)).await;
    lines.send(&request(2, "tools/list", json!({ "_meta": meta() }))).await;
    for id in 1..=2 {
        let answer = lines.next().await;
        assert_eq!(answer["id"], id, "{answer}");
        assert!(answer["result"].is_object(), "{answer}");
    }
}

#[tokio::test]
async fn revision_gets_only_what_it_has() {
    let simulator = simulator().await;
    let mut ids = Vec::new();
    for is_done in [true, false] {
        let task = luma(&simulator).generate("A fox").submit().await.expect("accepted");
        if is_done {
            simulator.complete(task.id().as_str());
        }
        ids.push(task.id().to_string());
    }
    let get = |id: &str| {
        json!({ "name": "luma_get_task", "arguments": { "task_id": id },
            "_meta": { "progressToken": 7 } })
    };
    // The extra keys of each, beyond those of the first revision.
    let (hello, capabilities, tool, prompt, argument, result, progress) =
        ("hello", "capabilities", "tool", "prompt", "argument", "result", "progress");
    let march = vec![(capabilities, "completions"), (tool, "annotations"), (progress, "message")];
    let mut june = march.clone();
    june.extend([(hello, "title"), (tool, "outputSchema"), (tool, "title"), (prompt, "title")]);
    june.extend([(argument, "title"), (result, "structuredContent"), (result, "resource_link")]);
    june.extend([(capabilities, "extensions"), (tool, "_meta")]);
    let mut november = june.clone();
    november.extend([(hello, "description"), (hello, "websiteUrl")]);
    let without_links: Vec<_> =
        june.iter().copied().filter(|(_, key)| *key != "resource_link").collect();
    for (revision, links, expected) in [
        ("2024-11-05", true, vec![]),
        ("2025-03-26", true, march),
        ("2025-06-18", true, june),
        ("2025-06-18", false, without_links),
        ("2025-11-25", true, november),
    ] {
        let server = server(&simulator).resource_links(links).hold(Duration::from_secs(1));
        let mut lines = Lines::new(server);
        lines.send(&request(0, "initialize", json!({ "protocolVersion": revision }))).await;
        lines.send(&request(1, "tools/call", get(&ids[0]))).await;
        lines.send(&request(2, "tools/list", json!({}))).await;
        lines.send(&request(3, "prompts/list", json!({}))).await;
        lines.send(&request(4, "tools/call", get(&ids[1]))).await;
        let mut answers = std::collections::BTreeMap::new();
        while answers.len() < 6 {
            let message = lines.next().await;
            answers.insert(message["id"].as_u64(), message);
        }
        let answer = |id| answers[&Some(id)]["result"].clone();
        let (tools, prompts) = (answer(2)["tools"][0].clone(), answer(3)["prompts"][0].clone());
        let mut found = Vec::new();
        for (name, value, known) in [
            (hello, &answer(0)["serverInfo"], "name version"),
            (capabilities, &answer(0)["capabilities"], "prompts resources tools"),
            ("initialize", &answer(0), "capabilities instructions protocolVersion serverInfo"),
            (tool, &tools, "description inputSchema name"),
            ("tools", &answer(2), "tools"),
            (prompt, &prompts, "arguments description name"),
            (argument, &prompts["arguments"][0], "description name required"),
            ("prompts", &answer(3), "prompts"),
            (result, &answer(1), "content isError"),
            (progress, &answers[&None]["params"], "progress progressToken total"),
        ] {
            let keys = value.as_object().expect(name).keys();
            let new = keys.filter(|key| !known.split(' ').any(|known| known == *key));
            found.extend(new.map(|key| (name, key.clone())));
        }
        let first = answer(1);
        let blocks = first["content"].as_array().expect("content").iter();
        let kinds =
            blocks.filter_map(|block| block["type"].as_str()).filter(|kind| *kind != "text");
        found.extend(kinds.map(|kind| (result, kind.to_owned())));
        found.sort();
        found.dedup();
        let mut expected: Vec<_> =
            expected.into_iter().map(|(name, key)| (name, key.to_owned())).collect();
        expected.sort();
        assert_eq!(found, expected, "{revision}");
    }
}

#[tokio::test]
async fn lookup_without_progress_token_is_held_briefly() {
    let simulator = simulator().await;
    let task = luma(&simulator).generate("A fox").submit().await.expect("accepted");
    let get = json!({ "name": "luma_get_task", "arguments": { "task_id": task.id().as_str() } });
    // The option sets it for all calls.
    for (server, longest) in [(server(&simulator), 5), (server(&simulator).hold(Duration::ZERO), 2)]
    {
        let mut lines = Lines::begun(server, "2025-06-18", json!({})).await;
        let begin = std::time::Instant::now();
        lines.send(&request(1, "tools/call", get.clone())).await;
        assert_eq!(lines.next().await["result"]["isError"], false);
        assert!(begin.elapsed() < Duration::from_secs(longest));
    }
}

#[tokio::test]
async fn ping_with_many_held_calls_is_answered() {
    let simulator = simulator().await;
    let task = luma(&simulator).generate("A fox").submit().await.expect("accepted");
    let server = server(&simulator).hold(Duration::from_secs(45));
    let mut lines = Lines::begun(server, "2025-06-18", json!({})).await;
    let get = json!({ "name": "luma_get_task", "arguments": { "task_id": task.id().as_str() } });
    for id in 1..=300 {
        lines.send(&request(id, "tools/call", get.clone())).await;
    }
    lines.send(&cancelled(7)).await;
    lines.send(&request(1000, "ping", json!({}))).await;
    let actions = json!({ "name": "luma_list_actions" });
    lines.send(&request(1001, "tools/call", actions)).await;
    let (mut refused, mut answered) = (0, Vec::new());
    while answered.len() < 2 {
        let answer = lines.next().await;
        match answer["error"]["message"].as_str() {
            Some(message) => {
                assert!(message.contains("in flight"), "{answer}");
                refused += 1;
            }
            None => answered.push(answer["id"].as_u64()),
        }
    }
    answered.sort();
    // The cancelled call has made room for one more.
    assert_eq!((refused, answered), (300 - 256, vec![Some(1000), Some(1001)]));
}

#[tokio::test]
async fn broken_output_ends_the_session_without_further_submits() {
    let simulator = simulator().await;
    let (mut input, theirs) = tokio::io::duplex(1 << 16);
    let (output, broken) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn(server(&simulator).serve(theirs, output, CancellationToken::new()));
    let mut lines = BufReader::new(broken).lines();
    let hello = request(0, "initialize", json!({ "protocolVersion": "2025-06-18" }));
    input.write_all(format!("{hello}\n").as_bytes()).await.expect("written");
    lines.next_line().await.expect("read").expect("a line");
    drop(lines);
    for id in 1..6 {
        let _ = input.write_all(format!("{}\n", submit(id)).as_bytes()).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let end = tokio::time::timeout(Duration::from_secs(20), serving).await;
    end.expect("in time").expect("no panic").expect("a good end");
    assert_eq!(simulator.stats().submits_accepted, 1);
}

#[tokio::test]
async fn submit_that_waits_for_a_retry_is_not_sent_after_the_end() {
    for how in ["cancelled", "stopped", "end of input"] {
        let simulator = simulator().await;
        simulator.inject(Fault::retry_after(429, "1").on(Target::Submit));
        let mut lines = Lines::begun(server(&simulator), "2025-06-18", json!({})).await;
        lines.send(&submit(1)).await;
        eventually("a submit", || simulator.stats().submits_received > 0).await;
        match how {
            "cancelled" => lines.send(&cancelled(1)).await,
            "stopped" => lines.stop.cancel(),
            _ => lines.writer.shutdown().await.expect("closed"),
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(simulator.stats().submits_received, 1, "{how}");
        lines.stop.cancel();
        ended(lines.serving).await;
    }
}

#[tokio::test]
async fn server_that_stops_answers_the_submit_in_flight_and_begins_no_other() {
    let simulator = simulator().await;
    simulator.inject(Fault::slow(Duration::from_secs(1)).on(Target::Submit));
    let mut lines = Lines::begun(server(&simulator), "2025-06-18", json!({})).await;
    lines.send(&submit(1)).await;
    eventually("a submit", || simulator.stats().submits_received > 0).await;
    lines.stop.cancel();
    lines.send(&submit(2)).await;
    let refused = lines.next().await;
    let content = &refused["result"]["structuredContent"]["result"];
    assert_eq!((&refused["id"], &content["error"]["code"]), (&json!(2), &json!("stopping")));
    let accepted = lines.next().await;
    let content = &accepted["result"]["structuredContent"]["result"];
    assert_eq!(content["task_id"], simulator.tasks()[0]["id"]);
    ended(lines.serving).await;
    assert_eq!(simulator.stats().submits_received, 1);
}
