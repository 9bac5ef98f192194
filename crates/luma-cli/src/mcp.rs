//! `luma mcp`: the tools as an MCP server, over standard input and output or HTTP.

use std::{
    env,
    io::{self, IsTerminal},
    net::SocketAddr,
    time::Duration,
};

use luma_client::{CancellationToken, ConfigError, TOKEN_VARIABLE};
use luma_mcp::{Access, HttpOptions, InvalidOptions, ServeError, Server};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    context::{Spending, client, daily_limit, simulated},
    error::{Error, Exit, Kind, with_cause},
    globals::{Globals, secret},
    install::Action,
    output::Output,
    signals::Signals,
};

const KEY_VARIABLE: &str = "LUMA_MCP_ACCESS_KEY";

/// Serve the tools to an MCP host, over standard input and output or HTTP
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  luma mcp install cursor
  luma mcp --max-videos 20
  luma --simulate mcp
  luma mcp --http 0.0.0.0:8000 --allow-host mcp.example.com --token-from-request
  LUMA_MCP_ACCESS_KEY=$(openssl rand -hex 32) luma mcp --http 127.0.0.1:8000
  claude mcp add luma --env ACEDATACLOUD_API_TOKEN=... -- luma mcp --max-videos 20"
)]
pub struct Args {
    #[command(subcommand)]
    pub action: Option<Action>,

    /// Serve over HTTP at this address, as http://ADDRESS/mcp, instead of standard input and output
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    http: Option<SocketAddr>,

    /// A host name by which clients reach the server; may be repeated. Required if other machines
    /// can reach it
    #[arg(long = "allow-host", value_name = "HOST", requires = "http")]
    hosts: Vec<String>,

    /// An origin, such as https://app.example.com, whose web pages may call; may be repeated
    #[arg(long = "allow-origin", value_name = "ORIGIN", requires = "http")]
    origins: Vec<String>,

    /// Each HTTP request brings an API token as its bearer, and is billed to it. This is not the
    /// OAuth of MCP: offer it over TLS only
    #[arg(long, requires = "http", conflicts_with = "access_key")]
    token_from_request: bool,

    /// What HTTP clients must bring as their bearer; not the API token. Other users of the machine
    /// can see a command line: prefer the environment variable LUMA_MCP_ACCESS_KEY
    #[arg(long, value_name = "KEY", requires = "http", value_parser = secret())]
    access_key: Option<SecretString>,

    #[command(flatten)]
    spending: Spending,

    /// Answer a call that waits for a video after this many seconds, at most 45: less than the host
    /// waits for a call. Default: 45 if the call asks for progress, else 4
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=45))]
    hold: Option<u64>,

    /// Leave resource_link blocks out of results: some hosts fail on them
    #[arg(long)]
    no_resource_links: bool,

    /// A host, besides those of Ace Data Cloud, from which the view of MCP Apps may load films, such as
    /// https://cdn.example.com; may be repeated
    #[arg(long = "media-host", value_name = "ORIGIN")]
    media_hosts: Vec<String>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    // A name can stand for several addresses; this one is the same everywhere.
    let numbers = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numbers.parse().map_err(|_| "use 127.0.0.1:8000, [::1]:8000 or localhost:8000".to_owned())
}

/// What the vendor's server reads, and this one does not.
const NOT_READ: [(&str, &str); 2] = [
    ("LUMA_DEFAULT_ASPECT_RATIO", "each call sets its aspect_ratio, or the service decides"),
    ("LUMA_REQUEST_TIMEOUT", "requests have the timeouts of the client"),
];

