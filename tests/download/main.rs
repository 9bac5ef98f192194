//! Downloads over real sockets, to real files.

mod disk;
mod faults;
mod files;
mod proxies;
mod raw;
mod resume;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use luma_client::{
    DownloadError, Luma, Pace, RetryPolicy, Task, Video,
    simulator::{ReceivedRequest, Simulator, Target},
};
use serde_json::json;
use tempfile::TempDir;

/// For what must come, but may take its time on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Several attempts, and no time lost between them.
fn at_once() -> RetryPolicy {
    RetryPolicy::default()
        .min_delay(Duration::from_millis(1))
        .max_elapsed(PATIENCE)
}

/// A finished video of a simulator, and a folder to put it in.
struct Stage {
    sim: Simulator,
    video: Video,
    folder: TempDir,
    bytes: Vec<u8>,
}

impl Stage {
    /// With a video of this many bytes.
    async fn new(size: usize) -> Self {
        let sim = Simulator::with_duration(Duration::ZERO).await.unwrap();
        let bytes = noise(size, 1);
        sim.set_video(bytes.clone());
        let luma = Luma::builder()
            .token("a-token")
            .base_url(sim.url())
            .build()
            .unwrap();
        let task = luma.generate("A lighthouse").submit().await.unwrap();
        let pace = Pace::fixed(Duration::from_millis(10));
        let video = task.wait().pace(pace).await.unwrap();
        Self {
            sim,
            video,
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

    /// The `Range` of each request for a file.
    fn ranges(&self) -> Vec<Option<String>> {
        let range = |request: &ReceivedRequest| {
            let range = request.headers.get("range")?;
            Some(range.to_str().unwrap().to_owned())
        };
        self.requests().iter().map(range).collect()
    }

    /// Lets a download be cut, so that a part of it is left.
    async fn leave_a_part(&self, path: &Path) -> u64 {
        self.sim
            .inject(luma_client::simulator::Fault::truncated().on(Target::Media));
        let error = self
            .video
            .download_to(path)
            .retry(RetryPolicy::none())
            .await
            .unwrap_err();
        assert!(matches!(error, DownloadError::Transport(_)), "{error:?}");
        assert!(!path.exists());
        std::fs::metadata(part(path)).unwrap().len()
    }
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn part(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap().to_str().unwrap();
    path.with_file_name(format!(".{name}.part"))
}

/// Bytes that look like no others, nor like a page.
fn noise(size: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9);
    let byte = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..size).map(byte).collect()
}

/// A video that no wait of a client brought.
fn video_at(url: &str) -> Video {
    let task = json!({
        "id": "a-task",
        "response": { "state": "completed", "video_url": url },
    });
    let task: Task = serde_json::from_value(task).unwrap();
    task.video().unwrap()
}
