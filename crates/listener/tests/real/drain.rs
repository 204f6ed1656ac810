//! Shutdown: what is running ends, what is idle goes, what hangs is cut.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Running, quick, read_to_end};

#[tokio::test]
async fn a_running_stream_ends_by_itself_while_new_connections_are_refused() {
    let server = Running::start(quick());
    let address = server.address;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /count/10 HTTP/1.1\r\nHost: stoa\r\n\r\n").await.unwrap();
    let mut buffer = [0; 16];
    stream.read_exact(&mut buffer).await.unwrap();
    let reading = async {
        let received = read_to_end(&mut stream).await;
        assert!(received.contains("line 9\n"), "{received}");
        // The last chunk: the answer is whole.
        assert!(received.ends_with("0\r\n\r\n"), "{received}");
    };
    let refused = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        TcpStream::connect(address).await.expect_err("a draining listener accepts");
    };
    let (drained, (), ()) = tokio::join!(server.stop(), reading, refused);
    assert_eq!(drained.cut, 0);
}

#[tokio::test]
async fn idle_connections_do_not_hold_the_drain() {
    let server = Running::start(quick());
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: stoa\r\n\r\n").await.unwrap();
    let mut buffer = [0; 1024];
    assert!(idle.read(&mut buffer).await.unwrap() > 0);
    let _silent = server.connect().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let started = Instant::now();
    assert_eq!(server.stop().await.cut, 0);
    assert!(started.elapsed() < Duration::from_millis(250), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_does_not_end_is_cut_after_the_bound() {
    let mut options = quick();
    options.drain_timeout = Duration::from_millis(300);
    let server = Running::start(options);
    let mut stream = server.connect().await;
    stream.write_all(b"GET /count/100000 HTTP/1.1\r\nHost: stoa\r\n\r\n").await.unwrap();
    let mut buffer = [0; 16];
    stream.read_exact(&mut buffer).await.unwrap();
    let started = Instant::now();
    let (drained, received) = tokio::join!(server.stop(), read_to_end(&mut stream));
    assert_eq!(drained.cut, 1);
    assert!(!received.ends_with("0\r\n\r\n"), "a cut answer must not look whole");
    assert!(started.elapsed() >= Duration::from_millis(300) && started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn the_port_is_free_for_a_successor_while_streams_still_drain() {
    let server = Running::start(quick());
    let mut stream = server.connect().await;
    stream.write_all(b"GET /count/20 HTTP/1.1\r\nHost: stoa\r\n\r\n").await.unwrap();
    let mut buffer = [0; 16];
    stream.read_exact(&mut buffer).await.unwrap();
    let address = server.address;
    let successor = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stoa_listener::Listener::bind(address, quick()).expect("the port is still taken");
    };
    let (_, (), received) = tokio::join!(server.stop(), successor, read_to_end(&mut stream));
    assert!(received.ends_with("0\r\n\r\n"), "{received}");
}
