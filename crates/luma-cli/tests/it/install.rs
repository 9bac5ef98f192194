//! `luma mcp install` and `luma doctor` with configurations as the hosts write them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jsonc_parser::{ParseOptions, cst::CstRootNode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::{AT_ONCE, Run, Stage, TOKEN, command, end, with_input};

/// A host, its file as somebody has it, the key of its servers, and what its entry has for the token.
type Host = (&'static str, &'static [u8], &'static str, Value);

fn hosts() -> [Host; 8] {
    let variable = |text: &str| json!({ "env": { "ACEDATACLOUD_API_TOKEN": text } });
    let typed = |text: &str| json!({ "type": "stdio", "env": { "ACEDATACLOUD_API_TOKEN": text } });
    [
        (
            "claude-code",
            include_bytes!("hosts/claude-code.json"),
            "mcpServers",
            variable("${ACEDATACLOUD_API_TOKEN:-}"),
        ),
        ("claude-desktop", include_bytes!("hosts/claude-desktop.json"), "mcpServers", json!({})),
        (
            "cursor",
            include_bytes!("hosts/cursor.json"),
            "mcpServers",
            variable("${env:ACEDATACLOUD_API_TOKEN}"),
        ),
        (
            "vscode",
            include_bytes!("hosts/vscode.json"),
            "servers",
            typed("${input:luma-api-token}"),
        ),
        ("zed", include_bytes!("hosts/zed.json"), "context_servers", json!({})),
        (
            "windsurf",
            include_bytes!("hosts/windsurf.json"),
            "mcpServers",
            variable("${env:ACEDATACLOUD_API_TOKEN}"),
        ),
        (
            "gemini",
            include_bytes!("hosts/gemini.json"),
            "mcpServers",
            variable("$ACEDATACLOUD_API_TOKEN"),
        ),
        (
            "codex",
            include_bytes!("hosts/codex.toml"),
            "mcp_servers",
            json!({ "env_vars": ["ACEDATACLOUD_API_TOKEN"] }),
        ),
    ]
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a file");
    let text = text.trim_start_matches('\u{feff}');
    if path.extension().is_some_and(|extension| extension == "toml") {
        return toml_edit::de::from_str(text).expect("TOML");
    }
    let root = CstRootNode::parse(text, &ParseOptions::default()).expect("JSON with comments");
    root.to_serde_value().expect("a value")
}

/// A folder with the file of a host.
struct Home {
    folder: TempDir,
    file: PathBuf,
}

impl Home {
    fn new(host: &str, content: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(if host == "codex" { "config.toml" } else { "mcp.json" });
        fs::write(&file, content).expect("a file");
        Self { folder, file }
    }

    fn command(&self, before: &[&str], verb: &str, host: &str, after: &[&str]) -> Command {
        let mut command = command(self.folder.path());
        command.args(before).args(["mcp", verb, host, "--file"]).arg(&self.file).args(after);
        command
    }

    async fn luma(&self, before: &[&str], verb: &str, host: &str, after: &[&str]) -> Run {
        end(self.command(before, verb, host, after).spawn().expect("it starts")).await
    }

    fn content(&self) -> Vec<u8> {
        fs::read(&self.file).expect("a file")
    }

    fn files(&self) -> usize {
        fs::read_dir(self.folder.path()).expect("a folder").count()
    }
}

/// Starts what an entry says, and makes the calls of a host.
async fn calls(entry: &Value, folder: &Path) -> String {
    let mut server = command(folder);
    let mut words = entry["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    // The test's own program, with its environment taken away.
    assert_eq!(entry["command"], env!("CARGO_BIN_EXE_luma"));
    server.args(&mut words);
    let initialize = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "a-test", "version": "1" },
        },
    });
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let call = json!({
        "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": { "name": "luma_list_aspect_ratios", "arguments": {} },
    });
    with_input(&mut server, &format!("{initialize}\n{initialized}\n{call}\n")).await.exits(0).stdout
}

