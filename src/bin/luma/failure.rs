//! Why a command ended otherwise than well, and the exit code that says so.

use std::{io, process::ExitCode};

use luma_client::{ConfigError, Error, InvalidInput, WaitError};
use serde::Serialize;
use serde_json::{Value, json};

use crate::hint::{self, hint};

/// How the program ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exit {
    #[default]
    Done,
    TaskFailed,
    BadInput,
    Service,
    Deadline,
    Interrupted,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::TaskFailed => 1,
            Self::BadInput => 2,
            Self::Service => 3,
            Self::Deadline => 4,
            // As a shell has it for a program that SIGINT ended.
            Self::Interrupted => 130,
        }
    }

    /// The one that counts where several tasks ended differently.
    pub fn or_worse(self, other: Self) -> Self {
        let weight = |exit| match exit {
            Self::Done => 0,
            Self::TaskFailed => 1,
            Self::Deadline => 2,
            Self::Service => 3,
            Self::BadInput => 4,
            Self::Interrupted => 5,
        };
        std::cmp::max_by_key(self, other, |exit| weight(*exit))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// What kind of end it was; a word in the JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    BadInput,
    TaskFailed,
    NotFound,
    Api,
    Network,
    /// A submit that may have been accepted and billed.
    Unconfirmed,
    /// The file was not given as it should be.
    Download,
    /// The file cannot be written.
    File,
    Deadline,
    /// There is nothing to download yet.
    NotReady,
    Interrupted,
}

impl Kind {
    /// How a task that was followed ended, for a line of progress.
    pub fn end(self) -> &'static str {
        match self {
            Self::TaskFailed => "failed",
            Self::NotFound => "not found",
            Self::Deadline => "deadline",
            Self::Interrupted => "interrupted",
            Self::Download | Self::File => "not saved",
            Self::BadInput | Self::Api | Self::Network | Self::Unconfirmed | Self::NotReady => {
                "error"
            }
        }
    }

    /// Whether the same wait or download, said again, may have more luck.
    pub fn can_go_on(self) -> bool {
        !matches!(self, Self::TaskFailed | Self::NotFound)
    }

    pub fn exit(self) -> Exit {
        match self {
            Self::BadInput => Exit::BadInput,
            Self::TaskFailed => Exit::TaskFailed,
            Self::NotFound
            | Self::Api
            | Self::Network
            | Self::Unconfirmed
            | Self::Download
            | Self::File => Exit::Service,
            Self::Deadline | Self::NotReady => Exit::Deadline,
            Self::Interrupted => Exit::Interrupted,
        }
    }
}

/// Why a command, or one task of it, ended otherwise than well.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    pub kind: Kind,
    pub message: String,
    /// The service's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// What to do now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            code: None,
            http_status: None,
            trace_id: None,
            hint: None,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// One more thing to do, after what the hint says.
    pub fn also(self, more: &str) -> Self {
        let hint = match &self.hint {
            Some(hint) => format!("{hint}\n{more}"),
            None => more.to_owned(),
        };
        self.hint(hint)
    }

    /// The JSON document of a command that has nothing else to say.
    pub fn document(&self) -> Value {
        json!({ "error": self })
    }
}

/// The message with its root cause, where the message does not say it.
pub fn with_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let message = error.to_string();
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    let cause = root.to_string();
    match message.contains(&cause) {
        true => message,
        false => format!("{message}: {cause}"),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let kind = match error {
            Error::Config(_) | Error::InvalidInput(_) => Kind::BadInput,
            Error::NotFound { .. } => Kind::NotFound,
            Error::Transport(_) => Kind::Network,
            Error::Unconfirmed { .. } => Kind::Unconfirmed,
            _ => Kind::Api,
        };
        let message = match error {
            Error::Transport(_) | Error::Unconfirmed { .. } => with_cause(error),
            // The library's own words speak of its builder.
            Error::Config(ConfigError::NoToken) => "there is no API token".to_owned(),
            error => error.to_string(),
        };
        let api = error.api();
        Self {
            code: api.and_then(|api| Some(api.code.as_ref()?.to_string())),
            http_status: api.map(|api| api.status.as_u16()),
            trace_id: api.and_then(|api| api.trace_id.clone()),
            hint: hint(error),
            ..Self::new(kind, message)
        }
    }
}

impl From<InvalidInput> for Failure {
    fn from(error: InvalidInput) -> Self {
        Self::new(Kind::BadInput, error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(Kind::File, error.to_string())
    }
}

impl From<luma_client::Failure> for Failure {
    fn from(reason: luma_client::Failure) -> Self {
        Self {
            code: reason.code.as_ref().map(ToString::to_string),
            trace_id: reason.trace_id.clone(),
            ..Self::new(Kind::TaskFailed, reason.to_string())
        }
    }
}

impl From<&WaitError> for Failure {
    fn from(error: &WaitError) -> Self {
        match error {
            WaitError::Failed { reason, .. } => reason.clone().into(),
            WaitError::Poll { source, .. } => Self {
                message: with_cause(error),
                ..Self::from(&**source)
            },
            WaitError::Deadline { .. } => Self::new(Kind::Deadline, error.to_string()),
            WaitError::NotFound { .. } => {
                Self::new(Kind::NotFound, error.to_string()).hint(hint::NOT_FOUND)
            }
            WaitError::Cancelled { .. } => Self::new(Kind::Interrupted, error.to_string()),
            _ => Self::new(Kind::Api, error.to_string()),
        }
    }
}
