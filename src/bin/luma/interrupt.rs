//! Ctrl-C and SIGTERM, for the commands that have something to say when they come.

use std::io;

use luma_client::CancellationToken;

/// Ctrl-C or SIGTERM once, and once more. From [`listen`](Self::listen) on they do not end the
/// program by themselves.
pub struct Interrupts {
    pub first: CancellationToken,
    pub second: CancellationToken,
}

impl Interrupts {
    pub fn listen() -> Self {
        let interrupts = Self {
            first: CancellationToken::new(),
            second: CancellationToken::new(),
        };
        // Where they cannot be listened to, they end the program as ever.
        if let Ok(mut signals) = Signals::listen() {
            let tokens = [interrupts.first.clone(), interrupts.second.clone()];
            tokio::spawn(async move {
                for token in tokens {
                    signals.recv().await;
                    token.cancel();
                }
            });
        }
        interrupts
    }
}

/// They are heard from this call on, not from its first poll as with `tokio::signal::ctrl_c`.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn listen() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn recv(&mut self) {
        self.0.recv().await;
    }
}
