//! Waits over real sockets, against the simulator.

mod faults;
mod webhook;

use std::time::{Duration, SystemTime};

use futures::{FutureExt, StreamExt, future::join_all};
use luma_client::{
    Luma, PollInterval, RequestError, TaskHandle, TaskId, TaskRef, TaskState, Video, WaitError, mcp,
};
use luma_simulator::{Fault, JobDuration, NotFound, Simulator, Target, TaskScript};
use serde_json::json;

/// For what must come, but may take its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const QUICK: Duration = Duration::from_millis(30);
const JOB: Duration = Duration::from_millis(200);

async fn start(job: Duration) -> (Simulator, Luma) {
    let simulator = Simulator::builder().duration(JobDuration::Fixed(job)).start();
    let simulator = simulator.await.expect("a simulator");
    let luma = client(&simulator);
    (simulator, luma)
}

fn client(simulator: &Simulator) -> Luma {
    Luma::builder().token("any").base_url(simulator.url()).build().expect("a client")
}

async fn submit(luma: &Luma) -> TaskHandle {
    let submit = luma.generate("A lighthouse at dusk").submit();
    submit.await.expect("accepted")
}

/// The ends of all waits, in the order of the ids.
async fn all(
    luma: &Luma,
    ids: impl IntoIterator<Item = TaskId>,
) -> Vec<(TaskId, Result<Video, WaitError>)> {
    let ids: Vec<_> = ids.into_iter().collect();
    let mut ends: Vec<_> = luma.watch(&ids).collect().await;
    ends.sort_by_key(|(id, _)| ids.iter().position(|known| known == id));
    ends
}

fn quick() -> PollInterval {
    PollInterval::fixed(QUICK)
}

#[tokio::test]
async fn many_waits_share_few_requests() {
    let (simulator, luma) = start(JOB).await;
    let tasks = join_all((0..120).map(|_| submit(&luma))).await;
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id().clone()).collect();
    let ends: Vec<_> = luma.watch(ids).interval(quick()).collect().await;
    assert_eq!(ends.len(), 120);
    for (id, end) in ends {
        assert_eq!(end.expect("a video").task_id(), Some(&id));
    }
    let sizes = simulator.stats().batch_sizes;
    assert!(sizes.iter().all(|size| *size <= 50), "{sizes:?}");
    assert!(sizes.iter().sum::<usize>() > 4 * sizes.len(), "{sizes:?}");
}

#[tokio::test]
async fn wait_resumed_from_a_stored_reference_gives_the_video() {
    let (simulator, luma) = start(JOB).await;
    let task = submit(&luma).await;
    let stored = serde_json::to_string(&task.to_ref()).expect("JSON");
    drop((task, luma));

    let luma = client(&simulator);
    let stored: TaskRef = serde_json::from_str(&stored).expect("a reference");
    let age = SystemTime::now().duration_since(stored.submitted_at.expect("a time"));
    assert!(age.expect("in the past") < PATIENCE);
    let before = simulator.stats().lookups;
    let task = luma.task(stored);
    assert_eq!(simulator.stats().lookups, before, "no I/O before it is awaited");
    task.wait().interval(quick()).await.expect("a video");

    // The id alone is enough, too.
    let id: TaskId = task.id().to_string().parse().expect("an id");
    client(&simulator).task(id).wait().await.expect("a video");
}

#[tokio::test]
async fn unknown_task_is_not_found_however_the_service_says_it() {
    let (simulator, luma) = start(Duration::ZERO).await;
    let known = submit(&luma).await;
    for answer in [NotFound::EmptyObject, NotFound::Null, NotFound::Error, NotFound::Status404] {
        simulator.set_not_found(answer);
        let ids: [TaskId; 2] = ["no-1", "no-2"].map(|id| id.parse().expect("an id"));
        let ends = all(&luma, ids.iter().cloned().chain([known.id().clone()])).await;
        for (id, end) in &ends[..2] {
            match end {
                Err(WaitError::NotFound { task }) => assert_eq!(task, id),
                other => panic!("{answer:?}: {other:?}"),
            }
        }
        assert!(ends[2].1.is_ok(), "{answer:?}");
    }
}

