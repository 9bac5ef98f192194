//! The poller with its clock paused, over a service that is a function.

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use futures::{FutureExt, StreamExt, future::join_all};
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde_json::json;
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, sleep, timeout},
};

use super::{Hub, Lookup, state::MAX_IN_FLIGHT};
use crate::{
    CancellationToken, Luma, Pace, Schedule, Task, TaskHandle, TaskId, TaskState, Ticket, Video,
    WaitError,
    client::Core,
    error::{ApiError, DecodeError, Error, Result},
};

type Answer = Box<dyn FnMut(Ask<'_>) -> Result<Vec<Task>> + Send>;

/// A lookup as the service sees it.
struct Ask<'a> {
    /// How many there were before.
    number: usize,
    ids: &'a [TaskId],
}

impl Ask<'_> {
    fn all(&self, make: impl Fn(&TaskId) -> Task) -> Result<Vec<Task>> {
        Ok(self.ids.iter().map(make).collect())
    }
}

#[derive(Clone)]
struct Service(Arc<Mutex<Served>>);

struct Served {
    begin: Instant,
    latency: Duration,
    answer: Answer,
    /// Milliseconds since the begin, and the ids.
    calls: Vec<(u128, Vec<String>)>,
    under_way: usize,
    most_under_way: usize,
}

impl Service {
    fn new(answer: impl FnMut(Ask<'_>) -> Result<Vec<Task>> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Served {
            begin: Instant::now(),
            latency: Duration::ZERO,
            answer: Box::new(answer),
            calls: Vec::new(),
            under_way: 0,
            most_under_way: 0,
        })))
    }

    fn latency(self, latency: Duration) -> Self {
        self.0.lock().unwrap().latency = latency;
        self
    }

    /// A client without jitter.
    fn client(&self) -> Luma {
        let luma = Luma::builder().token("s3cret").build().unwrap();
        let hub = Hub::new(self.clone());
        hub.0.state().jitter = 0.0;
        let core = &luma.core;
        Luma {
            core: Arc::new(Core {
                api: core.api.clone(),
                media: core.media.clone(),
                hub,
                accepted: core.accepted.clone(),
            }),
        }
    }

    fn calls(&self) -> Vec<(u128, Vec<String>)> {
        self.0.lock().unwrap().calls.clone()
    }

    fn times(&self) -> Vec<u128> {
        self.calls().into_iter().map(|(time, _)| time).collect()
    }

    fn sizes(&self) -> Vec<usize> {
        self.calls().iter().map(|(_, ids)| ids.len()).collect()
    }
}

impl Lookup for Service {
    fn lookup(&self, ids: Arc<[TaskId]>) -> BoxFuture<'static, Result<Vec<Task>>> {
        let service = self.clone();
        let (number, latency) = {
            let mut served = service.0.lock().unwrap();
            let time = served.begin.elapsed().as_millis();
            let mut names: Vec<_> = ids.iter().map(TaskId::to_string).collect();
            names.sort();
            served.calls.push((time, names));
            served.under_way += 1;
            served.most_under_way = served.most_under_way.max(served.under_way);
            (served.calls.len() - 1, served.latency)
        };
        Box::pin(async move {
            if !latency.is_zero() {
                sleep(latency).await;
            }
            let mut served = service.0.lock().unwrap();
            served.under_way -= 1;
            (served.answer)(Ask { number, ids: &ids })
        })
    }
}

fn id(name: &str) -> TaskId {
    name.parse().unwrap()
}

fn ids(count: usize) -> Vec<TaskId> {
    (0..count).map(|n| id(&format!("t{n:04}"))).collect()
}

fn task(value: serde_json::Value) -> Task {
    serde_json::from_value(value).unwrap()
}

fn running(id: &TaskId) -> Task {
    with_word(id, "processing")
}

fn with_word(id: &TaskId, word: &str) -> Task {
    task(json!({ "id": id, "response": { "state": word } }))
}

fn done(id: &TaskId) -> Task {
    task(json!({ "id": id, "response": { "state": "completed", "video_url": "https://v" } }))
}

fn failed(id: &TaskId) -> Task {
    task(json!({ "id": id, "response":
        { "state": "failed", "error": { "code": "forbidden", "message": "No." } } }))
}

fn http(status: u16, code: Option<&str>) -> Error {
    let body = code.map_or(String::new(), |code| {
        json!({ "error": { "code": code } }).to_string()
    });
    let status = StatusCode::from_u16(status).unwrap();
    ApiError::read(status, &Default::default(), body.as_bytes()).into()
}

