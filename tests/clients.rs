//! What the settings of a client do to calls and downloads.

mod support;

use std::time::{Duration, Instant};

use luma_client::{
    Luma, LumaBuilder, Pace, RetryPolicy, TaskId, Video,
    simulator::{Simulator, TaskScript},
};
use serde_json::json;
use support::{TOKEN, fronts::Tls, name};
use tokio::net::TcpListener;

/// Far less than any other limit of a client, and far more than it needs.
const SOON: Duration = Duration::from_millis(300);

fn builder(url: &str) -> LumaBuilder {
    let retry = RetryPolicy::none();
    Luma::builder().token(TOKEN).base_url(url).retry(retry)
}

fn http() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy()
}

fn id() -> TaskId {
    "a-task".parse().expect("an id")
}

/// A video of this client that is somewhere else.
async fn video_at(url: &str, builder: impl FnOnce(&str) -> LumaBuilder) -> Video {
    let simulator = Simulator::with_duration(Duration::ZERO).await;
    let simulator = simulator.expect("a simulator");
    let response = json!({ "state": "completed", "video_url": url });
    simulator.on_submit(TaskScript::response(response));
    let luma = builder(simulator.url()).build().expect("a client");
    let task = luma.generate("A lighthouse").submit().await;
    let pace = Pace::fixed(Duration::from_millis(10));
    let video = task.expect("accepted").wait().pace(pace).await;
    video.expect("a video")
}

#[tokio::test]
async fn connecting_takes_no_longer_than_it_may() {
    // Takes connections, but never says a word: no handshake comes to an end.
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}", mute.local_addr().expect("an address"));
    let folder = tempfile::tempdir().expect("a folder");
    let patient = || http().connect_timeout(Duration::from_secs(60));
    for given in [false, true] {
        let begin = Instant::now();
        // What was asked for counts, also where the client came with another.
        let change = |luma: LumaBuilder| match given {
            true => luma.http_client(patient()).download_client(patient()),
            false => luma,
        };
        let change = |luma: LumaBuilder| change(luma).connect_timeout(SOON);
        let luma = change(builder(&url)).build().expect("a client");
        let error = luma.generate("A lighthouse").submit().await;
        let error = error.expect_err("no connection");
        assert_eq!(name(&error), "no connection", "given: {given}, {error:?}");
        assert!(!error.may_have_been_accepted(), "given: {given}");

        let video = video_at(&format!("{url}/v.mp4"), |url| change(builder(url))).await;
        let download = video.download_to(folder.path().join("v.mp4"));
        let error = download.retry(RetryPolicy::none()).await;
        let error = error.expect_err("no connection").into();
        assert_eq!(name(&error), "no connection", "given: {given}, {error:?}");
        let took = begin.elapsed();
        assert!(
            took >= 2 * SOON && took < Duration::from_secs(20),
            "given: {given}, {took:?}"
        );
    }
    // Without one of its own, a client that was given keeps its own.
    let luma = builder(&url).http_client(http().connect_timeout(SOON));
    let luma = luma.timeout(Duration::from_secs(60)).build();
    let error = luma.expect("a client").task(id()).get().await;
    assert_eq!(name(&error.expect_err("no connection")), "no connection");
}

#[tokio::test]
async fn an_answer_is_no_larger_than_it_may_be() {
    let simulator = Simulator::with_duration(Duration::ZERO).await;
    let simulator = simulator.expect("a simulator");
    let luma = |bytes| builder(simulator.url()).max_response_bytes(bytes).build();
    let task = luma(1 << 20).expect("a client").generate("A lighthouse");
    let id = task.submit().await.expect("accepted").id().clone();
    let answer = simulator.task(id.as_str()).expect("a task");
    let size = answer.to_string().len();
    for (limit, expected) in [
        (size + 200, Ok(())),
        (size, Ok(())),
        (size - 1, Err("unreadable".to_owned())),
        (10, Err("unreadable".to_owned())),
        (0, Err("unreadable".to_owned())),
    ] {
        let before = simulator.stats().lookups;
        let luma = luma(limit).expect("a client");
        let end = luma.task(id.clone()).get().await;
        let end = end.map(|_| ()).map_err(|error| name(&error));
        assert_eq!(end, expected, "{limit} of {size}");
        assert_eq!(simulator.stats().lookups, before + 1);
    }
    // Nor that to a submit, which then is billed all the same.
    let end = luma(10).expect("a client").generate("A fox").submit().await;
    assert_eq!(
        name(&end.expect_err("too large")),
        "unconfirmed: unreadable"
    );
    assert_eq!(simulator.stats().submits_billed, 2);
}

#[tokio::test]
async fn an_authority_of_ones_own_is_for_calls_and_for_downloads() {
    let simulator = Simulator::with_duration(Duration::ZERO).await;
    let simulator = simulator.expect("a simulator");
    let tls = Tls::before(simulator.url()).await;
    let folder = tempfile::tempdir().expect("a folder");
    let pace = Pace::fixed(Duration::from_millis(10));

    // A video whose file is there by https.
    let plain = builder(simulator.url()).build().expect("a client");
    let first = plain.generate("A lighthouse").submit().await;
    let file = simulator.video_url(first.expect("accepted").id().as_str());
    let file = file.expect("a file").replace(simulator.url(), &tls.url);

    for (trusts_file, expected) in [(true, Ok(())), (false, Err("no connection".to_owned()))] {
        let response = json!({ "state": "completed", "video_url": file });
        simulator.on_submit(TaskScript::response(response));
        let luma = builder(&tls.url).http_client(tls.trusted());
        let luma = match trusts_file {
            true => luma.download_client(tls.trusted()),
            false => luma,
        };
        let luma = luma.build().expect("a client");
        let task = luma.generate("A fox").submit().await.expect("accepted");
        let video = task.wait().pace(pace.clone()).await.expect("a video");
        let download = video.download_to(folder.path().join(format!("{trusts_file}.mp4")));
        let end = download.retry(RetryPolicy::none()).await;
        let end = end.map(|_| ()).map_err(|error| name(&error.into()));
        assert_eq!(end, expected);
    }
    // Who knows nothing of it sends nothing.
    let stats = simulator.stats();
    let stranger = builder(&tls.url).build().expect("a client");
    let error = stranger.generate("A fox").submit().await;
    assert_eq!(name(&error.expect_err("not trusted")), "no connection");
    assert_eq!(simulator.stats().submits_received, stats.submits_received);
    assert_eq!(stats.media_requests, 1);
    assert_eq!(stats.media_requests_with_authorization, 0);
}
