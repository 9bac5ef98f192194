//! What goes out together, and what one id does to the others.

use super::*;

#[tokio::test(start_paused = true)]
async fn waits_begun_at_different_times_share_requests() {
    let service = Service::new(|ask| match ask.number {
        2 => ask.all(done),
        _ => ask.all(running),
    });
    let luma = service.client();
    let mut waits = Vec::new();
    for name in ["a", "b", "c"] {
        waits.push(spawn(&submitted(&luma, id(name)), every(10)));
        sleep(SECOND * 49 / 100).await;
    }
    join_all(waits).await;
    // The slack is a tenth of the interval.
    let all = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
    assert_eq!(service.calls(), [(10_980, all.clone()), (20_980, all.clone()), (30_980, all)]);
}

#[tokio::test(start_paused = true)]
async fn many_waits_send_fifty_ids_a_request_and_four_requests_at_a_time() {
    let service = Service::new(|ask| ask.all(done)).latency(SECOND / 10);
    let luma = service.client();
    let ends = all(&luma, ids(1_020)).await;
    assert!(ends.iter().all(|(_, end)| end.is_ok()));
    let mut expected = vec![50; 20];
    expected.push(20);
    assert_eq!(service.sizes(), expected);
    // No more than that before the first answers.
    let times = service.times();
    assert!(times[MAX_IN_FLIGHT - 1] < 100, "{times:?}");
    assert!(times[MAX_IN_FLIGHT] >= 100, "{times:?}");
    let mut seen: Vec<_> = service.calls().into_iter().flat_map(|call| call.1).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 1_020);
}

