//! A real PostgreSQL in a temporary folder, reached by a Unix socket in it.

use std::{
    env, fs,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::PgPool;
use tempfile::TempDir;

/// Debian's user `nobody`: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;

pub struct Postgres {
    server: Child,
    pub url: String,
    pub folder: TempDir,
}

impl Postgres {
    pub async fn start() -> Result<Self> {
        let programs = programs().context("no initdb: install Debian's package `postgresql`")?;
        let folder = tempfile::tempdir()?;
        if rustix::process::geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY))?;
        }
        let data = folder.path().join("data");
        let made = command(&programs.join("initdb"), folder.path())
            .args(["--username=luma", "--auth=trust", "--no-sync", "--encoding=UTF8", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()?;
        ensure!(made.success(), "initdb: {made}");
        let server = command(&programs.join("postgres"), folder.path())
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "logging_collector=off",
                "-k",
            ])
            .arg(folder.path())
            .arg("-D")
            .arg(&data)
            .stderr(fs::File::create(folder.path().join("log"))?)
            .spawn()?;
        let url = format!("postgres://luma@localhost/postgres?host={}", folder.path().display());
        let postgres = Self { server, url, folder };
        postgres.ready().await.with_context(|| postgres.log())?;
        Ok(postgres)
    }

    async fn ready(&self) -> Result<()> {
        let connect = async {
            while PgPool::connect(&self.url).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let connect = tokio::time::timeout(Duration::from_secs(30), connect);
        connect.await.context("PostgreSQL does not start")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT: it closes all connections and ends, with its children.
        let _ = kill_process(Pid::from_child(&self.server), Signal::INT);
        let _ = self.server.wait();
    }
}

fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("LC_ALL", "C");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// The folder of `initdb` and `postgres`: on the path, or where Debian has it, the newest.
fn programs() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut debian: Vec<PathBuf> =
        versions.flatten().map(|entry| entry.path().join("bin")).collect();
    debian.sort();
    env::split_paths(&path)
        .chain(debian.into_iter().rev())
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}
