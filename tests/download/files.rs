//! Where the file goes, and what is there before and after.

use std::{fs, future::IntoFuture, sync::Mutex};

use luma_client::{Error, Progress, simulator::Fault};

use super::*;

#[tokio::test]
async fn a_video_comes_to_disk_with_its_progress() {
    let stage = Stage::new(1 << 20).await;
    let path = stage.path("lighthouse.mp4");
    let mut seen: Vec<Progress> = Vec::new();
    let file = stage
        .video
        .download_to(&path)
        .on_progress(|progress| seen.push(progress))
        .await
        .unwrap();
    assert_eq!(file.path, path);
    assert_eq!(file.bytes, 1 << 20);
    assert_eq!(file.content_type.as_deref(), Some("video/mp4"));
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    assert_eq!(stage.files(), ["lighthouse.mp4"]);

    assert!(seen.len() >= 3, "{}", seen.len());
    assert_eq!(seen[0].bytes, 0);
    assert_eq!(seen[seen.len() - 1].bytes, 1 << 20);
    assert!(seen.windows(2).all(|pair| pair[0].bytes <= pair[1].bytes));
    assert!(seen.iter().all(|progress| progress.total == Some(1 << 20)));
}

#[tokio::test]
async fn nothing_of_the_account_goes_out() {
    let stage = Stage::new(100).await;
    stage.video.download_to(stage.path("a.mp4")).await.unwrap();
    let url = stage.video.url().replace("http://", "http://user:s3cret@");
    let file = video_at(&url).download_to(stage.path("b.mp4")).await;
    assert_eq!(file.unwrap().bytes, 100);
    let fault = Fault::redirect(302, stage.video.url());
    stage.sim.inject(fault.on(Target::Media));
    let signed = video_at(&format!("{}?signature=s3cret", stage.video.url()));
    signed.download_to(stage.path("c.mp4")).await.unwrap();
    assert_eq!(stage.requests().len(), 4);
    for request in stage.requests() {
        assert!(!request.has_authorization());
        assert!(!request.headers.contains_key("referer"));
        assert_eq!(request.headers["accept-encoding"], "identity");
    }
    assert_eq!(stage.sim.stats().media_requests_with_authorization, 0);
}

#[tokio::test]
async fn a_thumbnail_and_a_video_that_has_none() {
    let stage = Stage::new(100).await;
    let path = stage.path("a.jpg");
    let file = stage.video.download_thumbnail_to(&path).await.unwrap();
    assert_eq!(file.content_type.as_deref(), Some("image/jpeg"));
    let picture = include_bytes!("../../src/simulator/assets/thumbnail.jpg");
    assert_eq!(fs::read(&path).unwrap(), picture);

    let bare = video_at(stage.video.url());
    let error = bare.download_thumbnail_to(stage.path("b.jpg")).await;
    assert!(matches!(error, Err(DownloadError::NoThumbnail)));
}

#[tokio::test]
async fn a_video_of_a_snapshot_has_a_client_made_for_it() {
    let stage = Stage::new(100).await;
    let video = video_at(stage.video.url());
    let path = stage.path("a.mp4");
    assert_eq!(video.download_to(&path).await.unwrap().bytes, 100);
    for url in ["ftp://example.com/v.mp4", "/etc/passwd", "v.mp4"] {
        let error = video_at(url).download_to(stage.path("b.mp4")).await;
        assert!(matches!(error, Err(DownloadError::Url { .. })), "{url}");
    }
}

#[tokio::test]
async fn what_is_there_is_replaced_only_if_told() {
    let stage = Stage::new(100).await;
    let path = stage.path("a.mp4");
    fs::write(&path, "mine").unwrap();
    let error = stage.video.download_to(&path).await.unwrap_err();
    assert!(matches!(error, DownloadError::Exists { .. }));
    assert!(error.to_string().contains(".overwrite(true)"), "{error}");
    assert!(!Error::from(error).is_retryable());
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert_eq!(stage.sim.stats().media_requests, 0);

    let file = stage.video.download_to(&path).overwrite(true).await;
    assert_eq!(file.unwrap().bytes, 100);
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    assert_eq!(stage.files(), ["a.mp4"]);
}

#[tokio::test]
async fn a_file_that_appears_in_the_meantime_stays() {
    let stage = Stage::new(100).await;
    let path = stage.path("a.mp4");
    let download = stage.video.download_to(&path);
    let error = download
        .on_progress(|_| fs::write(&path, "mine").unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, DownloadError::Exists { .. }), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    // What was downloaded is not lost: one byte is asked for again.
    let file = stage.video.download_to(&path).overwrite(true).await;
    assert_eq!(file.unwrap().bytes, 100);
    assert_eq!(stage.ranges(), [None, Some("bytes=99-".into())]);
    assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    assert_eq!(stage.files(), ["a.mp4"]);
}

