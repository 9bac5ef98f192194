//! The POST to `callback_url` when a task has ended.

use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::state::{State, lock};

/// Waits for the end of a task, then delivers. One attempt, as there is no promise of more.
pub(crate) async fn when_ended(state: Arc<State>, id: Arc<str>, url: Url) {
    let Some(answer) = state.ended(&id).await else {
        return;
    };
    let result = deliver(&state, url, &answer).await;
    let mut stats = lock(&state.stats);
    match result {
        Ok(()) => stats.webhooks_delivered += 1,
        Err(error) => {
            // The URL may hold a secret of the receiver.
            let error = error.without_url();
            tracing::debug!(task_id = &*id, %error, "webhook not delivered");
            stats.webhooks_failed += 1;
        }
    }
}

async fn deliver(state: &State, url: Url, answer: &Value) -> reqwest::Result<()> {
    // Made at the first webhook: a TLS configuration takes a while. No timers, so that paused time
    // does not run off while the receiver thinks; the simulator's end is the only timeout.
    let client = || async {
        reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .build()
    };
    let client = state.webhook_client.get_or_try_init(client).await?;
    client
        .post(url)
        .json(answer)
        .send()
        .await?
        .error_for_status()?;
    Ok(())
}
