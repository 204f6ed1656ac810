//! Bytes that go both ways, and when the last of them went.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf, copy, split};
use tokio::time::Instant;

/// For the last bytes of a connection that is encrypted.
const GOODBYE: Duration = Duration::from_secs(5);

/// Carries bytes between two connections. Returns when one has ended or failed and what it said has gone to the other, or
/// when nothing went for `idle`.
pub async fn carry(
    one: impl AsyncRead + AsyncWrite + Unpin,
    other: impl AsyncRead + AsyncWrite + Unpin,
    idle: Duration,
) {
    let moved = Arc::new(Moved::default());
    let (mut from_one, mut to_one) = split(Watched::new(one, &moved));
    let (mut from_other, mut to_other) = split(other);
    tokio::select! {
        // How it ended, both sides see for themselves.
        _ = copy(&mut from_one, &mut to_other) => {}
        _ = copy(&mut from_other, &mut to_one) => {}
        () = moved.stands_still(idle) => {}
    }
    // Whoever does not read any more is not waited for.
    let goodbye = async { tokio::join!(to_one.shutdown(), to_other.shutdown()) };
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

/// When something last went one way or the other.
pub struct Moved(Mutex<Instant>);

impl Default for Moved {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Moved {
    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when nothing has gone for so long.
    pub async fn stands_still(&self, idle: Duration) {
        loop {
            let due = self.last() + idle;
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due).await;
        }
    }
}

/// The end of a connection through which everything goes, whichever way.
pub struct Watched<S> {
    stream: S,
    moved: Arc<Moved>,
}

impl<S> Watched<S> {
    pub fn new(stream: S, moved: &Arc<Moved>) -> Self {
        Self { stream, moved: Arc::clone(moved) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.moved.now();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.moved.now();
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        if written.is_ready() {
            self.moved.now();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_moves_either_way_does_not_stand_still() {
        let moved = Arc::new(Moved::default());
        let (mut far, near) = duplex(64);
        let mut near = Watched::new(near, &moved);
        let began = Instant::now();
        let traffic = async {
            tokio::time::sleep(Duration::from_secs(8)).await;
            near.write_all(b"a").await.unwrap();
            tokio::time::sleep(Duration::from_secs(8)).await;
            far.write_all(b"b").await.unwrap();
            near.read_u8().await.unwrap();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = traffic => {}
            () = moved.stands_still(Duration::from_secs(10)) => {}
        }
        assert_eq!(began.elapsed(), Duration::from_secs(26));
    }

    #[tokio::test]
    async fn what_one_side_said_last_arrives_and_its_end_is_the_end() {
        let ((mut near, one), (other, mut far)) = (duplex(64), duplex(64));
        far.write_all(b"bye").await.unwrap();
        drop(far);
        carry(one, other, Duration::from_mins(1)).await;
        let mut last = Vec::new();
        near.read_to_end(&mut last).await.unwrap();
        assert_eq!(last, b"bye");
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_go_both_ways_and_silence_ends_it() {
        let ((mut near, one), (other, mut far)) = (duplex(64), duplex(64));
        let began = Instant::now();
        let carried = carry(one, other, Duration::from_secs(10));
        let talk = async {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                near.write_all(b"a").await.unwrap();
                assert_eq!(far.read_u8().await.unwrap(), b'a');
                far.write_all(b"b").await.unwrap();
                assert_eq!(near.read_u8().await.unwrap(), b'b');
            }
        };
        tokio::join!(carried, talk);
        assert_eq!(began.elapsed().as_secs(), 37, "each word puts the end off");
        assert_eq!(near.read(&mut [0]).await.unwrap(), 0);
    }
}