fn busy(retry_after: u64) -> Error {
    let mut headers = http::HeaderMap::new();
    headers.insert("retry-after", retry_after.into());
    ApiError::read(StatusCode::TOO_MANY_REQUESTS, &headers, b"").into()
}

const SECOND: Duration = Duration::from_secs(1);

fn every(seconds: u64) -> Pace {
    Pace::fixed(SECOND * seconds as u32)
}

/// A handle as a submit gives it.
fn submitted(luma: &Luma, id: TaskId) -> TaskHandle {
    TaskHandle::submitted_now(luma.clone(), id)
}

type Outcome = Result<Video, WaitError>;

fn spawn(handle: &TaskHandle, pace: Pace) -> tokio::task::JoinHandle<Outcome> {
    tokio::spawn(handle.wait().pace(pace).into_future())
}

use std::future::IntoFuture;

#[tokio::test(start_paused = true)]
async fn lookups_follow_the_pace_to_the_millisecond() {
    let service = Service::new(|ask| match ask.number {
        3 => ask.all(done),
        _ => ask.all(running),
    });
    let luma = service.client();
    let begin = Instant::now();
    let video = submitted(&luma, id("a")).wait().pace(every(3)).await;
    assert_eq!(video.unwrap().task_id(), Some(&id("a")));
    assert_eq!(begin.elapsed().as_millis(), 12_000);
    assert_eq!(service.times(), [3_000, 6_000, 9_000, 12_000]);
}

