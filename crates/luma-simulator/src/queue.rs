//! Scripted events for coming requests, in order.

/// How many requests an entry serves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Uses {
    Times(usize),
    Always,
}

/// Counted entries are used up in order. The latest standing entry serves the rest.
#[derive(Debug)]
pub(crate) struct Queue<T>(Vec<(Uses, T)>);

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Queue<T> {
    pub(crate) fn push(&mut self, uses: Uses, entry: T) {
        if uses != Uses::Times(0) {
            self.0.push((uses, entry));
        }
    }

    /// The entry for a request. Uses up one of its times.
    pub(crate) fn take(&mut self, matches: impl Fn(&T) -> bool) -> Option<T> {
        let entries = &mut self.0;
        let counted = |(uses, entry): &(Uses, T)| *uses != Uses::Always && matches(entry);
        let index = (entries.iter().position(counted))
            .or_else(|| entries.iter().rposition(|(_, entry)| matches(entry)))?;
        match &mut entries[index].0 {
            Uses::Times(1) => return Some(entries.remove(index).1),
            Uses::Times(left) => *left -= 1,
            Uses::Always => {}
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
    fn counted_entries_are_taken_before_standing_ones() {
        let mut queue = Queue::default();
        queue.push(Uses::Always, "standing");
        queue.push(Uses::Times(2), "twice");
        queue.push(Uses::Times(0), "never");
        queue.push(Uses::Times(1), "once");
        let mut next = || queue.take(|_| true);
        assert_eq!(next(), Some("twice"));
        assert_eq!(next(), Some("twice"));
        assert_eq!(next(), Some("once"));
        assert_eq!(next(), Some("standing"));
        assert_eq!(next(), Some("standing"));
        queue.push(Uses::Always, "later");
        assert_eq!(queue.take(|_| true), Some("later"));
        queue.clear();
        assert_eq!(queue.take(|_| true), None);
    }

    #[test]
    fn entry_for_another_request_is_kept() {
        let mut queue = Queue::default();
        queue.push(Uses::Times(1), "a");
        queue.push(Uses::Times(1), "b");
        assert_eq!(queue.take(|entry| *entry == "b"), Some("b"));
        assert_eq!(queue.take(|entry| *entry == "b"), None);
        assert_eq!(queue.take(|_| true), Some("a"));
    }
}
