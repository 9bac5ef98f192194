//! Starting, steering, counting and stopping.

use luma_simulator::Fault;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

fn address(sim: &Simulator) -> String {
    sim.url().strip_prefix("http://").unwrap().to_owned()
}

#[tokio::test]
async fn default_task_completes() {
    let sim = Simulator::start().await.unwrap();
    assert!(sim.url().starts_with("http://127.0.0.1:"));
    let id = submitted(&sim).await;
    eventually("the end", async || sim.task(&id).unwrap()["response"]["state"] == "completed")
        .await;
}

#[tokio::test]
async fn port_can_be_chosen_if_free() {
    let sim = Simulator::start().await.unwrap();
    let port = address(&sim).rsplit(':').next().unwrap().parse().unwrap();
    assert!(Simulator::builder().port(port).start().await.is_err());
    sim.shutdown().await;
    let again = Simulator::builder().port(port).start().await.unwrap();
    assert_eq!(again.url(), sim.url());
}

#[tokio::test]
async fn ids_depend_on_seed() {
    let first = async |seed| {
        let sim = Simulator::builder().seed(seed).start().await.unwrap();
        submitted(&sim).await
    };
    assert_eq!(first(1).await, first(1).await);
    assert_ne!(first(1).await, first(2).await);
}

#[tokio::test]
async fn task_ends_when_completed_by_hand() {
    let sim = Simulator::with_duration(Duration::MAX).await.unwrap();
    let held = tokio::spawn(post(&sim, "/luma/videos", &json!({ "prompt": "a" })).send());
    eventually("the task", async || sim.task_count() == 1).await;
    let id = sim.tasks()[0]["id"].as_str().unwrap().to_owned();
    assert!(sim.complete(&id));
    assert!(!sim.complete("unknown"));
    let (_, answer) = read(held.await.unwrap().unwrap()).await;
    assert_eq!(answer["task_id"], id);
    assert_eq!(answer["state"], "completed");
    sim.set_duration(AT_ONCE);
    let (_, answer) = read(submit(&sim, json!({ "prompt": "a" })).await).await;
    assert_eq!(answer["state"], "completed");
    assert_eq!(sim.tasks().len(), 2);
}

#[tokio::test]
async fn requests_are_counted_and_recorded() {
    let sim = start(AT_ONCE).await;
    let id = submitted(&sim).await;
    retrieved(&sim, &id).await;
    client().get(sim.video_url(&id).unwrap()).send().await.unwrap();
    client().get(sim.url()).send().await.unwrap();
    let stats = sim.stats();
    assert_eq!((stats.submits_received, stats.lookups), (1, 1));
    assert_eq!((stats.media_requests, stats.other_requests), (1, 1));
    assert_eq!((stats.requests(), stats.connections, stats.faults), (4, 4, 0));

    let requests = sim.requests();
    let lines: Vec<String> =
        requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    assert_eq!(lines[..2], ["POST /luma/videos", "POST /luma/tasks"]);
    assert_eq!(lines[3], "GET /");
    assert_eq!(requests[0].json().unwrap(), json!({ "prompt": "a", "async": true }));
    assert_eq!(requests[0].headers["authorization"], "Bearer any");
    assert!(!format!("{requests:?}").contains("Bearer any"));
    assert!(requests.is_sorted_by_key(|request| request.at));

    let quiet = Simulator::builder().record_requests(false).start().await.unwrap();
    submitted(&quiet).await;
    assert!(quiet.requests().is_empty());
}

#[tokio::test]
async fn connection_is_kept_alive() {
    let sim = start(AT_ONCE).await;
    let pooled = Client::builder().no_proxy().build().unwrap();
    for _ in 0..3 {
        let request = pooled.post(format!("{}/luma/videos", sim.url())).bearer_auth("any");
        let response = request.json(&json!({ "prompt": "a" })).send().await.unwrap();
        assert_eq!(read(response).await.1["state"], "completed");
    }
    assert_eq!((sim.stats().connections, sim.stats().submits_accepted), (1, 3));
}

/// A connection with a held request on it, and one that is idle.
async fn busy(sim: &Simulator) -> [TcpStream; 2] {
    sim.inject(Fault::silence());
    let mut held = TcpStream::connect(address(sim)).await.unwrap();
    held.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let idle = TcpStream::connect(address(sim)).await.unwrap();
    eventually("both connections", async || {
        (sim.stats().connections, sim.stats().faults) == (2, 1)
    })
    .await;
    [held, idle]
}

async fn assert_closed(streams: [TcpStream; 2]) {
    for mut stream in streams {
        let end = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 16])).await;
        assert!(!matches!(end.unwrap(), Ok(1..)));
    }
}

#[tokio::test]
async fn last_drop_stops_server() {
    let sim = start(NEVER).await;
    let address = address(&sim);
    let streams = busy(&sim).await;
    let clone = sim.clone();
    drop(sim);
    submitted(&clone).await;
    drop(clone);
    assert_closed(streams).await;
    eventually("refusal", async || TcpStream::connect(&address).await.is_err()).await;
}

#[tokio::test]
async fn shutdown_stops_server_and_keeps_requests() {
    let sim = start(NEVER).await;
    let receiver = start(AT_ONCE).await;
    let callback = json!({ "prompt": "a", "callback_url": receiver.url() });
    let (_, answer) = read(submit(&sim, callback).await).await;
    sim.shutdown().await;
    assert!(TcpStream::connect(address(&sim)).await.is_err());
    assert!(sim.complete(answer["task_id"].as_str().unwrap()));
    sim.shutdown().await;
    assert_eq!(sim.stats().submits_accepted, 1);
    assert_eq!(sim.requests().len(), 1);
    assert_eq!(receiver.stats().requests(), 0);
}

#[tokio::test]
async fn shutdown_closes_connections() {
    let sim = start(NEVER).await;
    let streams = busy(&sim).await;
    sim.shutdown().await;
    assert_closed(streams).await;
}
