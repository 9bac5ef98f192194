//! What the server and the handles of a simulator share.

use std::{
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
};

use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::{
    select,
    sync::{Notify, OnceCell, mpsc::UnboundedSender},
    time::{Instant, sleep_until},
};

use crate::{
    error::Refused,
    fault::Fault,
    lookup::NotFound,
    media::Media,
    queue::Queue,
    script::TaskScript,
    stats::{Recorder, Stats},
    store::Store,
};

/// Work that ends with the server.
pub(crate) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) token: Option<SecretString>,
    pub(crate) store: Mutex<Store>,
    /// A task was completed or deleted by hand: whoever waits for one should look again.
    pub(crate) steered: Notify,
    pub(crate) scripts: Mutex<Queue<TaskScript>>,
    pub(crate) faults: Mutex<Queue<Fault>>,
    pub(crate) settings: Mutex<Settings>,
    pub(crate) media: Mutex<Media>,
    pub(crate) stats: Mutex<Stats>,
    pub(crate) recorder: Mutex<Recorder>,
    pub(crate) jobs: UnboundedSender<Job>,
    pub(crate) webhook_client: OnceCell<reqwest::Client>,
}

#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) not_found: NotFound,
    pub(crate) history_supported: bool,
}

/// A panic elsewhere leaves nothing half done here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Waits until a task has ended and gives its answer; `None` if there is no such task (any
    /// more).
    pub(crate) async fn ended(&self, id: &str) -> Option<Value> {
        loop {
            // Made before the look at the task, so that no change is missed.
            let steered = self.steered.notified();
            let ends_at = {
                let (store, now) = (lock(&self.store), Instant::now());
                let task = store.get(id)?;
                match task.ends_at() {
                    Some(at) if at <= now => return Some(store.answer(task, now)),
                    ends_at => ends_at,
                }
            };
            match ends_at {
                Some(at) => select! { () = sleep_until(at) => {}, () = steered => {} },
                None => steered.await,
            }
        }
    }

    pub(crate) fn spawn(&self, job: impl Future<Output = ()> + Send + 'static) {
        // Fails only when the server has ended, and its jobs with it.
        let _ = self.jobs.send(Box::pin(job));
    }

    pub(crate) fn authorize(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let header = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        match (header.and_then(bearer), &self.token) {
            (None | Some([]), _) => Err(unauthorized("no_token", "no bearer token was sent")),
            (Some(sent), Some(token)) if sent != token.expose_secret().as_bytes() => {
                Err(unauthorized("invalid_token", "the token is not valid"))
            }
            (Some(_), _) => Ok(()),
        }
    }
}

fn unauthorized(code: &str, message: &str) -> Refused {
    Refused::new(StatusCode::UNAUTHORIZED, code, message)
}

/// The token of an Authorization header; `None` if it is of another scheme.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_tokens() {
        let cases: [(&str, Option<&str>); 7] = [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Bearer ", Some("")),
            ("Bearer", None),
            ("Basic abc", None),
            ("abc", None),
            ("", None),
        ];
        for (header, token) in cases {
            assert_eq!(
                bearer(header.as_bytes()),
                token.map(str::as_bytes),
                "{header}"
            );
        }
    }
}
