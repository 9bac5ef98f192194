//! The poller under every wait of one client: what is due goes out together.
//!
//! [`state`] decides, as pure functions over values. [`actor`] is the thin shell that sleeps and sends.

mod actor;
mod early;
mod interval;
mod queue;
mod state;
mod status;

pub(crate) use self::{
    actor::{Membership, Poller},
    state::{Options, SILENT_AFTER},
    status::{End, Status},
};
pub use self::{interval::PollInterval, status::LookupFailure};

#[cfg(test)]
pub(crate) use self::actor::Lookup;

#[cfg(test)]
mod tests;
