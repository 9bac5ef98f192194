//! How many lookups may be under way at once.

/// To begin with.
pub(super) const FIRST_IN_FLIGHT: usize = 8;
/// At most: each may need a connection of its own. With 50 ids each, and answers that take 200 ms,
/// so many look up 32,000 tasks a second.
pub(crate) const MAX_IN_FLIGHT: usize = 128;

/// Grows while more is due than it lets through, as the service's answers take their time, and
/// halves where the service, or the way to it, has enough.
#[derive(Debug)]
pub(super) struct Window {
    size: usize,
    under_way: usize,
    /// Whether something is due that has no room.
    is_short: bool,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            size: FIRST_IN_FLIGHT,
            under_way: 0,
            is_short: false,
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

    /// Says whether something is due that cannot go out.
    pub(super) fn set_short(&mut self, is_short: bool) {
        self.is_short = is_short;
    }

    pub(super) fn send(&mut self) {
        self.under_way += 1;
    }

    /// One has landed, and was answered.
    pub(super) fn land(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        if self.is_short {
            self.size = (self.size + 1).min(MAX_IN_FLIGHT);
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
    fn it_grows_only_where_something_has_no_room() {
        let mut window = Window::default();
        for (is_short, sizes) in [(false, [8, 8, 8]), (true, [16, 32, 64])] {
            for size in sizes {
                fill(&mut window);
                window.set_short(is_short);
                (0..window.under_way()).for_each(|_| window.land());
                assert_eq!(fill(&mut window), size);
            }
        }
        (0..500).for_each(|_| window.land());
        assert_eq!(fill(&mut window), MAX_IN_FLIGHT);
    }

    #[test]
    fn it_halves_once_for_what_went_out_together() {
        let mut window = Window::default();
        window.set_short(true);
        for _ in 0..56 {
            window.land();
        }
        assert_eq!(fill(&mut window), 64);
        (0..20).for_each(|_| window.land_lost());
        assert_eq!((window.under_way(), window.has_room()), (44, false));
        (0..20).for_each(|_| window.land_lost());
        // The last few went out with fewer beside them.
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
