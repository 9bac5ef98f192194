//! `luma mcp install` and `luma mcp uninstall`: the MCP server in the configuration of a host.

use std::{
    env,
    io::{self, IsTerminal},
    path::PathBuf,
};

use clap::builder::NonEmptyStringValueParser;
use jsonc_parser::json;
use luma_client::{Luma, TOKEN_VARIABLE};
use secrecy::ExposeSecret;
use serde_json::json as document;

use crate::{
    config_file::{ConfigFile, Format, diff, keep_lines, secrets, with_listed},
    error::{Error, Exit, Kind},
    globals::Globals,
    host::{Host, PROMPT_ID, Token, TokenSource, launcher},
    output::Output,
};

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Add the server to the configuration of an MCP host
    #[command(after_help = "\
The change is shown, and written only if you agree. A backup stays beside the file. Comments and other
servers stay as they are. The API token is not written: the host asks for it, or takes it from
ACEDATACLOUD_API_TOKEN. With --simulate, the host gets a server without cost.

Examples:
  luma mcp install cursor --print
  luma mcp install vscode --max-videos 5
  luma mcp install claude-desktop --with-token --yes
  luma --simulate mcp install claude-code")]
    Install(Install),
    /// Remove the server from the configuration of an MCP host
    #[command(after_help = "\
Examples:
  luma mcp uninstall cursor")]
    Uninstall(Change),
}

#[derive(Debug, clap::Args)]
pub struct Install {
    #[command(flatten)]
    change: Change,

    /// Refuse submits after this many videos, until the host restarts the server
    #[arg(long, value_name = "N", default_value_t = 20)]
    max_videos: u32,

    /// Offer only the lookup tools: nothing can be spent
    #[arg(long)]
    read_only: bool,

    /// Write the API token into the file
    #[arg(long)]
    with_token: bool,
}

#[derive(Debug, clap::Args)]
pub struct Change {
    /// The MCP host
    #[arg(value_name = "HOST", value_parser = Host::parser())]
    host: &'static Host,

    /// The name of the server in the host
    #[arg(long, default_value = "luma", value_parser = NonEmptyStringValueParser::new())]
    name: String,

    /// Another configuration file of the host, such as that of a project
    #[arg(long)]
    file: Option<PathBuf>,

    /// Show the change, and write nothing
    #[arg(long, conflicts_with = "yes")]
    print: bool,

    /// Write without a question
    #[arg(long)]
    yes: bool,
}

pub fn run(output: &Output, globals: &Globals, action: &Action) -> Result<Exit, Error> {
    let (change, install) = match action {
        Action::Install(install) => (&install.change, Some(install)),
        Action::Uninstall(change) => (change, None),
    };
    let Change { host, name, .. } = change;
    let path = change.file.clone().or_else(|| host.file());
    let path = path.ok_or_else(|| {
        Error::bad_input("there is no home folder").next_step("Name the host's file with --file.")
    })?;
    let file = ConfigFile::read(&path).map_err(|failure| {
        failure.next_step(format!(
            "Is {} installed? Start it once, or name its file with --file.",
            host.title
        ))
    })?;
    let unreadable = |reason: String| {
        let message = format!("cannot read {}: {reason}", path.display());
        Error::new(Kind::File, message).next_step("Correct the file first; nothing is written.")
    };
    let mut hidden = match file.text.trim().is_empty() {
        true => Vec::new(),
        false => secrets(&host.format.read(&file.text).map_err(unreadable)?),
    };
    let token = install.map(|install| token(globals, install)).transpose()?;
    if let Some(Token::Written(token)) = &token {
        hidden.push(token.clone());
    }
    let entry = match (install, &token) {
        (Some(install), Some(token)) => Some(host.entry(&words(globals, install)?, token)),
        _ => None,
    };
    // The editors write only this newline.
    let text = file.text.replace("\r\n", "\n");
    let edited = host.format.with(&text, host.section, name, entry.as_ref());
    let mut edited = edited.map_err(unreadable)?;
    if let (TokenSource::Prompt, Format::Json) = (&host.token, host.format) {
        let prompt = json!({
            "type": "promptString",
            "id": PROMPT_ID,
            "description": "API token of Ace Data Cloud",
            "password": true,
        });
        let prompt = matches!(token, Some(Token::FromHost)).then_some(prompt);
        edited = with_listed(&edited, "inputs", PROMPT_ID, prompt).map_err(unreadable)?;
    }
    let edited = match file.exists() {
        true => keep_lines(&file.text, &edited),
        false => edited + "\n",
    };
    let is_same = edited == file.text || (entry.is_none() && !file.exists());
    let changes = if is_same { String::new() } else { diff(&path, &file.text, &edited, &hidden) };
    if !output.json() {
        output.text(&changes);
    }
    let backup = match is_same || change.print {
        true => None,
        false => {
            agree(output, change)?;
            file.replace(&edited)?
        }
    };
    let is_written = !is_same && !change.print;
    if output.json() {
        output.document(&document!({
            "host": host.name,
            "file": path.to_string_lossy(),
            "diff": changes,
            "is_written": is_written,
            "backup": backup.as_ref().map(|path| path.to_string_lossy()),
        }));
    }
    if is_same {
        output.note(&format!("{} is as it should be already.", path.display()));
    }
    if is_written {
        let backup = backup.map(|path| format!(" Backup: {}", path.display()));
        output.note(&format!("{} is written.{}", path.display(), backup.unwrap_or_default()));
    }
    if !is_same {
        let is_needed = matches!(token, Some(Token::FromHost));
        output.note(&if is_needed { host.advice() } else { format!("Restart {}.", host.title) });
    }
    Ok(Exit::Done)
}

/// What the host starts.
fn words(globals: &Globals, install: &Install) -> Result<Vec<String>, Error> {
    let mut words = launcher(&env::current_exe()?, cfg!(windows));
    let mut add = |more: &[&str]| words.extend(more.iter().map(|&word| word.to_owned()));
    if globals.simulate {
        add(&["--simulate"]);
    }
    if let Some(url) = &globals.base_url {
        add(&["--base-url", url]);
    }
    if globals.allow_plain_http {
        add(&["--allow-plain-http"]);
    }
    add(&["mcp", "--max-videos", &install.max_videos.to_string()]);
    if install.read_only {
        add(&["--read-only"]);
    }
    Ok(words)
}

fn token(globals: &Globals, install: &Install) -> Result<Token, Error> {
    if globals.simulate {
        return Ok(Token::NotNeeded);
    }
    let given = globals.token.as_ref().map(|token| token.expose_secret().to_owned());
    if !install.with_token {
        return match given {
            Some(_) => Err(Error::bad_input("--token is not written without --with-token")),
            None => Ok(Token::FromHost),
        };
    }
    let token = given.or_else(|| env::var(TOKEN_VARIABLE).ok()).unwrap_or_default();
    // The client knows what a token looks like.
    Luma::builder().token(&token).build()?;
    Ok(Token::Written(token.trim().to_owned()))
}

fn agree(output: &Output, change: &Change) -> Result<(), Error> {
    if change.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Error::bad_input("nothing is written without your consent")
            .next_step("Add --yes to write the change, or --print to only see it."));
    }
    output.note("Write this change? [y/N]");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::new(Kind::Interrupted, "nothing was written")),
    }
}
