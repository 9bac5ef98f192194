//! Where the waits are polled.

use std::collections::HashMap;

use tokio::runtime::{Handle, Id};

/// A runtime; `None` is outside any.
pub(crate) type Site = Option<Id>;

/// The runtime that polls just now.
pub(crate) fn here() -> Site {
    Handle::try_current().ok().map(|handle| handle.id())
}

/// The waits that have not ended, by the runtime that polled them last.
#[derive(Default)]
pub(super) struct Census(HashMap<Site, usize>);

impl Census {
    pub(super) fn add(&mut self, site: Site) {
        *self.0.entry(site).or_default() += 1;
    }

    pub(super) fn remove(&mut self, site: Site) {
        if let Some(count) = self.0.get_mut(&site) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&site);
            }
        }
    }

    pub(super) fn has(&self, site: Site) -> bool {
        self.0.contains_key(&site)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.values().sum()
    }
}
