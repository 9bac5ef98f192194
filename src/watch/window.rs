//! How many lookups may be under way at once.

use std::time::Duration;

use tokio::time::Instant;

/// To begin with.
pub(super) const FIRST_IN_FLIGHT: usize = 8;
/// At most: each may need a connection of its own. With 50 ids each, and answers that take 200 ms,
/// so many look up 32,000 tasks a second.
pub(crate) const MAX_IN_FLIGHT: usize = 128;

/// How long what is due waits for room where nothing lands: lookups that are never answered must
/// not hold all others up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Grows while more is due than it lets through, as the service's answers take their time, and
/// halves where the service, or the way to it, has enough.
#[derive(Debug)]
pub(super) struct Window {
    size: usize,
    under_way: usize,
    /// Since when something is due that has no room, and nothing has landed.
    short: Option<Instant>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            size: FIRST_IN_FLIGHT,
            under_way: 0,
            short: None,
        }
    }
}

impl Window {
    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }

    pub(super) fn has_room(&self) -> bool {
        self.under_way < self.size
    }

    /// Takes in whether something is due that has no room. Returns when there is room for one more
    /// if nothing lands before.
    pub(super) fn set_short(&mut self, is_short: bool, now: Instant) -> Option<Instant> {
        let since = self.short.filter(|_| is_short).unwrap_or(now);
        self.short = is_short.then_some(since);
        self.short.and_then(|since| since.checked_add(PATIENCE))
    }

    /// Makes room for one more where nothing has landed for too long.
    pub(super) fn relax(&mut self, now: Instant) {
        if let Some(since) = self.short
            && now.saturating_duration_since(since) >= PATIENCE
        {
            self.short = Some(now);
            self.size = (self.under_way.max(self.size) + 1).min(MAX_IN_FLIGHT);
        }
    }

    pub(super) fn send(&mut self) {
        self.under_way += 1;
    }

    /// One has landed, and was answered. Only batches make it grow: with lookups of single tasks
    /// something is wrong, and they are many.
    pub(super) fn land(&mut self, is_batch: bool, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Some(since) = &mut self.short {
            *since = now;
            if is_batch {
                self.size = (self.size + 1).min(MAX_IN_FLIGHT);
            }
        }
    }

    /// One has landed that the service could not take, or that got lost.
    pub(super) fn land_lost(&mut self) {
        // Those that went out when there was more room tell nothing about less.
        if self.under_way <= self.size {
            self.size = (self.size / 2).max(1);
        }
        self.under_way = self.under_way.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends whatever has room; returns how many are under way.
    fn fill(window: &mut Window) -> usize {
        while window.has_room() {
            window.send();
        }
        window.under_way()
    }

    #[test]
    fn it_grows_only_where_a_batch_has_no_room() {
        let (mut window, now) = (Window::default(), Instant::now());
        for (is_short, is_batch, sizes) in [
            (false, true, [8, 8, 8]),
            (true, false, [8, 8, 8]),
            (true, true, [16, 32, 64]),
        ] {
            for size in sizes {
                fill(&mut window);
                let _ = window.set_short(is_short, now);
                (0..window.under_way()).for_each(|_| window.land(is_batch, now));
                assert_eq!(fill(&mut window), size);
            }
        }
        (0..500).for_each(|_| window.land(true, now));
        assert_eq!(fill(&mut window), MAX_IN_FLIGHT);
    }

    #[test]
    fn where_nothing_lands_there_is_room_for_one_more_now_and_then() {
        let (mut window, begin) = (Window::default(), Instant::now());
        let after = |seconds| begin + Duration::from_secs(seconds);
        fill(&mut window);
        window.relax(after(60));
        assert!(!window.has_room(), "nothing is due");
        assert_eq!(window.set_short(true, after(60)), Some(after(62)));
        assert_eq!(window.set_short(true, after(61)), Some(after(62)));
        window.relax(after(61));
        assert!(!window.has_room());
        window.relax(after(62));
        assert_eq!(fill(&mut window), 9);
        assert_eq!(window.set_short(true, after(62)), Some(after(64)));
        window.land(false, after(63));
        assert_eq!(window.set_short(true, after(63)), Some(after(65)));
        window.relax(after(64));
        assert_eq!(fill(&mut window), 9);
    }

    #[test]
    fn it_halves_once_for_what_went_out_together() {
        let (mut window, now) = (Window::default(), Instant::now());
        let _ = window.set_short(true, now);
        for _ in 0..56 {
            window.land(true, now);
        }
        assert_eq!(fill(&mut window), 64);
        (0..20).for_each(|_| window.land_lost());
        assert_eq!((window.under_way(), window.has_room()), (44, false));
        (0..20).for_each(|_| window.land_lost());
        // The last few had no more beside them than fit in.
        assert_eq!(fill(&mut window), 24);
    }

    #[test]
    fn one_is_always_let_through() {
        let mut window = Window::default();
        for _ in 0..20 {
            fill(&mut window);
            window.land_lost();
        }
        (0..20).for_each(|_| window.land_lost());
        assert_eq!(fill(&mut window), 1);
    }
}
