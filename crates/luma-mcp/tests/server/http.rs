//! Streamable HTTP: access, and the answers to everything else.

use std::net::SocketAddr;

use luma_mcp::{Access, InvalidOptions, ServeError};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use rmcp::transport::{
    StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig,
};

use tokio::{
    io::AsyncReadExt,
    net::{TcpSocket, TcpStream},
    time::Instant,
};

use super::*;

pub(super) const KEY: &str = "an-access-key-of-the-server";
pub(super) const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

pub(super) fn key() -> Access {
    Access::Key(KEY.to_owned().into())
}

fn own(simulator: &Simulator) -> (Server, HttpOptions) {
    (server(simulator), HttpOptions::new(LOOPBACK, key()))
}

/// Runs a server until the token is cancelled.
async fn run((server, options): (Server, HttpOptions)) -> (String, CancellationToken) {
    let server = server.listen(options).await.expect("a server");
    let (url, stop) = (server.url(), CancellationToken::new());
    tokio::spawn(server.run(stop.clone()));
    (url, stop)
}

pub(super) async fn open(url: &str, bearer: &str, era: Era, client: Client) -> Session {
    let config = StreamableHttpClientTransportConfig::with_uri(url).auth_header(bearer);
    let transport = StreamableHttpClientTransport::from_config(config);
    let session = client.serve_with_lifecycle(transport, era.lifecycle()).await;
    session.expect("a session")
}

/// A good request: every refusal changes one thing about it.
fn post(url: &str) -> RequestBuilder {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    } } });
    reqwest::Client::new()
        .post(url)
        .bearer_auth(KEY)
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header("MCP-Protocol-Version", "2026-07-28")
        .header("Mcp-Method", "tools/list")
        .json(&body)
}

/// Replaces a header of a request, or takes it away.
fn with(request: RequestBuilder, name: &'static str, value: Option<&str>) -> RequestBuilder {
    let (client, request) = request.build_split();
    let mut request = request.expect("a request");
    request.headers_mut().remove(name);
    if let Some(value) = value {
        let value = value.parse().expect("a header value");
        request.headers_mut().insert(name, value);
    }
    RequestBuilder::from_parts(client, request)
}

