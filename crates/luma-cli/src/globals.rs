//! The options of every command.

use clap::{
    ArgAction, Args,
    builder::{StringValueParser, TypedValueParser},
};
use secrecy::SecretString;

/// The options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// API token. Other users of the machine can see a command line: prefer the environment
    /// variable ACEDATACLOUD_API_TOKEN
    #[arg(long, global = true, value_parser = secret())]
    pub token: Option<SecretString>,

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

/// Reads a token or key, which is never shown.
pub fn secret() -> impl TypedValueParser<Value = SecretString> {
    StringValueParser::new().map(SecretString::from)
}
