//! `-v`: what the client does, to standard error.

use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{filter::LevelFilter, filter::Targets, layer::SubscriberExt};

/// Starts logging. `-v` shows the client's own events, `-vv` also those of the HTTP libraries; at
/// their trace level they would show headers, so that is left out. What serves others tells of
/// trouble without being asked.
pub fn start(verbose: u8, serves: bool) {
    let (own, others) = match verbose {
        0 if serves => (LevelFilter::WARN, LevelFilter::OFF),
        0 => return,
        1 => (LevelFilter::TRACE, LevelFilter::WARN),
        _ => (LevelFilter::TRACE, LevelFilter::DEBUG),
    };
    let targets = Targets::new()
        .with_target("luma_client", own)
        .with_default(others);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    tracing_subscriber::registry()
        .with(lines)
        .with(targets)
        .init();
}
