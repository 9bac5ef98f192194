//! Which proxy a download uses.

use std::process::Stdio;

use luma_client::LumaBuilder;
use tokio::process::Command;

use super::*;
use crate::support::raw::{Server, response};

/// No host has this name: only a proxy can be asked for it.
const FILE: &str = "http://files.invalid/v.mp4";
/// Where this test, run again as a process of its own, puts the file.
const TARGET: &str = "LUMA_TEST_TARGET";

async fn proxy() -> Server {
    let file = response("200 OK", &["content-type: video/mp4"], &film(100, 1));
    Server::start(vec![file]).await
}

/// The API is on this machine, the file is not.
async fn download(target: &Path, change: impl FnOnce(LumaBuilder) -> LumaBuilder) {
    let luma = Luma::builder().token("a-token").base_url("http://127.0.0.1:9");
    let luma = change(luma).build().unwrap();
    let download = luma.download(&video_at(FILE), target).retry(RetryPolicy::none());
    assert_eq!(download.await.unwrap().bytes(), 100);
}

fn assert_asked(proxy: &Server) {
    let requests = proxy.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert!(requests[0].starts_with(&format!("get {FILE} ")), "{requests:?}");
    assert!(!requests[0].contains("authorization"), "{requests:?}");
}

#[tokio::test]
async fn proxy_of_the_download_client_is_used() {
    let (proxy, folder) = (proxy().await, tempfile::tempdir().unwrap());
    let through = reqwest::Proxy::all(&proxy.url).unwrap();
    let client = reqwest::Client::builder().proxy(through);
    let target = folder.path().join("a.mp4");
    download(&target, |luma| luma.download_client(client)).await;
    assert_asked(&proxy);
}

/// Also if the API itself is on this machine and needs none.
#[tokio::test]
async fn proxy_of_the_environment_is_used() {
    if let Some(target) = std::env::var_os(TARGET) {
        return download(Path::new(&target), |luma| luma).await;
    }
    let (proxy, folder) = (proxy().await, tempfile::tempdir().unwrap());
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "download::proxies::proxy_of_the_environment_is_used"])
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
