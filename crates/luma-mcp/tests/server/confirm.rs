//! The question to the user before a submit.

use ElicitationAction::{Accept, Cancel, Decline};

use super::*;

#[tokio::test]
async fn submit_is_sent_only_if_the_user_accepts() {
    let simulator = simulator().await;
    for (over, era, answer, code) in [
        (Over::Pipe, Era::Legacy, Some(Accept), None),
        (Over::Pipe, Era::Modern, Some(Accept), None),
        (Over::Http, Era::Modern, Some(Accept), None),
        (Over::Pipe, Era::Legacy, Some(Decline), Some("not_confirmed")),
        (Over::Pipe, Era::Legacy, Some(Cancel), Some("not_confirmed")),
        (Over::Pipe, Era::Modern, Some(Decline), Some("not_confirmed")),
        (Over::Http, Era::Modern, Some(Cancel), Some("not_confirmed")),
        // A server without sessions cannot know what the client can do.
        (Over::Http, Era::Legacy, Some(Accept), Some("cannot_ask")),
        (Over::Pipe, Era::Legacy, None, Some("cannot_ask")),
        (Over::Pipe, Era::Modern, None, Some("cannot_ask")),
        (Over::Http, Era::Modern, None, Some("cannot_ask")),
    ] {
        let case = format!("{over:?} {era:?} {answer:?}");
        let before = simulator.stats().submits_received;
        let client = Client { answer, ..Client::default() };
        let stop = CancellationToken::new();
        let server = server(&simulator).confirm(true).max_videos(1);
        let (session, _) = connect_until(stop, over, server, era, client.clone()).await;
        let tools = session.list_all_tools().await.expect("tools");

        // Nobody is asked about a mistake, or about what is free.
        let free = session.call_tool(params("luma_list_actions", json!({}))).await;
        assert_eq!(free.expect("a result").is_error, Some(false), "{case}");
        if code != Some("cannot_ask") {
            let wrong = json!({ "prompt": "A fox", "callback_url": "no URL" });
            let wrong = session.call_tool(params("luma_generate_video", wrong)).await;
            let result = result_of(&tools, "luma_generate_video", &wrong.expect("a result"));
            assert_eq!(result["error"]["code"], "invalid_arguments", "{case}");
        }
        assert!(client.questions.lock().expect("no panic").is_empty(), "{case}");

        let fox = json!({ "prompt": "A fox", "loop": true });
        let result = session.call_tool(params("luma_generate_video", fox)).await;
        let result = result_of(&tools, "luma_generate_video", &result.expect("a result"));
        assert_eq!(result["error"]["code"].as_str(), code, "{case}: {result}");
        let sent = simulator.stats().submits_received - before;
        assert_eq!(sent, u64::from(code.is_none()), "{case}");
        let questions = client.questions.lock().expect("no panic").clone();
        assert_eq!(questions.len(), usize::from(code != Some("cannot_ask")), "{case}");
        for question in questions {
            assert!(question.contains("credits"), "{question}");
            assert!(question.ends_with("\nloop: true\nprompt: A fox"), "{question}");
        }
    }
}

