//! A service with what stands before and beside it, and a call that meets a fault.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::TryStreamExt;
use luma_client::{
    CancellationToken, Error, Luma, PollInterval, Submission, SubmitError, TaskId, Video,
};
use luma_simulator::{Fault, JobDuration, Simulator, Target, TaskScript};
use serde_json::{Value, json};
use tokio::{net::TcpSocket, time::Instant};

use super::{
    Named, PATIENCE, TOKEN, bare, builder,
    cases::{Body, Case, Cause},
    client, eventually,
    fronts::{Gate, Tls},
    id, retry, show, show_error, webhook_relay,
};

/// The bytes of the video.
const FILE: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom and the rest of the file";

/// How long a request may take, if the fault is that nothing comes.
const IMPATIENCE: Duration = Duration::from_millis(600);

/// A call that meets a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Submit,
    Lookup,
    Batch,
    History,
    /// A submit whose callback meets the fault, and the wait for its video.
    Webhook,
    Download,
}

impl Operation {
    pub const ALL: [Self; 6] =
        [Self::Submit, Self::Lookup, Self::Batch, Self::History, Self::Webhook, Self::Download];

    fn target(self) -> Target {
        match self {
            Self::Submit => Target::Submit,
            Self::Download => Target::Media,
            _ => Target::Lookup,
        }
    }

    fn is_at(self, path: &str) -> bool {
        match self.target() {
            Target::Submit => path == "/luma/videos",
            Target::Lookup => path == "/luma/tasks",
            _ => path.starts_with("/media/"),
        }
    }

    /// A good response about a task.
    fn response(self, id: &str) -> Value {
        let task = json!({ "id": id, "created_at": 1.0, "response": webhook_relay::result(id) });
        match self {
            Self::Submit => json!({ "task_id": id }),
            Self::Lookup => task,
            Self::Batch | Self::History => json!({ "items": [task], "count": 1 }),
            Self::Webhook | Self::Download => webhook_relay::result(id),
        }
    }
}

/// How a call ended.
#[derive(Debug)]
pub struct Outcome {
    /// In a few words.
    pub name: String,
    pub requests: u64,
    /// Submits that the service accepted.
    pub accepted: u64,
    /// How many connections ended before the service saw a request.
    pub reset: u64,
    /// All that the call gave, as it can be shown.
    pub shown: Vec<String>,
    /// If the submit is unconfirmed.
    pub submission: Option<Box<Submission>>,
}

#[derive(Debug)]
pub struct Fixture {
    pub simulator: Simulator,
    /// Where redirects lead. Nothing may ever come there but downloads, without the token.
    elsewhere: Simulator,
    pub luma: Luma,
    /// The same, but nothing stands between it and the simulator. It made the earlier task.
    pub direct: Luma,
    /// Where nobody is, if that is the fault.
    nowhere: Option<String>,
    /// A task that was submitted before, and its video.
    known: TaskId,
    video: Video,
    /// The same file elsewhere.
    file_elsewhere: String,
    gate: Option<Gate>,
    /// Bound, but nobody listens.
    _closed: TcpSocket,
}

impl Fixture {
    pub async fn start(case: &Case) -> Self {
        let at_once = JobDuration::Fixed(Duration::ZERO);
        let service = Simulator::builder().token(TOKEN).duration(at_once);
        let simulator = service.start().await.expect("a simulator");
        let elsewhere = Simulator::builder().duration(at_once).start().await.expect("a simulator");
        let direct = client(simulator.url());
        let closed = TcpSocket::new_v4().expect("a socket");
        closed.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let port = closed.local_addr().expect("an address").port();
        let nowhere = match case.cause {
            Cause::NoHost => Some("https://nowhere.invalid".to_owned()),
            Cause::NoListener => Some(format!("http://127.0.0.1:{port}")),
            _ => None,
        };
        let (mut gate, mut tls) = (None, None);
        match case.cause {
            Cause::Gate => gate = Some(Gate::before(simulator.url()).await),
            Cause::Downgrade(_) => tls = Some(Tls::before(simulator.url()).await),
            _ => {}
        }
        let front = nowhere.clone();
        let front = front.or(gate.as_ref().map(|gate| gate.url.clone()));
        let front = front.or(tls.as_ref().map(|tls| tls.url.clone()));
        let luma = match (&front, &tls) {
            (Some(url), Some(tls)) => {
                builder(url).http_client(tls.trusted()).download_client(tls.trusted())
            }
            // No connection is open from before.
            (Some(url), None) => builder(url).http_client(bare().pool_max_idle_per_host(0)),
            (None, _) if case.is_silent => {
                builder(simulator.url()).timeout(IMPATIENCE).read_timeout(IMPATIENCE)
            }
            (None, _) => builder(simulator.url()),
        };
        if let Some(front) = &front {
            let url = format!("{front}/media/v.mp4");
            let response = json!({ "state": "completed", "video_url": url });
            simulator.on_submit(TaskScript::response(response));
        }
        let task = direct.generate("Something else").submit().await.expect("no fault yet");
        let video = task.get().await.expect("no fault yet").video();
        // As it is stored, and long ago: the file of a new video is waited for.
        let mut stored = serde_json::to_value(video.expect("a video")).expect("JSON");
        stored["finished_at"] = json!({ "secs_since_epoch": 1, "nanos_since_epoch": 0 });
        let video = serde_json::from_value(stored).expect("a video");
        simulator.set_video(FILE);
        elsewhere.set_video(FILE);
        let copy = client(elsewhere.url()).generate("A copy").submit().await.expect("no fault");
        let file_elsewhere = elsewhere.video_url(copy.id().as_str()).expect("a file");
        Self {
            luma: luma.max_response_bytes(1 << 20).build().expect("a client"),
            known: task.id().clone(),
            file_elsewhere: by_name(&file_elsewhere),
            simulator,
            elsewhere,
            direct,
            nowhere,
            video,
            gate,
            _closed: closed,
        }
    }

