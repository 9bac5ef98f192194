//! What a wait holds in memory, by the way it is asked for.

use std::{future::IntoFuture, time::Duration};

use futures::{FutureExt, StreamExt};
use luma_client::{CancellationToken, Luma, Pace, TaskId};
use tokio::{task::JoinSet, time::sleep};

use super::{ARRIVALS, FULL, Fast, HEAP, Load, Result, server::Server};

const COUNT: usize = 1_000;
const FACTOR: u32 = 20;

/// How the video is waited for.
#[derive(Clone, Copy)]
enum Kind {
    Plain,
    Token,
    OnUpdate,
    Updates,
    Watch,
}

/// Prints the bytes of a wait, where all tasks were looked up and none has ended.
pub async fn measure() -> Result<()> {
    println!("| {COUNT} waits | bytes/wait |\n|---|---|");
    for (name, kind) in [
        ("`task.wait()`", Kind::Plain),
        ("with `cancelled_by`", Kind::Token),
        ("with `on_update`", Kind::OnUpdate),
        ("`updates()`", Kind::Updates),
        ("`luma.watch(ids)`, one stream", Kind::Watch),
    ] {
        println!("| {name} | {} |", bytes(kind).await? / COUNT);
    }
    println!();
    Ok(())
}

async fn bytes(kind: Kind) -> Result<usize> {
    let mut server = Server::start(Load {
        count: COUNT,
        factor: FACTOR,
        latency: Duration::ZERO,
    })
    .await?;
    let luma = Luma::builder().token("any").base_url(&server.url).build()?;
    let _ = luma.task("warm-up".parse()?).get().await;
    let token = CancellationToken::new();
    let mut waits = JoinSet::new();
    let heap = HEAP.current_usage();
    server.tell("go").await?;
    let mut ids = Vec::new();
    for _ in 0..COUNT {
        let id: TaskId = server.line().await?.parse()?;
        match kind {
            Kind::Watch => ids.push(id),
            _ => spawn(&luma, id, kind, &token, &mut waits),
        }
    }
    if !ids.is_empty() {
        let watch = luma.watch(ids).pace(Pace::custom(Fast(FACTOR)));
        waits.spawn(watch.for_each(|_| async {}));
    }
    sleep((FULL - ARRIVALS) / FACTOR).await;
    Ok(settled().await.saturating_sub(heap))
}

/// What the heap holds while no answer is just being read: the least of some looks at it.
pub async fn settled() -> usize {
    let mut least = usize::MAX;
    for _ in 0..50 {
        sleep(Duration::from_millis(4)).await;
        least = least.min(HEAP.current_usage());
    }
    least
}

fn spawn(luma: &Luma, id: TaskId, kind: Kind, token: &CancellationToken, waits: &mut JoinSet<()>) {
    let wait = luma.task(id).wait().pace(Pace::custom(Fast(FACTOR)));
    let over = |_| ();
    match kind {
        Kind::Plain => waits.spawn(wait.into_future().map(over)),
        Kind::Token => waits.spawn(wait.cancelled_by(token.clone()).into_future().map(over)),
        Kind::OnUpdate => waits.spawn(wait.on_update(|_| ()).into_future().map(over)),
        Kind::Updates | Kind::Watch => waits.spawn(wait.updates().for_each(|_| async {})),
    };
}