#[tokio::test]
async fn question_without_an_answer_sends_nothing() {
    for (how, part) in [
        ("an error", "no answer"),
        ("an unknown action", "no answer"),
        ("another result", "no answer"),
        ("stopped", "before the user answered"),
        ("cancelled", ""),
        ("end of input", "before the user answered"),
    ] {
        let simulator = simulator().await;
        let server = server(&simulator).confirm(true);
        let elicitation = json!({ "elicitation": { "form": {} } });
        let mut lines = Lines::begun(server, "2025-06-18", elicitation).await;
        lines.send(&submit(7)).await;
        let question = lines.next().await;
        assert_eq!(question["method"], "elicitation/create");
        // Newer fields would be unknown to the client.
        assert_eq!(question["params"].get("mode"), None);
        let answer = |key: &str, value: Value| {
            let mut answer = json!({ "jsonrpc": "2.0", "id": question["id"] });
            answer[key] = value;
            answer
        };
        match how {
            "an error" => {
                let error = json!({ "code": -32601, "message": "no" });
                lines.send(&answer("error", error)).await;
            }
            "an unknown action" => lines.send(&answer("result", json!({ "action": "yes" }))).await,
            "another result" => lines.send(&answer("result", json!({}))).await,
            "stopped" => lines.stop.cancel(),
            "cancelled" => lines.send(&cancelled(7)).await,
            _ => lines.writer.shutdown().await.expect("closed"),
        }
        // The question ends with its call, and an answer that comes too late changes nothing.
        let is_withdrawn = ["stopped", "cancelled", "end of input"].contains(&how);
        let mut told = Vec::new();
        if !part.is_empty() {
            while told.last().is_none_or(|message: &Value| message["id"] != 7) {
                told.push(lines.next().await);
            }
            let text = told.last().expect("an answer").to_string();
            assert!(text.contains(part) && text.contains("nothing was sent"), "{how}: {text}");
        } else {
            told.push(lines.next().await);
        }
        let withdrawn = told.iter().filter(|it| it["method"] == "notifications/cancelled").count();
        assert_eq!(withdrawn, usize::from(is_withdrawn), "{how}: {told:?}");
        if how == "cancelled" {
            lines.send(&answer("result", json!({ "action": "accept" }))).await;
            lines.send(&request(8, "ping", json!({}))).await;
            assert_eq!(lines.next().await["id"], 8);
        }
        lines.stop.cancel();
        ended(lines.serving).await;
        assert_eq!(simulator.stats().requests(), 0, "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn user_who_never_answers_is_waited_for_five_minutes() {
    let simulator = simulator().await;
    let server = server(&simulator).confirm(true);
    let elicitation = json!({ "elicitation": {} });
    let mut lines = Lines::begun(server, "2025-11-25", elicitation).await;
    lines.send(&submit(7)).await;
    assert_eq!(lines.next().await["method"], "elicitation/create");
    let begin = tokio::time::Instant::now();
    // Longer than a line is waited for otherwise.
    let line = lines.lines.next_line().await.expect("text").expect("a line");
    assert!(line.contains("notifications/cancelled"), "{line}");
    assert_eq!(begin.elapsed().as_secs(), 300);
    let answer = lines.next().await.to_string();
    assert!(answer.contains("within 5 minutes; nothing was sent"), "{answer}");
    assert_eq!(simulator.stats().requests(), 0);
}

#[tokio::test]
async fn answer_of_a_repeated_call_counts_once() {
    let simulator = simulator().await;
    let mut lines = Lines::new(server(&simulator).confirm(true));
    let mut meta = meta();
    meta["io.modelcontextprotocol/clientCapabilities"] = json!({ "elicitation": {} });
    let mut call = submit(0);
    call["params"]["_meta"] = meta;
    lines.send(&call).await;
    let question = lines.next().await["result"].clone();
    assert_eq!(question["resultType"], "input_required");
    assert_eq!(question["inputRequests"]["confirm"]["method"], "elicitation/create");

    let accepted = json!({ "confirm": { "action": "accept" } });
    let mut answered = call.clone();
    answered["params"]["inputResponses"] = accepted.clone();
    answered["params"]["requestState"] = question["requestState"].clone();
    let mut other = answered.clone();
    other["params"]["arguments"]["prompt"] = "Two foxes".into();
    let mut unasked = call.clone();
    unasked["params"]["inputResponses"] = accepted;
    for (name, call, is_sent) in [
        ("an answer that nobody was asked for", &unasked, false),
        ("the answer to another call", &other, false),
        ("the answer", &answered, true),
        ("the answer again", &answered, false),
    ] {
        let before = simulator.stats().submits_received;
        lines.send(call).await;
        let result = lines.next().await["result"].clone();
        assert_eq!(result["resultType"] == "input_required", !is_sent, "{name}: {result}");
        assert_eq!(simulator.stats().submits_received - before, u64::from(is_sent), "{name}");
    }
}
