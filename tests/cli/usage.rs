//! Help, mistakes, and what is refused before anything is sent.

use luma_client::mcp::export;

use super::{AT_ONCE, Stage, luma};

const COMMANDS: [&str; 10] = [
    "generate",
    "extend",
    "task",
    "wait",
    "history",
    "download",
    "tools",
    "simulate",
    "mcp",
    "completions",
];

#[tokio::test]
async fn help() {
    let run = luma(&["--help"]).await.exits(0);
    // The server is there with its feature alone.
    let (server, others): (Vec<_>, Vec<_>) = run
        .stdout
        .lines()
        .partition(|line| line.starts_with("  mcp "));
    assert_eq!(server.len(), usize::from(cfg!(feature = "mcp-server")));
    insta::assert_snapshot!("help", others.join("\n"));
    for command in COMMANDS {
        let run = luma(&[command, "--help"]).await.exits(0);
        insta::assert_snapshot!(format!("help_{command}"), run.stdout);
        assert!(run.stdout.contains("Examples:\n"), "{command}");
    }
    let version = luma(&["--version"]).await.exits(0).stdout;
    assert_eq!(version, concat!("luma ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[tokio::test]
async fn mistakes_are_2_and_nothing_is_sent() {
    let stage = Stage::new(AT_ONCE).await;
    for (arguments, complaint) in [
        (&[][..], "Usage: luma"),
        (&["generat", "A fox"], "'generate'"),
        (&["generate"], "<PROMPT>"),
        (&["generate", " "], "the prompt is blank"),
        (
            &["generate", "A fox", "--aspect-ratio", "5:4"],
            "possible values: 16:9",
        ),
        (
            &["generate", "A fox", "--start-image", "fox.jpg"],
            "start_image_url is no http",
        ),
        (
            &["generate", "A fox", "--end-image", "file:///fox.jpg"],
            "end_image_url is no http",
        ),
        (
            &["generate", "A fox", "--callback-url", "me"],
            "callback_url is no http",
        ),
        (
            &["generate", "A fox", "--timeout", "soon"],
            "it is no duration",
        ),
        (&["generate", "A fox", "--interval", "0"], "more than zero"),
        (&["generate", "A fox", "--overwrite"], "--output <FILE>"),
        (
            &["generate", "A fox", "--no-wait", "-o", "x.mp4"],
            "cannot be used with",
        ),
        (&["generate", "A fox", "another"], "unexpected argument"),
        (&["extend", "video-1"], "<PROMPT>"),
        (&["extend", " ", "More"], "the video id is blank"),
        (&["extend", "More of it", "video-1"], "is it the prompt?"),
        (
            &["extend", "ftp://example.com/1.mp4", "More"],
            "video_url is no http",
        ),
        (&["task"], "<TASK_ID>"),
        (&["task", "two words"], "a task id is neither blank"),
        (&["wait"], "<TASK_ID>"),
        (&["wait", ""], "a task id is neither blank"),
        (
            &["wait", "one", "-o", "x", "--download", "y"],
            "cannot be used with",
        ),
        (&["wait", "one", "--timeout", "0"], "more than zero"),
        (&["history", "--limit", "0"], "0 is not in 1.."),
        (&["history", "--since", "then"], "it is no time"),
        (&["download", ""], "a task id is neither blank"),
        (
            &["download", "one", "-o", "none/x.mp4"],
            "there is no such folder",
        ),
        (
            &["simulate", "--fault", "moon:bar"],
            "there is no target \"moon\"",
        ),
        (
            &["simulate", "--fault", "submit:bar"],
            "there is no effect \"bar\"",
        ),
        (
            &["simulate", "--fault", "submit:600"],
            "600 is no HTTP status",
        ),
        (
            &["simulate", "--fault", "lookup:429=abc"],
            "\"abc\" is no whole number of seconds",
        ),
        (
            &["simulate", "--duration", "3m..1m"],
            "the shortest comes first",
        ),
        (&["tools", "--format", "xml"], "possible values: mcp"),
        (&["completions", "tcsh"], "possible values: bash"),
        (
            &["--simulate", "history", "--base-url", "http://127.0.0.1"],
            "cannot be used with",
        ),
        (&["--token", " ", "history"], "the API token is blank"),
        (
            &["--token", "two words", "history"],
            "characters in it that no token has",
        ),
        (
            &["--base-url", "http://example.com", "history"],
            "use https",
        ),
    ] {
        let run = stage.luma(arguments).await.exits(2).complains(complaint);
        assert_eq!(run.stdout, "", "{arguments:?}");
        let run = stage
            .luma(&[arguments, &["--json"]].concat())
            .await
            .exits(2);
        assert_eq!(run.json()["error"]["kind"], "bad_input", "{arguments:?}");
        assert!(run.json()["error"]["message"].is_string(), "{arguments:?}");
    }
    assert_eq!(stage.simulator.stats().connections, 0);
    assert_eq!(stage.files(), [""; 0]);
}

#[tokio::test]
async fn a_mistake_is_whole_in_the_document() {
    for (arguments, expected) in [
        (
            &["generate"][..],
            "the following required arguments were not provided: <PROMPT>",
        ),
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
#[cfg(feature = "mcp-server")]
#[tokio::test]
async fn a_server_that_cannot_start_leaves_standard_output_alone() {
    for arguments in [&["mcp"][..], &["mcp", "--http", "127.0.0.1:0"]] {
        let nonsense = ["--json", "--token", "any", "--base-url", "nonsense"];
        let run = luma(&[&nonsense, arguments].concat()).await.exits(2);
        assert_eq!(run.stdout, "", "{run:?}");
        run.complains("cannot be used: it is no URL such as");
    }
}

#[tokio::test]
async fn without_a_token_there_is_a_way_out() {
    let run = luma(&["generate", "A fox"]).await.exits(2);
    run.complains("Set ACEDATACLOUD_API_TOKEN")
        .complains("--simulate");
    let run = luma(&["--token", " ", "history"]).await.exits(2);
    run.complains("the API token is blank\nSet ACEDATACLOUD_API_TOKEN, or --token");
}

#[tokio::test]
async fn completions_for_every_shell() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run = luma(&["completions", shell]).await.exits(0);
        assert!(run.stdout.contains("aspect-ratio"), "{shell}");
        let document = luma(&["--json", "completions", shell])
            .await
            .exits(0)
            .json();
        assert_eq!(document["script"].as_str(), Some(run.stdout.as_str()));
    }
}

#[tokio::test]
async fn tools_in_every_format() {
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
