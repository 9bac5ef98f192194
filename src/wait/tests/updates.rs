//! Reports on the way, and reports that come by another way.

use super::*;

#[tokio::test(start_paused = true)]
async fn notify_ends_the_waits_before_the_next_lookup() {
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
async fn notify_before_the_wait_serves_one_wait() {
    let service = Service::new(|ask| ask.all(done));
    let luma = service.client();
    luma.notify(done(&id("a")));
    luma.notify(failed(&id("a")));
    sleep(600 * SECOND).await;
    submitted(&luma, id("a")).wait().await.unwrap();
    assert_eq!(service.times(), []);
    // Who asks again wants to know how it is now: a URL may have expired.
    luma.task(id("a")).wait().await.unwrap();
    assert_eq!(service.times(), [600_000]);
}

#[tokio::test(start_paused = true)]
async fn notify_before_the_wait_survives_waits_that_come_and_go() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    luma.notify(done(&id("early")));
    let busy = submitted(&luma, id("busy"));
    for _ in 0..2_048 {
        let wait = busy.wait().interval(every(10));
        assert!(timeout(SECOND / 100, wait).await.is_err());
    }
    timeout(SECOND, luma.task(id("early")).wait()).await.expect("known").unwrap();
}

#[tokio::test(start_paused = true)]
async fn notify_before_the_wait_keeps_only_known_fields() {
    let service = Service::new(|ask| ask.all(done));
    let luma = service.client();
    let filler = "{},".repeat(4 << 10);
    for (name, fields) in [
        ("small", format!(r#""x":[{filler}{{}}]"#)),
        ("large", format!(r#""error":[{filler}{{}}]"#)),
    ] {
        let body =
            format!(r#"{{"task_id":"{name}","state":"completed","video_url":"u",{fields}}}"#);
        luma.notify(crate::webhook::parse(body.as_bytes()).unwrap());
        let mut updates = luma.task(id(name)).wait().updates();
        let task = updates.next().await.unwrap().unwrap();
        let result = task.response.as_ref().unwrap().result().unwrap();
        assert!(result.extra.is_empty());
    }
    assert_eq!(service.calls(), [(0, vec!["large".to_owned()])]);
}

#[tokio::test(start_paused = true)]
async fn notify_after_a_dropped_wait_is_kept_from_then_on() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let wait = luma.task(id("a")).wait().interval(every(2_000));
    assert!(timeout(SECOND, wait).await.is_err());
    sleep(14 * 60 * SECOND).await;
    luma.notify(done(&id("a")));
    sleep(14 * 60 * SECOND).await;
    let end = timeout(SECOND, luma.task(id("a")).wait()).await;
    end.expect("known").unwrap();
}

#[tokio::test(start_paused = true)]
async fn notify_outranks_the_lookup_in_flight() {
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
async fn updates_look_at_once_and_then_at_the_interval() {
    let service = Service::new(|ask| match ask.number {
        0 => ask.all(|id| with_word(id, "queued")),
        1 => ask.all(running),
        _ => ask.all(done),
    });
    let luma = service.client();
    let begin = Instant::now();
    let updates = submitted(&luma, id("a")).wait().interval(every(5)).updates();
    let seen: Vec<_> = updates
        .map(|task| (begin.elapsed().as_secs(), task.unwrap().state().to_string()))
        .collect()
        .await;
    let expected = [(0, "pending"), (5, "processing"), (10, "completed")];
    assert_eq!(seen, expected.map(|(time, state)| (time, state.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn updates_tell_since_when_lookups_fail() {
    let service = Service::new(|ask| match ask.number {
        1 | 2 => Err(page(502)),
        3 => ask.all(done),
        _ => ask.all(running),
    });
    let luma = service.client();
    let begin = Instant::now();
    let mut updates = submitted(&luma, id("a")).wait().interval(every(5)).updates();
    let mut seen = Vec::new();
    loop {
        let update = timeout(3 * SECOND, updates.next()).await;
        let failure = updates.failure().map(|failure| (failure.since - begin.into_std()).as_secs());
        seen.push((begin.elapsed().as_secs(), update.is_ok(), failure));
        if let Ok(None) = update {
            break;
        }
    }
    let expected = [
        (0, true, None),
        (3, false, None),
        (6, false, Some(5)),
        (9, false, Some(5)),
        (12, false, Some(5)),
        (15, false, Some(5)),
        (18, false, Some(5)),
        (20, true, None),
        (20, true, None),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test(start_paused = true)]
async fn updates_of_a_failed_task_end_with_the_error() {
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
    // It was looked up within the interval: the stream waits for the rest of it.
    let mut updates = handle.wait().interval(every(10)).updates();
    assert!(updates.next().await.unwrap().is_ok());
    drop(updates);
    wait.await.unwrap().unwrap();
    assert_eq!(service.times(), [10_000, 20_000, 30_000, 40_000]);
}

#[tokio::test(start_paused = true)]
async fn unread_updates_do_not_delay_deadline_or_cancel() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let token = CancellationToken::new();
    let wait = || submitted(&luma, id("a")).wait().interval(every(1));
    for (wait, is_cancelled) in [
        (wait().no_deadline().cancelled_by(token.clone()), true),
        (wait().deadline(10 * SECOND), false),
    ] {
        // Slower than the reports: there is always one that was not read.
        let begin = Instant::now();
        let mut updates = wait.updates();
        let end = loop {
            match updates.next().await.expect("an end") {
                Ok(_) => sleep(2 * SECOND).await,
                Err(end) => break end,
            }
            if begin.elapsed() >= 10 * SECOND {
                token.cancel();
            }
        };
        assert_eq!(matches!(end, WaitError::Cancelled { .. }), is_cancelled, "{end:?}");
        assert!(begin.elapsed() <= 13 * SECOND, "{:?}", begin.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn on_update_sees_every_report() {
    let service = Service::new(|ask| match ask.number {
        0..2 => ask.all(running),
        _ => ask.all(done),
    });
    let mut seen = Vec::new();
    let wait = submitted(&service.client(), id("a")).wait().interval(every(3));
    wait.on_update(|task| seen.push(task.state())).await.unwrap();
    use TaskState::{Completed, Processing};
    assert_eq!(seen, [Processing, Processing, Completed]);
}
