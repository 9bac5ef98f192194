//! A service with what stands before and beside it, and clients of it.

use std::time::{Duration, SystemTime};

use luma_client::{
    Luma, Pace, TaskId, Video,
    simulator::{Fault, JobDuration, Simulator, Target, TaskScript},
};
use serde_json::json;
use tokio::net::TcpSocket;

use super::{
    Body, Case, FILE, IMPATIENCE, Operation, Strike, TOKEN, bare, builder, client,
    fronts::{Gate, Tls},
};

#[derive(Debug)]
pub struct World {
    pub simulator: Simulator,
    /// Where redirects lead. Nothing may ever come there but downloads, without the token.
    pub elsewhere: Simulator,
    pub luma: Luma,
    /// The same, but nothing stands between it and the simulator.
    pub direct: Luma,
    /// Where nobody is, if that is the fault.
    pub nowhere: Option<String>,
    /// Of a task that was submitted before.
    pub known: TaskId,
    /// Of that task.
    pub video: Video,
    /// The same file elsewhere.
    file_elsewhere: String,
    gate: Option<Gate>,
    /// Bound, but nobody listens.
    _closed: TcpSocket,
}

impl World {
    pub async fn start(case: &Case) -> Self {
        let at_once = JobDuration::Fixed(Duration::ZERO);
        let service = Simulator::builder().token(TOKEN).duration(at_once);
        let simulator = service.start().await.expect("a simulator");
        let elsewhere = Simulator::start().await.expect("a simulator");
        let direct = match case.is_silent {
            true => builder(simulator.url()).read_timeout(IMPATIENCE),
            false => builder(simulator.url()),
        };
        let direct = direct.build().expect("a client");
        let closed = TcpSocket::new_v4().expect("a socket");
        closed
            .bind("127.0.0.1:0".parse().expect("an address"))
            .expect("a port");
        let port = closed.local_addr().expect("an address").port();
        let nowhere = match case.strike {
            Strike::NoHost => Some("http://nowhere.invalid".to_owned()),
            Strike::NoListener => Some(format!("http://127.0.0.1:{port}")),
            _ => None,
        };
        let (mut gate, mut tls) = (None, None);
        match case.strike {
            Strike::Gate => gate = Some(Gate::before(simulator.url()).await),
            Strike::Downgrade(_) => tls = Some(Tls::before(simulator.url()).await),
            _ => {}
        }
        let front = nowhere.as_ref();
        let front = front.or(gate.as_ref().map(|gate| &gate.url));
        let front = front.or(tls.as_ref().map(|tls| &tls.url));
        let luma = match (front, &tls) {
            (Some(url), None) => builder(url)
                // No connection is there from before.
                .http_client(bare().pool_max_idle_per_host(0))
                .build()
                .expect("a client"),
            (Some(url), Some(tls)) => builder(url)
                .http_client(tls.trusted())
                .download_client(tls.trusted())
                .build()
                .expect("a client"),
            // The same: what comes next meets a connection that is in use.
            (None, _) if case.is_silent => direct.with_timeout(IMPATIENCE),
            (None, _) => direct.clone(),
        };
        if let Some(front) = front {
            let url = format!("{front}/media/v.mp4");
            let response = json!({ "state": "completed", "video_url": url });
            simulator.on_submit(TaskScript::response(response));
        }
        let earlier = direct.generate("Something else").submit().await;
        let known = earlier.expect("no fault yet").id().clone();
        let waiting = match nowhere {
            Some(_) => &direct,
            None => &luma,
        };
        let pace = Pace::fixed(Duration::from_millis(10));
        let video = waiting.task(known.clone()).wait().pace(pace).await;
        simulator.set_video(FILE);

        let mut file_elsewhere = String::new();
        if let Strike::Redirect(_) | Strike::Downgrade(_) = case.strike {
            elsewhere.set_video(FILE);
            let there = client(elsewhere.url()).generate("A copy").submit().await;
            let there = there.expect("no fault there");
            let url = elsewhere.video_url(there.id().as_str()).expect("a file");
            file_elsewhere = by_name(&url);
        }
        Self {
            simulator,
            elsewhere,
            luma,
            direct,
            nowhere,
            known,
            video: video.expect("a video"),
            file_elsewhere,
            gate,
            _closed: closed,
        }
    }

    /// `date` is for a case that wants one.
    pub fn inject(&self, case: &Case, operation: Operation, date: SystemTime) {
        let fault = match &case.strike {
            Strike::NoHost | Strike::NoListener => return,
            Strike::Gate => {
                let gate = self.gate.as_ref().expect("a gate");
                return gate.shut(true);
            }
            Strike::Connection(fault, _) => fault.clone(),
            Strike::Redirect(status) | Strike::Downgrade(status) => {
                let elsewhere = by_name(self.elsewhere.url());
                let location = match operation.target() {
                    Target::Submit => format!("{elsewhere}/luma/videos"),
                    Target::Media => self.file_elsewhere.clone(),
                    _ => format!("{elsewhere}/luma/tasks"),
                };
                Fault::redirect(*status, location)
            }
            Strike::Answer(status, headers, body) => {
                let mut fault = match body {
                    Body::Filler(length) if *status == 200 => Fault::body_bytes(*length),
                    body => Fault::status(*status).body(body.of(operation, self.known.as_str())),
                };
                for (name, value) in headers {
                    fault = fault.header(*name, value);
                }
                if case.is_dated {
                    fault = fault.header("retry-after", httpdate::fmt_http_date(date));
                }
                let is_blank = match body {
                    Body::Text(text) => text.is_empty(),
                    body => matches!(body, Body::Filler(_)),
                };
                match operation {
                    // What it says it is must not be all that is wrong with it.
                    Operation::Download if is_blank => fault.header("content-type", "video/mp4"),
                    _ => fault,
                }
            }
        };
        let fault = match &case.strike {
            Strike::Connection(..) => fault,
            _ => fault.accepting(case.is_accepted),
        };
        let fault = fault.on(operation.target());
        self.simulator.inject(match case.times {
            Some(times) => fault.times(times),
            // It goes on from each cut, so that one says all.
            None if operation == Operation::Download && case.is_cut => fault.times(1),
            None => fault.always(),
        });
    }

    /// Nothing goes wrong any more. Gives how many connections were cut off.
    pub fn heal(&self) -> u64 {
        self.simulator.clear_faults();
        self.gate.as_ref().map_or(0, |gate| {
            gate.shut(false);
            gate.take_reset()
        })
    }

    pub fn requests(&self, operation: Operation) -> u64 {
        let stats = self.simulator.stats();
        match operation.target() {
            Target::Submit => stats.submits_received,
            Target::Media => stats.media_requests,
            _ => stats.lookups,
        }
    }
}

/// The same place by its name: another host, as far as HTTP is concerned.
fn by_name(url: &str) -> String {
    url.replace("127.0.0.1", "localhost")
}
