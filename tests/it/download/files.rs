//! Where the file goes, and what exists before and after.

use std::sync::Mutex;

use luma_client::{Error, Progress};
use luma_simulator::Fault;
use tokio::{sync::Notify, time::timeout};

use super::*;

#[tokio::test]
async fn download_writes_the_file_and_reports_its_progress() {
    let stage = Stage::new(1 << 20).await;
    let path = stage.path("lighthouse.mp4");
    let mut seen: Vec<Progress> = Vec::new();
    let file = stage
        .luma
        .download(&stage.video, &path)
        .on_progress(|progress| seen.push(progress))
        .await
        .unwrap();
    assert_eq!(file.path(), path);
    assert_eq!(file.bytes(), 1 << 20);
    assert_eq!(file.media_type(), "video/mp4");
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    assert_eq!(stage.files(), ["lighthouse.mp4"]);

    assert!(seen.len() >= 3, "{}", seen.len());
    assert_eq!(seen[0].bytes, 0);
    assert_eq!(seen[seen.len() - 1].bytes, 1 << 20);
    assert!(seen.is_sorted_by_key(|progress| progress.bytes));
    assert!(seen.iter().all(|progress| progress.total == Some(1 << 20)));
}

#[tokio::test]
async fn download_sends_nothing_of_the_account() {
    let stage = Stage::new(100).await;
    let fault = Fault::redirect(302, stage.video.url());
    stage.sim.inject(fault.on(Target::Media));
    let signed = video_at(&format!("{}?signature=s3cret", stage.video.url()));
    let download = stage.luma.download(&signed, stage.path("a.mp4"));
    download.await.unwrap();
    assert_eq!(stage.requests().len(), 2);
    for request in stage.requests() {
        assert!(!request.headers.contains_key("authorization"));
        assert!(!request.headers.contains_key("referer"));
        assert_eq!(request.headers["accept-encoding"], "identity");
    }
}

#[tokio::test]
async fn thumbnail_is_downloaded_or_missing() {
    let stage = Stage::new(100).await;
    let path = stage.path("a.jpg");
    let file = stage.luma.download_thumbnail(&stage.video, &path).await;
    let file = file.unwrap();
    assert_eq!(file.media_type(), "image/jpeg");
    assert_eq!(fs::metadata(&path).unwrap().len(), file.bytes());

    let bare = video_at(stage.video.url());
    let error = stage.luma.download_thumbnail(&bare, stage.path("b.jpg"));
    assert!(matches!(error.await, Err(DownloadError::NoThumbnail)));
}

#[tokio::test]
async fn existing_file_is_kept_unless_overwritten() {
    let stage = Stage::new(100).await;
    let path = stage.path("a.mp4");
    fs::write(&path, "mine").unwrap();
    let error = stage.luma.download(&stage.video, &path).await.unwrap_err();
    assert!(matches!(error, DownloadError::Exists { .. }));
    assert!(error.to_string().contains("allow overwriting"), "{error}");
    assert!(!Error::from(error).is_retryable());
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert!(stage.requests().is_empty());

    let download = stage.luma.download(&stage.video, &path).overwrite(true);
    assert_eq!(download.await.unwrap().bytes(), 100);
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    assert_eq!(stage.files(), ["a.mp4"]);
}

#[tokio::test]
async fn failed_download_keeps_the_file_that_it_would_replace() {
    let stage = Stage::new(100).await;
    let path = stage.path("a.mp4");
    fs::write(&path, "mine").unwrap();
    stage.sim.inject(Fault::truncated().on(Target::Media).always());
    let download = stage.luma.download(&stage.video, &path).overwrite(true);
    download.retry(RetryPolicy::none()).await.unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert_eq!(stage.files(), ["a.mp4"]);
}

