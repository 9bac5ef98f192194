//! A disk that is full, and a file that may not grow.
//!
//! Both need a process of their own: the tests run themselves again, with another disk or limit.

use std::{env, ffi::OsStr, process::Stdio};

use tokio::process::Command;

use super::*;

/// The folder in which the test, run again, downloads.
const FOLDER: &str = "LUMA_TEST_FOLDER";
/// Of the file; far more than there is room for.
const SIZE: usize = 1 << 20;

/// Downloads a file into the folder, where it does not fit.
async fn fill(folder: &OsStr) -> (Stage, PathBuf, DownloadError) {
    let stage = Stage::new(SIZE).await;
    let path = Path::new(folder).join("a.mp4");
    let download = stage.luma.download(&stage.video, &path).retry(at_once());
    let error = download.await.expect_err("it does not fit");
    assert_eq!(files(Path::new(folder)), [""; 0]);
    assert!(!error.is_retryable());
    // One request: another one would not help.
    assert_eq!(stage.requests().len(), 1);
    (stage, path, error)
}

/// Runs a test again, from a shell that changes its surroundings before `exec "$@"`.
async fn again(test: &str, shell: &[&str], folder: &Path) -> std::process::Output {
    let command = Command::new(shell[0])
        .args(&shell[1..])
        .arg("sh")
        .arg(env::current_exe().unwrap())
        .args(["--exact", test])
        .env(FOLDER, folder)
        .stdin(Stdio::null())
        .output();
    command.await.expect("a shell")
}

/// On a disk of 256 KiB, if this machine lets a test have one.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn full_disk_is_named_and_left_clean() {
    if let Some(folder) = env::var_os(FOLDER) {
        let (stage, path, error) = fill(&folder).await;
        assert!(matches!(error, DownloadError::DiskFull { .. }), "{error:?}");
        assert!(error.to_string().contains("free some space"), "{error}");
        let mut remount = Command::new("mount");
        remount.args(["-o", "remount,size=4m"]).arg(&folder);
        assert!(remount.status().await.unwrap().success());
        stage.luma.download(&stage.video, &path).await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), stage.bytes);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = r#"mount -t tmpfs -o size=256k none "$LUMA_TEST_FOLDER""#;
    let namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"];
    let probe = Command::new(namespace[0])
        .args(&namespace[1..])
        .arg(mount)
        .env(FOLDER, folder.path())
        .output();
    if !probe.await.is_ok_and(|output| output.status.success()) {
        println!("skipped: without user namespaces there is no disk for this test");
        return;
    }
    let script = format!(r#"{mount} && exec "$@""#);
    let shell = [&namespace[..], &[&script]].concat();
    let test = "download::disk::full_disk_is_named_and_left_clean";
    let output = again(test, &shell, folder.path()).await;
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

/// On any Unix: the limit on the size of files, as `ulimit -f` sets it.
#[cfg(unix)]
#[tokio::test]
async fn file_that_may_not_grow_is_named_and_removed() {
    let test = "download::disk::file_that_may_not_grow_is_named_and_removed";
    if let Some(folder) = env::var_os(FOLDER) {
        let (_, _, error) = fill(&folder).await;
        assert!(matches!(error, DownloadError::Io { .. }), "{error:?}");
        assert!(error.to_string().contains("too large"), "{error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Without the signal that would end the process; 128 or 256 KiB, by the unit of the shell.
    let script = r#"trap '' XFSZ && ulimit -f 256 && exec "$@""#;
    let output = again(test, &["sh", "-c", script], folder.path()).await;
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}
