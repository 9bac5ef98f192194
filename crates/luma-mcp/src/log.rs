//! Keeps a noisy client from filling the log.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_secs(60);

/// Returns whether a line of this kind is due: one a minute in this process.
///
/// The server calls it for its own warnings. A program that shows the log can call it for those of rmcp,
/// which warns of each message.
pub fn is_due(kind: &'static str) -> bool {
    static LAST: LazyLock<Mutex<HashMap<&'static str, Instant>>> = LazyLock::new(Mutex::default);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let is_due = last.get(kind).is_none_or(|then| now.duration_since(*then) >= PAUSE);
    if is_due {
        last.insert(kind, now);
    }
    is_due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_of_the_same_kind_is_due_once() {
        assert!(is_due("a test"));
        assert!(!is_due("a test"));
        assert!(is_due("another test"));
    }
}
