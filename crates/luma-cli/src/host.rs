//! The MCP hosts: where each keeps its servers, in which format, and how a server gets the API token.

use std::{
    env,
    path::{Path, PathBuf},
};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jsonc_parser::cst::CstInputValue;
use luma_client::TOKEN_VARIABLE;
use serde_json::{Value, json};

use crate::{config_file::Format, context::LIMIT_VARIABLE};

/// An MCP host.
#[derive(Debug)]
pub struct Host {
    /// The name on the command line.
    pub name: &'static str,
    pub title: &'static str,
    pub format: Format,
    /// The key of its servers, each by its name.
    pub section: &'static str,
    pub token: TokenSource,
    folder: Folder,
    file: &'static str,
}

/// How a server gets the token if the host's file does not hold it.
#[derive(Debug)]
pub enum TokenSource {
    /// The file refers to the variable of the host's environment.
    Reference(&'static str),
    /// The host asks for it, and keeps it.
    Prompt,
    /// The file names the variables that the host passes on.
    Forward,
    /// The host passes its environment on.
    Inherited,
    /// The host passes nothing on.
    None,
}

/// What an entry has for the token.
pub enum Token {
    /// The service is simulated.
    NotNeeded,
    FromHost,
    Written(String),
}

#[derive(Debug)]
enum Folder {
    /// In the home folder.
    Home,
    /// Of this variable, else in the home folder.
    Variable(&'static str, &'static str),
    /// For configurations, as each system has it.
    Config,
    /// The same, but on macOS as on Linux.
    Xdg,
}

#[derive(Clone, Copy, PartialEq)]
enum System {
    Linux,
    MacOs,
    Windows,
}

/// The id of the token in a host that asks for it, and the reference to it.
pub const PROMPT_ID: &str = "luma-api-token";
pub const PROMPT: &str = "${input:luma-api-token}";

/// The formats as the documentation of each host had them in November 2026:
/// code.claude.com/docs/en/mcp, modelcontextprotocol.io/quickstart/user, cursor.com/docs/mcp,
/// code.visualstudio.com/docs/agents/reference/mcp-configuration, zed.dev/docs/ai/mcp,
/// docs.windsurf.com/windsurf/cascade/mcp, geminicli.com/docs/tools/mcp-server and
/// learn.chatgpt.com/docs/extend/mcp (Codex).
///
/// Claude Code refuses a reference without a default while the variable is not set. Gemini CLI keeps
/// variables with TOKEN in their names from servers whose entries do not name them.
#[rustfmt::skip]
pub static HOSTS: [Host; 8] = [
    host("claude-code", "Claude Code", Format::Json, "mcpServers",
        TokenSource::Reference("${ACEDATACLOUD_API_TOKEN:-}"), Folder::Variable("CLAUDE_CONFIG_DIR", ""), ".claude.json"),
    host("claude-desktop", "Claude Desktop", Format::Json, "mcpServers",
        TokenSource::None, Folder::Config, "Claude/claude_desktop_config.json"),
    host("cursor", "Cursor", Format::Json, "mcpServers",
        TokenSource::Reference("${env:ACEDATACLOUD_API_TOKEN}"), Folder::Home, ".cursor/mcp.json"),
    host("vscode", "VS Code", Format::Json, "servers",
        TokenSource::Prompt, Folder::Config, "Code/User/mcp.json"),
    host("zed", "Zed", Format::Json, "context_servers",
        TokenSource::Inherited, Folder::Xdg, "zed/settings.json"),
    host("windsurf", "Windsurf", Format::Json, "mcpServers",
        TokenSource::Reference("${env:ACEDATACLOUD_API_TOKEN}"), Folder::Home, ".codeium/windsurf/mcp_config.json"),
    host("gemini", "Gemini CLI", Format::Json, "mcpServers",
        TokenSource::Reference("$ACEDATACLOUD_API_TOKEN"), Folder::Home, ".gemini/settings.json"),
    host("codex", "Codex", Format::Toml, "mcp_servers",
        TokenSource::Forward, Folder::Variable("CODEX_HOME", ".codex"), "config.toml"),
];

const fn host(
    name: &'static str,
    title: &'static str,
    format: Format,
    section: &'static str,
    token: TokenSource,
    folder: Folder,
    file: &'static str,
) -> Host {
    Host { name, title, format, section, token, folder, file }
}

impl Host {
    /// Reads a name of the command line.
    pub fn parser() -> impl TypedValueParser<Value = &'static Self> {
        PossibleValuesParser::new(HOSTS.iter().map(|host| host.name)).map(|name| {
            HOSTS.iter().find(|host| host.name == name).expect("clap allows only these names")
        })
    }