#[tokio::test]
async fn entry_of_each_host_is_added_and_removed_and_nothing_else_changes() {
    for (host, before, section, expected) in hosts() {
        let home = Home::new(host, before);
        let document = read(&home.file);
        let run = home.luma(&[], "install", host, &["--yes"]).await.exits(0);
        assert!(run.stdout.contains("+++ "), "{host}: {run:?}");
        assert!(!run.stdout.contains("0123456789abcdef"), "{host}: {run:?}");

        let mut after = read(&home.file);
        let mut entry = after[section].as_object_mut().expect(host).remove("luma").expect(host);
        let program = entry.as_object_mut().expect(host).remove("command");
        assert_eq!(program.expect(host), env!("CARGO_BIN_EXE_luma"), "{host}");
        let args = entry.as_object_mut().expect(host).remove("args");
        assert_eq!(args, Some(json!(["mcp", "--max-videos", "20"])), "{host}");
        assert_eq!(entry, expected, "{host}");
        if document.get(section).is_none() {
            after.as_object_mut().expect(host).remove(section);
        }
        if host == "vscode" {
            let input = after["inputs"].as_array_mut().expect("inputs").pop().expect("an input");
            assert_eq!(
                (&input["id"], &input["password"]),
                (&json!("luma-api-token"), &json!(true))
            );
        }
        assert_eq!(after, document, "{host}");

        let again = home.luma(&[], "install", host, &["--yes"]).await.exits(0);
        assert!(again.complains("already").stdout.is_empty(), "{host}");
        home.luma(&[], "uninstall", host, &["--yes"]).await.exits(0);
        assert_eq!(
            home.content().escape_ascii().to_string(),
            before.escape_ascii().to_string(),
            "{host}"
        );
        // Of the two files that were replaced.
        assert_eq!(home.files(), 3, "{host}");
        let again = home.luma(&[], "uninstall", host, &["--yes"]).await.exits(0);
        again.complains("no server \"luma\"");
    }
}

/// An entry, the options of the command, and the arguments and the environment that it has then.
#[tokio::test]
async fn entry_keeps_its_limits_unless_others_are_given() {
    const VARIABLE: &str = "LUMA_MAX_VIDEOS_PER_DAY";
    let reference = "${env:ACEDATACLOUD_API_TOKEN}";
    for (command, old, options, new) in [
        ("luma", "mcp --max-videos-per-day 5 --confirm", "", ""),
        ("/old/luma", "mcp --max-videos=5 --read-only", "", ""),
        (r"C:\bin\luma.exe", "--base-url https://a.example mcp", "", ""),
        ("luma", "--token verysecrettoken123 mcp", "", ""),
        ("luma", "mcp", "--confirm --max-videos-per-day 3", "mcp --max-videos-per-day 3 --confirm"),
        ("luma", "mcp --max-videos=5 --confirm", "--max-videos 7", "mcp --max-videos 7 --confirm"),
        ("luma", "mcp --max-videos 5 --confirm", "--max-videos 7", "mcp --max-videos 7 --confirm"),
        (
            "luma",
            "--base-url https://a.example mcp",
            "--confirm --read-only",
            "--base-url https://a.example mcp --confirm --read-only",
        ),
        ("luma", "", "--read-only", "mcp --max-videos 20 --read-only"),
        ("uvx", "luma-client@0.1.0 mcp --confirm", "", "mcp --confirm"),
        ("cmd", "/c npx -y luma-client mcp --confirm", "", "mcp --confirm"),
        ("npx", "-p luma-client luma mcp --confirm", "", "mcp --confirm"),
    ] {
        for host in ["cursor", "codex"] {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let entry = json!({
                "command": command, "args": words(old), "timeout": "9", "env": { "A": "1", VARIABLE: "5" },
            });
            let section = if host == "codex" { "mcp_servers" } else { "mcpServers" };
            let document = json!({ section: { "luma": entry } });
            let text = match host {
                "codex" => toml_edit::ser::to_string_pretty(&document).expect("TOML"),
                _ => document.to_string(),
            };
            let home = Home::new(host, text.as_bytes());
            let mut options = words(options);
            options.push("--yes".to_owned());
            let options: Vec<_> = options.iter().map(String::as_str).collect();
            let mut run = home.command(&[], "install", host, &options);
            let run = end(run.env(VARIABLE, "50").spawn().expect("it starts")).await.exits(0);
            assert!(!run.stdout.contains("verysecret"), "{run:?}");
            let after = &read(&home.file)[section]["luma"];
            let expected = words(if new.is_empty() { old } else { new });
            assert_eq!(after["args"], json!(expected), "{host}: {old}");
            assert_eq!(after["command"], env!("CARGO_BIN_EXE_luma"));
            assert_eq!((&after["timeout"], &after["env"]["A"]), (&json!("9"), &json!("1")));
            assert_eq!(after["env"][VARIABLE], "5");
            let has_token = old.contains("--token");
            let token = &after["env"]["ACEDATACLOUD_API_TOKEN"];
            assert_eq!(token == reference, host == "cursor" && !has_token, "{old}");
            assert_eq!(after["env_vars"].is_array(), host == "codex" && !has_token, "{old}");
        }
    }
    for (entry, complaint) in [
        (json!({ "command": "docker", "args": ["run", "luma-client", "mcp"] }), "another server"),
        (json!({ "url": "https://mcp.example" }), "another server"),
        (json!({ "command": "luma", "args": ["--simulate", "mcp"] }), "simulated"),
    ] {
        let document = json!({ "mcpServers": { "luma": entry } }).to_string();
        let home = Home::new("cursor", document.as_bytes());
        let run = home.luma(&[], "install", "cursor", &["--yes"]).await;
        run.complains(complaint).complains("luma mcp uninstall cursor");
        assert_eq!(home.content(), document.as_bytes());
    }
}

