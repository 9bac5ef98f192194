//! `luma mcp` as a host starts it: the real binary, its standard streams and its signals.

use std::{path::Path, process::Stdio, time::Duration};

use luma_simulator::{Fault, Simulator, Target};
use rmcp::{
    ClientHandler, RoleClient,
    model::{
        CallToolRequestParams, CallToolResponse, ClientCapabilities, ClientConfig, GetTaskParams,
        Implementation, ProtocolVersion, TaskStatus,
    },
    service::{ClientLifecycleMode, ClientServiceExt, RunningService},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// For what must come, but may take its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "s3cret-token-of-the-account";
const KEY: &str = "an-access-key-of-the-server";

fn luma(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_luma"));
    for variable in [
        "ACEDATACLOUD_API_TOKEN",
        "ACEDATACLOUD_API_BASE_URL",
        "LUMA_MCP_ACCESS_KEY",
        "LUMA_DEFAULT_ASPECT_RATIO",
        "LUMA_MAX_VIDEOS_PER_DAY",
        "LUMA_REQUEST_TIMEOUT",
    ] {
        command.env_remove(variable);
    }
    command
        .arg("mcp")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn with_account(simulator: &Simulator, arguments: &[&str]) -> Command {
    let mut command = luma(arguments);
    command.env("ACEDATACLOUD_API_TOKEN", TOKEN).env("ACEDATACLOUD_API_BASE_URL", simulator.url());
    command
}

async fn simulator() -> Simulator {
    let hour = Duration::from_secs(3_600);
    Simulator::with_duration(hour).await.expect("a simulator")
}

async fn code(child: &mut Child) -> Option<i32> {
    let end = timeout(PATIENCE, child.wait()).await;
    end.expect("it ends").expect("a status").code()
}

async fn signal(child: &Child, name: &str) {
    let id = child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-s", name, &id]).status().await;
    assert!(sent.expect("kill").success());
}

#[derive(Clone)]
struct Modern;

impl ClientHandler for Modern {
    fn get_info(&self) -> ClientConfig {
        let capabilities = ClientCapabilities::builder().enable_tasks().build();
        ClientConfig::new(capabilities, Implementation::new("a-test", "1"))
    }
}

async fn session(child: &mut Child) -> RunningService<RoleClient, Modern> {
    let streams = (child.stdout.take().expect("a pipe"), child.stdin.take().expect("a pipe"));
    let lifecycle =
        ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let session = Modern.serve_with_lifecycle(streams, lifecycle).await;
    session.expect("a session")
}

#[tokio::test]
async fn task_outlives_the_process_that_submitted_it() {
    let simulator = simulator().await;
    let mut first = with_account(&simulator, &[]).spawn().expect("a process");
    let client = session(&mut first).await;
    let arguments = json!({ "prompt": "A fox" });
    let call = CallToolRequestParams::new("luma_generate_video")
        .with_arguments(arguments.as_object().cloned().expect("a map"));
    let id = match client.call_tool_once(call).await {
        Ok(CallToolResponse::Task(created)) => created.task.task_id,
        other => panic!("{other:?}"),
    };
    first.kill().await.expect("killed");
    drop(client);

    let mut second = with_account(&simulator, &[]).spawn().expect("a process");
    let client = session(&mut second).await;
    let status = async || {
        let task = client.get_task(GetTaskParams::new(&*id)).await;
        task.expect("a task").task.status()
    };
    assert_eq!(status().await, TaskStatus::Working);
    simulator.complete(&id);
    assert_eq!(status().await, TaskStatus::Completed);
    assert_eq!(simulator.stats().submits_accepted, 1);
    // Its end is that of its standard input.
    client.cancel().await.expect("ended");
    assert_eq!(code(&mut second).await, Some(0));
}

#[tokio::test]
async fn stdout_has_only_the_protocol() {
    let simulator = simulator().await;
    let call = |id: u32, method: &str, mut params: Value| {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        line(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
    };
    let fox = json!({ "name": "luma_generate_video", "arguments": { "prompt": "A fox" } });
    let lines = [
        call(1, "tools/list", json!({})),
        b"no JSON\n".to_vec(),
        call(2, "tools/call", fox),
        call(3, "tools/call", json!({ "name": "luma_nothing" })),
        call(4, "nothing/at/all", json!({})),
    ];
    let talk = talk(with_account(&simulator, &["-vv"]), &lines).await;
    assert_eq!(talk.code, Some(0));
    assert!(talk.answers.iter().all(|message| message["jsonrpc"] == "2.0"), "{:?}", talk.answers);
    let answered: Vec<_> =
        talk.answers.iter().filter_map(|message| message["id"].as_u64()).collect();
    assert_eq!(answered, [1, 2, 3, 4]);
    assert_eq!(talk.answers.len(), 5);
    assert!(!talk.stderr.is_empty());
}

#[tokio::test]
async fn refused_line_is_logged() {
    let simulator = simulator().await;
    let talk = talk(with_account(&simulator, &[]), &[b"no JSON\n".to_vec()]).await;
    assert_eq!(talk.answers[0]["error"]["code"], -32700);
    assert!(talk.stderr.contains("refused a message"), "{}", talk.stderr);
    assert!(!talk.stderr.contains("no JSON"), "{}", talk.stderr);
}

#[tokio::test]
async fn server_without_token_lists_its_tools() {
    let mut server = luma(&[]).spawn().expect("a process");
    let client = session(&mut server).await;
    assert_eq!(client.list_all_tools().await.expect("tools").len(), 9);
    client.cancel().await.expect("ended");
    let mut stderr = String::new();
    let mut pipe = server.stderr.take().expect("a pipe");
    pipe.read_to_string(&mut stderr).await.expect("text");
    assert!(stderr.contains("ACEDATACLOUD_API_TOKEN"), "{stderr}");
    assert_eq!(code(&mut server).await, Some(0));
}

#[tokio::test]
async fn token_that_cannot_be_used_is_explained_and_never_sent() {
    let simulator = simulator().await;
    let list = line(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
    let lines = [hello(), list, submit(2)];
    for (token, part) in [
        ("${ACEDATACLOUD_API_TOKEN}", "did not expand it"),
        ("${env:ACEDATACLOUD_API_TOKEN}", "did not expand it"),
        ("${input:token}", "did not expand it"),
        ("\"${input:token}\"", "did not expand it"),
        ("Bearer ${TOKEN}", "did not expand it"),
        ("<token>", "did not expand it"),
        ("YOUR_API_TOKEN", "did not expand it"),
        ("…", "did not expand it"),
        ("\"quoted-token-123\"", "passed quotes along"),
        ("'quoted-token-123'", "passed quotes along"),
        ("\"quoted-token-123", "passed quotes along"),
        ("Bearer \"quoted-token-123\"", "passed quotes along"),
        ("\"Bearer quoted-token-123\"", "passed quotes along"),
        ("“quoted-token-123”", "non-ASCII"),
        ("two words", "spaces"),
        (" ", "blank"),
        ("\"\"", "blank"),
    ] {
        let mut command = with_account(&simulator, &[]);
        command.env("ACEDATACLOUD_API_TOKEN", token);
        let found = answers(command, &lines).await;
        assert_eq!(found[1]["result"]["tools"].as_array().map(Vec::len), Some(9), "{token}");
        let error = &found[2]["result"]["structuredContent"]["result"]["error"];
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(part), "{token}: {message}");
        assert!(!message.contains("quoted-token-123"), "{token}: {message}");
    }
    assert_eq!(simulator.stats().requests(), 0);
    // What is often copied along with a token does no harm.
    for token in [format!("Bearer {TOKEN}"), format!(" {TOKEN}\n")] {
        let mut command = with_account(&simulator, &[]);
        command.env("ACEDATACLOUD_API_TOKEN", &token);
        let found = answers(command, &lines).await;
        assert_eq!(found[2]["result"]["isError"], false, "{token}");
        let sent = simulator.requests().pop().expect("a request");
        assert_eq!(sent.headers["authorization"], format!("Bearer {TOKEN}"));
    }
    // Over HTTP it listens, too.
    let mut command = with_account(&simulator, &["--http", "127.0.0.1:0", "--access-key", KEY]);
    command.env("ACEDATACLOUD_API_TOKEN", "${input:token}");
    let mut server = command.spawn().expect("a process");
    let mut stderr = BufReader::new(server.stderr.take().expect("a pipe")).lines();
    let mut log = String::new();
    while !log.contains("Serving MCP at") {
        let line = timeout(PATIENCE, stderr.next_line()).await.expect("in time");
        log += &line.expect("text").expect("a line");
    }
    assert!(log.contains("did not expand it"), "{log}");
}

/// The codes of the errors that submits are answered with; none for a video.
fn codes(found: &[Value]) -> Vec<Option<&str>> {
    let errors = found
        .iter()
        .skip(1)
        .map(|answer| answer["result"]["structuredContent"]["result"]["error"]["code"].as_str());
    errors.collect()
}

#[tokio::test]
async fn limit_of_a_day_is_shared_and_survives_restarts() {
    let simulator = simulator().await;
    let state = tempfile::tempdir().expect("a folder");
    let server = |arguments: &[&str]| {
        let mut command = with_account(&simulator, arguments);
        command.env("XDG_STATE_HOME", state.path());
        command
    };
    let limited = || server(&["--max-videos-per-day", "5"]);
    let lines = [hello(), submit(1), submit(2), submit(3), submit(4)];
    // A refused submit gives its place back, a lost answer does not.
    simulator.inject(Fault::status(403).on(Target::Submit));
    let refused = answers(limited(), &[hello(), submit(1)]).await;
    assert_ne!(codes(&refused), [None]);
    simulator.inject(Fault::close().on(Target::Submit));
    let lost = answers(limited(), &[hello(), submit(1)]).await;
    assert_ne!(codes(&lost), [Some("max_videos_per_day")]);
    let before = simulator.stats().submits_accepted;

    let (first, second) = tokio::join!(answers(limited(), &lines), answers(limited(), &lines));
    let all: Vec<_> = codes(&first).into_iter().chain(codes(&second)).collect();
    assert_eq!(all.iter().filter(|code| code.is_none()).count(), 4, "{first:?} {second:?}");
    assert_eq!(simulator.stats().submits_accepted - before, 4);
    let used_up = [Some("max_videos_per_day"); 4];
    assert_eq!(codes(&answers(limited(), &lines).await), used_up);
    // Each program has its own limit for the same count.
    let more = answers(server(&["--max-videos-per-day", "6"]), &lines[..2]).await;
    assert_eq!(codes(&more), [None]);
    let mut by_environment = server(&[]);
    by_environment.env("LUMA_MAX_VIDEOS_PER_DAY", "6");
    assert_eq!(codes(&answers(by_environment, &lines).await), used_up);
    let none = answers(server(&[]), &lines[..2]).await;
    assert_eq!(codes(&none), [None]);

    // The other commands count, too.
    let before = simulator.stats().submits_received;
    for (limit, code, part) in [
        ("6", 3, "the limit of 6 videos a day is used up"),
        ("many", 2, "\"many\" is not a number of videos"),
        ("", 2, "is not a number of videos"),
        ("7", 0, "accepted"),
        ("7", 3, "the limit of 7 videos a day is used up"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_luma"));
        command
            .env("ACEDATACLOUD_API_TOKEN", TOKEN)
            .env("ACEDATACLOUD_API_BASE_URL", simulator.url())
            .env("XDG_STATE_HOME", state.path());
        command.args(["generate", "A fox", "--no-wait"]).env("LUMA_MAX_VIDEOS_PER_DAY", limit);
        let output = command.output().await.expect("output");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(code), "{limit}: {stderr}");
        assert!(stderr.contains(part), "{limit}: {stderr}");
    }
    assert_eq!(simulator.stats().submits_received - before, 1);
}

#[tokio::test]
async fn state_that_cannot_be_counted_refuses_submits_and_is_named() {
    let simulator = simulator().await;
    for (name, prepare) in [
        ("a folder", (|file| std::fs::create_dir(file).expect("a folder")) as fn(&Path)),
        ("empty", |file| std::fs::write(file, "").expect("a file")),
        ("damaged", |file| std::fs::write(file, "2026-11-26 x").expect("a file")),
        ("large", |file| std::fs::write(file, "0".repeat(1 << 20)).expect("a file")),
        ("a pipe", |file| {
            let made = std::process::Command::new("mkfifo").arg(file).status();
            assert!(made.expect("mkfifo").success());
        }),
        ("a file for a folder", |file| {
            let folder = file.parent().expect("a folder");
            std::fs::remove_dir(folder).expect("removed");
            std::fs::write(folder, "").expect("a file");
        }),
    ] {
        let state = tempfile::tempdir().expect("a folder");
        let file = state.path().join("luma/videos-of-the-day");
        std::fs::create_dir(state.path().join("luma")).expect("a folder");
        prepare(&file);
        let mut command = with_account(&simulator, &["--max-videos-per-day", "5"]);
        command.env("XDG_STATE_HOME", state.path());
        let list = line(&json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" }));
        let found = answers(command, &[hello(), submit(1), list]).await;
        let error = &found[1]["result"]["structuredContent"]["result"]["error"];
        assert_eq!(error["code"], "max_videos_per_day", "{name}");
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(file.to_str().expect("text")), "{name}: {message}");
        assert!(found[2]["result"]["tools"].is_array(), "{name}");
    }
    assert_eq!(simulator.stats().requests(), 0);
}

#[tokio::test]
async fn host_that_does_not_read_stderr_is_served() {
    let simulator = simulator().await;
    let mut server = with_account(&simulator, &["-vv"]).spawn().expect("a process");
    let mut stdin = server.stdin.take().expect("a pipe");
    let mut lines = BufReader::new(server.stdout.take().expect("a pipe")).lines();
    stdin.write_all(&hello()).await.expect("written");
    // Each is logged. Together that is far more than a pipe holds.
    for id in 0..2_000 {
        let answer = timeout(PATIENCE, lines.next_line()).await.expect("in time");
        assert!(answer.expect("text").is_some(), "{id}");
        let ping = json!({ "jsonrpc": "2.0", "id": id, "method": "ping" });
        stdin.write_all(&line(&ping)).await.expect("written");
    }
    signal(&server, "TERM").await;
    assert_eq!(code(&mut server).await, Some(0));
    let mut stderr = Vec::new();
    server.stderr.take().expect("a pipe").read_to_end(&mut stderr).await.expect("read");
    assert!(stderr.len() > 10_000, "{}", stderr.len());
}

#[tokio::test]
async fn warning_of_each_kind_is_logged_once() {
    let simulator = simulator().await;
    let mut lines = vec![hello()];
    for id in 1..20 {
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params":
            { "name": "luma_nothing" } });
        lines.extend([line(&call), b"no JSON\n".to_vec()]);
    }
    let stderr = talk(with_account(&simulator, &["-v"]), &lines).await.stderr;
    for warning in ["refused a message", "response error"] {
        assert_eq!(stderr.matches(warning).count(), 1, "{warning}: {stderr}");
    }
}

#[tokio::test]
async fn input_that_ends_at_once_is_explained() {
    let simulator = simulator().await;
    let talk = talk(with_account(&simulator, &[]), &[]).await;
    assert_eq!((talk.code, talk.answers.len()), (Some(0), 0));
    assert!(talk.stderr.contains("the input ended before a session began"), "{}", talk.stderr);
}

#[tokio::test]
async fn hold_and_resource_links_follow_the_options() {
    let simulator = simulator().await;
    let mut ids = Vec::new();
    for is_finished in [true, false] {
        let found = answers(with_account(&simulator, &[]), &[hello(), submit(1)]).await;
        let id = &found[1]["result"]["structuredContent"]["result"]["task_id"];
        let id = id.as_str().expect("an id").to_owned();
        if is_finished {
            simulator.complete(&id);
        }
        ids.push(id);
    }
    let lookups = ids.iter().zip(1..).map(|(task, id)| {
        line(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params":
            { "name": "luma_get_task", "arguments": { "task_id": task } } }))
    });
    let lines: Vec<_> = std::iter::once(hello()).chain(lookups).collect();
    for (arguments, blocks) in
        [(&["--hold", "0"][..], 2), (&["--hold=0", "--no-resource-links"], 1)]
    {
        // The end of the input would drop a lookup that is held.
        let found = answers(with_account(&simulator, arguments), &lines).await;
        let content = found[1]["result"]["content"].as_array();
        assert_eq!(content.map(Vec::len), Some(blocks), "{arguments:?}");
        assert_eq!(found[2]["result"]["isError"], false, "{arguments:?}");
    }
}

