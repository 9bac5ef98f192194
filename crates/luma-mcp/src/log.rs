//! Keeps a noisy client from filling the log.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_secs(60);

/// Returns whether a line of this kind is due: one a minute in this process.
///
/// The server asks this for its own warnings. A program that shows the log can ask it for those of rmcp,
/// which warns of each message.
pub fn is_due(kind: &'static str) -> bool {
    due(kind).is_some()
}

/// If a line of this kind is due, how many of it were not written since the last one.
pub(crate) fn due(kind: &'static str) -> Option<u64> {
    type Last = HashMap<&'static str, (Instant, u64)>;
    static LAST: LazyLock<Mutex<Last>> = LazyLock::new(Mutex::default);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    if let Some((then, unwritten)) = last.get_mut(kind)
        && now.duration_since(*then) < PAUSE
    {
        *unwritten += 1;
        return None;
    }
    Some(last.insert(kind, (now, 0)).map_or(0, |(_, unwritten)| unwritten))
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
