//! `luma simulate`: the simulated service on a port of this machine.

use std::str::FromStr;

use luma_client::simulator::{JobDuration, Simulator};
use serde_json::json;

use crate::{
    cli::Globals,
    failure::{Exit, Failure, Kind},
    fault::{GRAMMAR, Trouble},
    interrupt::Interrupts,
    output::Output,
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
  luma --base-url http://127.0.0.1:8080 --token any generate \"A fox\" --interval 1s"))]
pub struct Args {
    /// The TCP port on 127.0.0.1; 0 is any free one
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// How long a video takes: 5s, or 60s..180s for anything between
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = JobTime::from_str)]
    duration: JobTime,

    /// What goes wrong, in this order; may be given again. See below
    #[arg(long = "fault", value_name = "FAULT", value_parser = Trouble::from_str)]
    faults: Vec<Trouble>,

    /// Ids and drawn durations follow from it
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// How long a video takes, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq)]
struct JobTime(JobDuration);

impl FromStr for JobTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((min, max)) = text.split_once("..") else {
            return times::duration(text).map(|time| Self(JobDuration::Fixed(time)));
        };
        let (min, max) = (times::duration(min)?, times::duration(max)?);
        match min <= max {
            true => Ok(Self(JobDuration::Uniform { min, max })),
            false => Err("the shortest comes first".to_owned()),
        }
    }
}

/// A `--token` of the command line is the only one that is valid.
pub async fn run(output: &Output, globals: &Globals, args: Args) -> Result<Exit, Failure> {
    let interrupts = Interrupts::listen();
    let mut builder = Simulator::builder()
        .port(args.port)
        .duration(args.duration.0)
        .seed(args.seed)
        .record_requests(false);
    if let Some(token) = &globals.token {
        builder = builder.token(token.expose());
    }
    let simulator = builder.start().await.map_err(|error| {
        let message = format!("port {} cannot be had: {error}", args.port);
        Failure::new(Kind::Network, message)
    })?;
    for trouble in args.faults {
        trouble.strike(&simulator);
    }
    let url = simulator.url();
    match output.json() {
        true => output.document(&json!({ "url": url })),
        false => output.text(&format!("{url}\n")),
    }
    let token = match globals.token {
        Some(_) => "the one it was given",
        None => "any",
    };
    output.note(&format!(
        "The simulated service runs until Ctrl-C; token: {token}. In another terminal:\n  \
         luma --base-url {url} --token ... generate \"A fox\" --interval 1s"
    ));
    interrupts.first.cancelled().await;
    simulator.shutdown().await;
    let stats = simulator.stats();
    output.note(&format!(
        "{} requests, {} faults, {} videos accepted",
        stats.requests(),
        stats.faults,
        stats.submits_billed
    ));
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn durations() {
        let seconds = Duration::from_secs;
        for (text, expected) in [
            ("5s", Some(JobDuration::Fixed(seconds(5)))),
            (
                "1m..3m",
                Some(JobDuration::Uniform {
                    min: seconds(60),
                    max: seconds(180),
                }),
            ),
            ("3m..1m", None),
            ("0", None),
            ("..", None),
        ] {
            let got = text.parse::<JobTime>().ok().map(|time| time.0);
            assert_eq!(got, expected, "{text}");
        }
    }
}