#[tokio::test]
async fn variables_of_the_vendor_are_named() {
    let simulator = simulator().await;
    let mut command = with_account(&simulator, &[]);
    command.env("LUMA_DEFAULT_ASPECT_RATIO", "9:16").env("LUMA_REQUEST_TIMEOUT", "5");
    let stderr = talk(command, &[hello(), submit(1)]).await.stderr;
    for variable in ["LUMA_DEFAULT_ASPECT_RATIO", "LUMA_REQUEST_TIMEOUT"] {
        assert!(stderr.contains(variable), "{stderr}");
    }
    // What was not asked for is not sent.
    let submit = simulator.requests()[0].json().expect("JSON");
    assert_eq!(submit.get("aspect_ratio"), None);
}

#[tokio::test]
async fn http_server_serves_until_a_signal() {
    let simulator = simulator().await;
    for (variable, arguments) in [
        (Some(KEY), &["--http", "127.0.0.1:0"][..]),
        (None, &["--http", "localhost:0", "--access-key", KEY]),
    ] {
        let mut command = with_account(&simulator, arguments);
        if let Some(key) = variable {
            command.env("LUMA_MCP_ACCESS_KEY", key);
        }
        let mut server = command.spawn().expect("a process");
        let mut lines = BufReader::new(server.stderr.take().expect("a pipe")).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("in time");
        let line = line.expect("text").expect("a line");
        let url = line.rsplit(' ').next().expect("a URL").to_owned();
        let post = |bearer: &str| {
            let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
            reqwest::Client::new()
                .post(&url)
                .bearer_auth(bearer)
                .header("accept", "application/json, text/event-stream")
                .json(&list)
                .send()
        };
        assert_eq!(post(KEY).await.expect("an answer").status(), 200);
        assert_eq!(post(TOKEN).await.expect("an answer").status(), 401);
        signal(&server, "TERM").await;
        assert_eq!(code(&mut server).await, Some(0));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn signal_ends_a_server_that_reads_stdin() {
    let simulator = simulator().await;
    for name in ["TERM", "INT", "HUP"] {
        let mut server = with_account(&simulator, &[]).spawn().expect("a process");
        let client = session(&mut server).await;
        signal(&server, name).await;
        assert_eq!(code(&mut server).await, Some(0), "{name}");
        drop(client);
    }
    // Reading a terminal cannot be taken back; a socket is read in the same way.
    let (theirs, mut ours) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let mut command = with_account(&simulator, &[]);
    command.stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)));
    let mut server = command.spawn().expect("a process");
    let ping = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    std::io::Write::write_all(&mut ours, ping).expect("written");
    let mut lines = BufReader::new(server.stdout.take().expect("a pipe")).lines();
    let answer = timeout(PATIENCE, lines.next_line()).await.expect("in time");
    assert!(answer.expect("text").is_some());
    signal(&server, "TERM").await;
    assert_eq!(code(&mut server).await, Some(0));
}