#[tokio::test(start_paused = true)]
async fn many_waits_with_a_quick_service_need_two_requests_in_flight() {
    for (latency, expected) in [(20, FEW_IN_FLIGHT), (200, MAX_IN_FLIGHT)] {
        let service = Service::new(|ask| match ask.number {
            0..20 => ask.all(running),
            _ => ask.all(done),
        })
        .latency(Duration::from_millis(latency));
        let luma = service.client();
        let tasks: Vec<_> = ids(1_000).into_iter().map(|id| submitted(&luma, id)).collect();
        let waits: Vec<_> = tasks.iter().map(|task| spawn(task, every(3))).collect();
        for end in join_all(waits).await {
            end.unwrap().unwrap();
        }
        assert_eq!(service.sizes(), [50; 40], "{latency} ms");
        let in_flight = service.0.lock().unwrap().most_in_flight;
        assert_eq!(in_flight, expected, "{latency} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn many_waits_with_a_slow_service_stay_at_four_requests_in_flight() {
    let service = Service::new(|ask| ask.all(done)).latency(SECOND);
    let luma = service.client();
    let ends = all(&luma, ids(20_000)).await;
    assert!(ends.iter().all(|(_, end)| end.is_ok()));
    assert_eq!(service.sizes(), [50; 400]);
    assert_eq!(service.0.lock().unwrap().most_in_flight, MAX_IN_FLIGHT);
}

#[tokio::test(start_paused = true)]
async fn lookups_of_dropped_waits_still_count_as_in_flight() {
    let service = Service::new(|ask| ask.all(running)).latency(30 * SECOND);
    let luma = service.client();
    for round in 0..20 {
        let ids = (0..400).map(|n| id(&format!("r{round}n{n}")));
        let mut watch = luma.watch(ids);
        assert!(timeout(SECOND, watch.next()).await.is_err());
    }
    assert_eq!(service.0.lock().unwrap().most_in_flight, MAX_IN_FLIGHT);
    // They are remembered for a minute after their ends.
    sleep(120 * SECOND).await;
    assert_eq!(alive(), 0);
}

#[tokio::test(start_paused = true)]
async fn waits_of_one_task_share_one_lookup() {
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
async fn many_waits_of_one_task_stay_cheap() {
    let service = Service::new(|ask| match ask.number {
        0 => ask.all(running),
        _ => ask.all(done),
    });
    let luma = service.client();
    let waits = (0..10_000).map(|_| luma.task(id("a")).wait().interval(every(3)));
    for end in join_all(waits).await {
        end.unwrap();
    }
    assert_eq!(service.times(), [0, 3_000]);
}

#[tokio::test(start_paused = true)]
async fn id_missing_from_a_batch_is_confirmed_singly() {
    let service = Service::new(|ask| {
        let known = ask.ids.iter().filter(|id| id.as_str() != "lost");
        Ok(known.map(|id| if ask.number < 3 { running(id) } else { done(id) }).collect())
    });
    let luma = service.client();
    let (a, b) = (submitted(&luma, id("a")), submitted(&luma, id("b")));
    let (a, b) = (spawn(&a, every(3)), spawn(&b, every(3)));
    let lost = spawn(&submitted(&luma, id("lost")), every(3)).await.unwrap();
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

/// Also by 403, as for the task of another account.
#[tokio::test(start_paused = true)]
async fn refused_batch_ends_only_the_wait_of_the_bad_id() {
    for (status, code) in
        [(400, Some("bad_request")), (403, Some("forbidden")), (403, None), (404, Some("no_api"))]
    {
        let service = Service::new(move |ask| match ask.ids {
            [one] if one.as_str() != "bad" => ask.all(done),
            _ => Err(api_error(status, code)),
        });
        let luma = service.client();
        let mut ends = all(&luma, [id("a"), id("bad"), id("c")]).await;
        ends.sort_by(|a, b| a.0.cmp(&b.0));
        assert!(matches!(ends[1].1, Err(WaitError::Poll { .. })), "{status} {code:?}");
        assert!(ends[0].1.is_ok() && ends[2].1.is_ok());
        assert_eq!(service.sizes(), [3, 1, 1, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn failing_batch_does_not_count_as_an_error_of_its_other_tasks() {
    let service = Service::new(|ask| match ask.ids.iter().any(|id| id.as_str() == "bad") {
        true => Err(api_error(500, None)),
        false => ask.all(done),
    });
    let luma = service.client();
    let wait =
        |name| submitted(&luma, id(name)).wait().interval(every(3)).max_consecutive_errors(2);
    let (a, bad, c) = tokio::join!(wait("a"), wait("bad"), wait("c"));
    assert!(a.is_ok() && c.is_ok());
    assert!(matches!(bad, Err(WaitError::Poll { .. })));
    // Looked for at once, by halves; what one of its own failures stretches is its own pace.
    assert_eq!(service.sizes(), [3, 1, 1, 1, 1, 1]);
    assert_eq!(service.times(), [3_000, 3_000, 3_000, 3_000, 6_000, 12_000]);
}

#[tokio::test(start_paused = true)]
async fn bad_id_among_fifty_is_found_by_single_lookups() {
    for status in [500, 400] {
        let service = Service::new(move |ask| match ask.ids.contains(&id("t0007")) {
            true => Err(api_error(status, None)),
            false => ask.all(done),
        });
        let luma = service.client();
        let begin = Instant::now();
        let waits = ids(50).into_iter().map(|id| spawn(&submitted(&luma, id), every(5)));
        let ends = join_all(waits.skip(8).collect::<Vec<_>>()).await;
        assert!(ends.iter().all(|end| matches!(end, Ok(Ok(_)))));
        assert_eq!(begin.elapsed().as_secs(), 5);
        assert!(service.sizes().len() <= 52, "{:?}", service.sizes());
    }
}

#[tokio::test(start_paused = true)]
async fn outage_does_not_multiply_requests() {
    const MINUTES: u128 = 5;
    for (status, at_most) in [(429, 1), (502, 1), (500, 4)] {
        let service = Service::new(move |_| Err(api_error(status, None))).latency(SECOND / 10);
        let luma = service.client();
        let watch = luma.watch(ids(1_000)).interval(every(5));
        let ends = tokio::spawn(watch.deadline(60 * SECOND * MINUTES as u32).collect::<Vec<_>>());
        let ends = ends.await.unwrap();
        // Nobody's wait ends before its time, with ten failures to spend.
        assert!(ends.iter().all(|(_, end)| matches!(end, Err(WaitError::Deadline { .. }))));
        // Of what a sound service would have been asked.
        let sound = 20 * MINUTES * 60 / 5;
        let sent = service.sizes().len() as u128;
        assert!(sent <= at_most * sound, "{status}: {sent} of {sound}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_reports_of_a_task_in_a_batch_the_end_counts() {
    let service = Service::new(|ask| {
        let twice = ask.ids.iter().flat_map(|id| [done(id), running(id)]);
        Ok(twice.chain([done(&id("other"))]).collect())
    });
    let ends = all(&service.client(), ids(2)).await;
    assert!(ends.iter().all(|(_, end)| end.is_ok()));
    assert_eq!(service.sizes(), [2]);
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
    let watch = luma.watch(names.clone()).interval(every(3)).deadline(60 * SECOND);
    let ends: Vec<_> = watch.map(|(id, end)| (id.to_string(), end.is_ok())).collect().await;
    let expected = [("b", true), ("a", false), ("c", true)];
    assert_eq!(ends, expected.map(|(id, is_ok)| (id.to_owned(), is_ok)));
    assert_eq!(service.sizes(), [3, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn immediate_waits_share_one_request() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let waits = ids(20).into_iter().map(|id| {
        let wait = submitted(&luma, id).wait().immediately();
        timeout(SECOND, wait.interval(every(30)))
    });
    assert!(join_all(waits).await.iter().all(Result::is_err));
    // A second call within the interval waits for the rest of it.
    let again = submitted(&luma, id("t0000")).wait().immediately();
    assert!(timeout(SECOND, again.interval(every(30))).await.is_err());
    assert_eq!((service.sizes(), service.times()), (vec![20], vec![0]));
}
