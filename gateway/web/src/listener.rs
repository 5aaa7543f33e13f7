//! Connections have a number and an age: at most [`CONNECTIONS`] at once, and one that moves
//! nothing for [`IDLE`] ends. More wait in the system's own queue, which is bounded too. When
//! the gateway has waited long enough for them to end, they are cut.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Connections at once.
pub const CONNECTIONS: usize = 1_024;
/// A connection that moves nothing for this long ends. The stream says something every 15 s.
pub const IDLE: Duration = Duration::from_secs(60);

/// A listener that takes no more than it can hold.
pub struct Bounded {
    inner: TcpListener,
    places: Arc<Semaphore>,
    idle: Duration,
    cut: CancellationToken,
}

impl Bounded {
    /// Takes at most `connections` from `inner`, each idle for at most `idle`; all end at `cut`.
    pub fn new(
        inner: TcpListener,
        connections: usize,
        idle: Duration,
        cut: CancellationToken,
    ) -> Self {
        Self { inner, places: Arc::new(Semaphore::new(connections)), idle, cut }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // The semaphore is never closed; without a place the connection is simply not counted.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, from) = Listener::accept(&mut self.inner).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::trace!(%error, "can't set TCP_NODELAY");
        }
        let timer = Box::pin(tokio::time::sleep(self.idle));
        let cut = Box::pin(self.cut.clone().cancelled_owned());
        (Connection { stream, timer, cut, idle: self.idle, _place: place }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// One connection, its place and its age.
pub struct Connection {
    stream: TcpStream,
    timer: Pin<Box<Sleep>>,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    idle: Duration,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// Restarts the time limit when something moved; an error when nothing did until it ran out.
    fn judge<T>(
        &mut self,
        cx: &mut Context<'_>,
        moved: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            self.timer.set(tokio::time::sleep(self.idle));
            return moved;
        }
        if self.cut.as_mut().poll(cx).is_pending() {
            ready!(self.timer.as_mut().poll(cx));
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.judge(cx, read)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::serve::Listener;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    use tokio_util::sync::CancellationToken;

    use super::Bounded;

    async fn bounded(idle_ms: u64, cut: &CancellationToken) -> (std::net::SocketAddr, Bounded) {
        let inner = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = inner.local_addr().expect("bound");
        (at, Bounded::new(inner, 1, Duration::from_millis(idle_ms), cut.clone()))
    }

    #[tokio::test]
    async fn one_too_many_waits_until_a_place_is_free() {
        let (at, mut bounded) = bounded(60_000, &CancellationToken::new()).await;
        let _first = TcpStream::connect(at).await.expect("connected");
        let _second = TcpStream::connect(at).await.expect("connected");
        let (held, _) = bounded.accept().await;
        let soon = Duration::from_millis(50);
        assert!(timeout(soon, bounded.accept()).await.is_err(), "no place");
        drop(held);
        assert!(timeout(Duration::from_secs(5), bounded.accept()).await.is_ok(), "a place");
    }

    #[tokio::test]
    async fn silence_ends_a_connection_and_a_byte_extends_it() {
        let (at, mut bounded) = bounded(300, &CancellationToken::new()).await;
        let mut client = TcpStream::connect(at).await.expect("connected");
        let (mut held, _) = bounded.accept().await;
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            client.write_all(b"x").await.expect("sent");
            assert_eq!(held.read_u8().await.expect("a byte"), b'x');
        }
        let error = held.read_u8().await.expect_err("silence");
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_cut_ends_what_still_waits() {
        let cut = CancellationToken::new();
        let (at, mut bounded) = bounded(60_000, &cut).await;
        let _client = TcpStream::connect(at).await.expect("connected");
        let (mut held, _) = bounded.accept().await;
        cut.cancel();
        let read = timeout(Duration::from_secs(5), held.read_u8()).await.expect("at once");
        assert!(read.is_err());
    }
}
