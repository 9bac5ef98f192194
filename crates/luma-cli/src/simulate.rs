//! `luma simulate`: the simulated service on a port of this machine, with faults on demand.

use std::str::FromStr;

use luma_simulator::{Fault, JobDuration, Simulator, Target, TaskScript};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    error::{Error, Exit, Kind},
    globals::Globals,
    output::Output,
    signals::Signals,
    times,
};

/// What `--help` says of the words.
pub const GRAMMAR: &str = "\
Faults: TARGET:EFFECT[:COUNT]. COUNT is a number or `always`; 1 by default
  submit | lookup | media | any, with
    503           this HTTP status
    429=5         this HTTP status, with Retry-After in seconds
    html=502      a gateway's page with this HTTP status
    reset         the connection is reset; nothing was accepted
    lost          the request is processed (a submit is billed), but the response is lost
    silence       no response ever
    truncate      half of the response
    slow=2s       the response after a delay
  submit, with
    refused       moderation refuses the prompt; nothing is billed
  task, for an accepted video, with
    fail          the task fails
    no-video      the task ends without a video";

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
    faults: Vec<TypedFault>,

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
pub async fn run(output: &Output, globals: &Globals, args: Args) -> Result<Exit, Error> {
    let signals = Signals::listen();
    let builder = Simulator::builder().port(args.port).duration(args.duration).seed(args.seed);
    let mut builder = builder.record_requests(false);
    if let Some(token) = &globals.token {
        builder = builder.token(token.expose_secret());
    }
    let simulator = builder.start().await.map_err(|error| {
        Error::new(Kind::Network, format!("cannot listen on port {}: {error}", args.port))
    })?;
    for fault in args.faults {
        fault.apply(&simulator);
    }
    let url = simulator.url();
    output.result(&format!("{url}\n"), &json!({ "url": url }));
    let token = if globals.token.is_some() { "the given one" } else { "any" };
    output.note(&format!(
        "The simulated service runs until Ctrl-C; token: {token}. In another terminal:\n  \
         luma --base-url {url} --token ... generate \"A fox\""
    ));
    signals.first.cancelled().await;
    simulator.shutdown().await;
    let stats = simulator.stats();
    let (requests, videos) = (stats.requests(), stats.submits_accepted);
    output.note(&format!("requests: {requests}, faults: {}, videos: {videos}", stats.faults));
    Ok(Exit::Done)
}

/// A fault in a word, such as `submit:503:2`: what goes wrong, and how often.
#[derive(Clone, Debug)]
pub enum TypedFault {
    Request(Fault),
    Submit(TaskScript),
}

impl TypedFault {
    pub fn apply(self, simulator: &Simulator) {
        match self {
            Self::Request(fault) => simulator.inject(fault),
            Self::Submit(script) => simulator.on_submit(script),
        }
    }
}

impl FromStr for TypedFault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let (Some(target), Some(effect)) = (parts.next(), parts.next()) else {
            return Err("use TARGET:EFFECT[:COUNT], such as submit:503:2".to_owned());
        };
        let count = parts.next().unwrap_or("1");
        // `None` is always.
        let times = match count.parse::<usize>() {
            Ok(times) if times > 0 => Some(times),
            _ if count == "always" => None,
            _ => return Err(format!("{count:?} is not a count: use a number or `always`")),
        };
        let on = |target| Some(Self::Request(fault(effect)?.on(target)));
        let task = |script| Some(Self::Submit(script));
        let fault = match (target, effect) {
            ("submit", "refused") => {
                task(TaskScript::refused(403, "forbidden", "the prompt was refused by moderation"))
            }
            ("task", "fail") => task(TaskScript::fails("api_error", "the simulated failure")),
            ("task", "no-video") => task(TaskScript::completes_without_video()),
            ("task", _) => None,
            ("submit", _) => on(Target::Submit),
            ("lookup", _) => on(Target::Lookup),
            ("media", _) => on(Target::Media),
            ("any", _) => fault(effect).map(Self::Request),
            _ => {
                let targets = "submit, lookup, media, any or task";
                return Err(format!("{target:?} is not a target: use {targets}"));
            }
        };
        let fault = fault.ok_or_else(|| format!("{effect:?} is not an effect for {target}"))?;
        Ok(match (fault, times) {
            (Self::Request(fault), Some(times)) => Self::Request(fault.times(times)),
            (Self::Request(fault), None) => Self::Request(fault.always()),
            (Self::Submit(script), Some(times)) => Self::Submit(script.times(times)),
            (Self::Submit(script), None) => Self::Submit(script.always()),
        })
    }
}

fn fault(effect: &str) -> Option<Fault> {
    let status = |text: &str| text.parse().ok().filter(|status| (100..=599).contains(status));
    Some(match effect.split_once('=') {
        Some(("html", text)) => Fault::html(status(text)?),
        Some(("slow", time)) => Fault::slow(times::duration(time).ok()?),
        Some((text, seconds)) => {
            seconds.parse::<u32>().ok()?;
            Fault::retry_after(status(text)?, seconds)
        }
        None => match effect {
            "reset" => Fault::reset_before(),
            "lost" => Fault::reset_after(),
            "silence" => Fault::silence(),
            "truncate" => Fault::truncated(),
            text => Fault::status(status(text)?),
        },
    })
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

    #[test]
    fn fault_in_a_word_is_read() {
        for (text, expected) in [
            ("submit:503:2", Fault::status(503).on(Target::Submit).times(2)),
            ("lookup:429=5", Fault::retry_after(429, "5").on(Target::Lookup)),
            ("any:html=502:always", Fault::html(502).always()),
            ("submit:lost", Fault::reset_after().on(Target::Submit)),
            ("media:truncate", Fault::truncated().on(Target::Media)),
            ("lookup:slow=250ms", Fault::slow(Duration::from_millis(250)).on(Target::Lookup)),
        ] {
            let Ok(TypedFault::Request(got)) = text.parse() else { panic!("{text}") };
            assert_eq!(format!("{got:?}"), format!("{expected:?}"), "{text}");
        }
        for text in ["submit:refused", "task:fail:3", "task:no-video:always"] {
            assert!(matches!(text.parse(), Ok(TypedFault::Submit(_))), "{text}");
        }
    }

    #[test]
    fn word_that_is_no_fault_is_refused() {
        for text in [
            "",
            "submit",
            "submit:",
            "submit:503:",
            "submit:503:0",
            "submit:503:-1",
            "submit:503:2:3",
            "submit:99",
            "submit:600",
            "submit:999=5",
            "submit:429=",
            "submit:429=abc",
            "submit:429=-5",
            "submit:429=1.5",
            "submit:html=600",
            "submit:maybe",
            "submit:slow=0",
            "submit:slow",
            "moon:503",
            "task:503",
            "media:refused",
            "html=502",
        ] {
            assert!(text.parse::<TypedFault>().is_err(), "{text:?}");
        }
    }
}
