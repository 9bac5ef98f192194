//! Waits that are dropped, begun anew or kept.

use super::*;

#[tokio::test(start_paused = true)]
async fn dropped_wait_does_not_disturb_others() {
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
    let names: Vec<_> = service.calls().into_iter().map(|call| call.1.concat()).collect();
    assert_eq!(names, ["ab", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn wait_dropped_in_flight_does_not_disturb_others() {
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
async fn impatient(handle: TaskHandle, tick: Duration, pause: Duration) -> usize {
    let mut rounds = 0;
    loop {
        tokio::select! {
            end = handle.wait().interval(every(3)) => {
                end.unwrap();
                break rounds;
            }
            () = sleep(tick) => rounds += 1,
        }
        sleep(pause).await;
    }
}

#[tokio::test(start_paused = true)]
async fn wait_begun_again_and_again_keeps_the_interval() {
    let ms = Duration::from_millis;
    for (latency, tick, pause, known_age, expected) in [
        // A fresh wait would start its interval over and over: nothing would ever be sent.
        (0, 1_100, 0, true, vec![3_000, 6_000]),
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
        let run = impatient(handle, ms(tick), ms(pause));
        let rounds = timeout(60 * SECOND, run).await;
        let times = service.times();
        let rounds = rounds.unwrap_or_else(|_| panic!("no end: {times:?}"));
        assert!(rounds > 4, "{rounds}");
        assert_eq!(times.len(), expected.len(), "{times:?}");
        for (time, expected) in times.into_iter().zip(expected) {
            assert!(time.abs_diff(expected) <= 100, "{time} for {expected}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn wait_polled_after_its_end_stays_pending() {
    let service = Service::new(|ask| ask.all(done));
    let luma = service.client();
    let mut wait = submitted(&luma, id("a")).wait().interval(every(3));
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
async fn poller_without_waits_has_no_task() {
    let service = Service::new(|ask| ask.all(running)).latency(SECOND);
    let luma = service.client();
    assert_eq!(alive(), 0);
    for _ in 0..3 {
        let wait = submitted(&luma, id("a")).wait().interval(every(3));
        assert!(timeout(8 * SECOND, wait).await.is_err());
        // It remembers the lookup as long as a wait that is begun again could come too early.
        assert_eq!(alive(), 1);
        sleep(120 * SECOND).await;
        assert_eq!(alive(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn waker_that_drops_another_wait_does_no_harm() {
    /// Owns a wait, and drops it with itself.
    struct Owner(Mutex<Option<crate::Wait<'static>>>);
    impl std::task::Wake for Owner {
        fn wake(self: Arc<Self>) {
            self.0.lock().unwrap().take();
        }
    }
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    let mut wait = luma.task(id("a")).wait();
    for _ in 0..2 {
        let inner = luma.task(id("b")).wait();
        let owner = Arc::new(Owner(Mutex::new(Some(inner))));
        if let Some(inner) = &mut *owner.0.lock().unwrap() {
            assert!(inner.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        // The second poll drops the waker of the first, and a wait with it.
        let waker = Waker::from(owner);
        let poll = wait.poll_unpin(&mut Context::from_waker(&waker));
        assert!(matches!(poll, Poll::Pending));
    }
    drop(wait);
}

#[tokio::test(start_paused = true)]
async fn stream_begun_again_and_again_keeps_the_interval() {
    let ms = Duration::from_millis;
    let service = Service::new(|ask| ask.all(running)).latency(ms(200));
    let luma = service.client();
    let mut seen = 0;
    while service.0.lock().unwrap().begin.elapsed() < 2 * SECOND {
        let mut updates = luma.task(id("a")).wait().interval(every(3)).updates();
        seen += usize::from(timeout(ms(50), updates.next()).await.is_ok());
        drop(updates);
        sleep(ms(10)).await;
    }
    // The first report comes at once, again and again, from the one lookup there was.
    assert_eq!(service.times(), [0]);
    assert!(seen > 10, "{seen}");
}

#[tokio::test(start_paused = true)]
async fn many_waits_begun_again_and_again_keep_the_interval() {
    for (count, latency) in [(1_000, 20), (3_000, 20), (3_000, 700)] {
        let service = Service::new(|ask| ask.all(running)).latency(Duration::from_millis(latency));
        let luma = service.client();
        let begin = Instant::now();
        while begin.elapsed() < 10 * SECOND {
            let mut watch = luma.watch(ids(count)).interval(every(60));
            assert!(timeout(SECOND / 2, watch.next()).await.is_err());
        }
        let asked: usize = service.sizes().iter().sum();
        assert_eq!(asked, count, "{latency} ms");
        // What may be looked up again is not kept for ever.
        sleep(1_000 * SECOND).await;
        assert_eq!(alive(), 0);
    }
}
