//! Waits over real sockets, against the simulator.

mod faults;
mod webhook;

use std::{
    future::IntoFuture,
    time::{Duration, SystemTime},
};

use futures::{StreamExt, future::join_all};
use luma_client::{
    Luma, Pace, TaskHandle, TaskId, TaskState, Ticket, WaitError,
    simulator::{JobDuration, NotFound, Simulator, TaskScript},
};

/// For what must come, but may take its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const QUICK: Duration = Duration::from_millis(30);
const JOB: Duration = Duration::from_millis(200);

async fn start(job: Duration) -> (Simulator, Luma) {
    let simulator = Simulator::with_duration(job).await.expect("a simulator");
    let luma = client(&simulator);
    (simulator, luma)
}

fn client(simulator: &Simulator) -> Luma {
    Luma::builder()
        .token("any")
        .base_url(simulator.url())
        .build()
        .expect("a client")
}

async fn submit(luma: &Luma) -> TaskHandle {
    let submit = luma.generate("A lighthouse at dusk").submit();
    submit.await.expect("accepted")
}

fn quick() -> Pace {
    Pace::fixed(QUICK)
}

#[tokio::test]
async fn many_waits_share_few_requests() {
    let (simulator, luma) = start(JOB).await;
    let tasks = join_all((0..120).map(|_| submit(&luma))).await;
    let ids: Vec<TaskId> = tasks.iter().map(|task| task.id().clone()).collect();
    let ends: Vec<_> = luma.watch(ids).pace(quick()).collect().await;
    assert_eq!(ends.len(), 120);
    for (id, end) in ends {
        assert_eq!(end.expect("a video").task_id(), Some(&id));
    }
    let sizes = simulator.stats().batch_sizes;
    assert!(sizes.iter().all(|size| *size <= 50), "{sizes:?}");
    assert!(sizes.iter().sum::<usize>() > 4 * sizes.len(), "{sizes:?}");
}

#[tokio::test]
async fn a_wait_is_resumed_by_another_process_from_a_stored_ticket() {
    let (simulator, luma) = start(JOB).await;
    let task = submit(&luma).await;
    let stored = serde_json::to_string(&task.ticket()).expect("a ticket is JSON");
    drop((task, luma));

    let luma = client(&simulator);
    let ticket: Ticket = serde_json::from_str(&stored).expect("a ticket");
    let age = SystemTime::now().duration_since(ticket.submitted_at.expect("a time"));
    assert!(age.expect("in the past") < PATIENCE);
    let before = simulator.stats().lookups;
    let task = luma.resume(ticket);
    assert_eq!(
        simulator.stats().lookups,
        before,
        "no I/O before it is awaited"
    );
    task.wait().pace(quick()).await.expect("a video");

    // The id alone is enough, too.
    let id: TaskId = task.id().to_string().parse().expect("an id");
    client(&simulator).task(id).await.expect("a video");
}

#[tokio::test]
async fn unknown_tasks_are_not_found_however_the_service_says_it() {
    let (simulator, luma) = start(Duration::ZERO).await;
    let known = submit(&luma).await;
    for answer in [
        NotFound::EmptyObject,
        NotFound::Null,
        NotFound::Error,
        NotFound::Status404,
    ] {
        simulator.set_not_found(answer);
        let ids = ["no-1", "no-2"].map(|id| id.parse().expect("an id"));
        let all = ids.iter().cloned().chain([known.id().clone()]);
        let ends = luma.wait_all(all).await;
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
async fn a_task_that_fails_says_why() {
    let (simulator, luma) = start(JOB).await;
    simulator.on_submit(TaskScript::fails("forbidden", "Not this."));
    match submit(&luma).await.wait().pace(quick()).await {
        Err(WaitError::Failed { reason, .. }) => {
            assert_eq!(reason.message.as_deref(), Some("Not this."));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn updates_follow_the_task() {
    let (simulator, luma) = start(JOB).await;
    simulator.set_duration(JobDuration::Fixed(Duration::MAX));
    let task = submit(&luma).await;
    let mut updates = task.wait().pace(quick()).updates();
    let first = updates.next().await.expect("one").expect("a report");
    assert_eq!(first.state(), TaskState::Pending);
    assert!(simulator.complete(task.id().as_str()));
    let rest: Vec<_> = updates
        .map(|task| task.expect("a report").state())
        .collect()
        .await;
    assert_eq!(rest.last(), Some(&TaskState::Completed));
}

#[tokio::test]
async fn dropped_waits_send_nothing_more() {
    let (simulator, luma) = start(Duration::MAX).await;
    let task = submit(&luma).await;
    let wait = task.wait().pace(quick()).into_future();
    assert!(tokio::time::timeout(10 * QUICK, wait).await.is_err());
    let before = simulator.stats().lookups;
    assert!(before > 0);
    tokio::time::sleep(10 * QUICK).await;
    // One may have been on its way.
    assert!(simulator.stats().lookups <= before + 1);
}