#[tokio::test]
async fn failed_task_says_why() {
    let (simulator, luma) = start(JOB).await;
    simulator.on_submit(TaskScript::fails("forbidden", "Not this."));
    match submit(&luma).await.wait().interval(quick()).await {
        Err(WaitError::Failed { failure, .. }) => {
            assert_eq!(failure.message.as_deref(), Some("Not this."));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn updates_follow_the_task() {
    let (simulator, luma) = start(JOB).await;
    simulator.set_duration(JobDuration::Fixed(Duration::MAX));
    let task = submit(&luma).await;
    let mut updates = task.wait().interval(quick()).updates();
    let first = updates.next().await.expect("one").expect("a report");
    assert_eq!(first.state(), TaskState::Pending);
    assert!(simulator.complete(task.id().as_str()));
    let rest: Vec<_> = updates.map(|task| task.expect("a report").state()).collect().await;
    assert_eq!(rest.last(), Some(&TaskState::Completed));
}

#[tokio::test]
async fn dropped_wait_sends_nothing_more() {
    let (simulator, luma) = start(Duration::MAX).await;
    let task = submit(&luma).await;
    let wait = task.wait().interval(quick());
    assert!(tokio::time::timeout(10 * QUICK, wait).await.is_err());
    let before = simulator.stats().lookups;
    assert!(before > 0);
    tokio::time::sleep(10 * QUICK).await;
    // One may have been on its way.
    assert!(simulator.stats().lookups <= before + 1);
}

/// Without an interval of its own: away from this machine the first lookup of a new task comes after 22
/// seconds.
#[tokio::test]
async fn short_job_on_this_machine_is_noticed_soon() {
    let (simulator, luma) = start(JOB).await;
    let soon = Duration::from_secs(15);
    let context = mcp::Context::new();
    for (way, end) in [
        ("wait", async { submit(&luma).await.wait().await.is_ok() }.boxed_local()),
        (
            "watch",
            async {
                luma.watch([submit(&luma).await]).all(|end| async move { end.1.is_ok() }).await
            }
            .boxed_local(),
        ),
        (
            "updates",
            async {
                submit(&luma).await.wait().updates().all(|task| async move { task.is_ok() }).await
            }
            .boxed_local(),
        ),
        (
            "tool that submits",
            async {
                let arguments = json!({ "prompt": "A fox", "timeout": 20 });
                let outcome = mcp::call(&luma, "luma_generate_video", arguments, &context).await;
                outcome.expect("a tool").structured_content["result"]["state"] == "completed"
            }
            .boxed_local(),
        ),
        (
            "tool that looks up",
            async {
                let arguments = json!({ "task_id": submit(&luma).await.id() });
                let outcome = mcp::call(&luma, "luma_get_task", arguments, &context).await;
                outcome.expect("a tool").structured_content["result"]["state"] == "completed"
            }
            .boxed_local(),
        ),
    ] {
        let end = tokio::time::timeout(soon, end).await;
        assert_eq!(end, Ok(true), "{way}");
    }
    assert_eq!(simulator.stats().submits_accepted, 5);
}

#[tokio::test]
async fn prompt_becomes_a_video() {
    let (simulator, luma) = start(JOB).await;
    let video = submit(&luma).await.wait().interval(quick()).await.expect("a video");
    assert_eq!((video.width(), video.height()), (Some(1360), Some(752)));
    assert_eq!(simulator.stats().submits_accepted, 1);
    let expected = r#"{"action":"generate","async":true,"prompt":"A lighthouse at dusk"}"#;
    let body = &simulator.requests()[0].body;
    assert_eq!(std::str::from_utf8(body), Ok(expected));
}

#[tokio::test]
async fn tasks_with_unknown_ids_give_each_its_own_result_in_order() {
    let (simulator, luma) = start(Duration::ZERO).await;
    let (a, b) = (submit(&luma).await, submit(&luma).await);
    let unknown: TaskId = "no-1".parse().expect("an id");
    let ids = [unknown, b.id().clone(), a.id().clone(), b.id().clone()];
    let results = luma.tasks(&ids).await.expect("results");
    let order: Vec<_> = results.iter().map(|(id, _)| id).collect();
    assert_eq!(order, [&ids[0], &ids[1], &ids[2]]);
    assert!(matches!(&results[0].1, Err(RequestError::NotFound { task }) if *task == ids[0]));
    assert!(results[1].1.is_ok() && results[2].1.is_ok());
    assert_eq!(simulator.stats().lookups, 2);
}

#[tokio::test]
async fn tasks_with_a_refused_batch_are_looked_up_singly() {
    let (simulator, luma) = start(Duration::ZERO).await;
    let ids = [submit(&luma).await, submit(&luma).await].map(|task| task.id().clone());
    let body = r#"{"error":{"code":"bad_request","message":"no"}}"#;
    simulator.inject(Fault::replace_body(400, "application/json", body).on(Target::Lookup));
    let results = luma.tasks(&ids).await.expect("results");
    assert!(results.iter().all(|(_, task)| task.is_ok()));
    assert_eq!(simulator.stats().lookups, 3);

    simulator.inject(Fault::status(401).on(Target::Lookup).always());
    assert!(luma.tasks(&ids).await.is_err());
}

#[tokio::test]
async fn reference_in_binary_formats_reads_back() {
    let (_simulator, luma) = start(Duration::ZERO).await;
    let submitted = submit(&luma).await.to_ref();
    let id_only = TaskRef::from(&submitted.id);
    for task in [submitted, id_only] {
        let bytes = postcard::to_stdvec(&task).expect("bytes");
        assert_eq!(postcard::from_bytes::<TaskRef>(&bytes).expect("a reference"), task);
        let bytes = rmp_serde::to_vec(&task).expect("bytes");
        assert_eq!(rmp_serde::from_slice::<TaskRef>(&bytes).expect("a reference"), task);
    }
}
