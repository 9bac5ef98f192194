//! What a command works with: the client, and the simulated service where it asks one.

use std::time::Duration;

use luma_client::{Luma, LumaBuilder, Pace};

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
    /// What a command has to be given so that it asks the same service.
    base_url: Option<String>,
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
                base_url: None,
                simulated: Some(simulated),
            });
        }
        Ok(Self {
            luma: client(globals).build()?,
            output,
            pace: Pace::default(),
            usual: Self::USUAL,
            base_url: globals.base_url.clone(),
            simulated: None,
        })
    }

    /// A command line of this program that asks the same service. The token is not in it.
    pub fn command(&self, arguments: &[&str]) -> String {
        let mut line = "luma".to_owned();
        let base_url = self.base_url.as_deref();
        let options = match base_url {
            Some(url) => vec!["--base-url", url],
            None => Vec::new(),
        };
        for argument in options.iter().chain(arguments) {
            line.push(' ');
            line += &quoted(argument);
        }
        line
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
