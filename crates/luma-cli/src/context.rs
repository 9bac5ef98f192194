//! What a command works with: the client, and the simulated service if it is used.

use std::{env, time::Duration};

use luma_client::{
    BASE_URL_VARIABLE, DEFAULT_BASE_URL, Luma, LumaBuilder, PollInterval, TOKEN_VARIABLE,
    http_types::Uri,
};
use luma_mcp::DailyLimit;
use luma_simulator::{JobDuration, Simulator, TaskScript};

use crate::{
    failure::{Failure, Kind, SERVICE},
    globals::Globals,
    output::Output,
};

pub struct Context<'a> {
    pub luma: Luma,
    pub output: &'a Output,
    /// How long a video usually takes.
    pub usual: Duration,
    /// The global options of a command that uses the same service.
    options: Vec<String>,
    /// The token was typed, so the next command needs it again.
    token_was_typed: bool,
    /// Runs as long as it is held.
    simulator: Option<Simulator>,
}

impl<'a> Context<'a> {
    /// What the guides of the service say a video takes.
    const USUAL: Duration = Duration::from_secs(120);

    /// Sets up the client, and with `--simulate` the simulated service.
    pub async fn open(globals: &Globals, output: &'a Output) -> Result<Self, Failure> {
        if globals.simulate {
            let (luma, simulator) = simulated().await?;
            return Ok(Self {
                luma,
                output,
                usual: SIMULATED,
                options: vec!["--simulate".to_owned()],
                token_was_typed: false,
                simulator: Some(simulator),
            });
        }
        let from_environment = || env::var(TOKEN_VARIABLE).ok();
        let given = globals.token.as_ref().map(|token| token.expose().to_owned());
        if let Some(token) = given.or_else(from_environment) {
            output.hide(&token);
        }
        let mut options = Vec::new();
        if let Some(url) = &globals.base_url {
            options.extend(["--base-url".to_owned(), url.clone()]);
        }
        options.extend(globals.allow_plain_http.then(|| "--allow-plain-http".to_owned()));
        Ok(Self {
            luma: client(globals)?.build()?,
            output,
            usual: Self::USUAL,
            options,
            token_was_typed: globals.token.is_some(),
            simulator: None,
        })
    }

    /// What to run next: a command line of this program, without the token, for the same service.
    pub fn next_step(&self, lead: &str, arguments: &[&str]) -> String {
        let options = self.options.iter().map(String::as_str);
        let words = std::iter::once("luma").chain(options).chain(arguments.iter().copied());
        let command = words.map(quoted).collect::<Vec<_>>().join(" ");
        match self.token_was_typed {
            true => format!("{lead}: {command}\nAdd the token: --token or {TOKEN_VARIABLE}."),
            false => format!("{lead}: {command}"),
        }
    }

    /// Whether the tasks end with this process.
    pub fn is_simulated(&self) -> bool {
        self.simulator.is_some()
    }
}

/// The client that the options ask for.
pub fn client(globals: &Globals) -> Result<LumaBuilder, Failure> {
    for variable in PROXY_VARIABLES {
        let value = env::var_os(variable).unwrap_or_default();
        if !value.to_str().is_some_and(is_proxy) {
            // The value may hold a password.
            let message =
                format!("the proxy of the environment variable {variable} cannot be used");
            return Err(Failure::new(Kind::Network, message).hint(
                "Use a URL such as http://proxy.example:3128 or socks5h://127.0.0.1:1080, or unset it.",
            ));
        }
    }
    let from_environment = env::var(BASE_URL_VARIABLE).ok().filter(|url| !url.trim().is_empty());
    let url = globals.base_url.clone().or(from_environment);
    let url = url.unwrap_or_else(|| DEFAULT_BASE_URL.to_owned());
    if let Some(service) = url.parse::<Uri>().ok().as_ref().and_then(origin) {
        let _ = SERVICE.set(service);
    }
    let mut builder = Luma::builder().allow_plain_http(globals.allow_plain_http);
    if let Some(token) = &globals.token {
        builder = builder.token(token.expose());
    }
    if let Some(url) = &globals.base_url {
        builder = builder.base_url(url);
    }
    Ok(builder)
}

fn origin(url: &Uri) -> Option<String> {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{}{port}", url.scheme()?, url.host()?))
}

