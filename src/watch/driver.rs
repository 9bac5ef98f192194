//! Who carries the plans out, and when somebody else has to.

use std::{sync::Arc, task::Waker};

use tokio::{sync::Notify, time::Instant};

use super::{aftermath::Aftermath, census::Site, kept::MAX_KEPT, state::State, window::Window};

/// The one that carries plans out.
#[derive(Clone)]
pub(crate) struct Driver {
    pub(crate) number: u64,
    site: Site,
    /// Rung when a plan has to be made sooner than the driver thinks.
    pub(crate) bell: Arc<Notify>,
}

impl State {
    /// A new driver for this runtime, where one is needed and there is none.
    pub(crate) fn hire(&mut self, site: Site) -> Option<Driver> {
        if self.driver.is_some() || self.active.is_empty() {
            return None;
        }
        self.count += 1;
        self.driver = Some(Driver {
            number: self.count,
            site,
            bell: Arc::default(),
        });
        self.driver.clone()
    }

    pub(super) fn driver_number(&self) -> Option<u64> {
        self.driver.as_ref().map(|driver| driver.number)
    }

    /// Lets the driver go where no waits are left on its runtime: after the last one nobody may
    /// run that any more. The waits on others, if there are any, are woken to hire a new one; where
    /// there are none it stays for what is under way, so that this counts for who comes next.
    pub(crate) fn relieve(&mut self, now: Instant) -> Aftermath {
        let mut aftermath = Aftermath::default();
        if let Some(driver) = &self.driver
            && !self.active.has(driver.site)
            && (!self.active.is_empty() || self.window.under_way() == 0)
        {
            aftermath.bell = Some(driver.bell.clone());
            let number = driver.number;
            aftermath.woken = self.abandon(number, now);
        }
        aftermath
    }

    /// The driver is gone, with what was under way, while waits are left. Returns whom to wake, so
    /// that one of them starts another.
    pub(crate) fn abandon(&mut self, driver: u64, now: Instant) -> Vec<Waker> {
        if self.driver_number() != Some(driver) {
            return Vec::new();
        }
        self.driver = None;
        self.window = Window::default();
        self.planned = None;
        self.entries.shrink_to(2 * MAX_KEPT);
        if self.active.is_empty() {
            return Vec::new();
        }
        let mut woken = Vec::new();
        let mut lost = Vec::new();
        for (id, entry) in &mut self.entries {
            let wakers = entry.waits.iter_mut().map(|(_, wait)| wait.waker.take());
            woken.extend(wakers.flatten());
            if entry.flight == Some(driver) {
                entry.flight = None;
                entry.set_since(now);
                lost.push(id.clone());
            }
        }
        for id in &lost {
            self.reschedule(id, now, 0.0);
        }
        woken
    }
}
