//! The tasks extension: for requests that declare it, and across restarts.

use luma_simulator::{Fault, Target, TaskScript};
use rmcp::model::{
    CancelTaskParams, GetTaskParams, InputResponses, TaskPayload, TaskStatus, UpdateTaskParams,
};

use super::*;

fn with_tasks() -> Client {
    Client { declares_tasks: true, ..Client::default() }
}

async fn create(session: &Session) -> rmcp::model::Task {
    // With a task, the argument that holds the call has no effect.
    let arguments = json!({ "prompt": "A fox", "aspect_ratio": "16:9", "timeout": 40 });
    match session.call_tool_once(params("luma_generate_video", arguments)).await {
        Ok(CallToolResponse::Task(created)) => created.task,
        other => panic!("{other:?}"),
    }
}

async fn get(session: &Session, id: &str) -> (TaskStatus, TaskPayload) {
    let got = session.get_task(GetTaskParams::new(id)).await.expect("a task");
    assert_eq!(got.task.task.task_id, id);
    (got.task.status(), got.task.payload)
}

#[tokio::test]
async fn task_of_a_server_that_ended_is_served_by_the_next() {
    let simulator = simulator().await;
    for over in Over::BOTH {
        let open = async || {
            let (stop, server) = (CancellationToken::new(), server(&simulator));
            connect_until(stop, over, server, Era::Modern, with_tasks()).await.0
        };
        let session = open().await;
        let tools = session.list_all_tools().await.expect("tools");
        let task = create(&session).await;
        assert_eq!(task.status, TaskStatus::Working);
        assert_eq!(task.poll_interval_ms, Some(5_000));
        // It is the service's own id.
        assert!(simulator.task(&task.task_id).is_some());
        let working = (TaskStatus::Working, TaskPayload::Working);
        assert_eq!(get(&session, &task.task_id).await, working);
        session.cancel().await.expect("ended");

        let session = open().await;
        assert_eq!(get(&session, &task.task_id).await, working);
        simulator.complete(&task.task_id);
        let (status, payload) = get(&session, &task.task_id).await;
        assert_eq!(status, TaskStatus::Completed);
        let TaskPayload::Completed { result } = payload else {
            panic!("{payload:?}");
        };
        let result = serde_json::from_value(Value::Object(result)).expect("a result");
        // It is what the tool that was called promises.
        let result = result_of(&tools, "luma_generate_video", &result);
        assert_eq!(result["state"], "completed");
        let url = result["video"]["url"].as_str().map(str::to_owned);
        assert_eq!(url, simulator.video_url(&task.task_id));
    }
    assert_eq!(simulator.stats().submits_accepted, 2);
}

#[tokio::test]
async fn tasks_declared_in_initialize_are_not_used() {
    let simulator = simulator().await;
    for (era, client) in [
        (Era::Legacy, with_tasks()),
        (Era::Legacy, Client::default()),
        (Era::Modern, Client::default()),
    ] {
        let session = connect(server(&simulator), era, client).await;
        let id = generate(&session).await;
        let got = session.get_task(GetTaskParams::new(id)).await;
        let error = mcp_error(got);
        assert_eq!(error.code.0, -32021, "{era:?}");
        let data = error.data.expect("what is required").to_string();
        assert!(data.contains("io.modelcontextprotocol/tasks"), "{data}");
    }
}

#[tokio::test]
async fn task_that_failed_is_a_completed_call_with_an_error() {
    let simulator = simulator().await;
    simulator.on_submit(TaskScript::fails("forbidden", "No foxes."));
    let session = connect(server(&simulator), Era::Modern, with_tasks()).await;
    let task = create(&session).await;
    simulator.complete(&task.task_id);
    let (status, payload) = get(&session, &task.task_id).await;
    assert_eq!(status, TaskStatus::Completed);
    let payload = format!("{payload:?}");
    assert!(
        payload.contains("No foxes.") && payload.contains("\"isError\": Bool(true)"),
        "{payload}"
    );
}

#[tokio::test]
async fn submit_that_was_refused_makes_no_task() {
    let simulator = simulator().await;
    simulator.on_submit(TaskScript::refused(403, "forbidden", "No foxes."));
    let session = connect(server(&simulator), Era::Modern, with_tasks()).await;
    let refused =
        call(&session, "luma_generate_video", json!({ "prompt": "A fox", "aspect_ratio": "16:9" }))
            .await;
    assert_eq!(refused.is_error, Some(true));
}

#[tokio::test]
async fn arguments_that_are_wrong_make_no_task() {
    let simulator = simulator().await;
    let session = connect(server(&simulator), Era::Modern, with_tasks()).await;
    for timeout in [json!("abc"), json!(-5), json!([1])] {
        let arguments = json!({ "prompt": "A fox", "timeout": timeout });
        let refused = call(&session, "luma_generate_video", arguments).await;
        let content = refused.structured_content.expect("content");
        let code = &content["result"]["error"]["code"];
        assert_eq!(code, "invalid_arguments", "{timeout}");
    }
    assert_eq!(simulator.stats().requests(), 0);
}

#[tokio::test]
async fn task_that_is_unknown_for_a_moment_is_found() {
    let simulator = simulator().await;
    let session = connect(server(&simulator), Era::Modern, with_tasks()).await;
    let id = create(&session).await.task_id;
    simulator.inject(Fault::status(404).on(Target::Lookup));
    assert_eq!(get(&session, &id).await, (TaskStatus::Working, TaskPayload::Working));
}

#[tokio::test]
async fn task_that_is_unknown_is_an_invalid_parameter() {
    let simulator = simulator().await;
    let session = connect(server(&simulator), Era::Modern, with_tasks()).await;
    for id in ["5e3c1c5e-0000-4000-8000-000000000000", "", "with spaces", "\u{0}"] {
        let get = session.get_task(GetTaskParams::new(id)).await;
        assert_eq!(mcp_error(get).code.0, -32602, "{id:?}");
        let cancel = session.cancel_task(CancelTaskParams::new(id)).await;
        assert_eq!(mcp_error(cancel).code.0, -32602, "{id:?}");
        let update = UpdateTaskParams::new(id, InputResponses::default());
        assert_eq!(mcp_error(session.update_task(update).await).code.0, -32602, "{id:?}");
    }
    let id = create(&session).await.task_id;
    session.cancel_task(CancelTaskParams::new(&*id)).await.expect("acknowledged");
    assert_eq!(get(&session, &id).await, (TaskStatus::Working, TaskPayload::Working));
}

#[tokio::test]
async fn lookup_that_fails_shows_no_token() {
    let simulator = simulator().await;
    let session = connect(server(&simulator), Era::Modern, with_tasks()).await;
    let id = create(&session).await.task_id;
    let body =
        format!(r#"{{"error":{{"code":"invalid_token","message":"no account has {TOKEN}"}}}}"#);
    simulator.inject(Fault::status(401).body(body).on(Target::Lookup));
    let error = mcp_error(session.get_task(GetTaskParams::new(id)).await);
    assert_eq!(error.code.0, -32603);
    assert!(error.message.contains("no account has [token]"), "{}", error.message);
}
