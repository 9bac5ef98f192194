//! The MCP server as rmcp's client and plain HTTP see it, against the simulator.

mod app;
mod http;
mod limits;
mod session;
mod tasks;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use luma_client::{CancellationToken, Luma};
use luma_mcp::{ServeError, Server};
use luma_simulator::Simulator;
use rmcp::{
    ClientHandler, RoleClient,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ClientConfig,
        ErrorData, Implementation, ProgressNotificationParam, ProtocolVersion, Tool,
    },
    service::{
        ClientLifecycleMode, ClientServiceExt, NotificationContext, RunningService, ServiceError,
    },
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const TOKEN: &str = "s3cret-api-token";

/// A client that notes down the progress that it hears of.
#[derive(Clone, Default)]
struct Client {
    declares_tasks: bool,
    shows_views: bool,
    progress: Arc<Mutex<Vec<ProgressNotificationParam>>>,
}

impl ClientHandler for Client {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = match self.declares_tasks {
            true => ClientCapabilities::builder().enable_tasks().build(),
            false => ClientCapabilities::default(),
        };
        if self.shows_views {
            capabilities.extensions = Some(app::extension());
        }
        ClientConfig::new(capabilities, Implementation::new("a-test", "1"))
    }

    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.progress.lock().expect("no panic").push(progress);
    }
}

type Session = RunningService<RoleClient, Client>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Era {
    /// With `initialize`.
    Legacy,
    /// With `server/discover`, and capabilities in every request.
    Modern,
}

impl Era {
    const BOTH: [Self; 2] = [Self::Legacy, Self::Modern];

    fn lifecycle(self) -> ClientLifecycleMode {
        match self {
            Self::Legacy => ClientLifecycleMode::Initialize,
            Self::Modern => ClientLifecycleMode::Discover {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            },
        }
    }
}

async fn simulator() -> Simulator {
    Simulator::with_duration(Duration::from_secs(60)).await.expect("a simulator")
}

fn luma(simulator: &Simulator) -> Luma {
    Luma::builder().token(TOKEN).base_url(simulator.url()).build().expect("a client")
}

fn server(simulator: &Simulator) -> Server {
    Server::new(luma(simulator))
}

/// A session over a pipe, in this process.
async fn connect(server: Server, era: Era, client: Client) -> Session {
    connect_until(CancellationToken::new(), server, era, client).await.0
}

/// The same, and the end of the server, which can be stopped.
async fn connect_until(
    stop: CancellationToken,
    server: Server,
    era: Era,
    client: Client,
) -> (Session, JoinHandle<Result<(), ServeError>>) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (reader, writer) = tokio::io::split(theirs);
    let serving = tokio::spawn(server.serve(reader, writer, stop));
    let session = client.serve_with_lifecycle(ours, era.lifecycle()).await;
    (session.expect("a session"), serving)
}

fn params(tool: &'static str, arguments: Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool)
        .with_arguments(arguments.as_object().cloned().expect("an object"))
}

async fn call(session: &Session, tool: &'static str, arguments: Value) -> CallToolResult {
    match session.call_tool_once(params(tool, arguments)).await {
        Ok(CallToolResponse::Complete(result)) => result,
        other => panic!("{other:?}"),
    }
}

/// `result` of a result, which has to be what the tool promises.
fn result_of(tools: &[Tool], tool: &str, result: &CallToolResult) -> Value {
    let tool = tools.iter().find(|known| known.name == tool);
    let schema = tool.and_then(|tool| tool.output_schema.clone());
    let schema = Value::Object((*schema.expect("an output schema")).clone());
    let content = result.structured_content.clone().expect("content");
    jsonschema::validate(&schema, &content).expect("content that keeps its promise");
    let text = result.content[0].as_text().expect("a text");
    assert_eq!(serde_json::from_str::<Value>(&text.text).ok(), Some(content.clone()));
    content["result"].clone()
}

async fn generate(session: &Session) -> String {
    let result =
        call(session, "luma_generate_video", json!({ "prompt": "A fox", "aspect_ratio": "16:9" }))
            .await;
    let content = result.structured_content.expect("content");
    let id = content["result"]["task_id"].as_str();
    id.unwrap_or_else(|| panic!("{content}")).to_owned()
}

fn mcp_error<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> ErrorData {
    match result {
        Err(ServiceError::McpError(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Waits until it is so: at most 20 seconds, and usually a moment.
async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never happens: {what}");
}

fn is_processing(simulator: &Simulator, id: &str) -> bool {
    let task = simulator.task(id).expect("a task");
    task["response"]["state"] == "processing"
}
