//! The MCP server, beside the vendor's `mcp-luma`.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use luma_benches::{Result, process::Process, service::Service};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use super::{
    Scale,
    figures::{Goal, Row},
    load::{self, Load},
};

const INITIALIZE: &str = concat!(
    r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","#,
    r#""capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#,
    "\n"
);
const INITIALIZED: &str =
    concat!(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, "\n");
/// What HTTP clients bring; the peer takes any.
const KEY: &str = "an-access-key-for-the-benchmark";
/// For one load, or a server to start.
const PATIENCE: Duration = Duration::from_secs(60);
const AT_ONCE: [(&str, usize); 2] = [("one after the other", 1), ("50 at once", 50)];
/// Completed tasks that are looked up in turn.
const TASKS: usize = 100;
/// Calls before the first one that counts.
const WARM_UP: Duration = Duration::from_millis(200);

#[derive(Clone, Copy)]
enum Side<'a> {
    Ours(&'a Path),
    Theirs(&'a Path),
}

/// All figures of a side, each of several runs.
#[derive(Default)]
struct Figures {
    starts: Vec<f64>,
    idle: Vec<f64>,
    loaded: Vec<f64>,
    bytes: Vec<f64>,
    /// By transport and number of calls at once.
    loads: [[Vec<(Load, f64)>; 2]; 2],
}

pub async fn measure(scale: &Scale, luma: &Path, peer: Option<&Path>) -> Result<(Vec<Row>, f64)> {
    let short = Duration::from_millis(1);
    let mut service = Service::start(short, short).await?;
    let tasks = service.submit(TASKS).await?;
    let (mut ours, mut theirs) = (Figures::default(), Figures::default());
    for _ in 0..scale.starts {
        ours.start(&service, Side::Ours(luma)).await?;
        if let Some(peer) = peer {
            theirs.start(&service, Side::Theirs(peer)).await?;
        }
    }
    for _ in 0..scale.runs {
        ours.run(scale, &mut service, &tasks, Side::Ours(luma)).await?;
        if let Some(peer) = peer {
            theirs.run(scale, &mut service, &tasks, Side::Theirs(peer)).await?;
        }
    }
    // Whether it is the limit itself.
    let loads = ours.loads.iter().flatten().flatten();
    let driver = loads.map(|load| load.0.driver).fold(0.0, f64::max);
    Ok((rows(&ours, &theirs), driver))
}

fn rows(ours: &Figures, theirs: &Figures) -> Vec<Row> {
    let row = |what: &str, more_is_better, goal, figure: &dyn Fn(&Figures) -> Vec<f64>| Row {
        what: what.to_owned(),
        ours: figure(ours),
        theirs: figure(theirs),
        more_is_better,
        goal,
    };
    let mut rows = vec![
        row("spawn to initialized, ms", false, Goal::Times(50.0), &|f| f.starts.clone()),
        row("peak memory idle, MB", false, Goal::Times(8.0), &|f| f.idle.clone()),
        row("peak memory under load, MB", false, Goal::Times(8.0), &|f| f.loaded.clone()),
        row("bytes of an answer", false, Goal::Times(2.0), &|f| f.bytes.clone()),
    ];
    for (transport, name) in ["stdio", "HTTP"].into_iter().enumerate() {
        for (number, (how, at_once)) in AT_ONCE.into_iter().enumerate() {
            let of = |figure: fn(&(Load, f64)) -> f64| {
                move |f: &Figures| f.loads[transport][number].iter().map(figure).collect()
            };
            let times = if at_once == 1 { 60.0 } else { 200.0 };
            let title = |figure: &str| format!("{name}, {how}: {figure}");
            rows.extend([
                row(&title("calls/s"), true, Goal::Times(times), &of(|l| l.0.calls_per_second())),
                row(&title("p99, ms"), false, Goal::None, &of(|l| l.0.p99())),
                row(
                    &title("upstream connections, all since its start"),
                    false,
                    Goal::AtMost(1.0),
                    &of(|l| l.1),
                ),
            ]);
        }
    }
    rows
}

impl Figures {
    async fn start(&mut self, service: &Service, side: Side<'_>) -> Result<()> {
        let begin = Instant::now();
        let server = stdio(service, side).await?;
        self.starts.push(begin.elapsed().as_secs_f64() * 1e3);
        self.idle.push(server.peak()?);
        Ok(())
    }

    async fn run(
        &mut self,
        scale: &Scale,
        service: &mut Service,
        tasks: &[String],
        side: Side<'_>,
    ) -> Result<()> {
        let before = service.seen().await?.connections;
        let mut server = stdio(service, side).await?;
        server.send(INITIALIZED).await?;
        let mut first = 1;
        for (number, (_, at_once)) in AT_ONCE.into_iter().enumerate() {
            for time in [WARM_UP, scale.load] {
                let load = load::stdio(&mut server, tasks, at_once, time, first);
                let load = timeout(PATIENCE, load).await??;
                first += load.calls();
                if time == scale.load {
                    self.bytes.push(load.bytes);
                    let connections = service.seen().await?.connections - before;
                    self.loads[0][number].push((load, connections as f64));
                }
            }
        }
        self.loaded.push(server.peak()?);
        drop(server);

        let before = service.seen().await?.connections;
        let (server, address) = http(service, side).await?;
        for (number, (_, at_once)) in AT_ONCE.into_iter().enumerate() {
            for time in [WARM_UP, scale.load] {
                let load = load::http(&address, KEY, tasks, at_once, time);
                let load = timeout(PATIENCE, load).await??;
                if time == scale.load {
                    let connections = service.seen().await?.connections - before;
                    self.loads[1][number].push((load, connections as f64));
                }
            }
        }
        drop(server);
        Ok(())
    }
}

/// A server over its pipes that has answered `initialize`.
async fn stdio(service: &Service, side: Side<'_>) -> Result<Process> {
    let mut server = start(service, side, None)?;
    server.send(INITIALIZE).await?;
    server.line().await?;
    Ok(server)
}

/// A server that listens, and where.
async fn http(service: &Service, side: Side<'_>) -> Result<(Process, String)> {
    let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    let server = start(service, side, Some(port))?;
    let address = format!("127.0.0.1:{port}");
    let listening = async {
        while TcpStream::connect(&address).await.is_err() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, listening).await?;
    Ok((server, address))
}

fn start(service: &Service, side: Side<'_>, port: Option<u16>) -> Result<Process> {
    let (Side::Ours(program) | Side::Theirs(program)) = side;
    Process::start(program, |command| {
        command.env("ACEDATACLOUD_API_TOKEN", "any");
        command.env("ACEDATACLOUD_API_BASE_URL", &service.url);
        command.env("LUMA_MCP_ACCESS_KEY", KEY);
        // A log that nobody reads would stop its writer in the end.
        command.stderr(Stdio::null());
        if port.is_some() {
            command.stdout(Stdio::null());
        }
        match (side, port) {
            (Side::Ours(_), None) => command.arg("mcp"),
            (Side::Ours(_), Some(port)) => {
                command.args(["mcp", "--http", &format!("127.0.0.1:{port}")])
            }
            (Side::Theirs(_), None) => command,
            (Side::Theirs(_), Some(port)) => {
                command.args(["--transport", "http", "--port", &port.to_string()])
            }
        };
    })
}
