//! Streams of bytes for what is not ours: the same rules, no exemptions, and tunnels where there is a proxy.

use std::sync::Arc;

use stoa_egress::{Authority, Egress, EgressError, EgressOptions, ProxyOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{FakeDns, Server, egress, quick, read_head};

async fn echo() -> Server {
    Server::raw(|mut stream| async move {
        let (mut from, mut to) = stream.split();
        let _ = tokio::io::copy(&mut from, &mut to).await;
    })
    .await
}

async fn connect(egress: &Egress, to: &str) -> Result<stoa_egress::BoxedStream, EgressError> {
    egress.connect(&to.parse::<Authority>().unwrap(), quick().connect).await
}

async fn says_hello(mut stream: stoa_egress::BoxedStream) {
    stream.write_all(b"hello").await.unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"hello");
}

#[tokio::test]
async fn bytes_go_to_what_is_allowed_by_address_or_by_name() {
    let server = echo().await;
    let dns = FakeDns::default().with("database.test", &[&["127.0.0.1"]]);
    let by_name = format!("database.test:{}", server.port());
    let egress = egress(dns, [server.authority(), by_name.parse().unwrap()]);
    says_hello(connect(&egress, server.authority().as_str()).await.unwrap()).await;
    says_hello(connect(&egress, &by_name).await.unwrap()).await;
}

#[tokio::test]
async fn what_is_not_public_is_refused_and_so_is_what_is_only_exempt() {
    let server = echo().await;
    let exempt = vec![server.authority()];
    let dns = FakeDns::default().with("inside.test", &[&["10.0.0.1"]]);
    let egress = Egress::new(EgressOptions { exempt, resolver: Arc::new(dns), ..EgressOptions::default() }).unwrap();
    for to in [server.authority().as_str(), "169.254.169.254:80", "10.0.0.1:5432", "inside.test:5432", "0x7f.1:22"] {
        let refused = connect(&egress, to).await.map(drop);
        assert!(matches!(refused, Err(EgressError::Refused { .. })), "{to}: {refused:?}");
    }
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel_whatever_the_port_and_nothing_inside_is_told_to_it() {
    let proxy = Server::raw(|mut stream| async move {
        let head = String::from_utf8(read_head(&mut stream).await).unwrap();
        assert!(head.starts_with("CONNECT models.example:80 HTTP/1.1\r\n"), "{head}");
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
        let (mut from, mut to) = stream.split();
        let _ = tokio::io::copy(&mut from, &mut to).await;
    })
    .await;
    let proxies = ProxyOptions { https: Some(proxy.url("")), ..ProxyOptions::default() };
    let options = EgressOptions { proxies, resolver: Arc::new(FakeDns::default()), ..EgressOptions::default() };
    let egress = Egress::new(options).unwrap();
    says_hello(connect(&egress, "models.example:80").await.unwrap()).await;
    let refused = connect(&egress, "10.0.0.1:80").await.map(drop);
    assert!(matches!(refused, Err(EgressError::Refused { .. })), "{refused:?}");
    assert_eq!(proxy.accepted(), 1);
}
