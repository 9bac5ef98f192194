//! Help, mistakes, and what is refused before anything is sent.

use luma_client::mcp::export;

use super::{AT_ONCE, Stage, luma};

const COMMANDS: [&str; 12] = [
    "generate",
    "extend",
    "task",
    "wait",
    "history",
    "download",
    "tools",
    "simulate",
    "mcp",
    "doctor",
    "completions",
    "man",
];

#[tokio::test]
async fn help_of_every_command_is_as_documented() {
    let run = luma(&["--help"]).await.exits(0);
    insta::assert_snapshot!("help", run.stdout);
    for command in COMMANDS {
        let run = luma(&[command, "--help"]).await.exits(0);
        insta::assert_snapshot!(format!("help_{command}"), run.stdout);
        assert!(run.stdout.contains("Examples:\n"), "{command}");
    }
    let version = luma(&["--version"]).await.exits(0).stdout;
    assert_eq!(version, concat!("luma ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[tokio::test]
async fn mistake_exits_2_and_nothing_is_sent() {
    let stage = Stage::new(AT_ONCE).await;
    for (arguments, complaint) in [
        (&[][..], "Usage: luma"),
        (&["generat", "A fox"], "'generate'"),
        (&["generate"], "<PROMPT>"),
        (&["generate", " "], "the prompt is blank"),
        (&["generate", "A fox", "--aspect-ratio", "5:4"], "possible values: 16:9"),
        (
            &["generate", "A fox", "--start-image", "fox.jpg"],
            "--start-image \"fox.jpg\" is not a valid URL: use an http or https URL",
        ),
        (
            &["generate", "A fox", "--end-image", "file:///fox.jpg"],
            "--end-image \"file:///fox.jpg\"",
        ),
        (&["generate", "A fox", "--callback-url", "me"], "--callback-url \"me\" is not a valid"),
        (&["generate", "A fox", "--timeout", "soon"], "use a duration such as 90s"),
        (&["generate", "A fox", "--interval", "0"], "more than zero"),
        (&["generate", "A fox", "--overwrite"], "--output <PATH>"),
        (&["generate", "A fox", "--no-wait", "-o", "x.mp4"], "cannot be used with"),
        (&["generate", "A fox", "another"], "unexpected argument"),
        (&["generate", "A fox", "--max-parallel", "2"], "--each-line"),
        (&["extend", "video-1", "More", "--max-parallel", "2"], "unexpected argument"),
        (&["extend", "video-1"], "<PROMPT>"),
        (&["extend", " ", "More"], "the video id is blank"),
        (&["extend", "More of it", "video-1"], "use the id, not the prompt"),
        (&["extend", "ftp://example.com/1.mp4", "More"], "<VIDEO> \"ftp://example.com/1.mp4\""),
        (&["task"], "<TASK_ID>"),
        (&["task", "two words"], "not a task id"),
        (&["wait"], "<TASK_ID>"),
        (&["wait", ""], "not a task id"),
        (&["wait", "one", "-o", "x", "--download", "y"], "cannot be used with"),
        (&["wait", "one", "--timeout", "0"], "more than zero"),
        (&["history", "--limit", "0"], "0 is not in 1.."),
        (&["history", "--since", "then"], "use a time such as 2h"),
        (&["download", ""], "not a task id"),
        (&["download", "one", "-o", "none/x.mp4"], "its folder does not exist"),
        (&["simulate", "--fault", "moon:bar"], "\"moon\" is not a target"),
        (&["simulate", "--fault", "submit:bar"], "\"bar\" is not an effect for submit"),
        (&["simulate", "--fault", "submit:600"], "\"600\" is not an effect for submit"),
        (&["simulate", "--fault", "lookup:429=abc"], "\"429=abc\" is not an effect for lookup"),
        (&["simulate", "--duration", "3m..1m"], "put the shorter duration first"),
        (&["tools", "--format", "xml"], "possible values: mcp"),
        (&["completions", "tcsh"], "possible values: bash"),
        (&["--simulate", "history", "--base-url", "http://127.0.0.1"], "cannot be used with"),
        (&["--token", " ", "history"], "the API token is blank"),
        (&["--token", "two words", "history"], "the API token has spaces"),
        (&["--base-url", "http://example.com", "history"], "use https"),
        (&["--base-url", "http://127.0.0.1:99999", "history"], "its port is not a number"),
        (&["--base-url", "https://example.com:https", "history"], "its port is not a number"),
    ] {
        let run = stage.luma(arguments).await.exits(2).complains(complaint);
        assert_eq!(run.stdout, "", "{arguments:?}");
        let run = stage.luma(&[arguments, &["--json"]].concat()).await.exits(2);
        assert_eq!(run.json()["error"]["kind"], "bad_input", "{arguments:?}");
        assert!(run.json()["error"]["message"].is_string(), "{arguments:?}");
    }
    assert_eq!(stage.simulator.stats().connections, 0);
    assert_eq!(stage.files(), [""; 0]);
}

#[tokio::test]
async fn media_host_without_a_scheme_exits_2() {
    let run = luma(&["mcp", "--media-host", "cdn.example.com"]).await.exits(2);
    run.complains("\"cdn.example.com\" is not a valid origin");
}

#[tokio::test]
async fn mistake_is_whole_in_the_document() {
    for (arguments, expected) in [
        (&["generate"][..], "the following required arguments were not provided: <PROMPT>"),
        (
            &["tools", "--format", "mpx"],
            "invalid value 'mpx' for '--format <FORMAT>' [possible values: mcp, openai-chat, \
             openai-responses, anthropic, gemini]",
        ),
        (
            &["generate", "A fox", "--loo"],
            "unexpected argument '--loo' found tip: a similar argument exists: '--loop'",
        ),
        (
            &["history", "--limit", "0"],
            "invalid value '0' for '--limit <TASKS>': 0 is not in 1..=4294967295",
        ),
    ] {
        let run = luma(&[&["--json"], arguments].concat()).await.exits(2);
        assert_eq!(run.json()["error"]["message"], expected);
    }
}

/// Standard output is the protocol's.
#[tokio::test]
async fn server_that_cannot_start_prints_nothing_to_stdout() {
    for arguments in [&["mcp"][..], &["mcp", "--http", "127.0.0.1:0"]] {
        let nonsense = ["--json", "--token", "any", "--base-url", "nonsense"];
        let run = luma(&[&nonsense, arguments].concat()).await.exits(2);
        assert_eq!(run.stdout, "", "{run:?}");
        run.complains("cannot be used: use an http or https URL with a host, such as");
    }
}

#[tokio::test]
async fn missing_token_gives_advice() {
    let run = luma(&["generate", "A fox"]).await.exits(2);
    run.complains("Set ACEDATACLOUD_API_TOKEN").complains("--simulate");
    let run = luma(&["--token", " ", "history"]).await.exits(2);
    run.complains("the API token is blank\nSet ACEDATACLOUD_API_TOKEN, or --token");
}

#[tokio::test]
async fn completions_cover_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = luma(&["completions", shell]).await.exits(0);
        assert!(run.stdout.contains("aspect-ratio"), "{shell}");
        let document = luma(&["--json", "completions", shell]).await.exits(0).json();
        assert_eq!(document["script"].as_str(), Some(run.stdout.as_str()));
    }
}

#[tokio::test]
async fn tools_are_exported_in_every_format() {
    for (format, exported) in [
        ("mcp", export::mcp()),
        ("openai-chat", export::openai_chat()),
        ("openai-responses", export::openai_responses()),
        ("anthropic", export::anthropic()),
        ("gemini", export::gemini()),
    ] {
        let run = luma(&["tools", "--format", format]).await.exits(0);
        assert_eq!(run.json(), exported, "{format}");
    }
    let run = luma(&["tools"]).await.exits(0);
    assert_eq!(run.json(), export::mcp());
}

#[tokio::test]
async fn name_of_other_programs_suggests_the_command() {
    for (name, expected) in [
        ("get", "'task'"),
        ("status", "'task'"),
        ("list", "'history'"),
        ("ls", "'history'"),
        ("create", "'generate'"),
        ("delete", "a task cannot be deleted or cancelled: `luma task` shows one"),
    ] {
        let run = luma(&[name, "x"]).await.exits(2);
        run.complains("unrecognized subcommand").complains(expected);
        let run = luma(&["--json", name]).await.exits(2);
        assert!(run.json()["error"]["message"].to_string().contains(expected), "{name}");
    }
}

#[tokio::test]
async fn man_writes_a_page_for_each_command() {
    let stage = Stage::new(AT_ONCE).await;
    let run = stage.luma(&["man"]).await.exits(0);
    assert!(run.stdout.contains(".TH luma 1"), "{run:?}");
    stage.luma(&["man", "pages"]).await.exits(0);
    for command in COMMANDS {
        let page = stage.file(&format!("pages/luma-{command}.1")).expect("a page");
        assert!(String::from_utf8_lossy(&page).contains("Examples"), "{command}");
    }
    let page = stage.file("pages/luma.1").expect("a page");
    assert!(String::from_utf8_lossy(&page).contains("Exit codes"));
}

#[tokio::test]
async fn folder_of_the_manual_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("fox.mp4"), "mine").expect("a file");
    for name in ["fox.mp4", "fox.mp4/", "fox.mp4/man/man1"] {
        let child = super::command(folder.path()).args(["man", name]).spawn();
        let run = super::end(child.expect("it starts")).await.exits(2);
        run.complains(&format!("cannot write to {name}: fox.mp4 is a file, not a folder\n"))
            .complains("Choose another folder.");
    }
}
