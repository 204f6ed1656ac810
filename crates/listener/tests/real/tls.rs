//! TLS: what is spoken inside, clients that do not shake hands, and certificates that change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Version};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use stoa_listener::{Listener, ListenerOptions, Tls, TlsError};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::{Running, exchange, quick, read_to_end};

const NAME: &str = "stoa.test";

/// A folder with a certificate and its key.
struct Files {
    folder: TempDir,
    current: CertificateDer<'static>,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let current = Vec::new().into();
        let mut files = Self { folder, current };
        files.renew();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn renew(&mut self) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([NAME.to_owned()]).unwrap();
        std::fs::write(self.path("chain.pem"), cert.pem()).unwrap();
        std::fs::write(self.path("key.pem"), signing_key.serialize_pem()).unwrap();
        self.current = cert.der().clone();
    }

    fn load(&self) -> Result<Arc<Tls>, TlsError> {
        Tls::load(&self.path("chain.pem"), &self.path("key.pem"))
    }
}

fn serve(tls: &Arc<Tls>, options: ListenerOptions) -> Running {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), options).unwrap();
    assert_eq!(listener.scheme(), "http");
    let listener = listener.with_tls(Arc::clone(tls));
    assert_eq!(listener.scheme(), "https");
    Running::over(listener)
}

/// Connects as one who trusts this certificate and no other, and offers these protocols.
async fn connect(
    server: &Running,
    trusted: &CertificateDer<'static>,
    offered: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, server.connect().await).await
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_inside() {
    let files = Files::new();
    let server = serve(&files.load().unwrap(), ListenerOptions::default());
    for offered in [&[][..], &["http/1.1"]] {
        let mut stream = connect(&server, &files.current, offered).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: stoa\r\nConnection: close\r\n\r\n").await.unwrap();
        let answer = read_to_end(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("hello 127.0.0.1"), "{answer}");
    }
    let stream = connect(&server, &files.current, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut client, connection) =
        hyper::client::conn::http2::handshake::<_, _, Empty<bytes::Bytes>>(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let driver = server.tracker.spawn(connection);
    let answer = client.send_request(Request::get("https://stoa/count/2").body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "line 0\nline 1\n");
    assert_eq!(server.stop().await.cut, 0);
    driver.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_does_not_shake_hands_is_cut_and_nobody_else() {
    let files = Files::new();
    let server = serve(&files.load().unwrap(), ListenerOptions { head_timeout: Duration::from_secs(2), ..quick() });
    let mut silent = server.connect().await;
    let mut plain = server.connect().await;
    let answer = exchange(&mut plain, b"GET / HTTP/1.1\r\nHost: stoa\r\n\r\n").await;
    assert!(!answer.contains("HTTP"), "{answer}");
    assert_eq!(read_to_end(&mut silent).await, "");
    assert!(connect(&server, &files.current, &[]).await.is_ok());
    assert_eq!(server.stop().await.cut, 0);
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_a_bad_one_is_not() {
    let mut files = Files::new();
    let old = files.current.clone();
    let tls = files.load().unwrap();
    let server = serve(&tls, ListenerOptions::default());
    let mut before = connect(&server, &old, &[]).await.unwrap();
    files.renew();
    tls.renew().await;
    assert!(connect(&server, &files.current, &[]).await.is_ok());
    assert!(connect(&server, &old, &[]).await.is_err());
    before.write_all(b"GET / HTTP/1.1\r\nHost: stoa\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(read_to_end(&mut before).await.ends_with("hello 127.0.0.1"), "a connection outlives its certificate");
    std::fs::write(files.path("chain.pem"), "half a file").unwrap();
    tls.renew().await;
    assert!(connect(&server, &files.current, &[]).await.is_ok());
    server.stop().await;
}

#[test]
fn what_cannot_be_used_is_named() {
    let mut files = Files::new();
    let key = std::fs::read(files.path("key.pem")).unwrap();
    files.renew();
    std::fs::write(files.path("key.pem"), key).unwrap();
    assert!(matches!(files.load(), Err(TlsError::Unusable { .. })), "the key of another certificate");
    std::fs::write(files.path("key.pem"), "").unwrap();
    let error = files.load().unwrap_err().to_string();
    assert!(error.ends_with("key.pem holds no key in PEM that can be read"), "{error}");
}
