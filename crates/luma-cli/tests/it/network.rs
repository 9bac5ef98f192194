//! Proxies, certificates, plain http, and lookups that fail.

use std::time::Duration;

use luma_simulator::{Fault, Target};
use serde_json::json;

use super::{AT_ONCE, NEVER, Stage, command, end, eventually, luma};

#[tokio::test]
async fn proxy_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    for variable in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] {
        for value in
            ["socks://127.0.0.1:9", " http://127.0.0.1:9", "http://a:s3cret-token#@127.0.0.1:9"]
        {
            let mut command = command(folder.path());
            command.args(["--token", "any", "task", "x"]).env(variable, value);
            let run = end(command.spawn().expect("it starts")).await.exits(2);
            run.complains(&format!("the environment variable {variable} cannot be used"));
        }
    }
}

#[tokio::test]
async fn proxy_that_cannot_be_used_does_not_matter_on_this_machine() {
    let stage = Stage::new(AT_ONCE).await;
    let port = stage.simulator.url().rsplit(':').next().expect("a port");
    let localhost = format!("http://localhost:{port}");
    for arguments in [
        &["generate", "A fox", "-o", "fox.mp4", "--overwrite"][..],
        &["--base-url", &localhost, "history"],
        &["--simulate", "generate", "A fox"],
    ] {
        for variable in ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"] {
            let mut command = stage.command(arguments);
            command.env(variable, "socks://127.0.0.1:9");
            end(command.spawn().expect("it starts")).await.exits(0);
        }
    }
}

/// Port 9: nobody listens, or discards.
#[tokio::test]
async fn proxy_that_does_not_respond_is_named() {
    let rows = [
        ("HTTPS_PROXY", "http://u:s3cret-token@127.0.0.1:9", "https://0.0.0.0:8", true),
        ("https_proxy", "http://127.0.0.1:9", "https://0.0.0.0:8", true),
        ("ALL_PROXY", "socks5h://127.0.0.1:9", "https://0.0.0.0:8", true),
        ("HTTP_PROXY", "http://127.0.0.1:9", "http://0.0.0.0:9", true),
        ("HTTP_PROXY", "http://127.0.0.1:9", "https://0.0.0.0:9", false),
        ("HTTPS_PROXY", "http://127.0.0.1:9", "http://127.0.0.1:9", false),
    ];
    let runs = rows.into_iter().flat_map(|row| {
        [&["generate", "A fox"][..], &["task", "x"]].map(|arguments| async move {
            let (variable, proxy, url, expected) = row;
            let folder = tempfile::tempdir().expect("a folder");
            let mut command = command(folder.path());
            command.args(["--allow-plain-http", "--token", "any", "--base-url", url]);
            let child = command.args(arguments).env(variable, proxy).spawn();
            let run = end(child.expect("it starts")).await.exits(3);
            let named = proxy.replace("u:s3cret-token@", "");
            let named = format!("could not connect through the proxy {named}: ");
            assert_eq!(run.stderr.contains(&named), expected, "{run:?}");
            let advice = format!("Check the environment variable {variable}, and that the proxy");
            assert_eq!(run.stderr.contains(&advice), expected, "{run:?}");
            let place = format!("could not connect to {url}: ");
            assert_eq!(run.stderr.contains(&place), !expected, "{run:?}");
        })
    });
    futures::future::join_all(runs).await;
}

