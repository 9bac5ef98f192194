//! What the settings of a client do to calls and downloads.

use std::time::{Duration, Instant};

use luma_client::{LumaBuilder, RetryPolicy, Video};
use luma_simulator::TaskScript;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{Named, TOKEN, end, fronts::Tls, id, start};

/// Far less than any other limit of a client, and far more than it needs.
const SOON: Duration = Duration::from_millis(300);

fn builder(url: &str) -> LumaBuilder {
    let retry = RetryPolicy::none();
    luma_client::Luma::builder().token(TOKEN).base_url(url).retry(retry)
}

fn http() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy()
}

/// A video at this URL, as it is stored.
async fn video_at(url: &str) -> Video {
    let (simulator, luma) = start().await;
    let response = json!({ "state": "completed", "video_url": url });
    simulator.on_submit(TaskScript::response(response));
    let task = luma.generate("A lighthouse").submit().await.expect("accepted");
    task.get().await.expect("a task").video().expect("a video")
}

#[tokio::test]
async fn connect_timeout_bounds_calls_and_downloads() {
    // Takes connections, but sends nothing: no handshake ends.
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}", mute.local_addr().expect("an address"));
    let video = video_at(&format!("{url}/v.mp4")).await;
    let folder = tempfile::tempdir().expect("a folder");
    let patient = || http().connect_timeout(Duration::from_secs(60));
    for custom in [false, true] {
        let begin = Instant::now();
        // The builder's own setting wins over that of a custom client.
        let luma = match custom {
            true => builder(&url).http_client(patient()).download_client(patient()),
            false => builder(&url),
        };
        let luma = luma.connect_timeout(SOON).build().expect("a client");
        let submit = luma.generate("A lighthouse").submit().await;
        assert_eq!(end(&submit), "no connection", "custom: {custom}");
        let download = luma.download(&video, folder.path().join("v.mp4"));
        let error = download.retry(RetryPolicy::none()).await.expect_err("no connection");
        assert_eq!(error.name(), "no connection", "custom: {custom}");
        let took = begin.elapsed();
        assert!(took >= 2 * SOON && took < Duration::from_secs(20), "{custom}: {took:?}");
    }
    // If the builder sets none, a custom client keeps its own.
    let luma = builder(&url).http_client(http().connect_timeout(SOON));
    let luma = luma.timeout(Duration::from_secs(60)).build().expect("a client");
    assert_eq!(end(&luma.task(id("a")).get().await), "no connection");
}

#[tokio::test]
async fn response_over_the_limit_is_refused() {
    let (simulator, luma) = start().await;
    let id = luma.generate("A lighthouse").submit().await.expect("accepted").id().clone();
    let size = simulator.task(id.as_str()).expect("a task").to_string().len();
    let limited =
        |bytes| builder(simulator.url()).max_response_bytes(bytes).build().expect("a client");
    for (limit, expected) in
        [(size + 200, "ok"), (size, "ok"), (size - 1, "unreadable"), (1, "unreadable")]
    {
        let before = simulator.stats().lookups;
        let lookup = limited(limit).task(&id).get().await;
        assert_eq!(end(&lookup), expected, "{limit} of {size}");
        assert_eq!(simulator.stats().lookups, before + 1);
    }
    // A submit is billed all the same.
    let submit = limited(10).generate("A fox").submit().await;
    assert_eq!(end(&submit), "unconfirmed: unreadable");
    assert_eq!(simulator.stats().submits_accepted, 2);
}

#[tokio::test]
async fn custom_authority_is_trusted_by_the_client_that_has_it() {
    let (simulator, plain) = start().await;
    let tls = Tls::before(simulator.url()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let task = plain.generate("A lighthouse").submit().await.expect("accepted");
    let file = simulator.video_url(task.id().as_str()).expect("a file");
    let video = video_at(&file.replace(simulator.url(), &tls.url)).await;
    for (trusts_file, expected) in [(true, "ok"), (false, "no connection")] {
        let luma = builder(&tls.url).http_client(tls.trusted());
        let luma = match trusts_file {
            true => luma.download_client(tls.trusted()),
            false => luma,
        };
        let luma = luma.build().expect("a client");
        luma.generate("A fox").submit().await.expect("accepted");
        let download = luma.download(&video, folder.path().join(format!("{trusts_file}.mp4")));
        assert_eq!(end(&download.retry(RetryPolicy::none()).await), expected);
    }
    // A client that does not trust it sends nothing.
    let stats = simulator.stats();
    let stranger = builder(&tls.url).build().expect("a client");
    assert_eq!(end(&stranger.generate("A fox").submit().await), "no connection");
    assert_eq!(simulator.stats().submits_received, stats.submits_received);
    assert_eq!(stats.media_requests, 1);
    assert_eq!(stats.media_requests_with_authorization, 0);
}
