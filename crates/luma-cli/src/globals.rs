//! The options of every command.

use std::{convert::Infallible, fmt};

use clap::{ArgAction, Args};

/// The options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// API token. Other users of the machine can see a command line: prefer the environment
    /// variable ACEDATACLOUD_API_TOKEN
    #[arg(long, global = true, value_parser = Secret::read)]
    pub token: Option<Secret>,

    /// Address of the service [env: ACEDATACLOUD_API_BASE_URL] [default: https://api.acedata.cloud]
    #[arg(long, global = true, value_name = "URL")]
    pub base_url: Option<String>,

    /// Allow a base URL with plain http on another machine: the network can then read the token
    #[arg(long, global = true)]
    pub allow_plain_http: bool,

    /// Run this command against a simulated service: no token, no network, no cost
    #[arg(long, global = true)]
    pub simulate: bool,

    /// Print one JSON document to standard output, and everything else to standard error
    #[arg(long, global = true)]
    pub json: bool,

    /// Log requests to standard error; -vv logs more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Print no colours; the environment variable NO_COLOR does the same
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// A token or key from the command line. It is never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn read(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
