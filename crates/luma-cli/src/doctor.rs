//! `luma doctor`: what keeps this program from working, and what to do. It never makes a video.

use std::{
    env,
    io::{BufRead, BufReader, ErrorKind, Write},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use jiff::{Timestamp, fmt::rfc2822};
use luma_client::{Luma, RequestError, TOKEN_VARIABLE, TaskId};
use luma_mcp::{DailyLimit, DailyLimitError};
use serde_json::{Value, json};

use crate::{
    config_file::ConfigFile,
    context::{client, daily_limit, limit_file, quoted, simulated},
    error::{BASE_URL, Error, Exit, Kind, with_cause},
    globals::Globals,
    host::{HOSTS, Host, TokenSource, has_token, own_args},
    output::{Output, plain},
    proxy,
};

/// How long a request or a server may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// A lost submit is found by its time.
const MAX_CLOCK_DIFFERENCE: i64 = 60;

/// Check the token, the network and the MCP hosts, and say what to do. Nothing is billed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The servers that MCP hosts start as luma are started and asked for their names.
With --json: {\"checks\": [{\"name\": .., \"is_ok\": .., \"detail\": .., \"next_step\": ..}]}.
The exit code is 0 if everything is in order, 2 if a setting is wrong, else 3.

Examples:
  luma doctor
  luma --simulate doctor
  luma --json doctor | jq -r '.checks[] | select(.is_ok | not) | .next_step'")]
pub struct Args {}

type Finding = Result<String, Error>;

pub async fn run(output: &Output, globals: &Globals) -> Result<Exit, Error> {
    let mut checks = vec![("program".to_owned(), program())];
    let mut add = |name: &str, finding: Finding| checks.push((name.to_owned(), finding));
    let (luma, url, _simulator) = match globals.simulate {
        true => {
            let (luma, simulator) = simulated().await?;
            add("token", Ok("not needed: the service is simulated".to_owned()));
            (Some(luma), Some(simulator.url().to_owned()), Some(simulator))
        }
        false => {
            let settings = client(globals).and_then(|client| Ok(client.token("none").build()?));
            let url = settings.as_ref().ok().and(BASE_URL.get().cloned());
            let token = settings.as_ref().ok().map(|_| token(output, globals));
            add("settings", settings.map(|_| settings_in_use()));
            let luma =
                token.as_ref().and_then(|token| token.as_ref().ok()).map(|(_, luma)| luma.clone());
            token.into_iter().for_each(|token| add("token", token.map(|(source, _)| source)));
            (luma, url, None)
        }
    };
    if let Some(url) = url {
        let response = reach(&url, globals.simulate).await;
        let is_reached = response.is_ok();
        if let Ok(Some(date)) = &response {
            add("clock", clock(date, Timestamp::now()));
        }
        add("network", response.map(|_| format!("{url} answers")));
        if let Some(luma) = luma.filter(|_| is_reached) {
            add("account", account(&luma).await);
        }
    }
    add("state", state(globals.simulate).await);
    for host in &HOSTS {
        checks
            .extend(servers(host).await.into_iter().map(|finding| (host.name.to_owned(), finding)));
    }
    Ok(report(output, &checks))
}

fn report(output: &Output, checks: &[(String, Finding)]) -> Exit {
    let mut documents = Vec::new();
    let mut exit = Exit::Done;
    for (name, finding) in checks {
        let (mark, detail, next_step) = match finding {
            Ok(detail) => ("ok", detail, None),
            Err(error) => ("WRONG", &error.message, error.next_step.as_deref()),
        };
        exit = exit.max(finding.as_ref().err().map_or(Exit::Done, |error| error.kind.exit()));
        if output.json() {
            documents.push(json!({
                "name": name, "is_ok": finding.is_ok(), "detail": detail, "next_step": next_step,
            }));
            continue;
        }
        let lines = next_step.unwrap_or_default().lines();
        let advice: String = lines.map(|line| format!("{:21} {}\n", "", plain(line))).collect();
        output.text(&format!("{mark:6} {name:14} {}\n{advice}", plain(detail)));
    }
    if output.json() {
        output.document(&json!({ "checks": documents }));
    }
    exit
}

fn program() -> Finding {
    Ok(format!("luma {} at {}", env!("CARGO_PKG_VERSION"), env::current_exe()?.display()))
}

fn settings_in_use() -> String {
    let service = BASE_URL.get().map_or("", String::as_str);
    match proxy::of(service) {
        None => format!("service {service}, no proxy"),
        Some((proxy, variable)) => format!("service {service}, proxy {proxy} from {variable}"),
    }
}

/// Where the token comes from. Only its shape is checked.
fn token(output: &Output, globals: &Globals) -> Result<(String, Luma), Error> {
    let luma = client(globals)?.build()?;
    output.hide_token_of(&luma);
    let source = if globals.token.is_some() { "--token" } else { TOKEN_VARIABLE };
    Ok((format!("set by {source}"), luma))
}

/// The `Date` of a response without a token.
async fn reach(url: &str, is_here: bool) -> Result<Option<String>, Error> {
    let fail = |error: reqwest::Error| {
        let (is_connect, cause) = (error.is_connect(), with_cause(&error.without_url()));
        let of_proxy = Error::of_proxy(url, &cause).filter(|_| is_connect);
        of_proxy.unwrap_or_else(|| {
            let message = format!("{url} cannot be reached: {cause}");
            Error::new(Kind::Network, message)
                .next_step("Check the network, and the certificates of this machine.")
        })
    };
    let client = reqwest::Client::builder().timeout(PATIENCE);
    let client = if is_here { client.no_proxy() } else { client }.build().map_err(fail)?;
    let response = client.get(url).send().await.map_err(fail)?;
    let date = response.headers().get("date");
    Ok(date.and_then(|date| Some(date.to_str().ok()?.to_owned())))
}

fn clock(date: &str, now: Timestamp) -> Finding {
    let theirs = rfc2822::DateTimeParser::new().parse_timestamp(date);
    let Ok(theirs) = theirs else {
        return Ok("the service does not tell its time".to_owned());
    };
    let difference = now.as_second() - theirs.as_second();
    match difference.abs() > MAX_CLOCK_DIFFERENCE {
        true => {
            Err(Error::new(Kind::Network, format!("differs from the service by {difference} s"))
                .next_step("Set the clock of this machine: a lost submit is found by its time."))
        }
        false => Ok(format!("differs from the service by {difference} s")),
    }
}

/// A lookup of a task that does not exist is free, and needs a valid token.
async fn account(luma: &Luma) -> Finding {
    let id: TaskId = "00000000-0000-0000-0000-000000000000".parse().expect("an id");
    match tokio::time::timeout(PATIENCE, luma.task(id).get()).await {
        Ok(Ok(_) | Err(RequestError::NotFound { .. })) => {
            Ok("the service accepts the token for lookups".to_owned())
        }
        Ok(Err(error)) => Err(error.into()),
        Err(_) => {
            let message = format!("no response to a lookup in {} s", PATIENCE.as_secs());
            Err(Error::new(Kind::Network, message).next_step("Try again later."))
        }
    }
}

/// The limit of the day, and the file in which its videos are counted.
async fn state(simulate: bool) -> Finding {
    daily_limit(None, simulate)?;
    let file =
        limit_file(simulate).map_err(|failure| failure.next_step("Set HOME or XDG_STATE_HOME."))?;
    // Without places, a limit only reads the count.
    if file.symlink_metadata().is_ok()
        && let Err(error @ DailyLimitError::Uncounted { .. }) =
            DailyLimit::new(0, &file).take().await
    {
        let hint =
            "Correct or delete this file: until then, a limit of the day refuses each video.";
        return Err(Error::new(Kind::File, error.to_string()).next_step(hint));
    }
    let folder = file.parent().unwrap_or(&file);
    match tempfile::tempfile_in(folder) {
        Ok(_) => Ok(format!("{} can be written", folder.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(format!("{} is created when it is needed", folder.display()))
        }
        Err(error) => {
            Err(Error::new(Kind::File, format!("cannot write in {}: {error}", folder.display()))
                .next_step("Correct the permissions of this folder."))
        }
    }
}

/// The servers of ours in a host's document, by their names, and how they are started.
fn ours<'a>(document: &'a Value, section: &str) -> Vec<(&'a str, Command, &'a Value)> {
    let entries = document[section].as_object().into_iter().flatten();
    let servers = entries.filter_map(|(name, entry)| {
        let program = entry["command"].as_str()?;
        let args = entry["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let is_ours = name == "luma" || own_args(entry).is_some();
        let mut command = Command::new(program);
        command.args(args);
        for (name, value) in entry["env"].as_object().into_iter().flatten() {
            // The host knows what a reference stands for.
            if let Some(value) = value.as_str().filter(|value| !value.starts_with('$')) {
                command.env(name, value);
            }
        }
        is_ours.then_some((name.as_str(), command, entry))
    });
    servers.collect()
}

async fn servers(host: &Host) -> Vec<Finding> {
    let Some(path) = host.file().filter(|path| path.is_file()) else {
        return Vec::new();
    };
    let install = format!("luma mcp install {}", host.name);
    let broken = |reason: String| {
        let message = format!("cannot read {}: {reason}", path.display());
        let hint = format!("Correct the file: {} cannot read it either.", host.title);
        Error::new(Kind::File, message).next_step(hint)
    };
    let document = ConfigFile::read(&path);
    let document = match document.and_then(|file| host.format.read(&file.text).map_err(broken)) {
        Ok(document) => document,
        Err(failure) => return vec![Err(failure)],
    };
    let servers = ours(&document, host.section);
    if servers.is_empty() {
        return vec![Ok(format!("not used here; to use it: {install}"))];
    }
    let mut findings = Vec::new();
    for (name, mut command, entry) in servers {
        let is_simulated = command.get_args().any(|word| word == "--simulate");
        let luma = if is_simulated { "luma --simulate" } else { "luma" };
        let install = format!("{luma} mcp install {} --name {}", host.name, quoted(name));
        let answer = tokio::task::spawn_blocking(move || server_name(&mut command)).await;
        let answer = answer.unwrap_or_else(|error| Err(error.to_string()));
        let wrong = |reason: &str| format!("{name:?} of {}: {reason}", path.display());
        findings.push(match (answer, &host.token) {
            (Err(reason), _) => Err(Error::new(Kind::File, wrong(&reason)).next_step(format!(
                "Write it again: {install}
If that does not help, correct its args and env by hand."
            ))),
            (Ok(_), TokenSource::None | TokenSource::Forward)
                if !is_simulated && !has_token(entry) =>
            {
                let option = match host.token {
                    TokenSource::None => " --with-token",
                    _ => "",
                };
                let reason = format!("no API token, and {} passes none on", host.title);
                Err(Error::bad_input(wrong(&reason))
                    .next_step(format!("Add the token: {install}{option}")))
            }
            (Ok(answer), _) => Ok(answer),
        });
    }
    findings
}

/// Starts a server as its host does, and asks for its name.
fn server_name(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = pipes.spawn().map_err(|error| format!("cannot start {program}: {error}"))?;
    let line = initialize(&mut child);
    let _ = child.kill();
    let _ = child.wait();
    let answer: Value = serde_json::from_str(&line).unwrap_or_default();
    let info = &answer["result"]["serverInfo"];
    match (info["name"].as_str(), info["version"].as_str()) {
        (Some(name), Some(version)) => Ok(format!("{program} starts {name} {version}")),
        _ => Err(format!("{program} does not answer as an MCP server")),
    }
}

/// The response to the first request of a host.
fn initialize(child: &mut Child) -> String {
    let request = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "luma-doctor", "version": env!("CARGO_PKG_VERSION") },
        },
    });
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return String::new();
    };
    let (sender, receiver) = mpsc::channel();
    // A program that says nothing must not stop this one.
    thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(stdout).read_line(&mut line);
        let _ = sender.send(line);
    });
    let _ = writeln!(stdin, "{request}");
    receiver.recv_timeout(PATIENCE).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_may_differ_by_a_minute() {
        let date = "Thu, 26 Nov 2026 12:00:00 GMT";
        for (now, is_ok) in [
            ("2026-11-26T12:00:00Z", true),
            ("2026-11-26T12:01:00Z", true),
            ("2026-11-26T12:01:01Z", false),
            ("2026-11-26T11:58:59Z", false),
            ("2027-11-26T12:00:00Z", false),
        ] {
            let now = now.parse().expect("a time");
            assert_eq!(clock(date, now).is_ok(), is_ok, "{now}");
            assert!(clock("yesterday", now).is_ok());
        }
    }

    #[test]
    fn server_of_ours_is_known_by_name_or_command() {
        let document = json!({ "servers": {
            "luma": { "command": "anything" },
            "videos": { "command": "/opt/luma", "args": ["mcp"], "env": {
                "ACEDATACLOUD_API_TOKEN": "${input:x}", "LUMA": "1",
            } },
            "windows": { "command": r"C:\bin\luma.exe" },
            "runner": { "command": "uvx", "args": ["luma-client", "mcp"] },
            "other": { "command": "npx", "args": ["-y", "other"] },
            "remote": { "url": "https://mcp.example" },
            "odd": 1,
        } });
        let mut found = ours(&document, "servers");
        found.sort_by_key(|server| server.0);
        let names: Vec<_> = found.iter().map(|server| server.0).collect();
        assert_eq!(names, ["luma", "runner", "videos", "windows"]);
        let videos = &found[2].1;
        assert_eq!(videos.get_program(), "/opt/luma");
        assert_eq!(videos.get_args().collect::<Vec<_>>(), ["mcp"]);
        let variables: Vec<_> = videos.get_envs().map(|(name, _)| name).collect();
        assert_eq!(variables, ["LUMA"]);
        assert!(ours(&json!([]), "servers").is_empty());
    }
}
