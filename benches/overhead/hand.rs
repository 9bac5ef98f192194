//! The calls as a careful programmer writes them with reqwest and serde_json.
//!
//! They send the same bytes as ours, headers included, have the same time limits, take no error
//! status for an answer, and keep every field, unknown ones too. They do less in that they expect the
//! documented type of each field, read a body of any size, and never send again.

use std::time::Duration;

use reqwest::header::ACCEPT;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{Result, TOKEN, Work, service};

pub async fn run(work: Work, url: &str, times: u64) -> Result<()> {
    let hand = Hand {
        http: client()?,
        tasks: format!("{url}/luma/tasks"),
        videos: format!("{url}/luma/videos"),
    };
    let ids: Vec<String> = (0..service::BATCH).map(service::id).collect();
    for _ in 0..times {
        match work {
            Work::Lookup => drop(hand.retrieve(&ids[0]).await?),
            Work::Batch => drop(hand.retrieve_batch(&ids).await?),
            Work::Submit => drop(hand.generate("A lighthouse at dusk").await?),
            Work::Start => drop(client()?),
        }
    }
    Ok(())
}

fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent("luma-by-hand/0.1.0")
        .connect_timeout(Duration::from_secs(10))
        .timeout(Duration::from_secs(30))
        .no_proxy()
        .build()
}

struct Hand {
    http: reqwest::Client,
    tasks: String,
    videos: String,
}

impl Hand {
    async fn retrieve(&self, id: &str) -> reqwest::Result<Task> {
        let query = Query { action: "retrieve", id: Some(id), ids: None };
        self.call(&self.tasks, &query).await
    }

    async fn retrieve_batch(&self, ids: &[String]) -> reqwest::Result<Batch> {
        let query = Query { action: "retrieve_batch", id: None, ids: Some(ids) };
        self.call(&self.tasks, &query).await
    }

    async fn generate(&self, prompt: &str) -> reqwest::Result<VideoResult> {
        let submit = Submit { action: "generate", is_async: true, prompt };
        self.call(&self.videos, &submit).await
    }

    async fn call<A: DeserializeOwned>(
        &self,
        url: &str,
        body: &impl Serialize,
    ) -> reqwest::Result<A> {
        let request = self.http.post(url).bearer_auth(TOKEN);
        let request = request.header(ACCEPT, "application/json").json(body);
        request.send().await?.error_for_status()?.json().await
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

#[derive(Serialize)]
struct Submit<'a> {
    action: &'a str,
    #[serde(rename = "async")]
    is_async: bool,
    prompt: &'a str,
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
