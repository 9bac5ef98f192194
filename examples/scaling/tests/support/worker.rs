//! Workers as processes of their own.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How the program is run.
pub struct Program {
    pub database: String,
    pub service: String,
    /// What the workers have to say.
    pub log: PathBuf,
}

impl Program {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_luma-scaling"));
        command
            .args(arguments)
            .env("DATABASE_URL", &self.database)
            .env("ACEDATACLOUD_API_TOKEN", "simulated")
            .env("ACEDATACLOUD_API_BASE_URL", &self.service)
            .env("CALLBACK_URL", format!("{}/callback", self.service))
            .env("QUICK", "1")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Result<()> {
        let status = self.command(arguments).status()?;
        ensure!(status.success(), "{arguments:?}: {status}");
        Ok(())
    }

    pub fn worker(&self, queue: &str) -> Result<Worker> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        Ok(Worker(self.command(&[queue]).stderr(log).spawn()?))
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// A worker, killed at the latest when it is dropped.
pub struct Worker(Child);

impl Worker {
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.0), signal)?)
    }

    /// SIGKILL: it is gone when this returns.
    pub fn kill(mut self) -> Result<ExitStatus> {
        self.0.kill()?;
        Ok(self.0.wait()?)
    }

    /// SIGTERM: how it ended.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        Ok(self.0.wait()?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