    /// Lets a call meet the fault of a case. Calls of one fixture must not overlap.
    pub async fn run(&self, case: &Case, operation: Operation) -> Outcome {
        if operation == Operation::Webhook {
            return self.callback(case).await;
        }
        let before = (self.requests(operation), self.simulator.stats().submits_accepted);
        let (begin, date) = (Instant::now(), soon());
        let shutdown = CancellationToken::new();
        self.inject(case, operation, date, &shutdown);
        let mut shown = vec![format!("{:?} {:#?}", self.luma, self.simulator)];
        let luma = self.luma.with_shutdown(shutdown);
        let result = self.call(&luma, operation, &mut shown).await;
        let reset = self.heal();
        self.assert_delay(case, operation, begin, date);
        // Only downloads follow redirects. The first request there is the submit of the copy.
        let strays: Vec<_> = self.elsewhere.requests().into_iter().skip(1).collect();
        let may_come = matches!(case.cause, Cause::Redirect(_));
        let strays = strays.iter().filter(|stray| !may_come || !stray.path.starts_with("/media/"));
        assert_eq!(strays.count(), 0, "{} {operation:?}", case.name);
        for simulator in [&self.simulator, &self.elsewhere] {
            assert_eq!(simulator.stats().media_requests_with_authorization, 0);
        }
        let (name, submission) = match result {
            Ok(()) => ("ok".to_owned(), None),
            Err(error) => {
                shown.push(show_error(&error));
                let name = error.name();
                match error {
                    Error::Submit(SubmitError::Unconfirmed { submission, .. }) => {
                        (name, Some(submission))
                    }
                    _ => (name, None),
                }
            }
        };
        Outcome {
            name,
            requests: self.requests(operation) - before.0,
            accepted: self.simulator.stats().submits_accepted - before.1,
            reset,
            shown,
            submission,
        }
    }

    async fn call(
        &self,
        luma: &Luma,
        operation: Operation,
        shown: &mut Vec<String>,
    ) -> Result<(), Error> {
        let known = &self.known;
        match operation {
            Operation::Submit => {
                let task = luma.generate("A lighthouse at dusk").submit().await?;
                shown.extend([show(&task), show(&task.to_ref())]);
            }
            Operation::Lookup => {
                let task = luma.task(known).get().await?;
                shown.push(show(&task));
                assert_eq!(task.id.as_deref(), Some(known.as_str()));
            }
            Operation::Batch => {
                let tasks = luma.tasks(&[known.clone(), id("no-such-task")]).await?;
                shown.push(show(&tasks));
                let [(_, task), _] = <[_; 2]>::try_from(tasks).expect("two");
                task?;
            }
            Operation::History => {
                let first = luma.history().try_next().await?;
                shown.push(show(&first));
                assert!(first.is_some());
            }
            Operation::Webhook => unreachable!("it has no single call"),
            Operation::Download => {
                let folder = tempfile::tempdir().expect("a folder");
                let path = folder.path().join("v.mp4");
                let download = luma.download(&self.video, &path).retry(retry());
                shown.extend([show(&self.video), show(&download)]);
                let end = download.max_bytes(10 << 20).await;
                shown.push(show(&end));
                let file = std::fs::read(&path).ok();
                assert_eq!(file.as_deref(), end.is_ok().then_some(FILE));
                end?;
            }
        }
        Ok(())
    }

