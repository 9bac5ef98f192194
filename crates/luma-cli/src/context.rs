//! What a command works with: the client, and the simulated service if it is used.

use std::{env, path::PathBuf, time::Duration};

use luma_client::{BASE_URL_VARIABLE, DEFAULT_BASE_URL, Luma, LumaBuilder, TOKEN_VARIABLE};
use luma_mcp::DailyLimit;
use luma_simulator::{JobDuration, Simulator, TaskScript};
use secrecy::ExposeSecret;

use crate::{
    error::{BASE_URL, Error},
    globals::Globals,
    output::Output,
    proxy,
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
    pub async fn open(globals: &Globals, output: &'a Output) -> Result<Self, Error> {
        let mut options = Vec::new();
        let (luma, simulator) = match globals.simulate {
            true => {
                options.push("--simulate".to_owned());
                let (luma, simulator) = simulated().await?;
                (luma, Some(simulator))
            }
            false => (client(globals)?.build()?, None),
        };
        output.hide_token_of(&luma);
        if let Some(url) = &globals.base_url {
            options.extend(["--base-url".to_owned(), url.clone()]);
        }
        options.extend(globals.allow_plain_http.then(|| "--allow-plain-http".to_owned()));
        Ok(Self {
            luma,
            output,
            usual: if simulator.is_some() { SIMULATED } else { Self::USUAL },
            options,
            token_was_typed: globals.token.is_some() && simulator.is_none(),
            simulator,
        })
    }

    /// What to run next: a command line of this program, without the token, for the same service.
    pub fn command_line(&self, lead: &str, arguments: &[&str]) -> String {
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
pub fn client(globals: &Globals) -> Result<LumaBuilder, Error> {
    let from_environment = env::var(BASE_URL_VARIABLE).ok().filter(|url| !url.trim().is_empty());
    let url = globals.base_url.clone().or(from_environment);
    let url = url.unwrap_or_else(|| DEFAULT_BASE_URL.to_owned());
    proxy::check(&url)?;
    let _ = BASE_URL.set(url);
    let mut builder = Luma::builder().allow_plain_http(globals.allow_plain_http);
    if let Some(token) = &globals.token {
        builder = builder.token(token.expose_secret());
    }
    if let Some(url) = &globals.base_url {
        builder = builder.base_url(url);
    }
    Ok(builder)
}

/// What bounds the spending of a server. The server and its installation take the same options.
#[derive(Debug, clap::Args)]
pub struct Spending {
    /// Refuse submits after this many videos, until the server is restarted
    #[arg(long, value_name = "N")]
    pub max_videos: Option<u32>,

    /// Refuse submits after this many videos in a day of UTC, by all servers and commands of this user.
    /// The environment variable LUMA_MAX_VIDEOS_PER_DAY sets it for generate and extend, too
    #[arg(long, value_name = "N")]
    pub max_videos_per_day: Option<u32>,

    /// Ask the user before each video, by MCP elicitation. Hosts that cannot ask make no videos
    #[arg(long)]
    pub confirm: bool,

    /// Offer only the lookup tools: nothing can be spent
    #[arg(long)]
    pub read_only: bool,
}

pub const LIMIT_VARIABLE: &str = "LUMA_MAX_VIDEOS_PER_DAY";

/// The limit of videos a day that this user has set. Simulated videos have a count of their own.
pub fn daily_limit(given: Option<u32>, simulate: bool) -> Result<Option<DailyLimit>, Error> {
    let most = match (given, env::var_os(LIMIT_VARIABLE)) {
        (Some(most), _) => most,
        (None, None) => return Ok(None),
        (None, Some(text)) => {
            let most = text.to_str().and_then(|text| text.trim().parse().ok());
            most.ok_or_else(|| {
                let hint = format!("Set {LIMIT_VARIABLE} to a number, such as 20, or unset it.");
                Error::bad_input(format!("{text:?} is not a number of videos")).next_step(hint)
            })?
        }
    };
    Ok(Some(DailyLimit::new(most, limit_file(simulate)?)))
}

/// The file in which the videos of the day are counted.
pub fn limit_file(simulate: bool) -> Result<PathBuf, Error> {
    let file = DailyLimit::default_file().ok_or_else(|| {
        Error::bad_input("there is no folder for the count of videos: set XDG_STATE_HOME")
    })?;
    Ok(match simulate {
        true => file.with_file_name("simulated-videos-of-the-day"),
        false => file,
    })
}

/// How long a simulated video takes.
const SIMULATED: Duration = Duration::from_secs(3);

/// A simulated service with three tasks, and its client. One task is completed, one has failed, one is
/// processing. Ids follow from the seed: `luma --simulate history` shows the tasks that the other
/// commands find.
pub async fn simulated() -> Result<(Luma, Simulator), Error> {
    let builder = Simulator::builder().duration(JobDuration::Fixed(Duration::ZERO));
    let simulator = builder.start().await?;
    // No word: a client removes its token from what the service says.
    let luma = Luma::builder().token("sim-4d1c7f0e9b2a").base_url(simulator.url()).build()?;
    luma.generate("A lighthouse at dusk, waves, slow zoom in").submit().await?;
    simulator.on_submit(TaskScript::fails("api_error", "the simulated failure"));
    luma.generate("A task that fails").submit().await?;
    simulator.set_duration(JobDuration::Fixed(SIMULATED));
    luma.generate("A fox in the snow, handheld camera").submit().await?;
    Ok((luma, simulator))
}

/// An argument as a shell takes it.
pub fn quoted(text: &str) -> String {
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
