//! The simulator over real sockets, seen by a plain HTTP client.

mod control;
mod faults;
mod media;
mod tasks;

use std::time::Duration;

use luma_simulator::{JobDuration, Simulator};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// For what must come, but may take its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const AT_ONCE: JobDuration = JobDuration::Fixed(Duration::ZERO);
const NEVER: JobDuration = JobDuration::Fixed(Duration::MAX);

/// A client without a pool: one connection a request, and no timers of its own.
fn client() -> Client {
    Client::builder()
        .no_gzip()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

async fn start(duration: JobDuration) -> Simulator {
    Simulator::builder().duration(duration).start().await.unwrap()
}

fn post(sim: &Simulator, path: &str, body: &Value) -> RequestBuilder {
    client().post(format!("{}{path}", sim.url())).bearer_auth("any").json(body)
}

async fn submit(sim: &Simulator, body: Value) -> Response {
    post(sim, "/luma/videos", &body).send().await.unwrap()
}

async fn lookup(sim: &Simulator, body: Value) -> Response {
    post(sim, "/luma/tasks", &body).send().await.unwrap()
}

/// Status and JSON body.
async fn read(response: Response) -> (StatusCode, Value) {
    (response.status(), response.json().await.unwrap())
}

/// Submits asynchronously; the task id.
async fn submitted(sim: &Simulator) -> String {
    let (status, answer) = read(submit(sim, json!({ "prompt": "a", "async": true })).await).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["task_id"].as_str().unwrap().to_owned()
}

async fn retrieved(sim: &Simulator, id: &str) -> Value {
    read(lookup(sim, json!({ "action": "retrieve", "id": id })).await).await.1
}

/// Asserts the error body that the service documents.
fn assert_error((status, body): &(StatusCode, Value), expected: u16, code: &str) {
    assert_eq!(status.as_u16(), expected, "{body}");
    assert_eq!(body["success"], false, "{body}");
    assert_eq!(body["error"]["code"], code, "{body}");
    assert!(body["error"]["message"].is_string(), "{body}");
    assert!(body["trace_id"].is_string(), "{body}");
}

/// Waits until something is so.
async fn eventually(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        panic!("never came: {what}");
    }
}