    fn inject(
        &self,
        case: &Case,
        operation: Operation,
        date: SystemTime,
        shutdown: &CancellationToken,
    ) {
        let fault = match &case.cause {
            Cause::NoHost | Cause::NoListener => return,
            Cause::Gate => return self.gate.as_ref().expect("a gate").shut(true),
            Cause::Connection(fault, _) => fault.clone(),
            Cause::Redirect(status) | Cause::Downgrade(status) => {
                let elsewhere = by_name(self.elsewhere.url());
                let location = match operation.target() {
                    Target::Submit => format!("{elsewhere}/luma/videos"),
                    Target::Lookup => format!("{elsewhere}/luma/tasks"),
                    _ => self.file_elsewhere.clone(),
                };
                Fault::redirect(*status, location).accepting(case.is_accepted)
            }
            Cause::Answer(status, headers, body) => {
                self.answer(case, operation, *status, headers, body, date)
            }
        };
        let mut fault = fault.on(operation.target());
        if let Some(delay) = case.is_late {
            fault = fault.accepting_after(delay);
        }
        if case.stops {
            let (shutdown, body) = (shutdown.clone(), fault_body(case));
            fault = fault.map_body(move |_| {
                shutdown.cancel();
                body.clone().into()
            });
        }
        self.simulator.inject(match case.times {
            Some(times) => fault.times(times),
            // It resumes after each cut, so that one says all.
            None if operation == Operation::Download && case.name.ends_with("mid-body") => fault,
            None => fault.always(),
        });
    }

    fn answer(
        &self,
        case: &Case,
        operation: Operation,
        status: u16,
        headers: &[(&'static str, String)],
        body: &Body,
        date: SystemTime,
    ) -> Fault {
        let good = operation.response(self.known.as_str());
        let mut bytes = body.bytes(&good);
        if operation == Operation::Download && case.name.contains("quotes the token") {
            // Only a server that got the token can quote it.
            bytes = b"{\"error\":\"bad token\"}".to_vec();
        }
        let mut fault = Fault::status(status).body(bytes);
        for (name, value) in headers {
            fault = fault.header(*name, value);
        }
        if case.is_dated {
            fault = fault.header("retry-after", httpdate::fmt_http_date(date));
        }
        let is_plain = match body {
            Body::Bytes(bytes) => bytes.is_empty(),
            body => matches!(body, Body::Filler(_)),
        };
        if operation == Operation::Download && is_plain {
            // So that its type is not all that is wrong with it.
            fault = fault.header("content-type", "video/mp4");
        }
        fault.accepting(case.is_accepted)
    }

    /// Ends the fault; returns how many connections were reset.
    fn heal(&self) -> u64 {
        self.simulator.clear_faults();
        self.gate.as_ref().map_or(0, |gate| {
            gate.shut(false);
            gate.take_reset()
        })
    }

    fn requests(&self, operation: Operation) -> u64 {
        let stats = self.simulator.stats();
        match operation.target() {
            Target::Submit => stats.submits_received,
            Target::Lookup => stats.lookups,
            _ => stats.media_requests,
        }
    }

    /// Whether the second request, if there is one, came when the service asked for it.
    fn assert_delay(&self, case: &Case, operation: Operation, begin: Instant, date: SystemTime) {
        let requests = self.simulator.requests();
        let ours =
            requests.iter().filter(|request| request.at >= begin && operation.is_at(&request.path));
        let times: Vec<Instant> = ours.map(|request| request.at).collect();
        let [first, second, ..] = times[..] else {
            return;
        };
        let gap = second - first;
        assert!(gap >= case.retry_after, "{case:?} {operation:?}: {gap:?}");
        if case.is_dated {
            let came = SystemTime::now() - second.elapsed();
            assert!(came >= date, "{case:?} {operation:?}: {came:?}");
        }
    }

    /// A callback that meets the fault; the wait gives the video all the same.
    async fn callback(&self, case: &Case) -> Outcome {
        let Self { direct, simulator, .. } = self;
        let before = simulator.stats();
        let (url, received) = webhook_relay::start(case.delivery(), direct).await;
        let url = self.nowhere.as_ref().map_or(url, |nowhere| format!("{nowhere}/hook"));
        let submit = direct.generate("A lighthouse at noon").callback_url(url).submit();
        let task = submit.await.expect("no fault on the way there");
        let ended = || {
            let stats = simulator.stats();
            stats.webhooks_delivered + stats.webhooks_failed
        };
        let before_it = before.webhooks_delivered + before.webhooks_failed;
        eventually("the callback", || ended() > before_it).await;
        let interval = PollInterval::fixed(Duration::from_millis(10));
        let end = task.wait().interval(interval).deadline(PATIENCE).await;
        let received = received.lock().expect("no panic").clone();
        let mut shown = received.shown;
        shown.push(show(&end));
        end.expect("a video, callback or not");
        let after = simulator.stats();
        Outcome {
            name: received.verdict.unwrap_or("never came").to_owned(),
            requests: after.requests() - before.requests(),
            accepted: after.submits_accepted - before.submits_accepted,
            reset: 0,
            shown,
            submission: None,
        }
    }
}

/// What a case responds with, whatever was requested.
fn fault_body(case: &Case) -> Vec<u8> {
    match &case.cause {
        Cause::Answer(_, _, body) => body.bytes(&Value::Null),
        _ => Vec::new(),
    }
}

/// A date of one to two seconds ahead, as HTTP has them.
fn soon() -> SystemTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    UNIX_EPOCH + Duration::from_secs(now.as_secs() + 2)
}

/// The same place by its name: another host, as far as HTTP is concerned.
fn by_name(url: &str) -> String {
    url.replace("127.0.0.1", "localhost")
}
