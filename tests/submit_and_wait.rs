//! From a prompt to a finished video, against the simulator.

use std::time::Duration;

use luma_client::{Luma, Pace, simulator::Simulator};

fn client(simulator: &Simulator) -> Luma {
    Luma::builder()
        .token("a-token")
        .base_url(simulator.url())
        .build()
        .expect("a client")
}

#[tokio::test]
async fn a_prompt_becomes_a_video() {
    let simulator = Simulator::with_duration(Duration::from_millis(300))
        .await
        .expect("a simulator");
    let luma = client(&simulator);
    let task = luma
        .generate("A lighthouse at dusk")
        .submit()
        .await
        .expect("accepted");
    let video = task
        .wait()
        .pace(Pace::fixed(Duration::from_millis(50)))
        .await
        .expect("a video");
    assert_eq!((video.width(), video.height()), (Some(1360), Some(752)));
    assert_eq!(simulator.stats().submits_billed, 1);
    let body = &simulator.requests()[0].body;
    assert_eq!(
        std::str::from_utf8(body),
        Ok(r#"{"action":"generate","async":true,"prompt":"A lighthouse at dusk"}"#)
    );
}
