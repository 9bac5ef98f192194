//! What a call costs over a hand-written one: instructions and allocations.
//!
//! ```sh
//! cargo bench --bench overhead
//! ```
//!
//! The hand-written one is reqwest and serde_json with structs of the same fields, no more. Each side
//! runs in a process of its own under callgrind, against the same server; a figure is the difference
//! between two runs of different length, so that start-up does not count. Instructions do not depend
//! on what else the machine does. Without valgrind only allocations are counted.

use std::{
    alloc::System,
    env,
    io::Write,
    process::{Command, ExitCode},
};

use axum::{Router, http::header::CONTENT_TYPE, routing::post};
use luma_client::{Luma, RetryPolicy, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const WORKS: [&str; 3] = ["lookup", "batch", "submit"];
/// Calls of the shorter and the longer run.
const CALLS: (u64, u64) = (20, 120);
const BATCH: usize = 50;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    match arguments
        .iter()
        .skip(1)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["run", side, work, url, calls] => {
            let calls = calls.parse().expect("a number");
            runtime.block_on(run(side, work, url, calls));
            ExitCode::SUCCESS
        }
        // `cargo test --benches` only wants to know that it works.
        arguments if arguments.contains(&"--test") => ExitCode::SUCCESS,
        _ => {
            let server = tokio::runtime::Runtime::new().expect("a runtime");
            let url = server.block_on(serve());
            compare(&url);
            ExitCode::SUCCESS
        }
    }
}

fn compare(url: &str) {
    println!("| call | instructions by hand | ours | ratio | allocations by hand | ours |");
    println!("|---|---|---|---|---|---|");
    for work in WORKS {
        let [hand, ours] = ["hand", "ours"].map(|side| {
            let [short, long] = [CALLS.0, CALLS.1].map(|calls| measure(side, work, url, calls));
            let per_call =
                |short: u64, long: u64| (long as f64 - short as f64) / (CALLS.1 - CALLS.0) as f64;
            (per_call(short.0, long.0), per_call(short.1, long.1))
        });
        println!(
            "| {work} | {:.0} | {:.0} | {:.3} | {:.1} | {:.1} |",
            hand.0,
            ours.0,
            ours.0 / hand.0,
            hand.1,
            ours.1
        );
        std::io::stdout().flush().expect("stdout");
    }
}

/// Instructions and allocations of one run.
fn measure(side: &str, work: &str, url: &str, calls: u64) -> (u64, u64) {
    let program = env::current_exe().expect("this program");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["run", side, work, url, &calls.to_string()])
        .output()
        .expect("valgrind runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    let number = |line: &str| {
        let number = line.rsplit(':').next().expect("a number").trim();
        number.replace(',', "").parse::<u64>().expect("a number")
    };
    let instructions = text
        .lines()
        .find(|line| line.contains("Collected"))
        .map(number);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let allocations = out
        .lines()
        .find(|line| line.contains("allocations"))
        .map(number);
    (
        instructions.expect("callgrind's count"),
        allocations.expect("our count"),
    )
}

async fn run(side: &str, work: &str, url: &str, calls: u64) {
    match side {
        "hand" => by_hand(work, url, calls).await,
        _ => ours(work, url, calls).await,
    }
    println!("allocations: {}", ALLOCATOR.stats().allocations);
}

async fn ours(work: &str, url: &str, calls: u64) {
    let luma = Luma::builder()
        .token(TOKEN)
        .base_url(url)
        .retry(RetryPolicy::none())
        .build()
        .expect("a client");
    let ids: Vec<TaskId> = (0..BATCH)
        .map(|number| id(number).parse().expect("an id"))
        .collect();
    let handle = luma.task(ids[0].clone());
    for _ in 0..calls {
        match work {
            "lookup" => drop(handle.get().await.expect("a task")),
            "batch" => drop(luma.tasks(&ids).await.expect("tasks")),
            _ => drop(
                luma.generate("A lighthouse at dusk")
                    .submit()
                    .await
                    .expect("accepted"),
            ),
        }
    }
}

