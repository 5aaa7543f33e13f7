//! Where people are served. The address may be taken at the start: it is tried again until it is had.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use standpipe_config::Config;
use standpipe_engine::health::DegradedPart;
use standpipe_machine::threads;
use standpipe_web::api::ApiState;
use standpipe_web::serve::{self, ServeError};
use tokio_util::sync::CancellationToken;

use super::StartError;

/// How often an address that was taken is tried again.
const LISTEN_EVERY: Duration = Duration::from_secs(2);

/// Where people are served, and with what; the address may be taken, or not ours.
pub(super) fn listen(config: &Config) -> Result<(SocketAddr, io::Result<TcpListener>), StartError> {
    let address = config.http.listen;
    if config.http.door == standpipe_config::HttpDoor::ThisMachine && !address.ip().is_loopback() {
        return Err(StartError::Open(ServeError::Open(address)));
    }
    let listener = bind(address);
    let bound = listener.as_ref().ok().and_then(|listener| listener.local_addr().ok());
    Ok((bound.unwrap_or(address), listener))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Where people are to be served.
pub(super) struct Listening {
    pub(super) address: SocketAddr,
    /// `None`: the address was taken at the start.
    pub(super) listener: Option<TcpListener>,
}

impl Listening {
    /// The listener, tried again until it is had; `None`: the gateway stops before.
    async fn listener(self, state: &ApiState, stop: &CancellationToken) -> Option<TcpListener> {
        if let Some(listener) = self.listener {
            return Some(listener);
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(LISTEN_EVERY) => {}
            }
            // What was counted must not grow unread.
            state.metrics.run_upkeep();
            if let Ok(listener) = bind(self.address) {
                state.health.degraded.clear(DegradedPart::Http);
                return Some(listener);
            }
        }
    }
}

/// The API, on a thread of its own.
pub(super) fn serve(
    listening: Listening,
    state: ApiState,
    stop: CancellationToken,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    threads::start("api", move || {
        let served = runtime.block_on(async {
            let Some(listener) = listening.listener(&state, &stop).await else { return Ok(()) };
            let listener = tokio::net::TcpListener::from_std(listener)?;
            serve::serve(listener, state, stop).await
        });
        if let Err(bad) = served {
            tracing::error!("{bad}");
        }
    })
}
