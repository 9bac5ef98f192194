//! What is scripted for coming requests: taken in order, each for so many times.

use std::collections::VecDeque;

/// How many requests an entry serves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Uses {
    Times(usize),
    Always,
}

/// Counted entries are used up in order; standing ones serve whatever the counted ones leave, the
/// latest first.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    counted: VecDeque<(usize, T)>,
    standing: Vec<T>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            counted: VecDeque::new(),
            standing: Vec::new(),
        }
    }
}

impl<T: Clone> Queue<T> {
    pub(crate) fn push(&mut self, uses: Uses, entry: T) {
        match uses {
            Uses::Times(0) => {}
            Uses::Times(times) => self.counted.push_back((times, entry)),
            Uses::Always => self.standing.push(entry),
        }
    }

    /// The entry for a request, one use of which is spent.
    pub(crate) fn take(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let Some(index) = self.counted.iter().position(|(_, entry)| fits(entry)) else {
            return self.standing.iter().rfind(|entry| fits(entry)).cloned();
        };
        let (left, entry) = self.counted.get_mut(index)?;
        *left -= 1;
        if *left > 0 {
            return Some(entry.clone());
        }
        self.counted.remove(index).map(|(_, entry)| entry)
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_entries_go_first_and_in_order_then_the_latest_standing_one() {
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
    fn an_entry_for_another_request_is_passed_over_and_kept() {
        let mut queue = Queue::default();
        queue.push(Uses::Times(1), "a");
        queue.push(Uses::Times(1), "b");
        assert_eq!(queue.take(|entry| *entry == "b"), Some("b"));
        assert_eq!(queue.take(|entry| *entry == "b"), None);
        assert_eq!(queue.take(|_| true), Some("a"));
    }
}
