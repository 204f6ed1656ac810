//! Forward proxies: who takes one, what it is told, and that it opens no way inside.

use std::sync::{Arc, Mutex};

use stoa_egress::{Egress, EgressError, EgressOptions, OptionsError, ProxyOptions};
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;

use crate::support::{FakeDns, Server, get, quick, read_head, text};

/// A proxy that leads everywhere to `origin` and records the heads it was sent.
async fn proxy(origin: std::net::SocketAddr) -> (Server, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&heads);
    let server = Server::raw(move |mut stream| {
        let record = Arc::clone(&record);
        async move {
            let head = read_head(&mut stream).await;
            let tunnel = head.starts_with(b"CONNECT ");
            record.lock().unwrap().push(String::from_utf8(head.clone()).unwrap());
            let mut upstream = TcpStream::connect(origin).await.unwrap();
            if tunnel {
                stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").await.unwrap();
            } else {
                upstream.write_all(&head).await.unwrap();
            }
            let _ = copy_bidirectional(&mut stream, &mut upstream).await;
        }
    })
    .await;
    (server, heads)
}

fn through(options: ProxyOptions, dns: FakeDns) -> Egress {
    Egress::new(EgressOptions { proxies: options, resolver: Arc::new(dns), ..EgressOptions::default() }).unwrap()
}

#[tokio::test]
async fn plain_requests_name_the_whole_url_to_the_proxy() {
    let origin = Server::http(|_| text("through")).await;
    let (server, heads) = proxy(origin.address).await;
    let options =
        ProxyOptions { http: Some(format!("http://ann:s%20t@{}", server.address)), ..ProxyOptions::default() };
    let egress = through(options, FakeDns::default());
    // The local resolver does not know the name; the proxy does.
    let answer = egress.send(get("http://models.example/v1?a=b"), quick()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), "through");
    let head = heads.lock().unwrap()[0].to_ascii_lowercase();
    assert!(head.starts_with("get http://models.example/v1?a=b http/1.1\r\n"), "{head}");
    assert!(head.contains("host: models.example\r\n"), "{head}");
    assert!(head.contains("proxy-authorization: basic "), "{head}");
}

#[tokio::test]
async fn a_proxy_is_no_way_inside() {
    let origin = Server::http(|_| text("inside")).await;
    let (server, heads) = proxy(origin.address).await;
    let options = ProxyOptions { http: Some(server.url("")), https: Some(server.url("")), ..ProxyOptions::default() };
    let egress = through(options, FakeDns::default().with("inside.test", &[&["10.0.0.1"]]));
    for url in [
        "http://169.254.169.254/",
        "https://[::ffff:a9fe:a9fe]/",
        "http://10.1/",
        "http://127.0.0.1/",
        "https://inside.test/",
    ] {
        let error = egress.send(get(url), quick()).await.unwrap_err();
        assert!(matches!(error, EgressError::Refused { .. }), "{url}: {error}");
    }
    assert!(heads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn no_proxy_goes_directly() {
    let origin = Server::http(|_| text("direct")).await;
    let (server, heads) = proxy(origin.address).await;
    for no in ["direct.test", ".test", "*", "other.example, direct.test"] {
        let options = ProxyOptions { http: Some(server.url("")), no: Some(no.to_owned()), ..ProxyOptions::default() };
        let egress = through(options, FakeDns::default().with("direct.test", &[&["127.0.0.1"]]));
        egress.allowances().replace([format!("direct.test:{}", origin.port()).parse().unwrap()]);
        let answer = egress.send(get(&format!("http://direct.test:{}/", origin.port())), quick()).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap(), "direct", "{no}");
    }
    assert!(heads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn this_machine_is_never_reached_through_a_proxy() {
    let origin = Server::http(|_| text("here")).await;
    let (server, heads) = proxy(origin.address).await;
    let options = ProxyOptions { http: Some(server.url("")), ..ProxyOptions::default() };
    let egress = through(options, FakeDns::default());
    egress.allowances().replace([origin.authority()]);
    let answer = egress.send(get(&origin.url("/")), quick()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), "here");
    assert!(heads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_proxy_that_refuses_the_tunnel_is_quoted() {
    for (answer, expected) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "user name and password"),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!", "403 Forbidden"),
        ("", "closed the connection"),
    ] {
        let server = Server::canned(answer).await;
        let options = ProxyOptions { https: Some(server.url("")), ..ProxyOptions::default() };
        let error =
            through(options, FakeDns::default()).send(get("https://models.example/"), quick()).await.unwrap_err();
        assert!(matches!(error, EgressError::Proxy { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn an_unusable_proxy_is_found_at_start_and_its_password_is_not_shown() {
    for address in ["socks5://user:hunter2@127.0.0.1:1080", "http://user:hunter2@", "http://a b:1/"] {
        let options = ProxyOptions { https: Some(address.to_owned()), ..ProxyOptions::default() };
        let error = Egress::new(EgressOptions { proxies: options, ..EgressOptions::default() }).unwrap_err();
        assert!(matches!(error, OptionsError::Proxy(_)), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
