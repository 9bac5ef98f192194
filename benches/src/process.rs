//! Programs that are measured: with a time limit, and never left behind.

use std::{
    ffi::OsStr,
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout},
    time::timeout,
};

use crate::Result;

/// For a line to come: longer than any step takes.
const PATIENCE: Duration = Duration::from_secs(150);

/// A program that speaks in lines. It ends when this is dropped.
pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
}

impl Process {
    pub fn start(program: impl AsRef<OsStr>, configure: impl FnOnce(&mut Command)) -> Result<Self> {
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        configure(&mut command);
        let mut command = tokio::process::Command::from(command);
        let mut child = command.kill_on_drop(true).spawn()?;
        Ok(Self {
            input: child.stdin.take(),
            output: child.stdout.take().map(|output| BufReader::with_capacity(1 << 16, output)),
            child,
        })
    }

    /// This program in another role.
    pub fn role(arguments: &[&str]) -> Result<Self> {
        Self::start(std::env::current_exe()?, |command| {
            command.args(arguments);
        })
    }

    pub async fn send(&mut self, text: &str) -> Result<()> {
        let input = self.input.as_mut().ok_or("its input is closed")?;
        Ok(input.write_all(text.as_bytes()).await?)
    }

    /// The next line, without its end.
    pub async fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        let read = timeout(PATIENCE, self.read(&mut line));
        read.await.map_err(|_| "a program fell silent")??;
        Ok(String::from_utf8(line)?.trim_end().to_owned())
    }

    /// Adds the next line, however long it takes.
    pub async fn read(&mut self, line: &mut Vec<u8>) -> Result<()> {
        let output = self.output.as_mut().ok_or("it has no output")?;
        match output.read_until(b'\n', line).await? {
            0 => Err("a program ended too soon".into()),
            _ => Ok(()),
        }
    }

    /// Whether a whole line is there already.
    pub fn has_line(&self) -> bool {
        let output = self.output.as_ref();
        output.is_some_and(|output| output.buffer().contains(&b'\n'))
    }

    /// All lines up to an empty one.
    pub async fn paragraph(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            match self.line().await? {
                line if line.is_empty() => return Ok(lines),
                line => lines.push(line),
            }
        }
    }

    /// The most memory that it ever had, in MB.
    pub fn peak(&self) -> Result<f64> {
        peak(&self.child.id().ok_or("it has ended")?.to_string())
    }
}

/// The most memory that a process ever had, in MB.
pub fn peak(process: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix("kB"));
    Ok(peak.ok_or("no peak")?.trim().parse::<f64>()? * 1024.0 / 1e6)
}
