//! A client that is shut down begins no further request.

use std::time::Duration;

use luma_client::{CancellationToken, Luma, RequestError, RetryPolicy, SubmitError};
use luma_simulator::{Fault, Simulator};
use tokio::{net::TcpSocket, time::timeout};

use crate::support::{PATIENCE, builder, end, eventually, id, start};

/// A client whose back-off never ends during a test.
fn patient(url: &str) -> Luma {
    let hour = Duration::from_secs(3600);
    let retry = RetryPolicy::default().min_delay(hour).max_delay(hour).max_elapsed(10 * hour);
    builder(url).retry(retry).build().expect("a client")
}

fn assert_says_so(error: &(dyn std::error::Error + 'static)) {
    assert!(error.to_string().contains("shut down"), "{error}");
}

#[tokio::test]
async fn shutdown_during_back_off_sends_no_further_request() {
    let (simulator, _) = start().await;
    let luma = patient(simulator.url());
    for fault in [Fault::status(429), Fault::retry_after(429, "5")] {
        for is_submit in [true, false] {
            let before = simulator.stats().requests();
            simulator.inject(fault.clone().always());
            let shutdown = CancellationToken::new();
            let luma = luma.with_shutdown(shutdown.clone());
            let call = tokio::spawn(async move {
                match is_submit {
                    true => match luma.generate("A fox").submit().await {
                        Err(SubmitError::NotAccepted(error)) => error,
                        other => panic!("{other:?}"),
                    },
                    false => luma.task(id("a")).get().await.expect_err("refused"),
                }
            });
            eventually("a request", || simulator.stats().requests() > before).await;
            shutdown.cancel();
            let error = timeout(PATIENCE, call).await.expect("an end").expect("no panic");
            // One request was sent, and refused.
            assert_eq!(error.api().map(|error| error.status.as_u16()), Some(429), "{error}");
            simulator.clear_faults();
            assert_eq!(simulator.stats().requests(), before + 1);
            assert_eq!(simulator.stats().submits_accepted, 0);
        }
    }
}

/// Cancelled while nobody listens: the service that starts afterwards gets nothing.
#[tokio::test]
async fn shutdown_while_connection_is_refused_sends_nothing() {
    let closed = TcpSocket::new_v4().expect("a socket");
    closed.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let port = closed.local_addr().expect("an address").port();
    let shutdown = CancellationToken::new();
    let luma = patient(&format!("http://127.0.0.1:{port}")).with_shutdown(shutdown.clone());
    let submit = tokio::spawn(luma.generate("A fox").submit());
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(closed);
    let simulator = Simulator::builder().port(port).start().await.expect("a simulator");
    shutdown.cancel();
    let submit = timeout(PATIENCE, submit).await.expect("an end").expect("no panic");
    let Err(SubmitError::NotAccepted(error)) = submit else {
        panic!("{submit:?}");
    };
    let RequestError::Transport(error) = error else { panic!("{error:?}") };
    assert!(error.is_connect(), "{error}");
    assert_eq!(simulator.stats().requests(), 0);
}

#[tokio::test]
async fn shutdown_before_a_call_sends_nothing() {
    let (simulator, luma) = start().await;
    let shutdown = CancellationToken::new();
    let stopped = luma.with_shutdown(shutdown.clone());
    stopped.generate("A fox").submit().await.expect("accepted");
    shutdown.cancel();
    let submit = stopped.generate("A fox").submit().await.expect_err("shut down");
    assert!(!submit.may_have_been_accepted());
    let SubmitError::NotAccepted(error @ RequestError::Transport(_)) = &submit else {
        panic!("{submit:?}");
    };
    assert_says_so(error);
    assert_eq!(end(&stopped.task(id("a")).get().await), "shut down");
    assert_eq!(simulator.stats().requests(), 1);
    // The client that it was derived from goes on.
    luma.generate("A fox").submit().await.expect("accepted");
}

/// A request in flight is finished, because its result may be paid for.
#[tokio::test]
async fn shutdown_during_a_request_waits_for_its_response() {
    let (simulator, luma) = start().await;
    simulator.inject(Fault::slow(Duration::from_millis(300)));
    let shutdown = CancellationToken::new();
    let submit = tokio::spawn(luma.with_shutdown(shutdown.clone()).generate("A fox").submit());
    eventually("a submit", || simulator.stats().submits_received == 1).await;
    shutdown.cancel();
    submit.await.expect("no panic").expect("accepted");
}