fn line(message: &Value) -> Vec<u8> {
    format!("{message}\n").into_bytes()
}

fn hello() -> Vec<u8> {
    line(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": { "name": "a-test", "version": "1" },
    } }))
}

fn submit(id: u32) -> Vec<u8> {
    line(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params":
        { "name": "luma_generate_video", "arguments": { "prompt": "A fox" } } }))
}

#[tokio::test]
async fn host_that_does_not_read_does_not_keep_it_alive() {
    let simulator = simulator().await;
    for ends_by_signal in [false, true] {
        let mut server = with_account(&simulator, &[]).spawn().expect("a process");
        let mut stdin = server.stdin.take().expect("a pipe");
        stdin.write_all(&hello()).await.expect("written");
        // Far more than a pipe holds.
        for id in 1..=20 {
            let list = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list" });
            stdin.write_all(&line(&list)).await.expect("written");
        }
        // A signal before it listens would end it as well.
        let stdout = server.stdout.as_mut().expect("a pipe");
        stdout.read_exact(&mut [0]).await.expect("an answer");
        if ends_by_signal {
            signal(&server, "TERM").await;
        } else {
            drop(stdin);
        }
        assert_eq!(code(&mut server).await, Some(0), "{ends_by_signal}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn submit_in_flight_is_answered_after_a_signal() {
    for name in ["HUP", "TERM", "INT"] {
        let simulator = simulator().await;
        simulator.inject(Fault::slow(Duration::from_secs(2)).on(Target::Submit));
        let mut server = with_account(&simulator, &[]).spawn().expect("a process");
        let mut stdin = server.stdin.take().expect("a pipe");
        stdin.write_all(&[hello(), submit(1)].concat()).await.expect("written");
        while simulator.stats().submits_received == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        signal(&server, name).await;
        // A closed terminal sends several.
        if name == "HUP" {
            signal(&server, name).await;
        }
        let output = timeout(PATIENCE, server.wait_with_output()).await;
        let output = output.expect("it ends").expect("output");
        let stdout = String::from_utf8(output.stdout).expect("text");
        assert_eq!(output.status.code(), Some(0), "{name}: {stdout}");
        assert!(stdout.contains("task_id"), "{name}: {stdout}");
    }
}

#[tokio::test]
async fn second_signal_ends_it_at_once() {
    let simulator = simulator().await;
    simulator.inject(Fault::silence().on(Target::Submit));
    let mut server = with_account(&simulator, &[]).spawn().expect("a process");
    let mut stdin = server.stdin.take().expect("a pipe");
    stdin.write_all(&hello()).await.expect("written");
    stdin.write_all(&submit(1)).await.expect("written");
    while simulator.stats().submits_received == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let begin = std::time::Instant::now();
    while server.try_wait().expect("a status").is_none() {
        signal(&server, "TERM").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(code(&mut server).await, Some(130));
    // The submit under way would have held it for longer.
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn messages_before_the_first_request_do_no_harm() {
    let secret = "s3cret-in-a-message";
    let lines = [
        json!({ "jsonrpc": "2.0", "method": "notifications/x", "params": { "token": secret } }),
        json!({ "jsonrpc": "2.0", "id": 1, "result": { "token": secret } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
    ];
    let lines: Vec<_> = lines.iter().map(line).chain([hello()]).collect();
    let talk = talk(luma(&["-v"]), &lines).await;
    assert_eq!(talk.code, Some(0), "{}", talk.stderr);
    assert_eq!(talk.answers.len(), 1);
    assert_eq!(talk.answers[0]["result"]["serverInfo"]["name"], "luma");
    assert!(talk.stderr.contains("before the first request"), "{}", talk.stderr);
    assert!(!talk.stderr.contains(secret), "{}", talk.stderr);
}

/// What a server answers and logs until its end, if its input is these lines.
struct Talk {
    code: Option<i32>,
    answers: Vec<Value>,
    stderr: String,
}

async fn talk(mut server: Command, lines: &[Vec<u8>]) -> Talk {
    let mut server = server.spawn().expect("a process");
    let mut stdin = server.stdin.take().expect("a pipe");
    stdin.write_all(&lines.concat()).await.expect("written");
    drop(stdin);
    let output = timeout(PATIENCE, server.wait_with_output()).await;
    let output = output.expect("it ends").expect("output");
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
    assert!(!stdout.contains(TOKEN) && !stderr.contains(TOKEN), "{stdout} {stderr}");
    let answers = stdout.lines().map(serde_json::from_str);
    let mut answers: Vec<Value> = answers.collect::<Result<_, _>>().expect("JSON");
    answers.sort_by_key(|answer| answer["id"].as_u64());
    Talk { code: output.status.code(), answers, stderr }
}

/// The answers by their ids.
async fn answers(server: Command, lines: &[Vec<u8>]) -> Vec<Value> {
    talk(server, lines).await.answers
}

#[tokio::test]
async fn max_videos_and_read_only_hold() {
    let simulator = simulator().await;
    let mut lines = vec![hello()];
    lines.extend((1..=50).map(submit));
    let server = with_account(&simulator, &["--max-videos", "3"]);
    let answers_to_submits = answers(server, &lines).await.split_off(1);
    let accepted = |answer: &&Value| answer["result"]["isError"] == false;
    assert_eq!(answers_to_submits.iter().filter(accepted).count(), 3);
    assert_eq!(answers_to_submits.len(), 50);
    assert_eq!(simulator.stats().submits_accepted, 3);

    let list = line(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
    let server = with_account(&simulator, &["--read-only"]);
    let found = answers(server, &[hello(), list, submit(2)]).await;
    assert_eq!(found[1]["result"]["tools"].as_array().map(Vec::len), Some(5));
    let refused = &found[2]["result"]["structuredContent"]["result"]["error"]["code"];
    assert_eq!(refused, "read_only");
    assert_eq!(simulator.stats().submits_accepted, 3);
}

/// What the documents tell a host to start: the configurations as they stand there, and the command
/// line of Claude Code.
fn documented() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for path in ["../../docs/mcp.md", "../../README.md"] {
        let text = std::fs::read_to_string(path).expect(path);
        for block in text.split("```json\n").skip(1) {
            let block = block.split("```").next().expect("a block");
            let block: Value = serde_json::from_str(block).expect("JSON");
            for servers in ["mcpServers", "servers", "context_servers"] {
                for server in block[servers].as_object().into_iter().flatten() {
                    let (_, server) = server;
                    if server["type"] == "http" {
                        continue;
                    }
                    let variables = server["env"].as_object().expect("variables");
                    assert!(variables.keys().eq(["ACEDATACLOUD_API_TOKEN"]), "{path}");
                    assert_eq!(server["command"], "luma", "{path}");
                    let arguments = server["args"].as_array().expect("arguments");
                    let arguments = arguments.iter().filter_map(Value::as_str);
                    found.push(arguments.map(str::to_owned).collect());
                }
            }
        }
        let lines = text.lines().filter(|line| line.starts_with("claude mcp add"));
        let lines = lines.filter(|line| !line.contains("--transport http"));
        found.extend(lines.map(|line| {
            let (_, command) = line.split_once("-- luma ").expect(line);
            command.split(' ').map(str::to_owned).collect()
        }));
    }
    found
}

#[tokio::test]
async fn documented_configurations_start_a_server() {
    let documented = documented();
    assert!(documented.len() >= 4, "{documented:?}");
    for arguments in documented {
        let mut command = Command::new(env!("CARGO_BIN_EXE_luma"));
        command
            .env_remove("ACEDATACLOUD_API_BASE_URL")
            .arg("--simulate")
            .args(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let list = line(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
        let found = answers(command, &[hello(), list, submit(2)]).await;
        let tools = found[1]["result"]["tools"].as_array().map(Vec::len);
        assert_eq!(tools, Some(9), "{arguments:?}");
        assert_eq!(found[2]["result"]["isError"], false, "{arguments:?}");
    }
}

/// Models cache what does not change by a byte. Each process has hashes of its own.
#[tokio::test]
async fn exports_are_the_same_in_every_process() {
    for format in ["mcp", "openai-chat", "openai-responses", "anthropic", "gemini"] {
        let print = async || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_luma"));
            let output = command.args(["tools", "--format", format]).output().await;
            let output = output.expect("output").stdout;
            assert!(output.len() > 1_000, "{format}");
            output
        };
        assert_eq!(print().await, print().await, "{format}");
    }
}

#[tokio::test]
async fn taken_address_is_told_with_its_cause() {
    let simulator = simulator().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let server = with_account(&simulator, &["--http", &address, "--access-key", KEY]);
    let complaint = talk(server, &[]).await.stderr;
    let expected = format!("cannot listen on {address}: Address already in use");
    assert!(complaint.contains(&expected), "{complaint}");
}

#[tokio::test]
async fn mistake_exits_2_and_nothing_listens() {
    let simulator = simulator().await;
    for (arguments, complaint) in [
        (&["--http", "127.0.0.1:0"][..], "LUMA_MCP_ACCESS_KEY"),
        (&["--http", "127.0.0.1:0", "--access-key", "short"], "at least 16"),
        (&["--http", "0.0.0.0:0", "--access-key", KEY], "--allow-host"),
        (&["--http", "127.0.0.1:0", "--access-key", KEY, "--allow-host", "*"], "host"),
        (&["--http", "127.0.0.1:0", "--access-key", KEY, "--allow-origin", "null"], "origin"),
        (
            &["--http", "127.0.0.1:0", "--access-key", KEY, "--token-from-request"],
            "cannot be used with",
        ),
        (&["--http", "nowhere"], "127.0.0.1:8000"),
        (&["--http", "127.0.0.1:0", "--access-key", TOKEN], "contains the API token"),
        (&["--access-key", KEY], "--http"),
        (&["--token-from-request"], "--http"),
        (&["--max-videos", "many"], "--max-videos"),
        (&["--max-videos-per-day=-1"], "--max-videos-per-day"),
        (&["--hold", "46"], "--hold"),
    ] {
        let talk = talk(with_account(&simulator, arguments), &[]).await;
        assert_eq!(talk.code, Some(2), "{arguments:?}: {}", talk.stderr);
        assert!(talk.stderr.contains(complaint), "{arguments:?}: {}", talk.stderr);
        assert!(!talk.stderr.contains(KEY), "{}", talk.stderr);
        assert!(talk.answers.is_empty());
    }
    // HTTP without a token: no client can tell its user in time.
    let command = luma(&["--http", "127.0.0.1:0", "--access-key", KEY]);
    assert_eq!(talk(command, &[]).await.code, Some(2));
}
