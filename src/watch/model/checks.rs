//! What must hold: of each batch that goes out, of what is due, and of how waits end.

use std::{
    collections::BTreeSet,
    task::{Poll, Waker},
};

use super::{Ending, Model};
use crate::{
    TaskId,
    lookup::MAX_BATCH,
    watch::state::{End, Report},
};

/// How late a lookup may be: the slack of its interval, or of a first lookup.
fn slack(interval: u64) -> u64 {
    (interval / 10).clamp(5, 1_000)
}

impl Model {
    pub(super) fn check_batch(&mut self, driver: u64, ids: &[TaskId]) {
        assert!((1..=MAX_BATCH).contains(&ids.len()));
        assert!(self.now >= self.hold, "a Retry-After was not kept");
        let unique: BTreeSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len());
        for id in ids {
            let known = self.known.get_mut(id).expect("nobody ever waited for it");
            assert_eq!(known.flight, None, "{id} is under way already");
            let mut live = self
                .waits
                .iter()
                .filter(|wait| wait.id == *id && wait.expected.is_none())
                .peekable();
            assert!(live.peek().is_some(), "nobody waits for {id}");
            let is_due = known.again
                || live.any(|wait| {
                    let paced = known
                        .last
                        .is_none_or(|last| self.now >= last + wait.pause());
                    let edge = wait.edge.is_some_and(|edge| self.now >= edge);
                    paced || edge || wait.at_once
                });
            assert!(is_due, "{id} is looked up too soon");
            assert!(ids.len() <= known.share, "{id} is looked up with too many");
            known.again = false;
            (known.flight, known.last) = (Some(driver), Some(self.now));
        }
        for wait in &mut self.waits {
            // What was wanted at once was sent: the pace holds from here.
            wait.at_once &= !unique.contains(&wait.id);
        }
    }

    /// Nothing that is due is left lying.
    pub(super) fn check_due(&self) {
        let Some((driver, _)) = &self.driver else {
            assert!(self.waits.iter().all(|wait| wait.expected.is_some()));
            return;
        };
        if !self.state.window.has_room() || self.now < self.hold {
            return;
        }
        for wait in self.waits.iter().filter(|wait| wait.expected.is_none()) {
            let known = &self.known[&wait.id];
            if known.flight == Some(driver.number) {
                continue;
            }
            let last = known.last.map_or(wait.joined, |last| last.max(wait.joined));
            // Who joined later does not know that it is wanted again.
            let again = known.again && wait.joined < last;
            let due = last + if again { 0 } else { wait.pause() };
            let latest = match wait.edge {
                Some(edge) if due >= edge => (edge > last).then_some(edge),
                Some(edge) => Some(edge.min(due + slack(wait.pause()))),
                None => Some(due + slack(wait.pause())),
            };
            if let Some(latest) = latest {
                assert!(
                    self.now <= latest.max(self.hold),
                    "late at {}: {wait:?}",
                    self.now
                );
            }
        }
    }

    /// Each wait has ended as it must, or not.
    pub(super) fn check_ends(&mut self) {
        for wait in &self.waits {
            let site = self.sites[usize::from(wait.site)];
            let ending = loop {
                match self.state.poll(&wait.id, wait.key, site, Waker::noop()).0 {
                    Poll::Pending => break None,
                    Poll::Ready(Report::Update(_)) => {}
                    Poll::Ready(Report::End(End::Task(_))) => break Some(Ending::Task),
                    Poll::Ready(Report::End(End::NotFound)) => break Some(Ending::NotFound),
                    Poll::Ready(Report::End(End::Lookup(_))) => break Some(Ending::Lookup),
                }
            };
            assert_eq!(ending, wait.expected, "{wait:?}");
        }
        let aftermath = self.state.relieve(self.instant(self.now));
        self.follow(aftermath);
    }
}