    /// The file of this user, or `None` if there is no home folder.
    pub fn file(&self) -> Option<PathBuf> {
        let system = match env::consts::OS {
            "windows" => System::Windows,
            "macos" => System::MacOs,
            _ => System::Linux,
        };
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        self.file_on(system, env::home_dir(), |name| set(name).map(PathBuf::from))
    }

    fn file_on(
        &self,
        system: System,
        home: Option<PathBuf>,
        set: impl Fn(&str) -> Option<PathBuf>,
    ) -> Option<PathBuf> {
        let (variable, else_home) = match (&self.folder, system) {
            (Folder::Home, _) => ("", ""),
            (Folder::Variable(name, folder), _) => (*name, *folder),
            (_, System::Windows) => ("APPDATA", "AppData/Roaming"),
            (Folder::Config, System::MacOs) => ("", "Library/Application Support"),
            (_, System::MacOs) => ("", ".config"),
            (_, System::Linux) => ("XDG_CONFIG_HOME", ".config"),
        };
        let folder = set(variable).or_else(|| Some(home?.join(else_home)))?;
        Some(folder.join(self.file))
    }

    /// What changes in an entry, which may be null, so that it starts a server with these words.
    pub fn entry(
        &self,
        old: &Value,
        words: &[String],
        token: &Token,
        limit: Option<&str>,
    ) -> CstInputValue {
        let (mut fields, mut env) = (Vec::new(), Vec::new());
        let mut add = |name: &str, value| fields.push((name.to_owned(), value));
        // Only VS Code asks, and only VS Code wants to know the type.
        if matches!(self.token, TokenSource::Prompt) && old["type"].is_null() {
            add("type", "stdio".into());
        }
        if old["command"] != words[0] {
            add("command", words[0].as_str().into());
        }
        if old["args"] != json!(&words[1..]) {
            let args = words[1..].iter().map(|word| word.as_str().into());
            add("args", CstInputValue::Array(args.collect()));
        }
        let mut set = |name: &str, value: &str| env.push((name.to_owned(), value.into()));
        match (token, &self.token) {
            (Token::Written(token), _) => set(TOKEN_VARIABLE, token),
            _ if has_token(old) => {}
            (Token::FromHost, TokenSource::Reference(text)) => set(TOKEN_VARIABLE, text),
            (Token::FromHost, TokenSource::Prompt) => set(TOKEN_VARIABLE, PROMPT),
            (Token::FromHost, TokenSource::Forward) => {
                let names = old["env_vars"].as_array().into_iter().flatten().map(input);
                let names = names.chain([TOKEN_VARIABLE.into()]).collect();
                add("env_vars", CstInputValue::Array(names));
            }
            _ => {}
        }
        if let Some(limit) = limit.filter(|_| old["env"][LIMIT_VARIABLE].is_null()) {
            set(LIMIT_VARIABLE, limit);
        }
        if !env.is_empty() {
            add("env", CstInputValue::Object(env));
        }
        CstInputValue::Object(fields)
    }