/// 0.0.0.0 reaches this machine, and is not bypassed.
#[tokio::test]
async fn proxy_is_used() {
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = proxy.local_addr().expect("an address");
    let folder = tempfile::tempdir().expect("a folder");
    for scheme in ["http", "socks5", "socks5h", "socks4"] {
        let mut command = command(folder.path());
        command
            .args(["--token", "any", "--base-url", "https://0.0.0.0:9", "task", "x"])
            .env("HTTPS_PROXY", format!("{scheme}://{address}"));
        let child = command.spawn().expect("it starts");
        let connection = tokio::time::timeout(super::PATIENCE, proxy.accept()).await;
        connection.expect("a connection").expect("a connection");
        drop(child);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn missing_certificates_matter_only_for_https() {
    let stage = Stage::new(AT_ONCE).await;
    let run = async |arguments: &[&str]| {
        let mut command = stage.command(arguments);
        command.env("SSL_CERT_FILE", "none.pem").env("SSL_CERT_DIR", "none");
        end(command.spawn().expect("it starts")).await
    };
    run(&["history"]).await.exits(0);
    let arguments = ["generate", "A fox", "-o", "fox.mp4", "--interval", "20ms"];
    run(&arguments).await.exits(0);
    run(&["--simulate", "history"]).await.exits(0);
    let secure = run(&["--base-url", "https://127.0.0.1:9", "history"]).await.exits(3);
    secure.complains("no CA certificates found").complains("ca-certificates");
}

#[tokio::test]
async fn plain_http_has_an_option_of_its_own() {
    // The proxy keeps the request on this machine, should it be sent.
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = command(folder.path());
    command.args(["--token", "any", "--base-url", "http://gateway.example:8080", "task", "x"]);
    let run =
        end(command.env("HTTP_PROXY", "http://127.0.0.1:9").spawn().expect("it starts")).await;
    let run = run.exits(2).complains("add --allow-plain-http");
    assert!(!run.stderr.contains("Builder") && !run.stderr.contains("allow_plain"), "{run:?}");
    let mut command = super::command(folder.path());
    command.args(["--allow-plain-http", "--token", "any", "--base-url"]);
    command.args(["http://gateway.example:8080", "task", "x"]);
    let run =
        end(command.env("HTTP_PROXY", "http://127.0.0.1:9").spawn().expect("it starts")).await;
    run.exits(3).complains("could not connect");
}

#[tokio::test]
async fn failing_lookups_are_told_at_once_and_at_the_deadline() {
    let stage = Stage::new(NEVER).await;
    let id = stage.task("A fox").await;
    stage.simulator.inject(Fault::html(502).on(Target::Lookup).always());
    let arguments = ["--json", "wait", &id, "--interval", "100ms", "--timeout", "2s"];
    let run = stage.luma(&arguments).await.exits(4);
    let error = run.json()["tasks"][0]["error"].clone();
    assert_eq!(error["kind"], "deadline");
    let last = error["last_error"].as_str().expect("an error");
    assert!(last.contains("502"), "{error}");
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains("; the last lookup failed: ") && message.ends_with(last), "{message}");
    assert!(!run.stdout.contains('<') && !run.stderr.contains('<'), "{run:?}");
    let run = run.complains(&format!("{id} 0:00 waiting\n"));
    run.complains("service errors: HTTP 502 Bad Gateway");
}

#[tokio::test]
async fn failing_lookups_are_called_what_they_are() {
    let rows = [
        (Fault::status(429), "rate limited: HTTP 429 Too Many Requests"),
        (Fault::status(500), "service errors: HTTP 500 Internal Server Error"),
        (Fault::html(502), "service errors: HTTP 502 Bad Gateway: Gateway error"),
        (Fault::replace_body(200, "text/html", "<h1>Hello</h1>"), "unreadable responses: the resp"),
        (Fault::replace_body(200, "application/json", "{"), "unreadable responses: the resp"),
        (Fault::reset_before(), "lost connections: the connection to the service broke"),
    ];
    let rows = rows.map(async |(fault, expected)| {
        let stage = Stage::new(NEVER).await;
        let id = stage.task("A fox").await;
        stage.simulator.inject(fault.on(Target::Lookup).always());
        let arguments = ["wait", &id, "--interval", "50ms", "--timeout", "4s"];
        let run = stage.luma(&arguments).await.exits(4);
        let run = run.complains(&format!(" {expected}"));
        assert!(!run.stderr.contains("cannot reach"), "{run:?}");
    });
    futures::future::join_all(rows).await;
}

/// The service stops in mid-wait: the connection stands, but nothing comes.
#[tokio::test]
async fn silence_is_told_long_before_the_timeout_of_a_request() {
    let rows = [0, 1, 5].map(async |lookups| {
        let stage = Stage::new(NEVER).await;
        let id = stage.task("A fox").await;
        let arguments = ["--json", "wait", &id, "--interval", "100ms", "--timeout", "9s"];
        if lookups == 0 {
            stage.simulator.inject(Fault::silence().on(Target::Lookup).always());
        }
        let child = stage.command(arguments).spawn().expect("it starts");
        eventually("lookups", || stage.simulator.stats().lookups >= lookups).await;
        stage.simulator.inject(Fault::silence().on(Target::Lookup).always());
        let run = end(child).await.exits(4);
        let error = run.json()["tasks"][0]["error"].clone();
        let message = error["message"].as_str().expect("a message");
        let last = error["last_error"].as_str().expect("an error");
        assert!(message.ends_with(last), "{error}");
        run.complains(&format!("{id} 0:00 waiting\n")).complains(", no response for 0:0");
    });
    futures::future::join_all(rows).await;
}

#[tokio::test]
async fn deadline_counts_lookups_in_plain_words() {
    let stage = Stage::new(NEVER).await;
    let id = stage.task("A fox").await;
    let arguments = ["wait", &id, "--interval", "1h", "--timeout", "1500ms"];
    let run = stage.luma(&arguments).await.exits(4);
    let run = run.complains(" lookup");
    assert!(!run.stderr.contains(" 1 lookups"), "{run:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn dumb_terminal_gets_plain_lines() {
    let stage = Stage::new(NEVER).await;
    let id = stage.task("A fox").await;
    let luma = env!("CARGO_BIN_EXE_luma");
    for (term, is_redrawn) in [("dumb", false), ("", false), ("xterm", true)] {
        let mut command = tokio::process::Command::new("script");
        let wait = format!("{luma} wait {id} --interval 20ms --timeout 1s");
        command
            .args(["-qefc", &wait, "/dev/null"])
            .env("ACEDATACLOUD_API_TOKEN", super::TOKEN)
            .env("ACEDATACLOUD_API_BASE_URL", stage.simulator.url())
            .env("TERM", term)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true);
        let child = command.spawn().expect("script of util-linux");
        let run = end(child).await.exits(4);
        assert_eq!(run.stdout.contains("usually done after 2:00"), is_redrawn, "{run:?}");
        assert_eq!(run.stdout.contains(&format!("{id} 0:00 waiting")), !is_redrawn, "{run:?}");
    }
}

#[tokio::test]
async fn hidden_characters_of_the_service_are_removed_or_escaped() {
    let stage = Stage::new(AT_ONCE).await;
    let id = stage.task("A fox \u{202e}4pm.exe\u{2066}\u{200b}\u{e0041}").await;
    let refusal =
        json!({ "success": false, "error": { "code": "bad_request", "message": "a\u{202e}b" } });
    for arguments in [&["task", &id][..], &["--json", "task", &id], &["history"]] {
        let run = stage.luma(arguments).await.exits(0);
        let hidden = |c| matches!(c, '\u{200b}'..='\u{206f}' | '\u{e0000}'..='\u{e007f}');
        assert!(!run.stdout.contains(hidden), "{run:?}");
        assert_eq!(run.stdout.contains(r"\u202e"), arguments[0] == "--json", "{run:?}");
    }
    let fault = Fault::altered().with_status(400).json(refusal).on(Target::Lookup);
    stage.simulator.inject(fault);
    let run = stage.luma(&["task", &id]).await.exits(3);
    assert!(!run.stderr.contains('\u{202e}'), "{run:?}");
    let elapsed = std::time::Instant::now();
    luma(&["--simulate", "generate", "A fox"]).await.exits(0);
    // A video of 3 s is noticed within one more.
    assert!(elapsed.elapsed() < Duration::from_secs(30));
}
