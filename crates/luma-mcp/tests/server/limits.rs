//! What a run of the server may spend.

use luma_simulator::{Fault, Target, TaskScript};

use super::*;

#[tokio::test]
async fn max_videos_with_refused_submits_counts_only_accepted() {
    let simulator = simulator().await;
    let session = connect(server(&simulator).max_videos(2), Era::Legacy, Client::default()).await;
    let tools = session.list_all_tools().await.expect("tools");
    let fox = || json!({ "prompt": "A fox", "aspect_ratio": "16:9" });

    // What was refused does not count: by the tool, and by the service.
    call(&session, "luma_generate_video", json!({ "prompt": "" })).await;
    simulator.on_submit(TaskScript::refused(403, "forbidden", "No foxes."));
    call(&session, "luma_generate_video", fox()).await;

    generate(&session).await;
    generate(&session).await;
    let refused = call(&session, "luma_generate_video", fox()).await;
    assert_eq!(refused.is_error, Some(true));
    let result = result_of(&tools, "luma_generate_video", &refused);
    assert_eq!(result["error"]["code"], "max_videos");
    assert_eq!(simulator.stats().submits_accepted, 2);
}

#[tokio::test]
async fn max_videos_with_submit_in_flight_is_not_used_up() {
    let simulator = simulator().await;
    let refused = Fault::status(403).json(json!({ "error": { "code": "forbidden" } }));
    simulator.inject(Fault::slow(Duration::from_millis(500)).on(Target::Submit));
    simulator.inject(refused.on(Target::Submit));
    let session = connect(server(&simulator).max_videos(1), Era::Legacy, Client::default()).await;
    let fox = || json!({ "prompt": "A fox", "aspect_ratio": "16:9" });
    let first = call(&session, "luma_generate_video", fox());
    let second = async {
        eventually("a submit", || simulator.stats().submits_received > 0).await;
        call(&session, "luma_generate_video", fox()).await
    };
    let (_, second) = tokio::join!(first, second);
    let content = second.structured_content.expect("content");
    assert_eq!(content["result"]["error"]["code"], "max_videos");
    let step = content["result"]["next_step"].as_str().expect("a step");
    assert!(step.contains("submits in flight"), "{step}");
}

#[tokio::test]
async fn read_only_server_names_no_submit_tool() {
    let simulator = simulator().await;
    let session = connect(server(&simulator).read_only(true), Era::Modern, Client::default()).await;
    let tools = session.list_all_tools().await.expect("tools");
    let names: Vec<_> = tools.iter().map(|tool| &*tool.name).collect();
    assert_eq!(
        names,
        [
            "luma_get_task",
            "luma_get_tasks_batch",
            "luma_list_tasks",
            "luma_list_aspect_ratios",
            "luma_list_actions"
        ]
    );
    // Nothing names the others.
    let info = session.peer_info().expect("information");
    let prompts = session.list_all_prompts().await.expect("prompts");
    let actions = call(&session, "luma_list_actions", json!({})).await;
    result_of(&tools, "luma_list_actions", &actions);
    let ratios = call(&session, "luma_list_aspect_ratios", json!({})).await;
    result_of(&tools, "luma_list_aspect_ratios", &ratios);
    let mut texts = vec![json!(tools), json!(info), json!(prompts), json!(actions), json!(ratios)];
    // A task of the account that somebody else submitted, in each of its states.
    for script in [
        TaskScript::completes().after(Duration::ZERO),
        TaskScript::fails("forbidden", "No.").after(Duration::ZERO),
        TaskScript::completes().after(Duration::MAX),
    ] {
        simulator.on_submit(script);
        let task = luma(&simulator).generate("A fox").submit().await;
        let id = task.expect("accepted").id().to_string();
        let ids = json!({ "task_ids": [id, "nobody"] });
        texts.push(json!(call(&session, "luma_get_tasks_batch", ids).await));
        texts.push(json!(call(&session, "luma_list_tasks", json!({})).await));
        if texts.len() < 10 {
            let one = call(&session, "luma_get_task", json!({ "task_id": id })).await;
            result_of(&tools, "luma_get_task", &one);
            texts.push(json!(one));
        }
    }
    let submits = simulator.stats().submits_accepted;
    let requests = simulator.stats().requests();
    for text in texts {
        let text = text.to_string();
        assert!(!text.contains("luma_generate") && !text.contains("luma_extend"), "{text}");
        assert!(!text.contains("Another attempt"), "{text}");
    }
    assert_eq!(prompts.len(), 1);

    let refused =
        call(&session, "luma_generate_video", json!({ "prompt": "A fox", "aspect_ratio": "16:9" }))
            .await;
    assert_eq!(refused.is_error, Some(true));
    let content = refused.structured_content.expect("content");
    assert_eq!(content["result"]["error"]["code"], "read_only");
    assert_eq!(simulator.stats().submits_accepted, submits);
    assert_eq!(simulator.stats().requests(), requests);
}

#[tokio::test]
async fn server_without_token_lists_all_and_sends_nothing() {
    let simulator = simulator().await;
    let server = Server::without_token(luma(&simulator), "the token is a placeholder");
    let session = connect(server, Era::Legacy, Client::default()).await;
    let tools = session.list_all_tools().await.expect("tools");
    assert_eq!(tools.len(), 9);
    let ratios = call(&session, "luma_list_aspect_ratios", json!({})).await;
    assert_eq!(ratios.is_error, Some(false));
    for (tool, arguments) in [
        ("luma_generate_video", json!({ "prompt": "A fox", "aspect_ratio": "16:9" })),
        ("luma_get_task", json!({ "task_id": "a" })),
    ] {
        let refused = call(&session, tool, arguments).await;
        assert_eq!(refused.is_error, Some(true));
        let result = result_of(&tools, tool, &refused);
        assert_eq!(result["error"]["code"], "no_token");
        assert_eq!(result["error"]["message"], "the token is a placeholder");
    }
    assert_eq!(simulator.stats().requests(), 0);
}
