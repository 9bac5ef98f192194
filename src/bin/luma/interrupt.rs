//! Ctrl-C, for the commands that have something to say when it comes.

use std::io;

use luma_client::CancellationToken;

/// Ctrl-C once, and once more. From [`listen`](Self::listen) on it does not end the program by
/// itself.
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
        // Where it cannot be listened to, Ctrl-C ends the program as ever.
        if let Ok(mut ctrl_c) = ctrl_c() {
            let tokens = [interrupts.first.clone(), interrupts.second.clone()];
            tokio::spawn(async move {
                for token in tokens {
                    ctrl_c.recv().await;
                    token.cancel();
                }
            });
        }
        interrupts
    }
}

/// From this call on, not from its first poll as with `tokio::signal::ctrl_c`.
#[cfg(unix)]
fn ctrl_c() -> io::Result<tokio::signal::unix::Signal> {
    use tokio::signal::unix::{SignalKind, signal};
    signal(SignalKind::interrupt())
}

#[cfg(windows)]
fn ctrl_c() -> io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}

/// What a service manager sends to end a service; never where there is no such thing.
#[cfg(unix)]
pub fn terminated() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let listening = signal(SignalKind::terminate());
    async move {
        match listening {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(windows)]
pub fn terminated() -> impl Future<Output = ()> {
    std::future::pending()
}