async fn by_hand(work: &str, url: &str, calls: u64) {
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let ids: Vec<String> = (0..BATCH).map(id).collect();
    let tasks = format!("{url}/luma/tasks");
    let videos = format!("{url}/luma/videos");
    for _ in 0..calls {
        match work {
            "lookup" => {
                let query = Query {
                    action: "retrieve",
                    id: Some(&ids[0]),
                    ids: None,
                };
                let answer = http
                    .post(&tasks)
                    .bearer_auth(TOKEN)
                    .json(&query)
                    .send()
                    .await;
                drop(
                    answer
                        .expect("an answer")
                        .json::<Task>()
                        .await
                        .expect("a task"),
                );
            }
            "batch" => {
                let query = Query {
                    action: "retrieve_batch",
                    id: None,
                    ids: Some(&ids),
                };
                let answer = http
                    .post(&tasks)
                    .bearer_auth(TOKEN)
                    .json(&query)
                    .send()
                    .await;
                drop(
                    answer
                        .expect("an answer")
                        .json::<Batch>()
                        .await
                        .expect("tasks"),
                );
            }
            _ => {
                let request =
                    json!({"action": "generate", "async": true, "prompt": "A lighthouse at dusk"});
                let answer = http
                    .post(&videos)
                    .bearer_auth(TOKEN)
                    .json(&request)
                    .send()
                    .await;
                drop(
                    answer
                        .expect("an answer")
                        .json::<VideoResult>()
                        .await
                        .expect("accepted"),
                );
            }
        }
    }
}

#[derive(Serialize)]
struct Query<'a> {
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<&'a [String]>,
}

#[allow(dead_code, reason = "parsed, as ours are")]
#[derive(Deserialize)]
struct Batch {
    items: Vec<Task>,
    count: Option<u64>,
}

#[allow(dead_code, reason = "parsed, as ours are")]
#[derive(Deserialize)]
struct Task {
    id: Option<String>,
    created_at: Option<f64>,
    started_at: Option<f64>,
    finished_at: Option<f64>,
    elapsed: Option<f64>,
    request: Option<Value>,
    response: Option<VideoResult>,
    state: Option<String>,
    status: Option<String>,
    success: Option<bool>,
    error: Option<Value>,
    trace_id: Option<String>,
    api_id: Option<String>,
    application_id: Option<String>,
    credential_id: Option<String>,
    user_id: Option<String>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[allow(dead_code, reason = "parsed, as ours are")]
#[derive(Deserialize)]
struct VideoResult {
    success: Option<bool>,
    task_id: Option<String>,
    video_id: Option<String>,
    prompt: Option<String>,
    video_url: Option<String>,
    video_width: Option<u32>,
    video_height: Option<u32>,
    state: Option<String>,
    status: Option<String>,
    thumbnail_url: Option<String>,
    thumbnail_width: Option<u32>,
    thumbnail_height: Option<u32>,
    error: Option<Value>,
    trace_id: Option<String>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

fn id(number: usize) -> String {
    format!("b8976e18-32dc-4718-9ed8-{number:012}")
}

fn task(number: usize) -> Value {
    json!({
        "_id": "66b1f0c2a1b2c3d4e5f60718",
        "id": id(number),
        "api_id": "d2b1f0c2-a1b2-c3d4-e5f6-071800000000",
        "application_id": "c3d4e5f6-0718-4718-9ed8-1ea090fcb6ea",
        "credential_id": "e5f60718-32dc-4718-9ed8-1ea090fcb6ea",
        "user_id": "0718a1b2-32dc-4718-9ed8-1ea090fcb6ea",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "created_at": 1785585600.25,
        "started_at": 1785585601.5,
        "finished_at": 1785585755.8,
        "elapsed": 154.3,
        "request": {"action": "generate", "async": true, "prompt": "A lighthouse at dusk"},
        "response": {
            "success": true,
            "task_id": id(number),
            "video_id": "5c0f9f0c-58a3-4f0f-9d2b-0c2ee3d17c6f",
            "prompt": "A lighthouse at dusk, the beam sweeps slowly over a calm sea, slow zoom in",
            "video_url": "https://cdn.example.com/luma/5c0f9f0c-58a3-4f0f-9d2b-0c2ee3d17c6f.mp4",
            "video_width": 1360,
            "video_height": 752,
            "state": "completed",
            "thumbnail_url": "https://cdn.example.com/luma/5c0f9f0c-58a3-4f0f-9d2b-0c2ee3d17c6f.jpg",
            "thumbnail_width": 1360,
            "thumbnail_height": 752
        }
    })
}

/// Answers from memory, so that the server's pace matters least.
async fn serve() -> String {
    let one = task(0).to_string();
    let items: Vec<Value> = (0..BATCH).map(task).collect();
    let batch = json!({"items": items, "count": BATCH}).to_string();
    let json_type = || [(CONTENT_TYPE, "application/json")];
    let tasks = move |body: String| {
        let answer = match body.contains("retrieve_batch") {
            true => batch.clone(),
            false => one.clone(),
        };
        async move { (json_type(), answer) }
    };
    let accepted = json!({"task_id": id(0)}).to_string();
    let router = Router::new().route("/luma/tasks", post(tasks)).route(
        "/luma/videos",
        post(move || async move { (json_type(), accepted) }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}
