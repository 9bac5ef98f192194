//! The view of MCP Apps and the guide: who is offered them, and what they contain.

use rmcp::model::{
    CacheScope, ExtensionCapabilities, JsonObject, ReadResourceRequestParams, Resource,
};

use super::*;

const EXTENSION: &str = "io.modelcontextprotocol/ui";
const VIEW: &str = "ui://luma/video.html";

/// A client that shows views.
fn with_views() -> Client {
    Client { shows_views: true, ..Client::default() }
}

async fn read(session: &Session, uri: &str) -> Result<Value, ServiceError> {
    let read = session.read_resource(ReadResourceRequestParams::new(uri)).await?;
    Ok(json!(read))
}

#[tokio::test]
async fn view_is_offered_and_read_in_each_era() {
    let simulator = simulator().await;
    for (era, client) in
        [(Era::Legacy, with_views()), (Era::Modern, with_views()), (Era::Modern, Client::default())]
    {
        let server = server(&simulator).media_host("https://cdn.example.com").expect("an origin");
        let session = connect(server, era, client).await;
        let info = session.peer_info().expect("information");
        let extensions = info.capabilities.extensions.clone().expect("extensions");
        assert!(extensions.contains_key(EXTENSION), "{extensions:?}");
        assert!(info.capabilities.resources.is_some());

        let is_modern = era == Era::Modern;
        let list = session.list_resources(None).await.expect("a list");
        assert_eq!(list.ttl_ms.is_some(), is_modern);
        let listed: Vec<&Resource> = list.resources.iter().collect();
        assert_eq!(listed.iter().map(|one| &*one.uri).collect::<Vec<_>>(), ["luma://guide", VIEW]);
        assert_eq!(listed[1].mime_type.as_deref(), Some("text/html;profile=mcp-app"));

        let read = session.read_resource(ReadResourceRequestParams::new(VIEW)).await;
        let read = read.expect("a view");
        assert_eq!(read.cache_scope, is_modern.then_some(CacheScope::Public));
        assert_eq!(read.ttl_ms.is_some(), is_modern);
        let content = json!(read.contents[0]);
        assert_eq!(content["uri"], VIEW);
        assert_eq!(content["mimeType"], "text/html;profile=mcp-app");
        assert_eq!(
            content["_meta"]["ui"],
            json!({
                "csp": {
                    "resourceDomains": ["https://*.acedata.cloud", "https://cdn.example.com"]
                },
                "permissions": { "clipboardWrite": {} },
                "prefersBorder": false,
            })
        );
        for tool in session.list_all_tools().await.expect("tools") {
            let ui = json!(tool)["_meta"]["ui"].clone();
            let submits = tool.name.contains("generate") || tool.name.contains("extend");
            let expected = match &*tool.name {
                "luma_list_actions" | "luma_list_aspect_ratios" => Value::Null,
                _ if submits => json!({ "resourceUri": VIEW, "visibility": ["model"] }),
                _ => json!({ "resourceUri": VIEW }),
            };
            assert_eq!(ui, expected, "{}", tool.name);
        }
    }
}

/// The bytes of what a raw session answers to these requests, by id.
async fn session(revision: &str, capabilities: Value, requests: &[(&str, Value)]) -> Vec<Value> {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let simulator = simulator().await;
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (reader, writer) = tokio::io::split(theirs);
    let stop = CancellationToken::new();
    tokio::spawn(server(&simulator).serve(reader, writer, stop));
    let (reader, mut writer) = tokio::io::split(ours);
    let mut lines = BufReader::new(reader).lines();
    let hello = json!({ "protocolVersion": revision, "capabilities": capabilities,
        "clientInfo": { "name": "a-test", "version": "1" } });
    let mut answers = Vec::new();
    let begin = [("initialize", hello)];
    for (id, (method, params)) in begin.iter().chain(requests).enumerate() {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        writer.write_all(format!("{request}\n").as_bytes()).await.expect("written");
        let answer = lines.next_line().await.expect("read").expect("a line");
        answers.push(serde_json::from_str(&answer).expect("JSON"));
        if id == 0 {
            let begun = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";
            writer.write_all(begun.as_bytes()).await.expect("written");
        }
    }
    answers
}

