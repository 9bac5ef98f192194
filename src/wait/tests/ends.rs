//! How waits end.

use super::*;

#[tokio::test(start_paused = true)]
async fn watch_over_handles_knows_that_their_tasks_are_new() {
    let service = Service::new(|ask| match ask.number {
        0 => Err(RequestError::NotFound { task: id("a") }),
        _ => ask.all(done),
    });
    let luma = service.client();
    let tasks = [submitted(&luma, id("a"))];
    // The one that tells its age counts, whichever comes first.
    let twice = [TaskRef::from(id("a")), TaskRef::from(&tasks[0])];
    let ends: Vec<_> = luma.watch(twice).interval(every(3)).collect().await;
    assert_eq!(ends.len(), 1);
    assert!(ends[0].1.is_ok());
    assert_eq!(service.times(), [3_000, 6_000]);
    let (_, end) = luma.watch(&tasks).next().await.unwrap();
    assert!(end.is_ok());
}

#[tokio::test(start_paused = true)]
async fn errors_in_a_row_beyond_the_limit_end_the_wait() {
    let service = Service::new(|ask| match ask.number {
        2 => ask.all(running),
        0 => Err(api_error(502, None)),
        1 => Err(unreadable()),
        3 => Err(api_error(429, None)),
        _ => Err(api_error(500, Some("api_error"))),
    });
    let wait = submitted(&service.client(), id("a")).wait().interval(every(3));
    match wait.max_consecutive_errors(2).await {
        Err(WaitError::Poll { task, source }) => {
            assert_eq!(task, id("a"));
            assert!(source.is_retryable());
        }
        other => panic!("{other:?}"),
    }
    // The second failure in a row doubles the interval.
    let expected = [3_000, 6_000, 12_000, 15_000, 18_000, 24_000];
    assert_eq!(service.times(), expected);
}

