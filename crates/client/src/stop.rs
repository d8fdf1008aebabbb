//! Ctrl-C and SIGTERM: the first asks to end cleanly, the second ends at once.

use crate::failure::Failure;
use std::{process, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::sleep,
};

/// Whether someone has asked to stop.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Begins to listen, for as long as the program runs.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let unheard = |error| Failure::other(format!("signals cannot be heard: {error}"));
        let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
        let (asked, stop) = watch::channel(false);
        tokio::spawn(async move {
            for again in [false, true] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if again {
                    process::exit(130);
                }
                asked.send_replace(true);
            }
        });
        Ok(Self(stop))
    }

    /// Whether it is so.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is.
    pub(crate) async fn asked(&self) {
        let mut stop = self.0.clone();
        // The sender lives as long as the task that listens, which ends with the program.
        if stop.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits so long; answers false if it was cut short.
    pub(crate) async fn sleep(&self, pause: Duration) -> bool {
        tokio::select! {
            () = sleep(pause) => true,
            () = self.asked() => false,
        }
    }
}
