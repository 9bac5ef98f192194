//! `-v`: what the client does, to standard error.

use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{filter::LevelFilter, filter::Targets, layer::SubscriberExt};

/// Starts logging. `-v` shows the client's own events, `-vv` also those of the HTTP libraries; at
/// their trace level they would show headers, so that is left out.
pub fn start(verbose: u8) {
    let others = match verbose {
        0 => return,
        1 => LevelFilter::WARN,
        _ => LevelFilter::DEBUG,
    };
    let targets = Targets::new()
        .with_target("luma_client", LevelFilter::TRACE)
        .with_default(others);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    tracing_subscriber::registry()
        .with(lines)
        .with(targets)
        .init();
}
