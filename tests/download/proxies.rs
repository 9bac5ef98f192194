//! Which proxy a download takes.

use std::process::Stdio;

use luma_client::{LumaBuilder, simulator::TaskScript};
use tokio::process::Command;

use super::{
    raw::{Server, answer},
    *,
};

/// No host has this name: only a proxy can be asked for it.
const FILE: &str = "http://files.invalid/v.mp4";
/// Where this test, run again as a process of its own, puts the file.
const TARGET: &str = "LUMA_TEST_TARGET";

async fn proxy() -> Server {
    Server::start(vec![answer(
        "200 OK",
        &["content-type: video/mp4"],
        b"film",
    )])
    .await
}

/// The service is on this machine, the file is not.
async fn download(target: &Path, change: impl FnOnce(LumaBuilder) -> LumaBuilder) {
    let sim = Simulator::with_duration(Duration::ZERO).await.unwrap();
    let response = json!({ "state": "completed", "video_url": FILE });
    sim.on_submit(TaskScript::response(response));
    let luma = Luma::builder().token("a-token").base_url(sim.url());
    let luma = change(luma).build().unwrap();
    let task = luma.generate("A lighthouse").submit().await.unwrap();
    let pace = Pace::fixed(Duration::from_millis(10));
    let video = task.wait().pace(pace).await.unwrap();
    let file = video.download_to(target).retry(RetryPolicy::none()).await;
    assert_eq!(file.unwrap().bytes, 4);
}

fn assert_asked(proxy: &Server) {
    let requests = proxy.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert!(
        requests[0].starts_with(&format!("get {FILE} ")),
        "{requests:?}"
    );
    assert!(!requests[0].contains("authorization"), "{requests:?}");
}

#[tokio::test]
async fn that_of_a_client_of_the_users() {
    let (proxy, folder) = (proxy().await, tempfile::tempdir().unwrap());
    let through = reqwest::Proxy::all(&proxy.url).unwrap();
    let client = reqwest::Client::builder().proxy(through);
    download(&folder.path().join("a.mp4"), |luma| {
        luma.download_client(client)
    })
    .await;
    assert_asked(&proxy);
}

/// Also where the service itself is on this machine and needs none.
#[tokio::test]
async fn that_of_the_environment() {
    if let Some(target) = std::env::var_os(TARGET) {
        return download(Path::new(&target), |luma| luma).await;
    }
    let (proxy, folder) = (proxy().await, tempfile::tempdir().unwrap());
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "proxies::that_of_the_environment"])
        .env(TARGET, folder.path().join("a.mp4"))
        .env("http_proxy", &proxy.url)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .stdin(Stdio::null())
        .output();
    let output = again.await.unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_asked(&proxy);
    assert_eq!(files(folder.path()), ["a.mp4"]);
}