#[tokio::test]
async fn answer_is_json_and_health_is_open() {
    let simulator = simulator().await;
    let (url, _stop) = run(own(&simulator)).await;
    let answer = post(&url).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
    assert!(!answer.headers().contains_key("mcp-session-id"));
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer["result"]["cacheScope"], "public");

    let health = reqwest::get(url.replace("/mcp", "/health")).await.expect("an answer");
    assert_eq!(health.status(), StatusCode::OK);
    assert_eq!(health.json::<Value>().await.ok(), Some(json!({ "status": "ok" })));
    let elsewhere = reqwest::get(url.replace("/mcp", "/.well-known/oauth-protected-resource"));
    assert_eq!(elsewhere.await.expect("an answer").status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn refusals() {
    let simulator = simulator().await;
    let (url, _stop) = run(own(&simulator)).await;
    let host = url.trim_start_matches("http://").trim_end_matches("/mcp").to_owned();
    let port = host.rsplit(':').next().expect("a port");
    let (localhost, evil_host) = (&*format!("localhost:{port}"), &*format!("evil.example:{port}"));
    let (origin, evil) = (&*format!("http://{host}"), "https://evil.example");
    let account = &*format!("Bearer {TOKEN}");
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    // The headers that a good request has otherwise, or not at all.
    for (method, path, headers, expected) in [
        ("POST", "/mcp", &[][..], 200),
        ("POST", "/mcp/", &[], 200),
        ("POST", "/mcp", &[("host", localhost)], 200),
        ("POST", "/mcp", &[("origin", origin)], 200),
        ("GET", "/health", &[("host", "10.1.2.3:8000")], 200),
        ("POST", "/mcp", &[("origin", evil)], 403),
        ("POST", "/mcp", &[("origin", "null")], 403),
        ("POST", "/mcp", &[("origin", &*host)], 403),
        ("POST", "/mcp", &[("origin", evil), ("authorization", "")], 403),
        ("POST", "/mcp", &[("origin", origin), ("origin", evil)], 403),
        ("POST", "/mcp", &[("host", "evil.example")], 403),
        ("POST", "/mcp", &[("host", evil_host)], 403),
        ("POST", "/mcp", &[("host", "evil.example"), ("authorization", "")], 403),
        ("POST", "/mcp", &[("host", &*host), ("host", "evil.example")], 403),
        ("GET", "/nowhere", &[("host", "evil.example")], 403),
        ("GET", "/health", &[("origin", evil)], 403),
        ("GET", "/nowhere", &[("authorization", "")], 404),
        ("GET", "/.well-known/oauth-protected-resource", &[("authorization", "")], 404),
        ("GET", "/.well-known/oauth-authorization-server/mcp", &[("authorization", "")], 404),
        ("POST", "/register", &[("authorization", "")], 404),
        ("GET", "/authorize", &[], 404),
        ("GET", "/mcp/", &[], 405),
        ("GET", "/mcp", &[], 405),
        ("DELETE", "/mcp", &[], 405),
        ("OPTIONS", "/mcp", &[], 405),
        ("LARGE", "/mcp", &[], 413),
        ("CHUNKED", "/mcp", &[], 413),
        ("POST", "/mcp", &[("authorization", "")], 401),
        ("POST", "/mcp", &[("authorization", "Bearer wrong")], 401),
        ("POST", "/mcp", &[("authorization", account)], 401),
        ("POST", "/mcp", &[("authorization", KEY)], 401),
        ("POST", "/mcp", &[("mcp-method", "tools/call")], 400),
        ("POST", "/mcp", &[("mcp-method", "")], 400),
        ("POST", "/mcp", &[("mcp-protocol-version", "2025-11-25")], 400),
        ("NO JSON", "/mcp", &[], 400),
        ("POST", "/mcp", &[("accept", "text/html")], 406),
        ("POST", "/mcp", &[("content-type", "text/plain")], 415),
    ] {
        let case = format!("{method} {path} {headers:?}");
        let chunks = large.as_bytes().chunks(1 << 14).map(|chunk| Ok::<_, String>(chunk.to_vec()));
        let chunks: Vec<_> = chunks.collect();
        let request = post(&url.replace("/mcp", path));
        let (client, request) = match method {
            "LARGE" => request.body(large.clone()),
            "CHUNKED" => request.body(reqwest::Body::wrap_stream(futures::stream::iter(chunks))),
            "NO JSON" => request.body("{"),
            _ => request,
        }
        .build_split();
        let mut request = request.expect("a request");
        if let "GET" | "DELETE" | "OPTIONS" = method {
            *request.method_mut() = method.parse().expect("a method");
        }
        for (name, _) in headers {
            request.headers_mut().remove(*name);
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request.headers_mut().append(*name, value.parse().expect("a header value"));
        }
        let answer = client.execute(request).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), expected, "{case}");
        let challenge = answer.headers().get(header::WWW_AUTHENTICATE);
        assert_eq!(challenge.is_some(), expected == 401, "{case}");
        if let Some(challenge) = challenge {
            assert!(challenge.to_str().is_ok_and(|text| text.starts_with("Bearer realm=")));
        }
        let text = answer.text().await.expect("text");
        let advice = match expected {
            401 | 404 => "Authorization: Bearer",
            403 => "--allow-",
            413 => "1048576 bytes",
            _ => "",
        };
        assert!(text.contains(advice), "{case}: {text}");
    }
    assert_eq!(simulator.stats().requests(), 0);
}

#[tokio::test]
async fn broken_bodies_are_answered_in_json() {
    let simulator = simulator().await;
    let (url, _stop) = run(own(&simulator)).await;
    for (body, status, code, id) in [
        ("no JSON", 400, -32700, Value::Null),
        ("", 400, -32700, Value::Null),
        ("[]", 400, -32600, Value::Null),
        (r#"{"id":7}"#, 400, -32600, json!(7)),
    ] {
        let answer = post(&url).body(body).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{body}");
        let answer: Value = answer.json().await.expect("JSON");
        assert_eq!(answer["error"]["code"], code, "{body}: {answer}");
        assert_eq!(answer["id"], id, "{body}: {answer}");
    }
    // Parameters that do not fit, as a client of the older era sends them.
    for (method, params) in [
        ("tools/call", json!({})),
        ("tools/call", json!({ "name": 5 })),
        ("prompts/get", json!({})),
        ("completion/complete", json!({})),
    ] {
        let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        let request = with(post(&url).json(&body), "mcp-protocol-version", Some("2025-11-25"));
        let request = with(request, "mcp-method", None);
        let answer = request.send().await.expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        assert_eq!(answer["error"]["code"], -32602, "{body}: {answer}");
        assert_eq!(answer["id"], 7);
    }
}

#[tokio::test]
async fn allowed_hosts_and_origins_pass() {
    let simulator = simulator().await;
    let (server, options) = own(&simulator);
    let options = options.allow_host("mcp.example.com").allow_origin("https://app.example.com");
    let (url, _stop) = run((server, options)).await;
    for (name, value, expected) in [
        ("host", "mcp.example.com", 200),
        ("host", "mcp.example.com:8443", 200),
        ("host", "app.example.com", 403),
        ("origin", "https://app.example.com", 200),
        ("origin", "https://app.example.com:8443", 403),
        ("origin", "http://app.example.com", 403),
        ("origin", "https://other.example.com", 403),
        ("origin", "null", 403),
    ] {
        let answer = with(post(&url), name, Some(value)).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), expected, "{name} {value}");
        let may_read = answer.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        let readable = name == "origin" && expected == 200;
        assert_eq!(may_read.is_some(), readable, "{name} {value}");
    }
    // What a browser asks before.
    let preflight = reqwest::Client::new()
        .request(Method::OPTIONS, &url)
        .header(header::ORIGIN, "https://app.example.com")
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization,mcp-method");
    let answer = preflight.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS], "authorization,mcp-method");
}

