//! When lookups go out, to the millisecond.

use super::*;

#[tokio::test(start_paused = true)]
async fn lookups_follow_the_interval_to_the_millisecond() {
    let service = Service::new(|ask| match ask.number {
        3 => ask.all(done),
        _ => ask.all(running),
    });
    let luma = service.client();
    let begin = Instant::now();
    let video = submitted(&luma, id("a")).wait().interval(every(3)).await;
    assert_eq!(video.unwrap().task_id(), Some(&id("a")));
    assert_eq!(begin.elapsed().as_millis(), 12_000);
    assert_eq!(service.times(), [3_000, 6_000, 9_000, 12_000]);
}

#[tokio::test(start_paused = true)]
async fn default_interval_follows_the_age() {
    let service = Service::new(|ask| match ask.number {
        9 => ask.all(done),
        _ => ask.all(running),
    });
    submitted(&service.client(), id("a")).wait().await.unwrap();
    let mut age = Duration::ZERO;
    for time in service.times() {
        age += PollInterval::default().interval(age);
        // Timers have the granularity of a millisecond.
        assert!(age.as_millis().abs_diff(time) <= 10, "{time} {age:?}");
        age = Duration::from_millis(time as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn resumed_task_is_as_old_as_its_created_at() {
    let created = SystemTime::now() - 200 * SECOND;
    let unix = created.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let service = Service::new(move |ask| match ask.number {
        0 => ask.all(|id| task(json!({ "id": id, "created_at": unix.as_secs_f64() }))),
        _ => ask.all(done),
    });
    let luma = service.client();
    luma.task(id("a")).wait().await.unwrap();
    // Between 150 and 240 seconds the default interval is between 4 and 4.5 seconds.
    let times = service.times();
    assert_eq!(times[0], 0);
    assert!((4_200..4_350).contains(&times[1]), "{times:?}");

    // A task_ref knows the age from the first moment: what has had its time is looked up at once,
    // and else the first interval counts from the submit.
    for (age, expected) in [(200, 0..1), (22, 0..1), (10, 11_900..12_100)] {
        let task_ref = TaskRef {
            submitted_at: Some(SystemTime::now() - age * SECOND),
            ..id(&format!("aged-{age}")).into()
        };
        let begin = Instant::now();
        luma.task(task_ref).wait().await.unwrap();
        let first = begin.elapsed().as_millis();
        assert!(expected.contains(&first), "{age}: {first}");
    }
}

#[tokio::test(start_paused = true)]
async fn known_age_replaces_a_guess() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    // Nothing tells its age: the report has none either.
    let guessing = tokio::spawn(luma.task(id("a")).wait());
    sleep(SECOND).await;
    let task_ref = TaskRef { submitted_at: Some(SystemTime::now()), ..id("a").into() };
    let known = tokio::spawn(luma.task(task_ref).wait());
    sleep(20 * SECOND).await;
    guessing.abort();
    known.abort();
    let [first, second] = *service.times() else { panic!("{:?}", service.times()) };
    // As for a guessed age of a minute; from there on as for an age of a few seconds.
    let guessed = PollInterval::default().interval(60 * SECOND).as_millis();
    assert_eq!(first, 0);
    assert!(second.abs_diff(guessed) < 2_000, "{second}");
}

#[tokio::test(start_paused = true)]
async fn wait_sends_nothing_before_it_is_awaited() {
    let service = Service::new(|ask| ask.all(done));
    let luma = service.client();
    let wait = luma.task(id("a")).wait().deadline(60 * SECOND);
    sleep(10 * SECOND).await;
    assert_eq!(service.times(), []);
    // The deadline counts from the first poll; a wait can be moved.
    tokio::spawn(wait).await.unwrap().unwrap();
    assert_eq!(service.times(), [10_000]);
}

#[tokio::test(start_paused = true)]
async fn last_lookup_goes_out_before_the_deadline() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let begin = Instant::now();
    let wait = submitted(&luma, id("a")).wait().interval(every(7));
    let end = wait.deadline(20 * SECOND).await;
    assert_eq!(begin.elapsed().as_secs(), 20);
    assert_eq!(service.times(), [7_000, 14_000, 18_000]);
    match end {
        Err(WaitError::Deadline { task, last_state, polls, elapsed, source }) => {
            assert!(source.is_none());
            assert_eq!((task, last_state, polls), (id("a"), Some(TaskState::Processing), 3));
            assert_eq!(elapsed.as_secs(), 20);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn deadline_has_the_error_of_the_last_lookup() {
    let service = Service::new(|ask| match ask.number {
        0 => ask.all(running),
        _ => Err(page(502)),
    });
    let wait = submitted(&service.client(), id("a")).wait().interval(every(7));
    let end = wait.deadline(20 * SECOND).await.unwrap_err();
    assert!(
        end.to_string().ends_with("3 lookups; last seen processing, and the last lookup failed"),
        "{end}"
    );
    let source = std::error::Error::source(&end).expect("a source");
    assert!(source.to_string().contains("502"), "{source}");
}

#[tokio::test(start_paused = true)]
async fn deadline_before_the_first_interval_still_has_a_lookup() {
    let service = Service::new(|ask| ask.all(done));
    let wait = submitted(&service.client(), id("a")).wait().interval(every(600));
    wait.deadline(5 * SECOND).await.unwrap();
    assert_eq!(service.times(), [4_500]);
}

#[tokio::test(start_paused = true)]
async fn short_deadlines_again_and_again_keep_the_interval() {
    let service = Service::new(|ask| ask.all(running));
    let task = submitted(&service.client(), id("a"));
    for _ in 0..100 {
        let wait = task.wait().interval(every(1)).deadline(SECOND / 10);
        assert!(matches!(wait.await, Err(WaitError::Deadline { .. })));
        sleep(SECOND / 10).await;
    }
    // 20 seconds, and the first one's own last lookup.
    let times = service.times();
    assert!((18..=21).contains(&times.len()), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn last_lookup_before_a_deadline_waits_for_no_batch() {
    let ms = Duration::from_millis;
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let task = submitted(&luma, id("a"));
    // Due after 10 s, and ready to wait for 1 s more; company comes after 10.9 s.
    let patient = spawn(&task, every(10));
    sleep(ms(900)).await;
    let company = spawn(&submitted(&luma, id("b")), every(10));
    sleep(ms(8_500)).await;
    // Edges at 10.03 s: before the wait's own lookup would be due, and within its slack.
    for pace in [every(20), every(10)] {
        let wait = task.wait().interval(pace).deadline(ms(700));
        drop(tokio::spawn(wait));
    }
    sleep(2 * SECOND).await;
    assert_eq!(service.times()[0], 10_000);
    patient.abort();
    company.abort();

    // The same for a wait that is alone on its task.
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let wait = submitted(&luma, id("a")).wait().interval(every(10));
    let edge = tokio::spawn(wait.deadline(ms(11_500)));
    sleep(ms(900)).await;
    let company = spawn(&submitted(&luma, id("b")), every(10));
    assert!(edge.await.unwrap().is_err());
    assert_eq!(service.times()[0], 10_000);
    company.abort();
}

#[tokio::test(start_paused = true)]
async fn deadline_bounds_the_lookup_in_flight() {
    let service = Service::new(|ask| ask.all(done)).latency(3600 * SECOND);
    let begin = Instant::now();
    let wait = service.client().task(id("a")).wait();
    let end = wait.deadline(10 * SECOND).await;
    assert!(matches!(end, Err(WaitError::Deadline { polls: 0, last_state: None, .. })));
    assert_eq!(begin.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn times_beyond_the_clock_never_come() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    for pace in
        [PollInterval::fixed(Duration::MAX), PollInterval::fixed(Duration::from_secs(u64::MAX / 4))]
    {
        let wait = submitted(&luma, id("a")).wait().interval(pace).deadline(Duration::MAX);
        assert!(timeout(3600 * SECOND, wait).await.is_err());
    }
    assert_eq!(service.times(), []);
    let wait = submitted(&luma, id("a")).wait().interval(PollInterval::fixed(Duration::MAX));
    let end = wait.deadline(SECOND).await;
    assert!(matches!(end, Err(WaitError::Deadline { polls: 1, .. })));
    let end = submitted(&luma, id("b")).wait().deadline(Duration::ZERO).await;
    assert!(matches!(end, Err(WaitError::Deadline { polls: 0, .. })));
}

#[tokio::test(start_paused = true)]
async fn retry_after_holds_all_lookups() {
    let service = Service::new(|ask| match ask.number {
        0 => Err(busy(20)),
        _ => ask.all(done),
    });
    let luma = service.client();
    let a = spawn(&submitted(&luma, id("a")), every(3));
    let b = spawn(&submitted(&luma, id("b")), every(5));
    // Not even an edge breaks the hold.
    let edge = submitted(&luma, id("c")).wait().interval(every(60)).deadline(10 * SECOND);
    assert!(matches!(edge.await, Err(WaitError::Deadline { polls: 0, .. })));
    // Nor does a wait that comes later.
    let late = luma.task(id("d"));
    late.wait().await.unwrap();
    a.await.unwrap().unwrap();
    b.await.unwrap().unwrap();
    assert_eq!(service.times(), [3_000, 23_000]);
    assert_eq!(service.sizes(), [1, 3]);
}
