//! Ctrl-C, for the commands that have something to say when it comes.

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
        let tokens = [interrupts.first.clone(), interrupts.second.clone()];
        tokio::spawn(async move {
            for token in tokens {
                // Where it cannot be listened to, Ctrl-C ends the program as ever.
                if tokio::signal::ctrl_c().await.is_ok() {
                    token.cancel();
                }
            }
        });
        interrupts
    }
}