#[tokio::test]
async fn request_with_a_token_spends_its_own_account() {
    let simulator = simulator().await;
    let options = HttpOptions::new(LOOPBACK, Access::TokenFromRequest);
    let (url, _stop) = run((Server::without_token(luma(&simulator), "no token"), options)).await;
    for bearer in ["token-of-one", "token-of-two"] {
        let session = open(&url, bearer, Era::Modern, Client::default()).await;
        generate(&session).await;
    }
    let tokens: Vec<_> = simulator
        .requests()
        .iter()
        .map(|request| request.headers["authorization"].to_str().expect("text").to_owned())
        .collect();
    assert_eq!(tokens, ["Bearer token-of-one", "Bearer token-of-two"]);
    let nobody = with(post(&url), "authorization", None).send().await.expect("an answer");
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn max_videos_over_http_counts_all_clients() {
    let simulator = simulator().await;
    let (server, options) = own(&simulator);
    let (url, _stop) = run((server.max_videos(1), options)).await;
    generate(&open(&url, KEY, Era::Legacy, Client::default()).await).await;
    let second = open(&url, KEY, Era::Modern, Client::default()).await;
    let refused =
        call(&second, "luma_generate_video", json!({ "prompt": "A fox", "aspect_ratio": "16:9" }))
            .await;
    assert_eq!(refused.is_error, Some(true));
    assert_eq!(simulator.stats().submits_accepted, 1);
}

#[tokio::test]
async fn unsafe_options_are_refused() {
    let simulator = simulator().await;
    let everywhere = "0.0.0.0:0".parse().expect("an address");
    let weak = Access::Key("short".to_owned().into());
    for (options, expected) in [
        (HttpOptions::new(everywhere, key()), InvalidOptions::NoHost(everywhere)),
        (HttpOptions::new(LOOPBACK, key()).allow_host("*"), InvalidOptions::Host("*".into())),
        (
            HttpOptions::new(LOOPBACK, key()).allow_origin("null"),
            InvalidOptions::Origin("null".into()),
        ),
    ] {
        match server(&simulator).listen(options).await {
            Err(ServeError::Options(got)) => assert_eq!(got, expected),
            other => panic!("{other:?}"),
        }
    }
    for key in [TOKEN.to_owned(), format!("{TOKEN}-and-more")] {
        let options = HttpOptions::new(LOOPBACK, Access::Key(key.into()));
        let refused = server(&simulator).listen(options).await;
        assert!(matches!(refused, Err(ServeError::Options(InvalidOptions::KeyIsToken))));
    }
    let weak = server(&simulator).listen(HttpOptions::new(LOOPBACK, weak)).await;
    assert!(matches!(weak, Err(ServeError::Options(InvalidOptions::Key(_)))));
}

#[tokio::test]
async fn server_that_stopped_does_not_listen() {
    let simulator = simulator().await;
    let (url, stop) = run(own(&simulator)).await;
    assert!(post(&url).send().await.is_ok());
    stop.cancel();
    // The connection may be accepted in the moment of the end.
    while post(&url).send().await.is_ok() {}
    assert!(post(&url).send().await.is_err_and(|error| error.is_connect()));
}

#[tokio::test]
async fn each_accept_gets_what_it_can_read() {
    let simulator = simulator().await;
    let task = luma(&simulator).generate("A fox").submit().await.expect("accepted");
    let (server, options) = own(&simulator);
    let server = server.hold(Duration::from_secs(1));
    let (url, _stop) = run((server, options)).await;
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "luma_get_task",
        "arguments": { "task_id": task.id().as_str() },
        "_meta": { "progressToken": 7 },
    } });
    for (accept, is_json) in [
        (Some("*/*"), true),
        (Some("application/*"), true),
        (Some("application/json"), true),
        (None, true),
        (Some("application/json, text/event-stream"), false),
    ] {
        // An old client: neither header nor structured content.
        let request = post(&url).body(format!("\u{feff}{body}"));
        let request = with(request, "mcp-protocol-version", None);
        let request = with(with(request, "mcp-method", None), "accept", accept);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{accept:?}");
        let media_type = answer.headers()[header::CONTENT_TYPE].to_str().expect("text").to_owned();
        assert_eq!(media_type == "application/json", is_json, "{accept:?}: {media_type}");
        let text = answer.text().await.expect("text");
        assert!(text.contains("luma_get_task"), "{accept:?}: {text}");
        assert!(!text.contains("structuredContent"), "{accept:?}: {text}");
    }
}