fn calls() -> [(&'static str, Value); 6] {
    let submit = json!({ "name": "luma_generate_video", "arguments": { "prompt": " " } });
    [
        ("tools/list", json!({})),
        ("resources/list", json!({})),
        ("resources/read", json!({ "uri": VIEW })),
        ("tools/call", json!({ "name": "luma_list_tasks", "arguments": {} })),
        ("tools/call", json!({ "name": "luma_get_task", "arguments": { "task_id": "a" } })),
        ("tools/call", submit),
    ]
}

#[tokio::test]
async fn host_without_the_extension_gets_the_same_bytes() {
    let shows =
        json!({ "extensions": { EXTENSION: { "mimeTypes": ["text/html;profile=mcp-app"] } } });
    for revision in ["2025-06-18", "2025-11-25"] {
        let with = session(revision, shows.clone(), &calls()).await;
        let without = session(revision, json!({}), &calls()).await;
        assert_eq!(with, without, "{revision}");
    }
}

#[tokio::test]
async fn revision_before_structured_content_gets_no_view() {
    for revision in ["2024-11-05", "2025-03-26"] {
        let answers = session(revision, json!({}), &calls()).await;
        let text = json!(answers).to_string();
        assert!(!text.contains("_meta") && !text.contains(EXTENSION), "{revision}");
        let listed = answers[2]["result"]["resources"].as_array().expect("resources");
        assert_eq!(listed.len(), 1);
        assert_eq!(answers[3]["error"]["code"], -32002, "{revision}");
    }
}

#[tokio::test]
async fn list_of_tools_and_view_stay_small() {
    let [list, ..] = calls();
    let answers = session("2025-11-25", json!({}), &[list]).await;
    let size = answers[1].to_string().len();
    assert!(size <= 20_480, "{size}");

    let session = connect(server(&simulator().await), Era::Legacy, with_views()).await;
    let view = read(&session, VIEW).await.expect("a view");
    let view = view["contents"][0]["text"].as_str().expect("a text").to_owned();
    assert!(view.len() <= 40_000, "{}", view.len());
    // Nothing from outside, no text as markup, and no tool that costs credits.
    for refused in [
        "src=\"",
        "href=\"http",
        "@import",
        "fetch(",
        "XMLHttpRequest",
        "WebSocket",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "luma_generate",
        "luma_extend",
        "localStorage",
    ] {
        assert!(!view.contains(refused), "{refused}");
    }
    assert!(!view.contains("<html data-read-only"));
}

#[tokio::test]
async fn guide_and_view_of_a_read_only_server_name_no_submit() {
    let simulator = simulator().await;
    for read_only in [false, true] {
        let server = server(&simulator).read_only(read_only);
        let session = connect(server, Era::Modern, with_views()).await;
        let guide = read(&session, "luma://guide").await.expect("a guide").to_string();
        assert!(guide.contains("text/markdown"));
        assert_eq!(guide.contains("luma_generate_video"), !read_only);
        let view = read(&session, VIEW).await.expect("a view").to_string();
        assert_eq!(view.contains("<html data-read-only"), read_only);
        let error = mcp_error(read(&session, "file:///etc/hostname").await);
        assert!(error.message.contains("no resource"), "{}", error.message);
    }
}

#[test]
fn media_host_that_is_not_an_origin_is_refused() {
    let luma = Luma::builder().token("t").build().expect("a client");
    for (host, is_good) in [
        ("https://cdn.example.com", true),
        ("http://127.0.0.1:8000", true),
        ("cdn.example.com", false),
        ("https://cdn.example.com/films", false),
        ("https://a.example; script-src *", false),
        ("*", false),
        ("data:", false),
    ] {
        assert_eq!(Server::new(luma.clone()).media_host(host).is_ok(), is_good, "{host}");
    }
}

/// The settings of a client that declares the extension.
pub(super) fn extension() -> ExtensionCapabilities {
    let types = json!(["text/html;profile=mcp-app"]);
    let settings = JsonObject::from_iter([("mimeTypes".to_owned(), types)]);
    [(EXTENSION.to_owned(), settings)].into()
}