#[tokio::test(start_paused = true)]
async fn account_error_ends_every_wait_at_once() {
    for error in [
        (401, None),
        (401, Some("invalid_token")),
        (401, Some("bad_request")),
        (402, None),
        (403, Some("used_up")),
    ] {
        let service = Service::new(move |_| Err(api_error(error.0, error.1)));
        let luma = service.client();
        let first = spawn(&submitted(&luma, id("a")), every(3));
        let others: Vec<_> =
            ids(120).into_iter().map(|id| spawn(&submitted(&luma, id), every(60))).collect();
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
        assert_eq!(begin.elapsed().as_secs_f64().round(), 3.0);
        assert_eq!(service.times().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn gateway_page_says_nothing_about_task_or_token() {
    let service = Service::new(|ask| match ask.number {
        0 => Err(page(401)),
        1 => Err(page(403)),
        2 => Err(page(404)),
        _ => ask.all(done),
    });
    let task = submitted(&service.client(), id("a"));
    task.wait().interval(every(3)).await.unwrap();
    assert_eq!(service.times(), [3_000, 6_000, 12_000, 24_000]);
}

#[tokio::test(start_paused = true)]
async fn task_not_found_within_ten_seconds_is_looked_up_again() {
    let missing = |ask: &Ask<'_>| RequestError::NotFound { task: ask.ids[0].clone() };
    let service = Service::new(move |ask| match ask.number {
        0 | 1 => Err(missing(&ask)),
        _ => ask.all(done),
    });
    // That is no failed lookup.
    let task = submitted(&service.client(), id("a"));
    task.wait().interval(every(3)).max_consecutive_errors(0).await.unwrap();
    assert_eq!(service.times(), [3_000, 6_000, 9_000]);

    let service = Service::new(move |ask| Err(missing(&ask)));
    let end = submitted(&service.client(), id("a")).wait().interval(every(4)).await;
    assert!(matches!(end, Err(WaitError::NotFound { .. })), "{end:?}");
    assert_eq!(service.times(), [4_000, 8_000, 12_000]);
}

#[tokio::test(start_paused = true)]
async fn retry_after_of_an_hour_holds_for_five_minutes() {
    let service = Service::new(|ask| match ask.number {
        0 => Err(busy(3_600)),
        _ => ask.all(done),
    });
    let task = submitted(&service.client(), id("a"));
    task.wait().interval(every(3)).await.unwrap();
    assert_eq!(service.times(), [3_000, 303_000]);
}

#[tokio::test(start_paused = true)]
async fn failed_task_ends_with_its_own_words() {
    let service = Service::new(|ask| ask.all(failed));
    let end = service.client().task(id("a")).wait().await;
    match end {
        Err(WaitError::Failed { task, failure }) => {
            assert_eq!(task, id("a"));
            assert_eq!(failure.message.as_deref(), Some("No."));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn token_cancels_many_waits() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let token = CancellationToken::new();
    let ends = tokio::spawn(luma.watch(ids(60)).cancelled_by(token.clone()).collect::<Vec<_>>());
    sleep(SECOND).await;
    token.cancel();
    let ends = ends.await.unwrap();
    assert_eq!(ends.len(), 60);
    let cancelled =
        |(id, end): &(TaskId, End)| matches!(end, Err(WaitError::Cancelled { task }) if task == id);
    assert!(ends.iter().all(cancelled));
    sleep(60 * SECOND).await;
    assert_eq!(alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn ended_wait_that_is_kept_sends_nothing() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let token = CancellationToken::new();
    let wait = |name| submitted(&luma, id(name)).wait().interval(every(3));
    let mut late = wait("a").deadline(4 * SECOND);
    let mut cancelled = wait("b").cancelled_by(token.clone());
    assert!(matches!((&mut late).await, Err(WaitError::Deadline { .. })));
    token.cancel();
    assert!(matches!((&mut cancelled).await, Err(WaitError::Cancelled { .. })));
    let before = service.times().len();
    sleep(60 * SECOND).await;
    assert_eq!(service.times().len(), before);
    assert_eq!(alive(), 0);
    drop((late, cancelled));
}

fn ended_without_url(id: &TaskId) -> Task {
    task(json!({ "id": id, "response": { "state": "completed" } }))
}

fn unsuccessful(id: &TaskId) -> Task {
    task(json!({ "id": id, "response": { "success": false } }))
}

#[tokio::test(start_paused = true)]
async fn completed_without_url_is_believed_after_twenty_seconds() {
    // The URL comes a moment later.
    let service = Service::new(|ask| match ask.number {
        0..3 => ask.all(ended_without_url),
        _ => ask.all(done),
    });
    let task = submitted(&service.client(), id("a"));
    let mut seen = Vec::new();
    let wait = task.wait().interval(every(5)).on_update(|task| seen.push(task.state()));
    wait.await.unwrap();
    assert_eq!(seen, [TaskState::Completed]);
    assert_eq!(service.times(), [5_000, 10_000, 15_000, 20_000]);

    // It never comes.
    let service = Service::new(|ask| ask.all(ended_without_url));
    let task = submitted(&service.client(), id("a"));
    match task.wait().interval(every(7)).await {
        Err(WaitError::Failed { failure, .. }) => assert_eq!(failure.kind, FailureKind::NoVideo),
        other => panic!("{other:?}"),
    }
    assert_eq!(service.times(), [7_000, 14_000, 21_000, 28_000]);
}

#[tokio::test(start_paused = true)]
async fn no_success_without_a_reason_fails_after_thirty_seconds() {
    for (pause, expected) in
        [(every(16), vec![16_000, 32_000, 48_000]), (every(60), vec![60_000, 120_000])]
    {
        let service = Service::new(|ask| ask.all(unsuccessful));
        let end = submitted(&service.client(), id("a")).wait().interval(pause).await;
        match end {
            Err(WaitError::Failed { failure, .. }) => {
                assert_eq!(failure.kind, FailureKind::Reported);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(service.times(), expected);
    }

    // Anything else in between takes it back.
    let service = Service::new(|ask| match ask.number {
        0..4 | 5..9 => ask.all(unsuccessful),
        4 => ask.all(running),
        _ => ask.all(done),
    });
    let task = submitted(&service.client(), id("a"));
    task.wait().interval(every(9)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn on_error_tells_since_when_lookups_fail() {
    let service = Service::new(|ask| match ask.number {
        1 | 2 | 4 => Err(page(502)),
        3 => ask.all(running),
        0 => ask.all(running),
        _ => ask.all(done),
    });
    let begin = Instant::now().into_std();
    let seen = Mutex::new(Vec::new());
    let wait = submitted(&service.client(), id("a")).wait().interval(every(3));
    let wait = wait.on_error(|failure| {
        let seconds = (failure.since - begin).as_secs();
        seen.lock().unwrap().push(format!("{seconds} {}", failure.error.is_outage()));
    });
    let wait = wait.on_update(|task| seen.lock().unwrap().push(task.state().to_string()));
    wait.await.unwrap();
    let seen = seen.into_inner().unwrap();
    let expected = ["processing", "6 true", "6 true", "processing", "18 true", "completed"];
    assert_eq!(seen, expected);
}

/// A lookup that has no response yet: the waits are told after five seconds, and it is no failure.
#[tokio::test(start_paused = true)]
async fn on_error_tells_that_there_is_no_response() {
    let service = Service::new(|ask| ask.all(done)).latency(12 * SECOND);
    let begin = Instant::now();
    let mut seen = Vec::new();
    let wait = submitted(&service.client(), id("a")).wait().interval(every(3));
    let wait = wait.max_consecutive_errors(0).on_error(|failure| {
        let since = (failure.since - begin.into_std()).as_secs();
        seen.push((begin.elapsed().as_secs(), since, failure.error.to_string()));
    });
    wait.await.unwrap();
    let text = "the service did not respond within 5s";
    assert_eq!(seen, [(8, 3, text.to_owned())]);
    assert_eq!(service.times(), [3_000]);
}

#[tokio::test(start_paused = true)]
async fn deadline_without_a_response_says_for_how_long() {
    for (latency, interval, deadline, expected) in [
        // The last lookup goes out at 18 s.
        (60, 600, 20, Some("2s")),
        // It begins at 3 s, and has no response.
        (60, 3, 20, Some("17s")),
        (1, 3, 20, None),
    ] {
        let service = Service::new(|ask| ask.all(running)).latency(latency * SECOND);
        let wait = submitted(&service.client(), id("a")).wait().interval(every(interval));
        let Err(WaitError::Deadline { source, .. }) = wait.deadline(deadline * SECOND).await else {
            panic!("no deadline");
        };
        let expected = expected.map(|time| format!("the service did not respond within {time}"));
        assert_eq!(source.map(|source| source.to_string()), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn overslept_deadline_has_one_last_lookup() {
    for (answer, is_ok) in [(done as fn(&TaskId) -> Task, true), (running, false)] {
        let service = Service::new(move |ask| match ask.number {
            0 => ask.all(running),
            _ => ask.all(answer),
        })
        .latency(SECOND);
        let task = submitted(&service.client(), id("a"));
        let wait = tokio::spawn(task.wait().interval(every(3)).deadline(60 * SECOND));
        sleep(5 * SECOND).await;
        // Nothing runs meanwhile, as on a suspended machine.
        tokio::time::advance(3600 * SECOND).await;
        assert_eq!(wait.await.unwrap().is_ok(), is_ok);
        assert!(service.times().len() <= 4, "{:?}", service.times());
    }
}

#[tokio::test(start_paused = true)]
async fn report_at_the_deadline_counts() {
    let service = Service::new(|ask| ask.all(done)).latency(2 * SECOND);
    let task = submitted(&service.client(), id("a"));
    // The last lookup goes out two seconds before.
    let wait = task.wait().interval(every(600)).deadline(60 * SECOND);
    wait.await.unwrap();
    assert_eq!(service.times(), [58_000]);
}
