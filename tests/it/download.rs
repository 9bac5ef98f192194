//! Downloads over real sockets, to real files.

mod disk;
mod failures;
mod files;
mod proxies;
mod resume;
mod urls;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use luma_client::{DownloadError, Luma, RetryPolicy, Task, Video, reqwest};
use luma_simulator::{ReceivedRequest, Simulator, Target};
use serde_json::{Value, json};
use tempfile::TempDir;

/// For what must come, but may take its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Several attempts, and no time lost between them.
fn at_once() -> RetryPolicy {
    RetryPolicy::default()
        .min_delay(Duration::from_millis(1))
        .max_delay(Duration::from_millis(20))
        .max_elapsed(PATIENCE)
}

/// A client whose API is on loopback, so that files on loopback are allowed.
fn luma() -> Luma {
    let luma = Luma::builder().token("a-token").base_url("http://127.0.0.1:9");
    luma.build().unwrap()
}

/// A finished video of a simulator, and a folder to put it in.
struct Stage {
    sim: Simulator,
    luma: Luma,
    video: Video,
    folder: TempDir,
    bytes: Vec<u8>,
}

impl Stage {
    /// With a video of this many bytes.
    async fn new(size: usize) -> Self {
        let sim = Simulator::with_duration(Duration::ZERO).await.unwrap();
        let bytes = film(size, 1);
        sim.set_video(bytes.clone());
        let builder = Luma::builder().token("a-token").base_url(sim.url());
        let submit = reqwest::Client::new()
            .post(format!("{}/luma/videos", sim.url()))
            .bearer_auth("a-token")
            .json(&json!({ "prompt": "A lighthouse", "async": true }));
        let task: Value = submit.send().await.unwrap().json().await.unwrap();
        let id = task["task_id"].as_str().unwrap();
        let mut video = response_with(&sim.video_url(id).unwrap());
        video["response"]["thumbnail_url"] = sim.thumbnail_url(id).into();
        Self {
            luma: builder.build().unwrap(),
            video: video_of(video),
            sim,
            folder: tempfile::tempdir().unwrap(),
            bytes,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The files in the folder, hidden ones included.
    fn files(&self) -> Vec<String> {
        files(self.folder.path())
    }

    /// The requests for files.
    fn requests(&self) -> Vec<ReceivedRequest> {
        let mut requests = self.sim.requests();
        requests.retain(|request| request.path.starts_with("/media/"));
        requests
    }
}

fn files(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let names = fs::read_dir(folder).unwrap().map(name);
    let mut names: Vec<String> = names.map(|name| name.display().to_string()).collect();
    names.sort();
    names
}

/// The beginning of an MP4, then bytes that look like no others.
fn film(size: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9);
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let head = *b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";
    head.into_iter().chain(noise).take(size).collect()
}

/// A task that ended long ago.
fn response_with(url: &str) -> Value {
    let response = json!({ "state": "completed", "video_url": url });
    json!({ "id": "a-task", "finished_at": 1_785_585_600, "response": response })
}

fn video_of(task: Value) -> Video {
    let task: Task = serde_json::from_value(task).unwrap();
    task.video().unwrap()
}

/// A video whose task ended long ago.
fn video_at(url: &str) -> Video {
    video_of(response_with(url))
}

/// A video whose task has just ended.
fn new_video_at(url: &str) -> Video {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let mut task = response_with(url);
    task["finished_at"] = now.as_secs_f64().into();
    video_of(task)
}
