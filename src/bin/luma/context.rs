//! What a command works with: the client, and the simulated service where it asks one.

use std::time::Duration;

use luma_client::{Luma, LumaBuilder, Pace, TOKEN_VARIABLE};

use crate::{
    cli::Globals,
    failure::Failure,
    output::{Output, quoted},
    simulated::Simulated,
};

pub struct Context<'a> {
    pub luma: Luma,
    pub output: &'a Output,
    /// How often to look, unless the user says otherwise.
    pub pace: Pace,
    /// How long a video usually takes.
    pub usual: Duration,
    /// The options of a command that asks the same service.
    same_service: Vec<String>,
    /// The token was typed, and has to be again.
    token_was_typed: bool,
    /// Runs as long as it is held.
    simulated: Option<Simulated>,
}

impl<'a> Context<'a> {
    /// What the guides of the service say a video takes.
    const USUAL: Duration = Duration::from_secs(120);

    /// Sets up the client; with `--simulate` the simulated service, too.
    pub async fn open(globals: &Globals, output: &'a Output) -> Result<Self, Failure> {
        if globals.simulate {
            let simulated = Simulated::start().await?;
            return Ok(Self {
                luma: simulated.luma.clone(),
                output,
                pace: Pace::fixed(Simulated::PACE),
                usual: Simulated::USUAL,
                same_service: vec!["--simulate".to_owned()],
                token_was_typed: false,
                simulated: Some(simulated),
            });
        }
        let base_url = globals.base_url.iter();
        Ok(Self {
            luma: client(globals).build()?,
            output,
            pace: Pace::default(),
            usual: Self::USUAL,
            same_service: base_url
                .flat_map(|url| ["--base-url".to_owned(), url.clone()])
                .collect(),
            token_was_typed: globals.token.is_some(),
            simulated: None,
        })
    }

    /// What to run now: a command line of this program that asks the same service.
    pub fn next_step(&self, lead: &str, arguments: &[&str]) -> String {
        let step = format!("{lead}: {}", self.command(arguments));
        match self.token_was_typed {
            true => format!("{step}\nIt needs the token again: --token or {TOKEN_VARIABLE}."),
            false => step,
        }
    }

    /// The token is not in it.
    fn command(&self, arguments: &[&str]) -> String {
        let options = self.same_service.iter().map(String::as_str);
        let words = options.chain(arguments.iter().copied()).map(quoted);
        std::iter::once("luma".to_owned())
            .chain(words)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Whether the tasks end with this process.
    pub fn is_simulated(&self) -> bool {
        self.simulated.is_some()
    }
}

/// The client that the options ask for.
pub fn client(globals: &Globals) -> LumaBuilder {
    let mut builder = Luma::builder();
    if let Some(token) = &globals.token {
        builder = builder.token(token.expose());
    }
    if let Some(url) = &globals.base_url {
        builder = builder.base_url(url);
    }
    builder
}