#[tokio::test]
async fn new_entry_gets_the_limits_of_options_and_shell() {
    for (host, before, section, _) in hosts() {
        let home = Home::new(host, before);
        let options = ["--yes", "--max-videos", "7", "--confirm"];
        let mut command = home.command(&[], "install", host, &options);
        command.env("LUMA_MAX_VIDEOS_PER_DAY", "5");
        end(command.spawn().expect("it starts")).await.exits(0);
        let entry = &read(&home.file)[section]["luma"];
        assert_eq!(entry["args"], json!(["mcp", "--max-videos", "7", "--confirm"]), "{host}");
        assert_eq!(entry["env"]["LUMA_MAX_VIDEOS_PER_DAY"], "5", "{host}");
        let mut command = home.command(&[], "install", host, &["--yes"]);
        command.env("LUMA_MAX_VIDEOS_PER_DAY", "abc");
        end(command.spawn().expect("it starts")).await.exits(2).complains("abc");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn servers_that_are_added_at_once_are_all_written() {
    for content in [Some("{}"), None] {
        let home = Home::new("cursor", content.unwrap_or_default().as_bytes());
        if content.is_none() {
            fs::remove_file(&home.file).expect("a file");
        }
        let names = ["a", "b", "c", "d", "e", "f"];
        let runs = names.map(|name| {
            let options = ["--yes", "--name", name];
            home.command(&[], "install", "cursor", &options).spawn().expect("it starts")
        });
        for run in runs {
            end(run).await.exits(0);
        }
        let servers = &read(&home.file)["mcpServers"];
        assert!(names.iter().all(|name| servers[name].is_object()), "{servers}");
    }
}

#[tokio::test]
async fn server_of_each_host_starts_as_written() {
    for (host, before, section, _) in hosts() {
        let home = Home::new(host, before);
        home.luma(&["--simulate"], "install", host, &["--yes", "--read-only"]).await.exits(0);
        let entry = &read(&home.file)[section]["luma"];
        assert!(!entry.to_string().contains("ACEDATACLOUD"), "{host}: {entry}");
        let output = calls(entry, home.folder.path()).await;
        assert!(output.contains("21:9"), "{host}: {output}");
    }
}

#[tokio::test]
async fn token_is_written_only_with_the_option_and_never_shown() {
    for (host, before, section, _) in hosts() {
        let home = Home::new(host, before);
        let mut command = home.command(&[], "install", host, &["--yes", "--with-token"]);
        command.env("ACEDATACLOUD_API_TOKEN", TOKEN);
        // The token is in no output: see `end`.
        end(command.spawn().expect("it starts")).await.exits(0);
        let entry = &read(&home.file)[section]["luma"];
        assert_eq!(entry["env"]["ACEDATACLOUD_API_TOKEN"], TOKEN, "{host}");
        home.luma(&[], "install", host, &["--yes"]).await.exits(0);
        assert_eq!(read(&home.file)[section]["luma"]["env"]["ACEDATACLOUD_API_TOKEN"], TOKEN);
        home.luma(&[], "uninstall", host, &["--yes"]).await.exits(0);
        home.luma(&[], "install", host, &["--yes"]).await.exits(0);
        assert!(!String::from_utf8_lossy(&home.content()).contains(TOKEN), "{host}");
        let refused = home.luma(&["--token", TOKEN], "install", host, &["--yes"]).await.exits(2);
        refused.complains("--with-token");
        let none = home.luma(&[], "install", host, &["--yes", "--with-token"]).await.exits(2);
        none.complains("ACEDATACLOUD_API_TOKEN");
    }
}

#[tokio::test]
async fn change_is_only_shown_without_consent() {
    for (host, before, ..) in hosts() {
        let home = Home::new(host, before);
        let run = home.luma(&[], "install", host, &[]).await.exits(2).complains("Add --yes");
        assert!(run.stdout.contains("luma"), "{host}: {run:?}");
        home.luma(&[], "install", host, &["--print"]).await.exits(0);
        let run = home.luma(&["--json"], "install", host, &["--print"]).await.exits(0);
        let result = run.json();
        assert_eq!((&result["host"], &result["is_written"]), (&json!(host), &json!(false)));
        assert!(result["diff"].as_str().expect("a diff").contains("+++ "));
        home.luma(&[], "install", host, &["--print", "--yes"]).await.exits(2);
        assert_eq!((home.content().as_slice(), home.files()), (before, 1), "{host}");
    }
}

#[tokio::test]
async fn entry_is_placed_into_any_document() {
    for (host, before) in [
        ("cursor", "{}"),
        ("cursor", "{}\n"),
        ("cursor", r#"{"a":1}"#),
        ("cursor", "{\r\n  \"a\": 1\r\n}\r\n"),
        ("cursor", "{\n  \"mcpServers\": {\"a\": {}}, \"b\": [1,2]\n}\n"),
        ("cursor", "{\n  \"mcpServers\": {\n    \"a\": {}, // a\n  }, // b\n} // c\n"),
        ("cursor", "// only a comment\n{\n\n\n    \"a\": 1\n}\n\n"),
        ("vscode", r#"{"servers":{"a":{}},"inputs":[{"id":"a"}]}"#),
        ("vscode", "{\n  \"inputs\": [\n    {\"id\": \"a\"}\n  ],\n  \"b\": 1\n}\n"),
        ("codex", "model = \"x\"\r\n[mcp_servers.a]\r\ncommand = \"a\"\r\n[z]\r\n# end\r\n"),
        ("codex", "mcp_servers.a.command = \"a\"\n"),
        ("codex", "mcp_servers = { a = { command = \"a\" } }\n"),
        ("codex", "[mcp_servers]\n[mcp_servers.a]\ncommand = '''\na'''\n"),
        ("codex", "# one\n\n# two\n"),
        ("codex", "[mcp_servers.a]\n\n# b\n[mcp_servers.b]\ncommand = 'b' # b\n"),
    ] {
        let home = Home::new(host, before.as_bytes());
        home.luma(&[], "install", host, &["--yes"]).await.exits(0);
        let section = match host {
            "vscode" => "servers",
            "codex" => "mcp_servers",
            _ => "mcpServers",
        };
        let command = &read(&home.file)[section]["luma"]["command"];
        assert_eq!(command, env!("CARGO_BIN_EXE_luma"), "{before}");
        home.luma(&[], "uninstall", host, &["--yes"]).await.exits(0);
        assert_eq!(String::from_utf8(home.content()).as_deref(), Ok(before));
    }
}

#[tokio::test]
async fn missing_and_empty_files_are_begun() {
    for (host, content) in [
        ("cursor", None),
        ("vscode", None),
        ("codex", None),
        ("zed", Some("")),
        ("codex", Some("\n")),
    ] {
        let home = Home::new(host, content.unwrap_or_default().as_bytes());
        if content.is_none() {
            fs::remove_file(&home.file).expect("a file");
            home.luma(&[], "uninstall", host, &["--yes"]).await.exits(0);
            assert_eq!(home.files(), 0, "{host}");
        }
        home.luma(&[], "install", host, &["--yes"]).await.exits(0);
        assert!(read(&home.file).to_string().contains("--max-videos"), "{host}");
        assert!(home.content().ends_with(b"\n") && !home.content().starts_with(b"\n{"));
    }
}

#[tokio::test]
async fn file_that_cannot_be_changed_is_named_and_left_alone() {
    for (host, content, complaint) in [
        ("cursor", &b"{ \"mcpServers\": { \"a\": {} }"[..], "mcp.json"),
        ("cursor", b"{ \"a\": 1 \"b\": 2 }", "line 1"),
        ("cursor", b"{ 'a': 1 }", "mcp.json"),
        ("cursor", b"[]", "not an object"),
        ("cursor", b"null", "not an object"),
        ("cursor", b"{ \"mcpServers\": [] }", "\"mcpServers\" is not an object"),
        ("cursor", b"{ \"mcpServers\": null }", "\"mcpServers\" is not an object"),
        ("vscode", b"{ \"inputs\": {} }", "\"inputs\" is not a list"),
        ("gemini", b"\xff\xfe{\0}\0", "UTF-8"),
        ("codex", b"model = \n", "config.toml"),
        ("codex", b"[a]\n\nTOKEN = \"s3cret-token\n", "on line 3"),
        ("cursor", b"{\n \"TOKEN\": \"s3cret-token\n}", "line 2"),
        ("codex", b"mcp_servers = 1\n", "\"mcp_servers\" is not an object"),
    ] {
        let home = Home::new(host, content);
        let run = home.luma(&[], "install", host, &["--yes"]).await.exits(3);
        run.complains(complaint);
        assert_eq!((home.content().as_slice(), home.files()), (content, 1));
    }
    let home = Home::new("cursor", b"{}");
    for (options, code, complaint) in [
        (&["install", "--yes", "--file", "none/mcp.json"][..], 3, "Correct --file, or create"),
        (&["install", "--yes"], 3, "Is Cursor installed?"),
        (&["install", "--print", "--file", "none/mcp.json"], 0, "Restart Cursor"),
        (&["install", "--print"], 0, "Restart Cursor"),
        (&["uninstall", "--yes"], 0, "no server \"luma\""),
        (&["install", "--yes", "--file", "mcp.json"], 0, "is written"),
        (&["install", "--yes", "--file", "new.json"], 0, "is written"),
        (&["uninstall", "--yes", "--file", "mcp.json", "--name", "b"], 0, "no server \"b\""),
        (&["uninstall", "--yes", "--name", ""], 2, "--name"),
        (&["install", "--yes", "--name", " "], 2, "needs a name"),
    ] {
        let mut command = command(home.folder.path());
        command.env("HOME", home.folder.path()).env("USERPROFILE", home.folder.path());
        command.args(["mcp", options[0], "cursor"]).args(&options[1..]);
        end(command.spawn().expect("it starts")).await.exits(code).complains(complaint);
    }
    let run = home.luma(&[], "install", "emacs", &[]).await.exits(2);
    run.complains("claude-code, claude-desktop, cursor, vscode, zed, windsurf, gemini, codex");
}

#[cfg(unix)]
#[tokio::test]
async fn permissions_and_links_are_kept() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    let home = Home::new("cursor", b"{}");
    let target = home.folder.path().join("target.json");
    fs::rename(&home.file, &target).expect("a file");
    symlink("target.json", &home.file).expect("a link");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).expect("permissions");
    home.luma(&[], "install", "cursor", &["--yes"]).await.exits(0);
    assert!(fs::symlink_metadata(&home.file).expect("a link").is_symlink());
    assert!(read(&target)["mcpServers"]["luma"].is_object());
    assert_eq!(mode(&target), 0o640);
    assert_eq!(mode(&home.folder.path().join("target.json.1.bak")), 0o640);

    // The folder could be written, but the user meant the file to stay.
    fs::set_permissions(&target, fs::Permissions::from_mode(0o444)).expect("permissions");
    let before = home.content();
    let run = home.luma(&[], "uninstall", "cursor", &["--yes"]).await.exits(3);
    run.complains("it is read-only").complains("writable");
    assert_eq!((home.content(), home.files()), (before, 3));

    fs::remove_file(&target).expect("a file");
    home.luma(&[], "install", "cursor", &["--yes"]).await.exits(3).complains("mcp.json");
    fs::remove_file(&home.file).expect("a link");
    // A file that may get a token is for its user only.
    home.luma(&[], "install", "cursor", &["--yes"]).await.exits(0);
    assert_eq!(mode(&home.file), 0o600);
}

#[tokio::test]
async fn doctor_finds_what_is_wrong_and_bills_nothing() {
    let stage = Stage::new(AT_ONCE).await;
    let home = stage.folder.path();
    fs::create_dir(home.join(".cursor")).expect("a folder");
    fs::create_dir(home.join(".gemini")).expect("a folder");
    let doctor = async |arguments: &[&str], token: Option<&str>| {
        let mut command = stage.command(arguments);
        for variable in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME"] {
            command.env_remove(variable);
        }
        command.env("HOME", home).env("USERPROFILE", home).env("APPDATA", home);
        match token {
            Some(token) => command.env("ACEDATACLOUD_API_TOKEN", token),
            None => command.env_remove("ACEDATACLOUD_API_TOKEN"),
        };
        end(command.spawn().expect("it starts")).await
    };
    let wrong = |run: &Run| {
        let checks = run.json()["checks"].as_array().expect("checks").clone();
        let wrong = checks.into_iter().filter(|check| check["is_ok"] == false);
        wrong
            .map(|check| {
                assert!(
                    check["next_step"].as_str().is_some_and(|step| !step.is_empty()),
                    "{check}"
                );
                check["name"].as_str().expect("a name").to_owned()
            })
            .collect::<Vec<_>>()
    };

    let run = doctor(&["doctor"], Some(TOKEN)).await.exits(0);
    for line in ["token", "clock", "network", "account", "state"] {
        assert!(run.stdout.contains(&format!("ok     {line} ")), "{run:#?}");
    }
    let run = doctor(&["--json", "doctor"], None).await.exits(2);
    assert_eq!(wrong(&run), ["token"]);
    let run = doctor(&["--json", "doctor"], Some("another-token")).await.exits(3);
    assert_eq!(wrong(&run), ["account"]);
    let run = doctor(&["--json", "--base-url", "http://127.0.0.1:9", "doctor"], Some(TOKEN)).await;
    assert_eq!(wrong(&run.exits(3)), ["network"]);

    // The network goes through a proxy, and the limit of the day cannot be counted.
    let checks = async |variable: &str, value: &str| {
        let mut command =
            stage.command(["--json", "--base-url", "http://luma.example:1", "doctor"]);
        command.args(["--allow-plain-http"]).env("XDG_STATE_HOME", home).env("LOCALAPPDATA", home);
        command.env("HOME", home).env("USERPROFILE", home).env("APPDATA", home);
        command.env("http_proxy", "http://127.0.0.1:9").env(variable, value);
        end(command.spawn().expect("it starts")).await
    };
    let run = checks("LUMA_MAX_VIDEOS_PER_DAY", "5").await;
    assert_eq!(wrong(&run), ["network"]);
    assert!(run.stdout.contains("through the proxy http://127.0.0.1:9"), "{run:#?}");
    assert_eq!(wrong(&checks("LUMA_MAX_VIDEOS_PER_DAY", "abc").await), ["network", "state"]);
    fs::create_dir(home.join("luma")).expect("a folder");
    fs::write(home.join("luma/videos-of-the-day"), "damaged").expect("a file");
    assert_eq!(wrong(&checks("A", "B").await), ["network", "state"]);

    // A server without a token, if its host passes none on.
    for (host, file, is_wrong) in
        [("claude-desktop", "desktop.json", true), ("codex", "config.toml", false)]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("Claude/claude_desktop_config.json");
        fs::create_dir(folder.path().join("Claude")).expect("a folder");
        let file = if host == "codex" { folder.path().join(file) } else { config };
        let run = async |arguments: &[&str]| {
            let mut command = stage.command(arguments);
            command.env("HOME", folder.path()).env("USERPROFILE", folder.path());
            command.env("APPDATA", folder.path()).env("XDG_CONFIG_HOME", folder.path());
            command.env("CODEX_HOME", folder.path()).env_remove("CLAUDE_CONFIG_DIR");
            end(command.spawn().expect("it starts")).await
        };
        let file = file.to_str().expect("a path");
        run(&["mcp", "install", host, "--yes", "--file", file]).await.exits(0);
        let checks = wrong(&run(&["--json", "doctor"]).await);
        assert_eq!(checks.contains(&host.to_owned()), is_wrong && cfg!(not(target_os = "macos")));
    }

    // Hosts: one whose server answers, one whose program is gone, one whose file is broken.
    let arguments = ["--simulate", "mcp", "install", "cursor", "--yes"];
    doctor(&arguments, None).await.exits(0);
    let run = doctor(&["doctor"], Some(TOKEN)).await.exits(0);
    assert!(run.stdout.contains("starts luma"), "{run:#?}");
    let gone = r#"{"mcpServers":{"luma":{"command":"/no/such/luma"}}}"#;
    fs::write(home.join(".gemini/settings.json"), gone).expect("a file");
    fs::write(home.join(".claude.json"), "{").expect("a file");
    let run = doctor(&["--json", "--simulate", "doctor"], None).await.exits(3);
    assert_eq!(wrong(&run), ["claude-code", "gemini"]);
    assert_eq!(stage.billed(), 0);
}
