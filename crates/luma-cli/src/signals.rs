//! Ctrl-C, SIGTERM and SIGHUP, for the commands that have something to finish when they come.

use luma_client::CancellationToken;

/// A request to stop, and a second one. From [`listen`](Self::listen) on, the signals no longer end
/// the program.
#[derive(Clone)]
pub struct Signals {
    pub first: CancellationToken,
    pub second: CancellationToken,
}

impl Signals {
    pub fn listen() -> Self {
        let signals = Self { first: CancellationToken::new(), second: CancellationToken::new() };
        signals.start();
        signals
    }

    fn stop(&self, is_hangup: bool) {
        match self.first.is_cancelled() {
            false => self.first.cancel(),
            // A closed terminal sends several hangups: they do not mean "now".
            true if is_hangup => {}
            true => self.second.cancel(),
        }
    }

    #[cfg(unix)]
    fn start(&self) {
        use tokio::signal::unix::{SignalKind, signal};

        let hangup = SignalKind::hangup();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), hangup] {
            let is_hangup = kind == hangup;
            if is_hangup && hangups_are_ignored() {
                continue;
            }
            // A signal that cannot be caught ends the program as usual.
            let Ok(mut received) = signal(kind) else {
                continue;
            };
            let signals = self.clone();
            tokio::spawn(async move {
                while received.recv().await.is_some() {
                    signals.stop(is_hangup);
                }
            });
        }
    }

    #[cfg(windows)]
    fn start(&self) {
        let signals = self.clone();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                signals.stop(false);
            }
        });
    }
}

/// Whether the program runs under `nohup`. Only Linux tells without unsafe code.
#[cfg(unix)]
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}