#[tokio::test]
async fn unknown_method_is_explained_in_each_era() {
    let simulator = simulator().await;
    let (url, _stop) = run(own(&simulator)).await;
    for method in ["logging/setLevel", "resources/subscribe", "subscriptions/listen", "nothing"] {
        let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method });
        let request = post(&url).json(&body).header("mcp-method", method);
        for (version, status) in [(Some("2026-07-28"), 404), (Some("2025-11-25"), 200), (None, 200)]
        {
            let request = request.try_clone().expect("a body that can be repeated");
            let request = with(request, "mcp-protocol-version", version);
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status().as_u16(), status, "{method} {version:?}");
            let answer: Value = answer.json().await.expect("JSON");
            assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(7), &json!(-32601)));
            let message = answer["error"]["message"].as_str().expect("a message");
            assert!(message.contains("it has tools and prompts"), "{message}");
        }
    }
}

/// Sends requests over one connection, and gives the beginning of each answer.
async fn over_one(stream: &mut TcpStream, requests: &[(&str, &str)]) -> Vec<String> {
    let mut answers = Vec::new();
    for (path, bearer) in requests {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bearer}\r\n\
             Content-Type: application/json\r\nContent-Length: 40\r\n\r\n\
             {{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}}"
        );
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).await.expect("read");
        answers.push(String::from_utf8_lossy(&answer[..length]).to_lowercase());
    }
    answers
}

/// How long the server keeps a connection on which nothing happens any more.
async fn kept(mut stream: TcpStream) -> u64 {
    let begin = Instant::now();
    // The end is a reset if the server leaves something unread.
    let end = stream.read(&mut [0; 4096]).await;
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    begin.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn idle_connection_is_kept_if_it_has_shown_the_key() {
    let simulator = simulator().await;
    let (url, _stop) = run(own(&simulator)).await;
    let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let connect = async || TcpStream::connect(address).await.expect("a connection");

    let mut good = connect().await;
    for answer in over_one(&mut good, &[("/mcp", KEY), ("/mcp", KEY)]).await {
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        assert!(answer.contains("keep-alive: timeout=75"), "{answer}");
    }
    assert_eq!(kept(good).await, 75);

    assert_eq!(kept(connect().await).await, 10);
    let mut half = connect().await;
    half.write_all(b"POST /mcp HTTP/1.1\r\nHost: ").await.expect("written");
    assert_eq!(kept(half).await, 10);
    let mut wrong = connect().await;
    for answer in over_one(&mut wrong, &[("/mcp", "wrong")]).await {
        assert!(answer.starts_with("http/1.1 401"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    assert_eq!(kept(wrong).await, 0);
}

/// A connection that sends requests, reads no answer, and is dropped after this time.
async fn held_without_reading(address: &str, request: String) -> u64 {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a size");
    let address = address.parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("a connection");
    let begin = Instant::now();
    // It ends when the server closes the connection.
    while stream.write_all(request.as_bytes()).await.is_ok() {}
    begin.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn connection_that_reads_nothing_is_dropped() {
    let simulator = simulator().await;
    let (url, _stop) = run(own(&simulator)).await;
    let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    let list = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len(),
    );
    let seconds = held_without_reading(address, list).await;
    assert!((30..35).contains(&seconds), "{seconds}");
    let health = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    let seconds = held_without_reading(address, health).await;
    assert!(seconds <= 10, "{seconds}");
}

#[tokio::test]
async fn many_connections_without_a_key_hold_nothing_for_long() {
    let simulator = simulator().await;
    let (url, _stop) = run(own(&simulator)).await;
    let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let mut strangers = Vec::new();
    // Each takes two of the 1,024 files that this process may have.
    for index in 0..320 {
        // One after the other: the kernel forgets connections that come faster than they are accepted.
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let text = match index % 3 {
            0 => "",
            1 => "POST /mcp HTTP/1.1\r\nHost: ",
            _ => "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Fill: ",
        };
        stream.write_all(text.as_bytes()).await.expect("written");
        strangers.push(kept(stream));
        tokio::task::yield_now().await;
    }
    assert_eq!(post(&url).send().await.expect("an answer").status(), StatusCode::OK);
    let all = futures::future::join_all(strangers);
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("all are closed");
}