/// The variables that the HTTP client reads.
pub const PROXY_VARIABLES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
const PROXY_SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// Whether the HTTP client uses this proxy as it is meant: it ignores or misreads other values
/// without a word. An empty value is no proxy.
fn is_proxy(value: &str) -> bool {
    let is_usable = |url: Uri| {
        let authority = url.authority().map_or("", |authority| authority.as_str());
        // Behind a user and an IPv6 address.
        let port = authority.rsplit(['@', ']']).next().unwrap_or_default();
        PROXY_SCHEMES.contains(&url.scheme_str().unwrap_or("http"))
            && url.host().is_some_and(|host| !host.is_empty())
            && (!port.contains(':') || url.port_u16().is_some())
            && url.path_and_query().is_none_or(|path| path.as_str() == "/")
    };
    value.is_empty() || (!value.contains('#') && value.parse().is_ok_and(is_usable))
}

const LIMIT_VARIABLE: &str = "LUMA_MAX_VIDEOS_PER_DAY";

/// The limit of videos a day that this user has set. Simulated videos have a count of their own.
pub fn daily_limit(given: Option<u32>, simulate: bool) -> Result<Option<DailyLimit>, Failure> {
    let most = match (given, env::var_os(LIMIT_VARIABLE)) {
        (Some(most), _) => most,
        (None, None) => return Ok(None),
        (None, Some(text)) => {
            let most = text.to_str().and_then(|text| text.trim().parse().ok());
            most.ok_or_else(|| {
                let hint = format!("Set {LIMIT_VARIABLE} to a number, such as 20, or unset it.");
                Failure::bad_input(format!("{text:?} is not a number of videos")).hint(hint)
            })?
        }
    };
    let file = DailyLimit::default_file().ok_or_else(|| {
        Failure::bad_input("there is no folder for the count of videos: set XDG_STATE_HOME")
    })?;
    let file = match simulate {
        true => file.with_file_name("simulated-videos-of-the-day"),
        false => file,
    };
    Ok(Some(DailyLimit::new(most, file)))
}

/// How long a simulated video takes.
const SIMULATED: Duration = Duration::from_secs(3);

/// A simulated service with three tasks, and its client. One task is completed, one has failed, one is
/// processing. Ids follow from the seed: `luma --simulate history` shows the tasks that the other
/// commands find.
pub async fn simulated() -> Result<(Luma, Simulator), Failure> {
    let builder = Simulator::builder().duration(JobDuration::Fixed(Duration::ZERO));
    let simulator = builder.start().await?;
    let luma = Luma::builder()
        // No word: a client removes its token from what the service says.
        .token("sim-4d1c7f0e9b2a")
        .base_url(simulator.url())
        .poll_interval(PollInterval::fixed(Duration::from_millis(200)))
        .build()?;
    luma.generate("A lighthouse at dusk, waves, slow zoom in").submit().await?;
    simulator.on_submit(TaskScript::fails("api_error", "the simulated failure"));
    luma.generate("A task that fails").submit().await?;
    simulator.set_duration(JobDuration::Fixed(SIMULATED));
    luma.generate("A fox in the snow, handheld camera").submit().await?;
    Ok((luma, simulator))
}

/// An argument as a shell takes it.
fn quoted(text: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match !text.is_empty() && text.chars().all(is_safe) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_that_would_be_ignored_is_refused() {
        for (value, expected) in [
            ("", true),
            ("http://127.0.0.1:3128", true),
            ("http://127.0.0.1:3128/", true),
            ("127.0.0.1:3128", true),
            ("proxy.example", true),
            ("https://user:p%40ss@proxy.example:443", true),
            ("socks5://127.0.0.1:1080", true),
            ("socks5h://[::1]:1080", true),
            ("socks4a://127.0.0.1", true),
            ("socks://127.0.0.1:1080", false),
            (" http://127.0.0.1:3128", false),
            ("http://127.0.0.1:3128 ", false),
            ("http://127.0.0.1:p#w@127.0.0.1:3128", false),
            ("http://", false),
            ("http://:3128", false),
            ("http://proxy.example:", false),
            ("http://proxy.example:port", false),
            ("http://proxy.example:99999", false),
            ("http://proxy.example/path", false),
            ("http://proxy.example?x", false),
            ("ftp://proxy.example", false),
            ("direct", true),
        ] {
            assert_eq!(is_proxy(value), expected, "{value:?}");
        }
    }

    #[test]
    fn argument_is_quoted_if_a_shell_would_read_it() {
        for (given, expected) in [
            ("b8976e18-32dc", "b8976e18-32dc"),
            ("http://127.0.0.1:80/x", "http://127.0.0.1:80/x"),
            ("my fox.mp4", "'my fox.mp4'"),
            ("$(x)", "'$(x)'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(given), expected);
        }
    }
}