pub async fn run(output: &Output, globals: &Globals, args: Args) -> Result<Exit, Error> {
    let signals = Signals::listen();
    for (variable, reason) in NOT_READ {
        if env::var_os(variable).is_some() {
            output.note(&format!("{variable} is not read: {reason}."));
        }
    }
    // It runs as long as it is held.
    let (server, _simulator) = match globals.simulate {
        true => {
            let (luma, simulator) = simulated().await?;
            (Server::new(luma).media_host(simulator.url())?, Some(simulator))
        }
        false => (server(output, globals, &args)?, None),
    };
    let mut server = server
        .read_only(args.spending.read_only)
        .resource_links(!args.no_resource_links)
        .confirm(args.spending.confirm);
    for host in &args.media_hosts {
        server = server.media_host(host)?;
    }
    if let Some(seconds) = args.hold {
        server = server.hold(Duration::from_secs(seconds));
    }
    if let Some(videos) = args.spending.max_videos {
        server = server.max_videos(videos);
    }
    if let Some(limit) = daily_limit(args.spending.max_videos_per_day, globals.simulate)? {
        server = server.max_videos_per_day(limit);
    }
    tokio::select! {
        end = serve(output, server, &args, signals.first.clone()) => end,
        // A second signal does not wait for the calls in flight.
        () = signals.second.cancelled() => Ok(Exit::Interrupted),
    }
}

async fn serve(
    output: &Output,
    server: Server,
    args: &Args,
    stop: CancellationToken,
) -> Result<Exit, Error> {
    let Some(address) = args.http else {
        if io::stdin().is_terminal() {
            output.note("An MCP host should start this command; see luma mcp --help.");
        }
        server.serve_stdio(stop).await?;
        return Ok(Exit::Done);
    };
    let mut options = HttpOptions::new(address, access(args)?);
    for host in &args.hosts {
        options = options.allow_host(host);
    }
    for origin in &args.origins {
        options = options.allow_origin(origin);
    }
    let server = server.listen(options).await?;
    output.note(&format!("Serving MCP at {}", server.url()));
    server.run(stop).await;
    Ok(Exit::Done)
}

/// The server for the account of the token. It starts without a usable one, too: hosts list the tools before
/// the user has set it, and show no error of a server that ends.
fn server(output: &Output, globals: &Globals, args: &Args) -> Result<Server, Error> {
    use ConfigError::{BlankToken, MalformedToken, NoToken, PlaceholderToken};
    let given = globals.token.as_ref().map(|token| token.expose_secret().to_owned());
    let given = given.or_else(|| Some(env::var_os(TOKEN_VARIABLE)?.to_string_lossy().into_owned()));
    let is_quoted = given.is_some_and(|token| token.contains(['"', '\'', '`']));
    let reason = match client(globals)?.build() {
        _ if args.token_from_request => "the request has no API token".to_owned(),
        Ok(luma) if !is_quoted => return Ok(Server::new(luma)),
        Ok(_) => format!(
            "the host passed quotes along: write {TOKEN_VARIABLE} without quotes in its configuration"
        ),
        // The user of an HTTP server reads its errors.
        Err(error @ NoToken) if args.http.is_some() => return Err(error.into()),
        Err(error @ (NoToken | BlankToken | PlaceholderToken | MalformedToken)) => {
            error.to_string()
        }
        Err(error) => return Err(error.into()),
    };
    if !args.token_from_request {
        output.note(&format!(
            "There is no usable API token. Until there is one, no video can be made: {reason}."
        ));
    }
    let luma = client(globals)?.token("none").build()?;
    Ok(Server::without_token(luma, reason))
}

fn access(args: &Args) -> Result<Access, Error> {
    if args.token_from_request {
        return Ok(Access::TokenFromRequest);
    }
    let given = args.access_key.as_ref().map(|key| key.expose_secret().to_owned());
    match given.or_else(|| env::var(KEY_VARIABLE).ok()) {
        Some(key) => Ok(Access::Key(key.into())),
        None => Err(Error::bad_input("there is no access key for HTTP clients").next_step(format!(
            "Set {KEY_VARIABLE}, for example to the output of `openssl rand -hex 32`, or let each \
             request bring its own API token with --token-from-request."
        ))),
    }
}

impl From<InvalidOptions> for Error {
    fn from(error: InvalidOptions) -> Self {
        Self::new(Kind::BadInput, error.to_string())
    }
}

impl From<ServeError> for Error {
    fn from(error: ServeError) -> Self {
        let kind = match error {
            ServeError::Options(_) => Kind::BadInput,
            _ => Kind::Network,
        };
        Self::new(kind, with_cause(&error))
    }
}
