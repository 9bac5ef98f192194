//! The poller under every wait of one client: what is due goes out together.
//!
//! [`state`] decides, as pure functions over values. [`actor`] is the thin shell that sleeps and sends.

mod actor;
mod early;
mod entry;
mod interval;
mod lookup;
mod queue;
mod state;
mod status;

pub use self::{interval::PollInterval, status::LookupFailure};
pub(crate) use self::{
    actor::{Membership, Poller},
    entry::Options,
    lookup::Lookup,
    status::{End, Status},
};
