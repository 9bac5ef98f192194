#![doc = include_str!("../README.md")]

mod answer;
mod duration;
mod fault;
mod jobs;
mod journal;
mod media;
mod queue;
mod request;
mod script;
mod server;
mod service;
mod simulator;
mod store;

pub use self::{
    duration::JobDuration,
    fault::{Fault, Target},
    journal::{ReceivedRequest, Stats},
    script::TaskScript,
    service::NotFound,
    simulator::{Simulator, SimulatorBuilder},
};
