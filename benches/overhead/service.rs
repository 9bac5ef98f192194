//! What answers: from memory, so that its own pace matters least.

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, http::header::CONTENT_TYPE, routing::post};
use serde_json::{Value, json};

use crate::Result;

/// Tasks of a batch.
pub const BATCH: usize = 50;

pub fn id(number: usize) -> String {
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
            "prompt": "A lighthouse at dusk (\"Vuurtoren\"):\nthe beam sweeps over a calm sea, slow zoom in",
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

/// Starts it. Gives its URL.
pub async fn serve() -> Result<String> {
    let one = task(0).to_string();
    let items: Vec<Value> = (0..BATCH).map(task).collect();
    let batch = json!({"items": items, "count": BATCH}).to_string();
    let json_type = || [(CONTENT_TYPE, "application/json")];
    let tasks = move |body: String| {
        let answer = match body.contains("retrieve_batch") {
            true => batch.clone(),
            false => one.clone(),
        };
        ready((json_type(), answer))
    };
    let count = Arc::new(AtomicUsize::new(0));
    let accepted = move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        ready((json_type(), json!({"task_id": id(number)}).to_string()))
    };
    let router =
        Router::new().route("/luma/tasks", post(tasks)).route("/luma/videos", post(accepted));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}