#[tokio::test(start_paused = true)]
async fn the_default_pace_follows_the_age() {
    let service = Service::new(|ask| match ask.number {
        9 => ask.all(done),
        _ => ask.all(running),
    });
    submitted(&service.client(), id("a")).wait().await.unwrap();
    let mut age = Duration::ZERO;
    for time in service.times() {
        age += Pace::default().interval(age);
        // Timers have the granularity of a millisecond.
        assert!(age.as_millis().abs_diff(time) <= 10, "{time} {age:?}");
        age = Duration::from_millis(time as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_resumed_task_counts_from_its_created_at() {
    let created = SystemTime::now() - 200 * SECOND;
    let unix = created.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let service = Service::new(move |ask| match ask.number {
        0 => ask.all(|id| task(json!({ "id": id, "created_at": unix.as_secs_f64() }))),
        _ => ask.all(done),
    });
    let luma = service.client();
    luma.task(id("a")).await.unwrap();
    // Between 150 and 240 seconds the default interval is between 4 and 4.5 seconds.
    let times = service.times();
    assert_eq!(times[0], 0);
    assert!((4_200..4_350).contains(&times[1]), "{times:?}");

    // A ticket knows the age from the first moment.
    let ticket = Ticket {
        submitted_at: Some(created),
        ..id("b").into()
    };
    let begin = Instant::now();
    luma.resume(ticket).await.unwrap();
    let first = begin.elapsed().as_millis();
    assert!((4_200..4_350).contains(&first), "{first}");
}

#[tokio::test(start_paused = true)]
async fn a_handle_does_no_io_before_it_is_awaited() {
    let service = Service::new(|ask| ask.all(done));
    let luma = service.client();
    let wait = luma
        .task(id("a"))
        .wait()
        .deadline(60 * SECOND)
        .into_future();
    sleep(10 * SECOND).await;
    assert_eq!(service.times(), []);
    // The deadline counts from the first poll; a wait can be moved.
    tokio::spawn(wait).await.unwrap().unwrap();
    assert_eq!(service.times(), [10_000]);
}

#[tokio::test(start_paused = true)]
async fn waits_that_begin_at_different_moments_share_their_lookups() {
    let service = Service::new(|ask| match ask.number {
        2 => ask.all(done),
        _ => ask.all(running),
    });
    let luma = service.client();
    let mut waits = Vec::new();
    for name in ["a", "b", "c"] {
        waits.push(spawn(&submitted(&luma, id(name)), every(10)));
        sleep(SECOND / 2).await;
    }
    join_all(waits).await;
    // The slack is a tenth of the interval.
    let all = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
    assert_eq!(
        service.calls(),
        [(11_000, all.clone()), (21_000, all.clone()), (31_000, all)]
    );
}

#[tokio::test(start_paused = true)]
async fn fifty_ids_a_request_and_so_many_requests_at_once() {
    let service = Service::new(|ask| ask.all(done)).latency(SECOND / 10);
    let luma = service.client();
    let ends = luma.wait_all(ids(1_020)).await;
    assert!(ends.iter().all(|(_, end)| end.is_ok()));
    let mut expected = vec![50; 20];
    expected.push(20);
    assert_eq!(service.sizes(), expected);
    assert_eq!(service.0.lock().unwrap().most_under_way, MAX_IN_FLIGHT);
    let mut seen: Vec<_> = service
        .calls()
        .into_iter()
        .flat_map(|call| call.1)
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 1_020);
}

#[tokio::test(start_paused = true)]
async fn waits_on_one_id_share_one_lookup() {
    let service = Service::new(|ask| match ask.number {
        0 => ask.all(running),
        _ => ask.all(done),
    });
    let luma = service.client();
    let task = submitted(&luma, id("a"));
    let waits: Vec<_> = (0..3).map(|_| spawn(&task, every(3))).collect();
    // Another client is a clone, and has another pace.
    let slow = spawn(&submitted(&luma.clone(), id("a")), every(100));
    for end in join_all(waits).await {
        end.unwrap().unwrap();
    }
    slow.await.unwrap().unwrap();
    let one = vec!["a".to_owned()];
    assert_eq!(service.calls(), [(3_000, one.clone()), (6_000, one)]);
}

#[tokio::test(start_paused = true)]
async fn an_id_missing_from_a_batch_is_looked_up_singly_once() {
    let service = Service::new(|ask| {
        let known = ask.ids.iter().filter(|id| id.as_str() != "lost");
        Ok(known
            .map(|id| {
                if ask.number < 3 {
                    running(id)
                } else {
                    done(id)
                }
            })
            .collect())
    });
    let luma = service.client();
    let (a, b) = (submitted(&luma, id("a")), submitted(&luma, id("b")));
    let (a, b) = (spawn(&a, every(3)), spawn(&b, every(3)));
    let lost = spawn(&submitted(&luma, id("lost")), every(3))
        .await
        .unwrap();
    assert!(matches!(lost, Err(WaitError::NotFound { task }) if task == id("lost")));
    a.await.unwrap().unwrap();
    b.await.unwrap().unwrap();
    let names = |ids: &[&str]| ids.iter().map(|id| id.to_string()).collect::<Vec<_>>();
    assert_eq!(
        service.calls(),
        [
            (3_000, names(&["a", "b", "lost"])),
            (3_000, names(&["lost"])),
            (6_000, names(&["a", "b"])),
            (9_000, names(&["a", "b"])),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_is_refused_for_ends_only_the_wait_it_is_about() {
    let service = Service::new(|ask| match ask.ids {
        [one] if one.as_str() == "bad" => Err(http(400, Some("bad_request"))),
        [_] => ask.all(done),
        _ => Err(http(400, Some("bad_request"))),
    });
    let luma = service.client();
    let mut ends = luma.wait_all([id("a"), id("bad"), id("c")]).await;
    ends.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(matches!(ends[1].1, Err(WaitError::Poll { .. })));
    assert!(ends[0].1.is_ok() && ends[2].1.is_ok());
    assert_eq!(service.sizes(), [3, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn the_last_lookup_goes_out_at_the_edge() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let begin = Instant::now();
    let wait = submitted(&luma, id("a")).wait().pace(every(7));
    let end = wait.deadline(20 * SECOND).await;
    assert_eq!(begin.elapsed().as_secs(), 20);
    assert_eq!(service.times(), [7_000, 14_000, 18_000]);
    match end {
        Err(WaitError::Deadline {
            task,
            last,
            polls,
            elapsed,
        }) => {
            assert_eq!(
                (task, last, polls),
                (id("a"), Some(TaskState::Processing), 3)
            );
            assert_eq!(elapsed.as_secs(), 20);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_before_the_first_lookup_still_has_an_edge() {
    let service = Service::new(|ask| ask.all(done));
    let wait = submitted(&service.client(), id("a"))
        .wait()
        .pace(every(600));
    wait.deadline(5 * SECOND).await.unwrap();
    assert_eq!(service.times(), [4_500]);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_bounds_the_lookup_under_way() {
    let service = Service::new(|ask| ask.all(done)).latency(3600 * SECOND);
    let begin = Instant::now();
    let wait = service.client().task(id("a")).wait();
    let end = wait.deadline(10 * SECOND).await;
    assert!(matches!(
        end,
        Err(WaitError::Deadline {
            polls: 0,
            last: None,
            ..
        })
    ));
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn times_beyond_the_clock_are_never() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    for pace in [
        Pace::fixed(Duration::MAX),
        Pace::fixed(Duration::from_secs(u64::MAX / 4)),
    ] {
        let wait = submitted(&luma, id("a"))
            .wait()
            .pace(pace)
            .deadline(Duration::MAX);
        assert!(timeout(3600 * SECOND, wait.into_future()).await.is_err());
    }
    assert_eq!(service.times(), []);
    let wait = submitted(&luma, id("a"))
        .wait()
        .pace(Pace::fixed(Duration::MAX));
    let end = wait.deadline(SECOND).await;
    assert!(matches!(end, Err(WaitError::Deadline { polls: 1, .. })));
    let end = submitted(&luma, id("b"))
        .wait()
        .deadline(Duration::ZERO)
        .await;
    assert!(matches!(end, Err(WaitError::Deadline { polls: 0, .. })));
}

#[tokio::test(start_paused = true)]
async fn retry_after_holds_everybody() {
    let service = Service::new(|ask| match ask.number {
        0 => Err(busy(20)),
        _ => ask.all(done),
    });
    let luma = service.client();
    let a = spawn(&submitted(&luma, id("a")), every(3));
    let b = spawn(&submitted(&luma, id("b")), every(5));
    // Not even an edge breaks the hold.
    let edge = submitted(&luma, id("c"))
        .wait()
        .pace(every(60))
        .deadline(10 * SECOND);
    assert!(matches!(
        edge.await,
        Err(WaitError::Deadline { polls: 0, .. })
    ));
    // Nor does a wait that comes later.
    let late = luma.task(id("d"));
    late.await.unwrap();
    a.await.unwrap().unwrap();
    b.await.unwrap().unwrap();
    assert_eq!(service.times(), [3_000, 23_000]);
    assert_eq!(service.sizes(), [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_spent_from_a_budget_that_a_good_lookup_resets() {
    let service = Service::new(|ask| match ask.number {
        2 => ask.all(running),
        0 => Err(http(502, None)),
        1 => Err(DecodeError::new("a page", b"<html>").into()),
        3 => Err(http(429, None)),
        _ => Err(http(500, Some("api_error"))),
    });
    let wait = submitted(&service.client(), id("a")).wait().pace(every(3));
    match wait.tolerance(2).await {
        Err(WaitError::Poll { task, source }) => {
            assert_eq!(task, id("a"));
            assert!(source.is_retryable());
        }
        other => panic!("{other:?}"),
    }
    let expected: Vec<u128> = (1..=6).map(|n| n * 3_000).collect();
    assert_eq!(service.times(), expected);
}

#[tokio::test(start_paused = true)]
async fn one_bad_id_does_not_spend_the_budget_of_the_others() {
    let service = Service::new(|ask| match ask.ids.iter().any(|id| id.as_str() == "bad") {
        true => Err(http(500, None)),
        false => ask.all(done),
    });
    let luma = service.client();
    let wait = |name| {
        submitted(&luma, id(name))
            .wait()
            .pace(every(3))
            .tolerance(2)
    };
    let (a, bad, c) = futures::join!(
        wait("a").into_future(),
        wait("bad").into_future(),
        wait("c").into_future()
    );
    assert!(a.is_ok() && c.is_ok());
    assert!(matches!(bad, Err(WaitError::Poll { .. })));
    assert_eq!(service.sizes(), [3, 3, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn an_account_error_ends_every_wait_at_once() {
    for error in [
        (401, None),
        (401, Some("invalid_token")),
        (403, Some("used_up")),
        (403, None),
    ] {
        let service = Service::new(move |_| Err(http(error.0, error.1)));
        let luma = service.client();
        let first = spawn(&submitted(&luma, id("a")), every(3));
        let others: Vec<_> = ids(120)
            .into_iter()
            .map(|id| spawn(&submitted(&luma, id), every(60)))
            .collect();
        let begin = Instant::now();
        for end in join_all(others).await {
            match end.unwrap() {
                Err(WaitError::Poll { source, .. }) => {
                    assert_eq!(source.api().unwrap().status.as_u16(), error.0);
                    assert!(!source.is_retryable());
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(first.await.unwrap().is_err());
        assert_eq!(begin.elapsed().as_secs(), 3);
        assert_eq!(service.times().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_task_ends_with_its_own_words() {
    let service = Service::new(|ask| ask.all(failed));
    let end = service.client().task(id("a")).await;
    match end {
        Err(WaitError::Failed { task, reason }) => {
            assert_eq!(task, id("a"));
            assert_eq!(reason.message.as_deref(), Some("No."));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_wait_takes_its_id_out_and_leaves_the_others() {
    let service = Service::new(|ask| match ask.number {
        2 => ask.all(done),
        _ => ask.all(running),
    });
    let luma = service.client();
    let a = spawn(&submitted(&luma, id("a")), every(3));
    let b = spawn(&submitted(&luma, id("b")), every(3));
    sleep(4 * SECOND).await;
    a.abort();
    b.await.unwrap().unwrap();
    let names: Vec<_> = service
        .calls()
        .into_iter()
        .map(|call| call.1.concat())
        .collect();
    assert_eq!(names, ["ab", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_dropped_while_it_flies_harms_nobody() {
    let service = Service::new(|ask| ask.all(done)).latency(SECOND);
    let luma = service.client();
    let a = spawn(&submitted(&luma, id("a")), every(3));
    let b = spawn(&submitted(&luma, id("b")), every(3));
    sleep(3_500 * SECOND / 1_000).await;
    a.abort();
    b.await.unwrap().unwrap();
    assert_eq!(service.sizes(), [2]);
}

/// Runs a loop that begins its wait anew after each tick.
async fn impatient(luma: &Luma, handle: TaskHandle, tick: Duration, pause: Duration) -> usize {
    let mut rounds = 0;
    loop {
        tokio::select! {
            end = handle.wait().pace(every(3)).into_future() => {
                end.unwrap();
                break rounds;
            }
            () = sleep(tick) => rounds += 1,
        }
        let _ = luma;
        sleep(pause).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_begins_its_wait_anew_keeps_the_pace() {
    let ms = Duration::from_millis;
    for (latency, tick, pause, known_age, expected) in [
        // A fresh wait would start its interval over and over: nothing would ever be sent.
        (0, 1_000, 0, true, vec![3_000, 6_000]),
        // A fresh wait on a task of unknown age looks at once: each tick would be a request.
        (0, 100, 0, false, vec![0, 3_000]),
        // The answer takes longer than a tick, and there is a moment without any wait.
        (200, 50, 10, false, vec![0, 3_210]),
    ] {
        let service = Service::new(|ask| match ask.number {
            0 => ask.all(running),
            _ => ask.all(done),
        });
        let service = service.latency(ms(latency));
        let luma = service.client();
        let handle = match known_age {
            true => submitted(&luma, id("a")),
            false => luma.task(id("a")),
        };
        let run = impatient(&luma, handle, ms(tick), ms(pause));
        let rounds = timeout(60 * SECOND, run).await.expect("an end");
        assert!(rounds > 4, "{rounds}");
        let times = service.times();
        assert_eq!(times.len(), expected.len(), "{times:?}");
        for (time, expected) in times.into_iter().zip(expected) {
            assert!(time.abs_diff(expected) <= 100, "{time} for {expected}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_select_loop_over_one_wait_works_after_its_end_too() {
    let service = Service::new(|ask| ask.all(done));
    let luma = service.client();
    let mut wait = submitted(&luma, id("a"))
        .wait()
        .pace(every(3))
        .into_future();
    let (mut ticks, mut ends) = (0, 0);
    while ticks < 10 {
        tokio::select! {
            end = &mut wait => { end.unwrap(); ends += 1 }
            () = sleep(SECOND) => ticks += 1,
        }
    }
    assert_eq!((ends, service.times()), (1, vec![3_000]));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_has_ended_is_not_looked_up_however_long_it_is_kept() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let token = CancellationToken::new();
    let wait = |name| submitted(&luma, id(name)).wait().pace(every(3));
    let mut late = wait("a").deadline(4 * SECOND).into_future();
    let mut cancelled = wait("b").cancelled_by(token.clone()).into_future();
    assert!(matches!((&mut late).await, Err(WaitError::Deadline { .. })));
    token.cancel();
    assert!(matches!(
        (&mut cancelled).await,
        Err(WaitError::Cancelled { .. })
    ));
    let before = service.times().len();
    sleep(60 * SECOND).await;
    assert_eq!(service.times().len(), before);
    assert_eq!(alive(), 0);
    drop((late, cancelled));
}

#[tokio::test(start_paused = true)]
async fn a_notification_ends_the_waits_before_the_next_lookup() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let (a, twin) = (submitted(&luma, id("a")), submitted(&luma, id("a")));
    let (a, twin) = (spawn(&a, every(10)), spawn(&twin, every(10)));
    let b = spawn(&submitted(&luma, id("b")), every(10));
    sleep(SECOND).await;
    // Neither what is not the end nor what is about nobody ends anything.
    luma.notify(running(&id("a")));
    luma.notify(running(&id("nobody")));
    luma.notify(task(json!({ "response": { "state": "completed" } })));
    luma.notify(done(&id("a")));
    luma.notify(done(&id("a")));
    a.await.unwrap().unwrap();
    twin.await.unwrap().unwrap();
    luma.notify(failed(&id("b")));
    assert!(matches!(b.await.unwrap(), Err(WaitError::Failed { .. })));
    assert_eq!(service.times(), []);
    sleep(SECOND).await;
    assert_eq!(alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_early_notification_is_not_lost_and_serves_one_wait() {
    let service = Service::new(|ask| ask.all(done));
    let luma = service.client();
    luma.notify(done(&id("a")));
    luma.notify(failed(&id("a")));
    sleep(600 * SECOND).await;
    submitted(&luma, id("a")).await.unwrap();
    assert_eq!(service.times(), []);
    // Who asks again wants to know how it is now: a URL may have expired.
    luma.task(id("a")).await.unwrap();
    assert_eq!(service.times(), [600_000]);
}

#[tokio::test(start_paused = true)]
async fn early_notifications_do_not_pile_up() {
    let service = Service::new(|ask| ask.all(done));
    let luma = service.client();
    for id in ids(3 * super::state::MAX_KEPT) {
        luma.notify(done(&id));
    }
    let (entries, kept, _) = luma.core.hub.0.state().sizes();
    assert_eq!(
        (entries, kept),
        (super::state::MAX_KEPT, super::state::MAX_KEPT)
    );
}

#[tokio::test(start_paused = true)]
async fn a_notification_outranks_the_lookup_under_way() {
    let service = Service::new(|ask| ask.all(running)).latency(SECOND);
    let luma = service.client();
    let mut updates = luma.task(id("a")).wait().updates();
    let mut first = tokio::spawn(async move {
        let first = updates.next().await.unwrap().unwrap();
        (first.state(), updates)
    });
    assert!(timeout(SECOND / 2, &mut first).await.is_err());
    luma.notify(done(&id("a")));
    // It lands now, with an older story.
    let (state, mut updates) = first.await.unwrap();
    assert_eq!(state, TaskState::Completed);
    sleep(2 * SECOND).await;
    assert!(updates.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn updates_yield_first_and_sleep_later() {
    let service = Service::new(|ask| match ask.number {
        0 => ask.all(|id| with_word(id, "queued")),
        1 => ask.all(running),
        _ => ask.all(done),
    });
    let luma = service.client();
    let begin = Instant::now();
    let updates = submitted(&luma, id("a")).wait().pace(every(5)).updates();
    let seen: Vec<_> = updates
        .map(|task| (begin.elapsed().as_secs(), task.unwrap().state().to_string()))
        .collect()
        .await;
    let expected = [(0, "pending"), (5, "processing"), (10, "completed")];
    assert_eq!(seen, expected.map(|(time, state)| (time, state.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn updates_end_with_the_error() {
    let service = Service::new(|ask| ask.all(failed));
    let updates = service.client().task(id("a")).wait().updates();
    let seen: Vec<_> = updates.collect().await;
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].as_ref().unwrap().state(), TaskState::Failed);
    assert!(matches!(seen[1], Err(WaitError::Failed { .. })));
}

#[tokio::test(start_paused = true)]
async fn updates_beside_a_wait_do_not_change_its_end() {
    let service = Service::new(|ask| match ask.number {
        0..3 => ask.all(running),
        _ => ask.all(done),
    });
    let luma = service.client();
    let handle = submitted(&luma, id("a"));
    let wait = spawn(&handle, every(10));
    sleep(15 * SECOND).await;
    // The report at 10 s was kept by nobody: the stream asks once, and the wait hears it too.
    let mut updates = handle.wait().pace(every(10)).updates();
    assert!(updates.next().await.unwrap().is_ok());
    drop(updates);
    wait.await.unwrap().unwrap();
    assert_eq!(service.times(), [10_000, 15_000, 25_000, 35_000]);
}

#[tokio::test(start_paused = true)]
async fn on_update_sees_every_report() {
    let service = Service::new(|ask| match ask.number {
        0..2 => ask.all(running),
        _ => ask.all(done),
    });
    let mut seen = Vec::new();
    let wait = submitted(&service.client(), id("a")).wait().pace(every(3));
    wait.on_update(|task| seen.push(task.state()))
        .await
        .unwrap();
    use TaskState::{Completed, Processing};
    assert_eq!(seen, [Processing, Processing, Completed]);
}

#[tokio::test(start_paused = true)]
async fn watch_gives_each_task_as_it_ends() {
    let service = Service::new(|ask| {
        let number = ask.number;
        ask.all(|id| match (id.as_str(), number) {
            ("b", _) => done(id),
            ("a", 1) => failed(id),
            (_, 2) => done(id),
            _ => running(id),
        })
    });
    let luma = service.client();
    let names = ["a", "b", "c", "b"].map(id);
    let watch = luma
        .watch(names.clone())
        .pace(every(3))
        .deadline(60 * SECOND);
    let ends: Vec<_> = watch
        .map(|(id, end)| (id.to_string(), end.is_ok()))
        .collect()
        .await;
    let expected = [("b", true), ("a", false), ("c", true)];
    assert_eq!(ends, expected.map(|(id, is_ok)| (id.to_owned(), is_ok)));
    assert_eq!(service.sizes(), [3, 2, 1]);

    let ends = service.client().wait_all(names).await;
    let order: Vec<_> = ends.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(order, ["a", "b", "c", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_cancels_many_waits() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let token = CancellationToken::new();
    let ends = tokio::spawn(
        luma.watch(ids(60))
            .cancelled_by(token.clone())
            .collect::<Vec<_>>(),
    );
    sleep(SECOND).await;
    token.cancel();
    let ends = ends.await.unwrap();
    assert_eq!(ends.len(), 60);
    let cancelled = |(id, end): &(TaskId, Outcome)| matches!(end, Err(WaitError::Cancelled { task }) if task == id);
    assert!(ends.iter().all(cancelled));
    sleep(SECOND).await;
    assert_eq!(alive(), 0);
}

fn alive() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn without_waits_no_task_runs() {
    let service = Service::new(|ask| ask.all(running)).latency(SECOND);
    let luma = service.client();
    assert_eq!(alive(), 0);
    for _ in 0..3 {
        let wait = submitted(&luma, id("a"))
            .wait()
            .pace(every(3))
            .into_future();
        assert!(timeout(8 * SECOND, wait).await.is_err());
        assert_eq!(alive(), 1);
        // What is under way lands, then it ends.
        sleep(SECOND + SECOND / 2).await;
        assert_eq!(alive(), 0);
    }
    assert!(luma.core.hub.0.state().sizes().2 == 0);
}

#[test]
fn a_runtime_of_many_threads_drives_thousands_of_waits() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let service = Service::new(|ask| match ask.number % 2 {
            0 => ask.all(running),
            _ => ask.all(done),
        });
        let luma = service.client();
        let waits = ids(2_000).into_iter().enumerate().map(|(n, id)| {
            let pace = Pace::fixed(Duration::from_millis(10 + n as u64 % 7));
            let wait = luma.task(id).wait().pace(pace).into_future();
            tokio::spawn(async move {
                if n % 5 == 0 {
                    // Dropped at any moment.
                    let _ = timeout(Duration::from_micros(n as u64), wait).await;
                } else {
                    wait.await.unwrap();
                }
            })
        });
        let all = join_all(waits.collect::<Vec<_>>());
        for end in timeout(60 * SECOND, all).await.expect("an end") {
            end.unwrap();
        }
        let sizes = service.sizes();
        assert!(sizes.iter().all(|size| (1..=50).contains(size)));
        assert!(service.0.lock().unwrap().most_under_way <= 2 * MAX_IN_FLIGHT);
    });
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

const SOON: Duration = Duration::from_millis(20);

#[test]
fn waits_survive_the_runtime_that_drove_them() {
    let service = Service::new(|ask| match ask.number {
        0..3 => ask.all(running),
        _ => ask.all(done),
    });
    let luma = service.client();
    let wait = |name: &str| {
        luma.task(id(name))
            .wait()
            .pace(Pace::fixed(SOON))
            .deadline(60 * SECOND)
    };
    let mut moved = wait("a").into_future();
    let (first, second) = (current_thread(), current_thread());
    // The driver and the deadline belong to the first runtime.
    first.block_on(async { assert!(timeout(SOON, &mut moved).await.is_err()) });
    let other = second.spawn(wait("b").into_future());
    drop(first);
    second.block_on(async { timeout(30 * SECOND, moved).await.expect("an end").unwrap() });
    second.block_on(other).unwrap().unwrap();
}

#[test]
fn a_runtime_that_stands_still_holds_nobody_up() {
    let service = Service::new(|ask| ask.all(done));
    let luma = service.client();
    let idle = current_thread();
    for name in ["a", "b"] {
        // After the block nobody drives this runtime's tasks any more.
        idle.block_on(luma.task(id(name)).into_future()).unwrap();
        let other = current_thread();
        let wait = luma.task(id(name)).into_future();
        let end = other.block_on(async { timeout(30 * SECOND, wait).await });
        end.expect("an end").unwrap();
    }
}

#[test]
fn a_runtime_that_shuts_down_is_not_held_up() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    for _ in 0..20 {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        for id in ids(50) {
            let wait = luma
                .task(id)
                .wait()
                .no_deadline()
                .pace(Pace::fixed(Duration::ZERO));
            runtime.spawn(wait.into_future());
        }
        std::thread::sleep(Duration::from_millis(2));
        drop(runtime);
        assert_eq!(luma.core.hub.0.state().sizes().2, 0);
    }
}

#[test]
fn outside_a_runtime_a_wait_panics_and_harms_nobody() {
    let service = Service::new(|ask| ask.all(done));
    let luma = service.client();
    let mut wait = luma.task(id("a")).wait().no_deadline().into_future();
    let poll = std::panic::AssertUnwindSafe(|| {
        let _ = wait.poll_unpin(&mut Context::from_waker(Waker::noop()));
    });
    assert!(std::panic::catch_unwind(poll).is_err());
    let runtime = current_thread();
    runtime.block_on(luma.task(id("b")).into_future()).unwrap();
    runtime.block_on(wait).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_panics_harms_nobody() {
    struct Broken;
    impl Schedule for Broken {
        fn interval(&self, age: Duration) -> Duration {
            assert!(age < 60 * SECOND, "a broken schedule");
            30 * SECOND
        }
    }
    let service = Service::new(|ask| match ask.number {
        0..6 => ask.all(running),
        _ => ask.all(done),
    });
    let luma = service.client();
    let broken = spawn(&submitted(&luma, id("a")), Pace::custom(Broken));
    let sound = spawn(&submitted(&luma, id("b")), every(30));
    broken.await.unwrap().unwrap();
    sound.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waker_may_do_anything() {
    /// Owns a wait, and drops it with itself.
    struct Owner(Mutex<Option<crate::WaitFuture<'static>>>);
    impl std::task::Wake for Owner {
        fn wake(self: Arc<Self>) {
            self.0.lock().unwrap().take();
        }
    }
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let mut wait = luma.task(id("a")).wait().into_future();
    for _ in 0..2 {
        let inner = luma.task(id("b")).wait().into_future();
        let owner = Arc::new(Owner(Mutex::new(Some(inner))));
        if let Some(inner) = &mut *owner.0.lock().unwrap() {
            assert!(
                inner
                    .poll_unpin(&mut Context::from_waker(Waker::noop()))
                    .is_pending()
            );
        }
        // The second poll drops the waker of the first, and a wait with it.
        let waker = Waker::from(owner);
        let poll = wait.poll_unpin(&mut Context::from_waker(&waker));
        assert!(matches!(poll, Poll::Pending));
    }
    drop(wait);
    assert_eq!(luma.core.hub.0.state().sizes().2, 0);
}

#[tokio::test(start_paused = true)]
async fn many_waits_on_one_id_stay_cheap() {
    let service = Service::new(|ask| match ask.number {
        0 => ask.all(running),
        _ => ask.all(done),
    });
    let luma = service.client();
    let waits = (0..10_000).map(|_| luma.task(id("a")).wait().pace(every(3)).into_future());
    for end in join_all(waits).await {
        end.unwrap();
    }
    assert_eq!(service.times(), [0, 3_000]);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn spans_name_the_task_and_an_unknown_state_is_logged_once() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let service = Service::new(|ask| match ask.number {
        0..4 => ask.all(|id| with_word(id, "levitating")),
        _ => ask.all(done),
    });
    submitted(&service.client(), id("a"))
        .wait()
        .pace(every(3))
        .await
        .unwrap();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(count("levitating"), 1, "{log}");
    assert_eq!(count("lookup{tasks=1 first=\"a\"}: "), 5, "{log}");
    assert_eq!(count("wait{task=a}: "), 1, "{log}");
    assert_eq!(count("ended polls=5 elapsed_ms=15000"), 1, "{log}");
    assert_eq!(count("s3cret"), 0);
}

#[test]
fn waits_can_be_moved_between_threads() {
    fn movable<T: Send + Unpin + 'static>() {}
    movable::<crate::WaitFuture<'static>>();
    movable::<crate::Updates>();
    movable::<crate::Watch>();
}