    /// What to do so that the server gets the token.
    pub fn advice(&self) -> String {
        let title = self.title;
        match self.token {
            TokenSource::Prompt => {
                format!("Restart {title}. It asks for the API token when it starts the server.")
            }
            TokenSource::None => format!(
                "{title} passes no environment on. Without the API token in its file, no video can be \
                 made: add --with-token, or install the .mcpb bundle, which asks for the token."
            ),
            _ => format!(
                "Restart {title}, with the API token in {TOKEN_VARIABLE} of its environment."
            ),
        }
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Object(fields) => CstInputValue::Object(
            fields.iter().map(|(name, value)| (name.clone(), input(value))).collect(),
        ),
        value => word(value).into(),
    }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The arguments of this program in an entry that starts it, itself or by a package runner.
pub fn own_args(entry: &Value) -> Option<Vec<String>> {
    // On each system, paths have slashes of one or the other kind.
    let program = entry["command"].as_str()?.rsplit(['/', '\\']).next()?;
    let mut args: Vec<_> = entry["args"].as_array().into_iter().flatten().map(word).collect();
    match program.trim_end_matches(".exe").trim_end_matches(".cmd") {
        "luma" | "luma-client" => Some(args),
        "npx" | "bunx" | "uvx" | "pipx" | "cmd" => {
            let end = args.iter().position(|word| word == "mcp").unwrap_or(args.len());
            let is_own = |word: &String| {
                word == "luma" || word.split(['@', '=']).next() == Some("luma-client")
            };
            Some(args.split_off(args[..end].iter().rposition(is_own)? + 1))
        }
        _ => None,
    }
}

/// Whether an entry says where its server gets the API token.
pub fn has_token(entry: &Value) -> bool {
    let has = |list: &str, is_it: fn(&str) -> bool| {
        entry[list].as_array().into_iter().flatten().any(|word| word.as_str().is_some_and(is_it))
    };
    entry["env"][TOKEN_VARIABLE].as_str().is_some_and(|token| !token.trim().is_empty())
        || has("env_vars", |name| name == TOKEN_VARIABLE)
        || has("args", |word| word == "--token" || word.starts_with("--token="))
}

/// The words that start this program again. A package runner keeps it in a cache, which may be emptied.
pub fn launcher(program: &Path, is_windows: bool) -> Vec<String> {
    let has = |name: &str| program.iter().any(|part| part == name);
    let words: &[&str] = match () {
        () if has("_npx") && is_windows => &["cmd", "/c", "npx", "-y", "luma-client"],
        () if has("_npx") => &["npx", "-y", "luma-client"],
        () if has("archive-v0") => &["uvx", "luma-client"],
        () if has("pipx") && !has("venvs") => &["pipx", "run", "luma-client"],
        () => return vec![program.to_string_lossy().into_owned()],
    };
    words.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, system: System, variable: &str) -> Option<String> {
        let host = HOSTS.iter().find(|host| host.name == name).expect("a host");
        let set = |asked: &str| (asked == variable).then(|| "set".into());
        let path = host.file_on(system, Some("home".into()), set)?;
        Some(path.to_string_lossy().replace('\\', "/"))
    }

    #[test]
    fn file_of_each_host_is_where_its_documentation_says() {
        let support = "home/Library/Application Support";
        let systems = [System::Linux, System::MacOs, System::Windows];
        for (name, folders, expected) in [
            ("claude-code", ["home"; 3], ".claude.json"),
            (
                "claude-desktop",
                ["home/.config", support, "set"],
                "Claude/claude_desktop_config.json",
            ),
            ("cursor", ["home"; 3], ".cursor/mcp.json"),
            ("vscode", ["home/.config", support, "set"], "Code/User/mcp.json"),
            ("zed", ["home/.config", "home/.config", "set"], "zed/settings.json"),
            ("windsurf", ["home"; 3], ".codeium/windsurf/mcp_config.json"),
            ("gemini", ["home"; 3], ".gemini/settings.json"),
            ("codex", ["home"; 3], ".codex/config.toml"),
        ] {
            for (system, folder) in systems.into_iter().zip(folders) {
                assert_eq!(
                    file(name, system, "APPDATA"),
                    Some(format!("{folder}/{expected}")),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn variable_of_a_host_moves_its_file() {
        for (name, variable, expected) in [
            ("claude-code", "CLAUDE_CONFIG_DIR", "set/.claude.json"),
            ("codex", "CODEX_HOME", "set/config.toml"),
            ("zed", "XDG_CONFIG_HOME", "set/zed/settings.json"),
            ("cursor", "XDG_CONFIG_HOME", "home/.cursor/mcp.json"),
        ] {
            assert_eq!(file(name, System::Linux, variable).as_deref(), Some(expected));
        }
        assert_eq!(HOSTS[0].file_on(System::Linux, None, |_| None), None);
    }

    #[test]
    fn program_in_the_cache_of_a_package_runner_is_started_by_the_runner() {
        for (program, is_windows, expected) in [
            ("/home/a/.cargo/bin/luma", false, "/home/a/.cargo/bin/luma"),
            ("/home/a b/luma", false, "/home/a b/luma"),
            ("/home/a/.cache/uv/archive-v0/Xy/bin/luma", false, "uvx luma-client"),
            (
                "/home/a/.local/share/uv/tools/luma-client/bin/luma",
                false,
                "/home/a/.local/share/uv/tools/luma-client/bin/luma",
            ),
            (
                "/home/a/.npm/_npx/1f/node_modules/luma-client-linux-x64/luma",
                false,
                "npx -y luma-client",
            ),
            ("/a/_npx/1f/luma", true, "cmd /c npx -y luma-client"),
            ("/home/a/.cache/pipx/1f/bin/luma", false, "pipx run luma-client"),
            (
                "/home/a/.local/share/pipx/venvs/luma-client/bin/luma",
                false,
                "/home/a/.local/share/pipx/venvs/luma-client/bin/luma",
            ),
        ] {
            let words = launcher(Path::new(program), is_windows);
            assert_eq!(words.join(" "), expected);
        }
    }
}
