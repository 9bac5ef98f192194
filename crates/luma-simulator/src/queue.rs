//! Scripted events for coming requests, in order.

/// Entries with the number of requests that they still serve. `None` is no limit.
///
/// Limited entries are used up in order. The latest one without a limit serves the rest.
#[derive(Debug)]
pub(crate) struct Queue<T>(Vec<(Option<usize>, T)>);

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Queue<T> {
    pub(crate) fn push(&mut self, times: Option<usize>, entry: T) {
        if times != Some(0) {
            self.0.push((times, entry));
        }
    }

    /// The entry for a request. Uses up one of its times.
    pub(crate) fn take(&mut self, matches: impl Fn(&T) -> bool) -> Option<T> {
        let entries = &mut self.0;
        let limited = |(times, entry): &(Option<usize>, T)| times.is_some() && matches(entry);
        let index = (entries.iter().position(limited))
            .or_else(|| entries.iter().rposition(|(_, entry)| matches(entry)))?;
        match &mut entries[index].0 {
            Some(1) => return Some(entries.remove(index).1),
            Some(left) => *left -= 1,
            None => {}
        }
        Some(entries[index].1.clone())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limited_entries_are_taken_before_unlimited_ones() {
        let mut queue = Queue::default();
        queue.push(None, "standing");
        queue.push(Some(2), "twice");
        queue.push(Some(0), "never");
        queue.push(Some(1), "once");
        let mut next = || queue.take(|_| true);
        assert_eq!(next(), Some("twice"));
        assert_eq!(next(), Some("twice"));
        assert_eq!(next(), Some("once"));
        assert_eq!(next(), Some("standing"));
        assert_eq!(next(), Some("standing"));
        queue.push(None, "later");
        assert_eq!(queue.take(|_| true), Some("later"));
        queue.clear();
        assert_eq!(queue.take(|_| true), None);
    }

    #[test]
    fn entry_for_another_request_is_kept() {
        let mut queue = Queue::default();
        queue.push(Some(1), "a");
        queue.push(Some(1), "b");
        assert_eq!(queue.take(|entry| *entry == "b"), Some("b"));
        assert_eq!(queue.take(|entry| *entry == "b"), None);
        assert_eq!(queue.take(|_| true), Some("a"));
    }
}
