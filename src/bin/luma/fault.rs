//! What goes wrong at a `luma simulate`, in one word: `submit:503:2`.

use std::str::FromStr;

use luma_client::simulator::{Fault, Simulator, Target, TaskScript};

use crate::times;

/// What `--help` says of the words.
pub const GRAMMAR: &str = "\
Faults: TARGET:EFFECT[:COUNT], COUNT is a number or `always`; 1 by default
  submit | lookup | media | any, with
    503           that HTTP status
    429=5         that HTTP status, with Retry-After in seconds
    html=502      a gateway's page
    reset         the connection is reset, nothing was accepted
    lost          the request is done (a submit is billed), but the answer is lost
    silence       no answer ever
    truncate      half of the answer
    slow=2s       the answer, so much later
  submit, with
    refused       moderation refuses the prompt; nothing is billed
  task, for a video that is accepted, with
    fail          it fails
    no-video      it ends without a video";

/// Something that goes wrong, and how often.
#[derive(Clone, Debug)]
pub enum Trouble {
    Request(Fault),
    Submit(TaskScript),
}

impl Trouble {
    pub fn strike(self, simulator: &Simulator) {
        match self {
            Self::Request(fault) => simulator.inject(fault),
            Self::Submit(script) => simulator.on_submit(script),
        }
    }
}

impl FromStr for Trouble {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let (Some(target), Some(effect)) = (parts.next(), parts.next()) else {
            return Err("it is not TARGET:EFFECT[:COUNT], such as submit:503:2".to_owned());
        };
        let place = Place::read(target)?;
        let count = Count::read(parts.next())?;
        if let Some(script) = script(target, effect) {
            return Ok(Self::Submit(match count {
                Count::Times(times) => script.times(times),
                Count::Always => script.always(),
            }));
        }
        let fault = match place {
            Place::Any => fault(effect)?,
            Place::At(target) => fault(effect)?.on(target),
            Place::Task => return Err(format!("there is no effect {effect:?} for a task")),
        };
        Ok(Self::Request(match count {
            Count::Times(times) => fault.times(times),
            Count::Always => fault.always(),
        }))
    }
}

/// Where it goes wrong.
enum Place {
    Any,
    At(Target),
    Task,
}

impl Place {
    fn read(text: &str) -> Result<Self, String> {
        Ok(match text {
            "submit" => Self::At(Target::Submit),
            "lookup" => Self::At(Target::Lookup),
            "media" => Self::At(Target::Media),
            "any" => Self::Any,
            "task" => Self::Task,
            text => {
                return Err(format!(
                    "there is no target {text:?}: it is submit, lookup, media, any or task"
                ));
            }
        })
    }
}

enum Count {
    Times(usize),
    Always,
}

impl Count {
    fn read(text: Option<&str>) -> Result<Self, String> {
        match text {
            None => Ok(Self::Times(1)),
            Some("always") => Ok(Self::Always),
            Some(text) => match text.parse() {
                Ok(times) if times > 0 => Ok(Self::Times(times)),
                _ => Err(format!("{text:?} is no count, nor `always`")),
            },
        }
    }
}

fn script(target: &str, effect: &str) -> Option<TaskScript> {
    Some(match (target, effect) {
        ("submit", "refused") => {
            TaskScript::refused(403, "forbidden", "the prompt was refused by moderation")
        }
        ("task", "fail") => TaskScript::fails("api_error", "the simulated failure"),
        ("task", "no-video") => TaskScript::completes_without_video(),
        _ => return None,
    })
}

fn fault(effect: &str) -> Result<Fault, String> {
    let status = |text: &str| match text.parse::<u16>() {
        Ok(status @ 100..=599) => Ok(status),
        Ok(status) => Err(format!("{status} is no HTTP status: 100 to 599")),
        Err(_) => Err(format!("there is no effect {text:?}")),
    };
    Ok(match effect.split_once('=') {
        Some(("html", text)) => Fault::html(status(text)?),
        Some(("slow", time)) => Fault::slow(times::duration(time)?),
        Some((text, seconds)) => match seconds.parse::<u32>() {
            Ok(_) => Fault::retry_after(status(text)?, seconds),
            Err(_) => return Err(format!("{seconds:?} is no whole number of seconds")),
        },
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
    fn words() {
        for (text, expected) in [
            (
                "submit:503:2",
                Fault::status(503).on(Target::Submit).times(2),
            ),
            (
                "lookup:429=5",
                Fault::retry_after(429, "5").on(Target::Lookup),
            ),
            ("any:html=502:always", Fault::html(502).always()),
            ("submit:lost", Fault::reset_after().on(Target::Submit)),
            ("media:truncate", Fault::truncated().on(Target::Media)),
            (
                "lookup:slow=250ms",
                Fault::slow(Duration::from_millis(250)).on(Target::Lookup),
            ),
        ] {
            let Ok(Trouble::Request(got)) = text.parse() else {
                panic!("{text}");
            };
            assert_eq!(format!("{got:?}"), format!("{expected:?}"), "{text}");
        }
        for text in ["submit:refused", "task:fail:3", "task:no-video:always"] {
            assert!(matches!(text.parse(), Ok(Trouble::Submit(_))), "{text}");
        }
    }

    #[test]
    fn what_is_no_fault() {
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
            assert!(text.parse::<Trouble>().is_err(), "{text:?}");
        }
    }
}
