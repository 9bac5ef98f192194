//! `luma simulate`: the simulated service on a port of this machine.

use luma_simulator::{JobDuration, Simulator};
use serde_json::json;

use crate::{
    failure::{Exit, Failure, Kind, plural},
    fault::{GRAMMAR, Trouble},
    globals::Globals,
    output::Output,
    signals::Signals,
    times,
};

/// Run the simulated service on a port of this machine, until Ctrl-C
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
{GRAMMAR}

Examples:
  luma simulate --port 8080
  luma simulate --port 8080 --duration 60s..180s --token secret
  luma simulate --port 8080 --fault submit:429=2 --fault lookup:html=502:3 --fault task:fail
  luma --base-url http://127.0.0.1:8080 --token any generate \"A fox\""))]
pub struct Args {
    /// The TCP port on 127.0.0.1; 0 is any free port
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// How long a video takes: 5s, or 60s..180s for a random time
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = job_duration)]
    duration: JobDuration,

    /// What goes wrong, in this order; may be repeated. See below
    #[arg(long = "fault", value_name = "FAULT")]
    faults: Vec<Trouble>,

    /// Ids and random durations follow from this number
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn job_duration(text: &str) -> Result<JobDuration, String> {
    let Some((min, max)) = text.split_once("..") else {
        return times::duration(text).map(JobDuration::Fixed);
    };
    let (min, max) = (times::duration(min)?, times::duration(max)?);
    match min <= max {
        true => Ok(JobDuration::Uniform { min, max }),
        false => Err("put the shorter duration first".to_owned()),
    }
}

/// If the command line has a `--token`, only that one is valid.
pub async fn run(output: &Output, globals: &Globals, args: Args) -> Result<Exit, Failure> {
    let signals = Signals::listen();
    let builder = Simulator::builder().port(args.port).duration(args.duration).seed(args.seed);
    let mut builder = builder.record_requests(false);
    if let Some(token) = &globals.token {
        builder = builder.token(token.expose());
    }
    let simulator = builder.start().await.map_err(|error| {
        Failure::new(Kind::Network, format!("cannot listen on port {}: {error}", args.port))
    })?;
    for trouble in args.faults {
        trouble.apply(&simulator);
    }
    let url = simulator.url();
    match output.json() {
        true => output.document(&json!({ "url": url })),
        false => output.text(&format!("{url}\n")),
    }
    let token = if globals.token.is_some() { "the given one" } else { "any" };
    output.note(&format!(
        "The simulated service runs until Ctrl-C; token: {token}. In another terminal:\n  \
         luma --base-url {url} --token ... generate \"A fox\""
    ));
    signals.first.cancelled().await;
    simulator.shutdown().await;
    let stats = simulator.stats();
    output.note(&format!(
        "{}, {}, {} accepted",
        plural(stats.requests(), "request"),
        plural(stats.faults, "fault"),
        plural(stats.submits_accepted, "video")
    ));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn job_duration_is_one_or_a_range() {
        let seconds = Duration::from_secs;
        let range = JobDuration::Uniform { min: seconds(60), max: seconds(180) };
        for (text, expected) in [
            ("5s", Some(JobDuration::Fixed(seconds(5)))),
            ("1m..3m", Some(range)),
            ("3m..1m", None),
            ("0", None),
            ("..", None),
        ] {
            assert_eq!(job_duration(text).ok(), expected, "{text}");
        }
    }
}