#[tokio::test]
async fn targets_that_cannot_be() {
    let stage = Stage::new(100).await;
    let folder = stage.folder.path();
    fs::create_dir(folder.join("videos")).unwrap();
    fs::write(folder.join("file"), "").unwrap();
    for (name, overwrite, expected) in [
        ("videos", false, "no name for a file"),
        ("videos", true, "no name for a file"),
        ("videos/", true, "no name for a file"),
        ("new/", false, "no name for a file"),
        ("..", false, "no name for a file"),
        ("missing/a.mp4", false, "missing: create it first"),
        ("file/a.mp4", false, "file: create it first"),
    ] {
        let error = stage
            .video
            .download_to(folder.join(name))
            .overwrite(overwrite)
            .await
            .expect_err(name);
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert!(!error.is_retryable());
    }
    assert!(matches!(
        stage.video.download_to("").await,
        Err(DownloadError::NotAFile { .. })
    ));
    assert_eq!(stage.sim.stats().media_requests, 0);
    assert_eq!(stage.files(), ["file", "videos"]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn devices_and_read_only_folders_are_left_alone() {
    let stage = Stage::new(100).await;
    let error = stage.video.download_to("/dev/null").overwrite(true).await;
    assert!(matches!(error, Err(DownloadError::NotAFile { .. })));
    // No one can make a file there, not even root.
    let error = stage.video.download_to("/sys/a.mp4").await;
    assert!(
        matches!(error, Err(DownloadError::Denied { .. })),
        "{error:?}"
    );
    assert_eq!(stage.sim.stats().media_requests, 0);
}

#[cfg(unix)]
#[tokio::test]
async fn links() {
    let stage = Stage::new(100).await;
    let (link, behind) = (stage.path("link.mp4"), stage.path("behind.mp4"));
    std::os::unix::fs::symlink(&behind, &link).unwrap();
    // A link that leads nowhere is there all the same.
    let error = stage.video.download_to(&link).await;
    assert!(matches!(error, Err(DownloadError::Exists { .. })));
    fs::write(&behind, "mine").unwrap();
    stage
        .video
        .download_to(&link)
        .overwrite(true)
        .await
        .unwrap();
    assert_eq!(fs::read(&behind).unwrap(), b"mine");
    assert!(fs::symlink_metadata(&link).unwrap().is_file());

    // A part that leads elsewhere is not written through.
    let target = stage.path("a.mp4");
    std::os::unix::fs::symlink(&behind, part(&target)).unwrap();
    stage.video.download_to(&target).await.unwrap();
    assert_eq!(fs::read(&behind).unwrap(), b"mine");
    assert_eq!(fs::read(&target).unwrap(), stage.bytes);

    // Nor is its note.
    let target = stage.path("b.mp4");
    let note = stage.path(".b.mp4.part.json");
    std::os::unix::fs::symlink(&behind, &note).unwrap();
    stage.leave_a_part(&target).await;
    assert!(fs::symlink_metadata(&note).unwrap().is_file());
    stage.video.download_to(&target).await.unwrap();
    assert_eq!(fs::read(&behind).unwrap(), b"mine");
    assert_eq!(fs::read(&target).unwrap(), stage.bytes);
    assert_eq!(
        stage.files(),
        [".a.mp4.part", "a.mp4", "b.mp4", "behind.mp4", "link.mp4"]
    );
}

#[tokio::test]
async fn names_in_the_way_do_not_stop_a_download() {
    let stage = Stage::new(100).await;
    for name in [".a.mp4.part", ".b.mp4.part.json"] {
        fs::create_dir(stage.path(name)).unwrap();
    }
    for name in ["a.mp4", "b.mp4"] {
        let file = stage.video.download_to(stage.path(name)).await;
        assert_eq!(file.unwrap().bytes, 100, "{name}");
    }
    assert_eq!(
        stage.files(),
        [".a.mp4.part", ".b.mp4.part.json", "a.mp4", "b.mp4"]
    );
}

#[tokio::test]
async fn a_long_name_is_taken_or_refused_at_once() {
    let stage = Stage::new(100).await;
    let long = "a".repeat(255);
    let file = stage.video.download_to(stage.path(&long)).await;
    assert_eq!(file.unwrap().bytes, 100);
    let requests = stage.sim.stats().media_requests;
    let too_long = stage.path(&"a".repeat(256));
    for overwrite in [false, true] {
        let download = stage.video.download_to(&too_long).overwrite(overwrite);
        let error = download.await.expect_err("too long");
        assert!(matches!(error, DownloadError::NotAFile { .. }), "{error:?}");
        assert!(error.to_string().ends_with("too long"), "{error}");
    }
    assert_eq!(stage.sim.stats().media_requests, requests);
    assert_eq!(stage.files(), [long]);
}

#[tokio::test]
async fn two_downloads_to_one_target_do_not_meet() {
    let stage = Stage::new(1 << 20).await;
    let path = stage.path("a.mp4");
    for (overwrite, expected) in [(true, 2), (false, 1)] {
        let _ = fs::remove_file(&path);
        // Slow, so that both are under way at once.
        let drip = Fault::drip(64 << 10, Duration::from_millis(60));
        stage.sim.inject(drip.on(Target::Media).times(2));
        let download = || async {
            let download = stage.video.download_to(&path).overwrite(overwrite);
            download.await
        };
        let (one, other) = tokio::join!(download(), download());
        let ends = [one, other];
        let good = ends.iter().filter(|end| end.is_ok()).count();
        assert_eq!(good, expected, "{ends:?}");
        for end in ends {
            assert!(matches!(end, Ok(_) | Err(DownloadError::Exists { .. })));
        }
        assert_eq!(fs::read(&path).unwrap(), stage.bytes);
    }
}

#[tokio::test]
async fn a_download_can_be_spawned_and_moved() {
    let stage = Stage::new(100).await;
    let reports = std::sync::Arc::new(Mutex::new(0));
    let count = reports.clone();
    let download = stage
        .video
        .download_to(stage.path("a.mp4"))
        .on_progress(move |_| *count.lock().unwrap() += 1);
    let file = tokio::spawn(download.into_future()).await.unwrap().unwrap();
    assert_eq!(file.bytes, 100);
    assert!(*reports.lock().unwrap() >= 2);
}
