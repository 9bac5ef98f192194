//! The MCP server as rmcp's client, plain lines and plain HTTP see it, against the simulator.

mod app;
mod confirm;
mod http;
mod limits;
mod session;
mod tasks;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use luma_client::{CancellationToken, Luma};
use luma_mcp::{HttpOptions, Server};
use luma_simulator::Simulator;
use rmcp::{
    ClientHandler, RoleClient,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ClientConfig,
        ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationCapability, ErrorData,
        Implementation, ProgressNotificationParam, ProtocolVersion, Tool,
    },
    service::{
        ClientLifecycleMode, ClientServiceExt, NotificationContext, RequestContext, RunningService,
        ServiceError,
    },
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf},
    task::JoinHandle,
};

const TOKEN: &str = "s3cret-api-token";

/// A client that notes down the progress and the questions that it hears of.
#[derive(Clone, Default)]
struct Client {
    declares_tasks: bool,
    shows_views: bool,
    /// What the user answers to questions, if the client can ask.
    answer: Option<ElicitationAction>,
    questions: Arc<Mutex<Vec<String>>>,
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
        capabilities.elicitation = self.answer.as_ref().map(|_| ElicitationCapability::default());
        ClientConfig::new(capabilities, Implementation::new("a-test", "1"))
    }

    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        let ElicitRequestParams::FormElicitationParams { message, .. } = request else {
            panic!("{request:?}");
        };
        self.questions.lock().expect("no panic").push(message);
        Ok(ElicitResult::new(self.answer.clone().expect("an answer")))
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

/// What the server is reached by.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Over {
    Pipe,
    Http,
}

impl Over {
    const BOTH: [Self; 2] = [Self::Pipe, Self::Http];
}

/// A session over a pipe, in this process.
async fn connect(server: Server, era: Era, client: Client) -> Session {
    connect_until(CancellationToken::new(), Over::Pipe, server, era, client).await.0
}

/// A session, and the end of the server, which can be stopped.
async fn connect_until(
    stop: CancellationToken,
    over: Over,
    server: Server,
    era: Era,
    client: Client,
) -> (Session, JoinHandle<()>) {
    if over == Over::Http {
        let options = HttpOptions::new(http::LOOPBACK, http::key());
        let server = server.listen(options).await.expect("a server");
        let url = server.url();
        let serving = tokio::spawn(server.run(stop));
        return (http::open(&url, http::KEY, era, client).await, serving);
    }
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let serving = serve(server, theirs, stop);
    let session = client.serve_with_lifecycle(ours, era.lifecycle()).await;
    (session.expect("a session"), serving)
}

fn serve(server: Server, stream: DuplexStream, stop: CancellationToken) -> JoinHandle<()> {
    let (reader, writer) = tokio::io::split(stream);
    tokio::spawn(async move {
        server.serve(reader, writer, stop).await.expect("a good end");
    })
}

/// Waits for the end of a server.
async fn ended(serving: JoinHandle<()>) {
    tokio::time::timeout(Duration::from_secs(30), serving)
        .await
        .expect("in time")
        .expect("no panic");
}

/// What a revision since 2026-07-28 has in each request.
fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn request(id: u64, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn submit(id: u64) -> Value {
    let params = json!({ "name": "luma_generate_video", "arguments": { "prompt": "A fox" } });
    request(id, "tools/call", params)
}

fn cancelled(id: u64) -> Value {
    let params = json!({ "requestId": id });
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params })
}

/// A session of plain lines.
struct Lines {
    writer: WriteHalf<DuplexStream>,
    lines: tokio::io::Lines<BufReader<ReadHalf<DuplexStream>>>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Lines {
    fn new(server: Server) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let stop = CancellationToken::new();
        let serving = serve(server, theirs, stop.clone());
        let (reader, writer) = tokio::io::split(ours);
        Self { writer, lines: BufReader::new(reader).lines(), stop, serving }
    }

    /// A session that has begun with an `initialize` of this revision.
    async fn begun(server: Server, revision: &str, capabilities: Value) -> Self {
        let mut lines = Self::new(server);
        let params = json!({ "protocolVersion": revision, "capabilities": capabilities });
        lines.send(&request(0, "initialize", params)).await;
        let hello = lines.next().await;
        assert_eq!(hello["result"]["protocolVersion"], revision);
        lines
    }

    async fn write(&mut self, text: &[u8]) {
        self.writer.write_all(text).await.expect("written");
    }

    async fn send(&mut self, message: &Value) {
        self.write(format!("{message}\n").as_bytes()).await;
    }

    /// The next message; none if there is no more.
    async fn try_next(&mut self) -> Option<Value> {
        let next = tokio::time::timeout(Duration::from_secs(30), self.lines.next_line()).await;
        let line = next.expect("in time").expect("text")?;
        Some(serde_json::from_str(&line).expect("JSON"))
    }

    async fn next(&mut self) -> Value {
        self.try_next().await.expect("a message")
    }

    /// What comes after the end of the input.
    async fn rest(&mut self) -> Vec<Value> {
        self.writer.shutdown().await.expect("closed");
        let mut rest = Vec::new();
        while let Some(message) = self.try_next().await {
            rest.push(message);
        }
        rest
    }
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
