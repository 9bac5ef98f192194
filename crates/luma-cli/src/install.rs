//! `luma mcp install` and `luma mcp uninstall`: the MCP server in the configuration of a host.

use std::{
    env,
    io::{self, IsTerminal},
    path::PathBuf,
};

use jsonc_parser::json;
use luma_client::{Luma, TOKEN_VARIABLE};
use secrecy::ExposeSecret;
use serde_json::{Value, json as document};

use crate::{
    config_file::{ConfigFile, Format, diff, keep_lines, secrets, with_listed},
    context::{LIMIT_VARIABLE, Spending, daily_limit, quoted},
    error::{Error, Exit, Kind},
    globals::Globals,
    host::{Host, PROMPT, PROMPT_ID, Token, TokenSource, has_token, launcher, own_args},
    output::Output,
};

const LIMIT_OPTION: &str = "--max-videos-per-day";

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Add the server to the configuration of an MCP host
    #[command(after_help = "\
The change is shown, and written only if you agree. A backup stays beside the file. Comments
and other servers stay as they are. An existing server keeps its options, limits and token,
except the options that you give; a new one gets --max-videos 20. To start over, uninstall it
first. The API token is not written: the host asks for it, or takes it from
ACEDATACLOUD_API_TOKEN. If LUMA_MAX_VIDEOS_PER_DAY is set, and the server has no limit of the
day yet, it gets this limit.
With --simulate, the host gets a server without cost.

Examples:
  luma mcp install cursor --print
  luma mcp install vscode --max-videos 5 --max-videos-per-day 10
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

    #[command(flatten)]
    spending: Spending,

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
    #[arg(long, default_value = "luma", value_parser = server_name)]
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
    let mut lock = change.yes.then(|| ConfigFile::lock(&path));
    let advice = match change.file {
        Some(_) => "Correct --file, or create the folder first.".to_owned(),
        None => {
            format!("Is {} installed? Start it once, or name its file with --file.", host.title)
        }
    };
    let file = ConfigFile::read(&path).map_err(|failure| failure.next_step(&advice))?;
    let unreadable = |reason: String| {
        let message = format!("cannot read {}: {reason}", path.display());
        Error::new(Kind::File, message).next_step("Correct the file first; nothing is written.")
    };
    let document = match file.text.trim().is_empty() {
        true => Value::Null,
        false => host.format.read(&file.text).map_err(unreadable)?,
    };
    let mut hidden = secrets(&document);
    let old = document[host.section].get(name);
    let token = install.map(|install| token(globals, install)).transpose()?;
    if let Some(Token::Written(token)) = &token {
        hidden.push(token.clone());
    }
    let entry = match (install, &token) {
        (Some(install), Some(token)) => {
            let kept = old.map(|old| kept(globals, host, name, old)).transpose()?;
            let words = words(globals, install, kept.unwrap_or_default())?;
            let has_limit = words.iter().any(|word| is_option(word, LIMIT_OPTION));
            // It is checked as every command does.
            let limit = daily_limit(None, globals.simulate)?.filter(|_| !has_limit);
            let limit = limit.and_then(|_| env::var(LIMIT_VARIABLE).ok());
            let limit = limit.as_deref().map(str::trim);
            Some(host.entry(old.unwrap_or_default(), &words, token, limit))
        }
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
        let prompt = edited.contains(PROMPT).then_some(prompt);
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
            if !file.has_folder() {
                let message = format!("cannot write {}: its folder does not exist", path.display());
                return Err(Error::new(Kind::File, message).next_step(advice));
            }
            agree(output, change)?;
            lock.get_or_insert_with(|| ConfigFile::lock(&path));
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
    if is_same && entry.is_none() {
        let path = path.display();
        output.note(&format!("There is no server {name:?} in {path}: nothing to remove."));
    } else if is_same {
        output.note(&format!("{} is as it should be already.", path.display()));
    }
    if is_written {
        let backup = backup.map(|path| format!(" Backup: {}", path.display()));
        output.note(&format!("{} is written.{}", path.display(), backup.unwrap_or_default()));
    }
    if !is_same {
        let is_needed = matches!(token, Some(Token::FromHost)) && !old.is_some_and(has_token);
        output.note(&if is_needed { host.advice() } else { format!("Restart {}.", host.title) });
    }
    Ok(Exit::Done)
}

/// The arguments of an existing entry. They may limit what is spent.
fn kept(globals: &Globals, host: &Host, name: &str, old: &Value) -> Result<Vec<String>, Error> {
    let uninstall = format!("luma mcp uninstall {} --name {}", host.name, quoted(name));
    let args = own_args(old).ok_or_else(|| {
        let message = format!("{name:?} is another server: its command does not start luma");
        let hint = format!("Choose another name with --name, or remove it first: {uninstall}");
        Error::new(Kind::File, message).next_step(hint)
    })?;
    match args.iter().any(|word| word == "--simulate") && !globals.simulate {
        false => Ok(args),
        true => {
            let message = format!("{name:?} is simulated; a server without --simulate costs money");
            let hint = format!("Keep it so with luma --simulate, or remove it first: {uninstall}");
            Err(Error::bad_input(message).next_step(hint))
        }
    }
}

/// What the host starts: these arguments with the options that are given.
fn words(
    globals: &Globals,
    install: &Install,
    mut args: Vec<String>,
) -> Result<Vec<String>, Error> {
    let is_new = !args.iter().any(|word| word == "mcp");
    if is_new {
        args.push("mcp".to_owned());
    }
    let number = |number: u32| number.to_string();
    for (option, value) in [
        ("--base-url", globals.base_url.clone()),
        ("--max-videos", install.spending.max_videos.or(is_new.then_some(20)).map(number)),
        (LIMIT_OPTION, install.spending.max_videos_per_day.map(number)),
    ] {
        let Some(value) = value else { continue };
        let found = args.iter().position(|word| is_option(word, option));
        let start = found.unwrap_or(args.len());
        let end = match args.get(start) {
            Some(word) if word == option => start + 2,
            _ => start + 1,
        };
        args.splice(start..end.min(args.len()), [option.to_owned(), value]);
    }
    for (flag, is_given) in [
        ("--simulate", globals.simulate),
        ("--allow-plain-http", globals.allow_plain_http),
        ("--confirm", install.spending.confirm),
        ("--read-only", install.spending.read_only),
    ] {
        if is_given && !args.iter().any(|word| word == flag) {
            args.push(flag.to_owned());
        }
    }
    let mut words = launcher(&env::current_exe()?, cfg!(windows));
    words.append(&mut args);
    Ok(words)
}

fn server_name(text: &str) -> Result<String, &'static str> {
    match text.trim().is_empty() {
        true => Err("a server needs a name, such as luma"),
        false => Ok(text.to_owned()),
    }
}

/// `--option` or `--option=value`.
fn is_option(word: &str, option: &str) -> bool {
    word.split('=').next() == Some(option)
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
