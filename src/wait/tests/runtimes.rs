//! One thread, many threads, and runtimes that go.

use super::*;

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

const SOON: Duration = Duration::from_millis(20);

#[test]
fn waits_on_many_threads_all_end() {
    let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let service = Service::new(|ask| match ask.number % 2 {
            0 => ask.all(running),
            _ => ask.all(done),
        });
        let luma = service.client();
        let waits = ids(2_000).into_iter().enumerate().map(|(n, id)| {
            let pace = PollInterval::fixed(Duration::from_millis(10 + n as u64 % 7));
            let wait = luma.task(id).wait().interval(pace);
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
        assert!(service.0.lock().unwrap().most_in_flight <= MAX_IN_FLIGHT);
    });
}

#[test]
fn waits_survive_the_runtime_of_the_poller() {
    let service = Service::new(|ask| match ask.number {
        0..3 => ask.all(running),
        _ => ask.all(done),
    });
    let luma = service.client();
    let wait = |name: &str| {
        luma.task(id(name)).wait().interval(PollInterval::fixed(SOON)).deadline(60 * SECOND)
    };
    let mut moved = wait("a");
    let (first, second) = (current_thread(), current_thread());
    // The driver and the deadline belong to the first runtime.
    first.block_on(async { assert!(timeout(SOON, &mut moved).await.is_err()) });
    let other = second.spawn(wait("b"));
    drop(first);
    second.block_on(async { timeout(30 * SECOND, moved).await.expect("an end").unwrap() });
    second.block_on(other).unwrap().unwrap();
}

#[test]
fn runtime_that_stands_still_does_not_block_later_waits() {
    let service = Service::new(|ask| ask.all(done));
    let luma = service.client();
    let idle = current_thread();
    for name in ["a", "b"] {
        // After the block nobody drives this runtime's tasks any more.
        idle.block_on(luma.task(id(name)).wait()).unwrap();
        let other = current_thread();
        let wait = luma.task(id(name)).wait();
        let end = other.block_on(async { timeout(30 * SECOND, wait).await });
        end.expect("an end").unwrap();
    }
}

#[test]
fn runtime_with_waits_shuts_down() {
    let service = Service::new(|ask| ask.all(running));
    let luma = service.client();
    for _ in 0..20 {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        for id in ids(50) {
            let wait =
                luma.task(id).wait().no_deadline().interval(PollInterval::fixed(Duration::ZERO));
            runtime.spawn(wait);
        }
        std::thread::sleep(Duration::from_millis(2));
        drop(runtime);
    }
}

#[test]
fn wait_polled_outside_a_runtime_panics_and_does_no_harm() {
    let service = Service::new(|ask| ask.all(done));
    let luma = service.client();
    let mut wait = luma.task(id("a")).wait().no_deadline();
    let poll = std::panic::AssertUnwindSafe(|| {
        let _ = wait.poll_unpin(&mut Context::from_waker(Waker::noop()));
    });
    assert!(std::panic::catch_unwind(poll).is_err());
    let runtime = current_thread();
    runtime.block_on(luma.task(id("b")).wait()).unwrap();
    runtime.block_on(wait).unwrap();
}

#[test]
fn waits_are_send_and_unpin() {
    fn movable<T: Send + Unpin + 'static>() {}
    movable::<crate::Wait<'static>>();
    movable::<crate::Updates>();
    movable::<crate::Watch>();
}