#[tokio::test]
async fn file_that_appears_meanwhile_is_kept() {
    let stage = Stage::new(100).await;
    let path = stage.path("a.mp4");
    let download = stage.luma.download(&stage.video, &path);
    let error = download.on_progress(|_| fs::write(&path, "mine").unwrap()).await.unwrap_err();
    assert!(matches!(error, DownloadError::Exists { .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert_eq!(stage.files(), ["a.mp4"]);
}

#[tokio::test]
async fn impossible_target_is_refused_before_any_request() {
    let stage = Stage::new(100).await;
    fs::create_dir(stage.path("videos")).unwrap();
    fs::write(stage.path("file"), "").unwrap();
    for (name, overwrite, expected) in [
        ("videos", false, "cannot be a file"),
        ("videos", true, "cannot be a file"),
        ("videos/", true, "cannot be a file"),
        ("new/", false, "cannot be a file"),
        ("..", false, "cannot be a file"),
        ("missing/a.mp4", false, "missing/a.mp4 does not exist: create it first"),
        ("file/a.mp4", false, "file/a.mp4 does not exist: create it first"),
    ] {
        let download = stage.luma.download(&stage.video, stage.path(name));
        let error = download.overwrite(overwrite).await.expect_err(name);
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert!(!error.is_retryable());
    }
    let blank = stage.luma.download(&stage.video, "").await;
    assert!(matches!(blank, Err(DownloadError::NotAFile { .. })));
    assert!(stage.requests().is_empty());
    assert_eq!(stage.files(), ["file", "videos"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn device_and_read_only_folder_are_refused_before_any_request() {
    let stage = Stage::new(100).await;
    let device = stage.luma.download(&stage.video, "/dev/null").overwrite(true);
    assert!(matches!(device.await, Err(DownloadError::NotAFile { .. })));
    // Nobody can create a file there, not even root.
    let error = stage.luma.download(&stage.video, "/sys/a.mp4").await;
    let error = error.unwrap_err();
    assert!(matches!(error, DownloadError::Io { .. }), "{error:?}");
    assert!(error.to_string().starts_with("cannot write /sys/a.mp4: "), "{error}");
    assert!(stage.requests().is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn symbolic_link_is_kept_or_replaced_itself() {
    let stage = Stage::new(100).await;
    let (link, behind) = (stage.path("link.mp4"), stage.path("behind.mp4"));
    std::os::unix::fs::symlink(&behind, &link).unwrap();
    // A link that leads nowhere exists, too.
    let error = stage.luma.download(&stage.video, &link).await;
    assert!(matches!(error, Err(DownloadError::Exists { .. })));
    fs::write(&behind, "mine").unwrap();
    let download = stage.luma.download(&stage.video, &link).overwrite(true);
    download.await.unwrap();
    assert_eq!(fs::read(&behind).unwrap(), b"mine");
    assert!(fs::symlink_metadata(&link).unwrap().is_file());
    assert_eq!(fs::read(&link).unwrap(), stage.bytes);
}

#[cfg(unix)]
#[tokio::test]
async fn foreign_file_under_a_likely_name_is_left_alone() {
    use std::os::unix::fs::symlink;
    type Link = fn(&Path, &Path) -> std::io::Result<()>;
    let stage = Stage::new(100).await;
    let precious = stage.path("precious");
    let names = [".a.mp4.part", "a.mp4.part", ".a.mp4.part.json", ".a.mp4.tmp"];
    let links: [Link; 2] = [|to, name| fs::hard_link(to, name), |to, name| symlink(to, name)];
    for link in links {
        fs::write(&precious, "mine").unwrap();
        for name in names {
            link(&precious, &stage.path(name)).unwrap();
        }
        let path = stage.path("a.mp4");
        stage.luma.download(&stage.video, &path).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), stage.bytes);
        for name in names {
            assert_eq!(fs::read(stage.path(name)).unwrap(), b"mine", "{name}");
            fs::remove_file(stage.path(name)).unwrap();
        }
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(stage.files(), ["precious"]);
}

#[cfg(unix)]
#[tokio::test]
async fn hard_link_to_the_replaced_file_keeps_its_content() {
    let stage = Stage::new(100).await;
    let (path, other) = (stage.path("a.mp4"), stage.path("other"));
    fs::write(&path, "mine").unwrap();
    fs::hard_link(&path, &other).unwrap();
    let download = stage.luma.download(&stage.video, &path).overwrite(true);
    download.await.unwrap();
    assert_eq!(fs::read(&other).unwrap(), b"mine");
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
}

#[tokio::test]
async fn long_name_is_accepted_or_refused_before_any_request() {
    let stage = Stage::new(100).await;
    let long = "a".repeat(255);
    stage.luma.download(&stage.video, stage.path(&long)).await.unwrap();
    let requests = stage.requests().len();
    let too_long = stage.path(&"a".repeat(256));
    for overwrite in [false, true] {
        let download = stage.luma.download(&stage.video, &too_long);
        let error = download.overwrite(overwrite).await.expect_err("too long");
        assert!(matches!(error, DownloadError::NotAFile { .. }), "{error:?}");
        assert!(error.to_string().ends_with("too long"), "{error}");
    }
    assert_eq!(stage.requests().len(), requests);
    assert_eq!(stage.files(), [long]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn path_that_is_not_unicode_works() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let stage = Stage::new(100).await;
    let folder = stage.folder.path().join(OsStr::from_bytes(b"folder-\xff"));
    fs::create_dir(&folder).unwrap();
    let path = folder.join(OsStr::from_bytes(b"video-\xfe.mp4"));
    let file = stage.luma.download(&stage.video, &path).await.unwrap();
    assert_eq!(file.path(), path);
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    let error = stage.luma.download(&stage.video, &path).await.unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn permissions_are_those_of_a_new_or_of_the_replaced_file() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let stage = Stage::new(100).await;
    let (plain, path) = (stage.path("plain"), stage.path("a.mp4"));
    fs::write(&plain, "").unwrap();
    let mut during = Vec::new();
    let download = stage.luma.download(&stage.video, &path).on_progress(|_| {
        let part = stage.files().into_iter().find(|name| name.ends_with(".part"));
        during.push(mode(&stage.path(&part.unwrap())));
    });
    download.await.unwrap();
    assert!(during.iter().all(|mode| *mode == 0o600), "{during:?}");
    assert_eq!(mode(&path), mode(&plain));

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let download = stage.luma.download(&stage.video, &path).overwrite(true);
    download.await.unwrap();
    assert_eq!(mode(&path), 0o640);
}

#[tokio::test]
async fn downloads_to_one_target_do_not_meet() {
    let stage = Stage::new(1 << 20).await;
    let path = stage.path("a.mp4");
    for (overwrite, expected) in [(true, 2), (false, 1)] {
        let _ = fs::remove_file(&path);
        // Slow, so that both run at once.
        let drip = Fault::drip(64 << 10, Duration::from_millis(20));
        stage.sim.inject(drip.on(Target::Media).times(2));
        let download = || stage.luma.download(&stage.video, &path).overwrite(overwrite);
        let (one, other) = tokio::join!(download(), download());
        let ends = [one, other];
        let good = ends.iter().filter(|end| end.is_ok()).count();
        assert_eq!(good, expected, "{ends:?}");
        for end in ends {
            assert!(matches!(end, Ok(_) | Err(DownloadError::Exists { .. })));
        }
        assert_eq!(fs::read(&path).unwrap(), stage.bytes);
        assert_eq!(stage.files(), ["a.mp4"]);
    }
}

#[tokio::test]
async fn download_can_be_spawned() {
    let stage = Stage::new(100).await;
    let reports = std::sync::Arc::new(Mutex::new(0));
    let count = reports.clone();
    let download = stage
        .luma
        .download(&stage.video, stage.path("a.mp4"))
        .on_progress(move |_| *count.lock().unwrap() += 1);
    let file = tokio::spawn(download).await.unwrap().unwrap();
    assert_eq!(file.bytes(), 100);
    assert!(*reports.lock().unwrap() >= 2);
}

#[tokio::test]
async fn dropped_download_leaves_nothing() {
    const SIZE: usize = 256 << 10;
    let stage = Stage::new(SIZE).await;
    let path = stage.path("a.mp4");
    // Slow enough to be dropped half way.
    let drip = Fault::drip(SIZE / 8, Duration::from_millis(50));
    stage.sim.inject(drip.on(Target::Media));
    let half = Notify::new();
    let mut download = stage.luma.download(&stage.video, &path).on_progress(|progress| {
        if progress.bytes >= SIZE as u64 / 2 {
            half.notify_one();
        }
    });
    tokio::select! {
        end = &mut download => panic!("ended: {end:?}"),
        reached = timeout(PATIENCE, half.notified()) => reached.unwrap(),
    }
    assert_eq!(stage.files().len(), 1);
    drop(download);
    assert_eq!(stage.files(), [""; 0]);
    // A later call starts afresh.
    stage.luma.download(&stage.video, &path).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    assert!(stage.requests().iter().all(|request| !request.headers.contains_key("range")));
}

#[tokio::test]
async fn unawaited_download_requests_nothing() {
    let stage = Stage::new(100).await;
    let download = stage.luma.download(&stage.video, stage.path("a.mp4"));
    assert!(!format!("{download:?}").contains("http"));
    drop(download);
    assert!(stage.requests().is_empty());
    assert_eq!(stage.files(), [""; 0]);
}
