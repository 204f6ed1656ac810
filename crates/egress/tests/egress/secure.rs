//! TLS: only trusted certificates for the right name, HTTP/2 where both sides can, tunnels through proxies.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderValue, LOCATION};
use http::{Response, StatusCode, Version};
use http_body_util::{BodyExt as _, StreamBody, combinators::BoxBody};
use hyper::body::Frame;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use stoa_egress::{Egress, EgressError, EgressOptions, OptionsError, ProxyOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::support::{FakeDns, Server, eventually, get, quick, read_head};

struct Certified {
    acceptor: TlsAcceptor,
    _folder: tempfile::TempDir,
    roots: PathBuf,
}

fn certified(names: &str, alpn: &[&[u8]]) -> Certified {
    let names: Vec<String> = names.split(' ').map(str::to_owned).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, made.cert.pem()).unwrap();
    Certified { acceptor: TlsAcceptor::from(Arc::new(config)), _folder: folder, roots }
}

/// Answers `/` at once, `/to` with a redirect to its query, and everything else with a body that never ends.
async fn secure_server(certified: &Certified) -> Server {
    let acceptor = certified.acceptor.clone();
    Server::raw(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                let version = format!("{:?}", request.version());
                if request.uri().path() == "/to" {
                    let mut redirect = Response::new(BoxBody::default());
                    *redirect.status_mut() = StatusCode::TEMPORARY_REDIRECT;
                    let location = HeaderValue::from_str(request.uri().query().unwrap()).unwrap();
                    redirect.headers_mut().insert(LOCATION, location);
                    return Ok::<_, Infallible>(redirect);
                }
                let body: BoxBody<Bytes, Infallible> = if request.uri().path() == "/" {
                    http_body_util::Full::new(Bytes::from(version)).boxed()
                } else {
                    let endless = futures_util::stream::unfold((), |()| async {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        Some((Ok(Frame::data(Bytes::from_static(b"a"))), ()))
                    });
                    BoxBody::new(StreamBody::new(Box::pin(endless)))
                };
                Ok::<_, Infallible>(Response::new(body))
            });
            let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    })
    .await
}

fn trusting(roots: Option<PathBuf>, server: &Server, proxies: ProxyOptions) -> Egress {
    let egress = Egress::new(EgressOptions {
        extra_roots: roots,
        resolver: Arc::new(FakeDns::default().with("models.test", &[&["127.0.0.1"]])),
        proxies,
        ..EgressOptions::default()
    })
    .unwrap();
    egress.allowances().replace([format!("models.test:{}", server.port()).parse().unwrap()]);
    egress
}

#[tokio::test]
async fn http_2_is_spoken_where_both_sides_can_and_shared() {
    let certified = certified("models.test", &[b"h2", b"http/1.1"]);
    let server = secure_server(&certified).await;
    let egress = trusting(Some(certified.roots.clone()), &server, ProxyOptions::default());
    let url = format!("https://models.test:{}/", server.port());
    for _ in 0..5 {
        let answer = egress.send(get(&url), quick()).await.unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        assert_eq!(answer.into_body().collect().await.unwrap(), "HTTP/2.0");
    }
    // A dropped body ends its own stream, and the connection goes on.
    let mut body = egress.send(get(&format!("{url}endless")), quick()).await.unwrap().into_body();
    assert!(body.chunk().await.unwrap().is_some());
    drop(body);
    assert!(egress.send(get(&url), quick()).await.is_ok());
    assert_eq!(server.accepted(), 1);
    egress.close_idle();
    eventually("the connection is closed", || server.open() == 0).await;
}

#[tokio::test]
async fn a_redirect_never_takes_tls_away() {
    let certified = certified("models.test", &[b"h2", b"http/1.1"]);
    let server = secure_server(&certified).await;
    let plain = Server::canned("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let egress = trusting(Some(certified.roots.clone()), &server, ProxyOptions::default());
    let secure = format!("models.test:{}", server.port());
    egress.allowances().replace([secure.parse().unwrap(), plain.authority()]);
    let url = format!("https://{secure}/to?");
    assert!(egress.send(get(&format!("{url}/")), quick()).await.is_ok());
    for location in [plain.url("/"), format!("http://{secure}/")] {
        let error = egress.send(get(&format!("{url}{location}")), quick()).await.unwrap_err();
        assert!(matches!(error, EgressError::InsecureRedirect), "{location}: {error}");
    }
    assert_eq!(plain.accepted(), 0);
}

#[tokio::test]
async fn http_1_is_spoken_to_a_server_that_has_nothing_else() {
    let certified = certified("models.test", &[]);
    let server = secure_server(&certified).await;
    let egress = trusting(Some(certified.roots.clone()), &server, ProxyOptions::default());
    let answer = egress.send(get(&format!("https://models.test:{}/", server.port())), quick()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), "HTTP/1.1");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let known = certified("models.test", &[]);
    let unknown = certified("models.test", &[]);
    let wrong_name = certified("other.test", &[]);
    for (server_side, roots) in [(&unknown, &known.roots), (&wrong_name, &wrong_name.roots)] {
        let server = secure_server(server_side).await;
        let egress = trusting(Some(roots.clone()), &server, ProxyOptions::default());
        let error = egress.send(get(&format!("https://models.test:{}/", server.port())), quick()).await.unwrap_err();
        assert!(matches!(error, EgressError::Tls { .. }), "{error}");
        assert!(stoa_egress::describe(&error).contains("certificate"), "{}", stoa_egress::describe(&error));
    }
}

#[tokio::test]
async fn a_tunnel_carries_tls_to_the_origin() {
    let certified = certified("models.test", &[b"h2"]);
    let origin = secure_server(&certified).await;
    let to = origin.address;
    let proxy = Server::raw(move |mut stream| async move {
        let head = String::from_utf8(read_head(&mut stream).await).unwrap();
        assert!(head.starts_with("CONNECT models.test:"), "{head}");
        assert!(head.contains("Proxy-Authorization: Basic dTpw\r\n"), "{head}");
        let mut upstream = TcpStream::connect(to).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut upstream).await;
    })
    .await;
    let proxies = ProxyOptions { https: Some(format!("http://u:p@{}", proxy.address)), ..ProxyOptions::default() };
    let egress = trusting(Some(certified.roots.clone()), &origin, proxies);
    let answer = egress.send(get(&format!("https://models.test:{}/", origin.port())), quick()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), "HTTP/2.0");
    assert_eq!(proxy.accepted(), 1);
}

#[tokio::test]
async fn a_proxy_may_be_reached_over_tls_itself() {
    let certified = certified("models.test proxy.test", &[b"http/1.1"]);
    let origin = secure_server(&certified).await;
    let (acceptor, to) = (certified.acceptor.clone(), origin.address);
    let proxy = Server::raw(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let mut upstream = TcpStream::connect(to).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut upstream).await;
        }
    })
    .await;
    let dns = FakeDns::default().with("models.test", &[&["127.0.0.1"]]).with("proxy.test", &[&["127.0.0.1"]]);
    let egress = Egress::new(EgressOptions {
        extra_roots: Some(certified.roots.clone()),
        resolver: Arc::new(dns),
        proxies: ProxyOptions {
            https: Some(format!("https://proxy.test:{}", proxy.port())),
            ..ProxyOptions::default()
        },
        ..EgressOptions::default()
    })
    .unwrap();
    egress.allowances().replace([format!("models.test:{}", origin.port()).parse().unwrap()]);
    let answer = egress.send(get(&format!("https://models.test:{}/", origin.port())), quick()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), "HTTP/1.1");
    assert_eq!(proxy.accepted(), 1);
}

#[test]
fn a_certificate_file_that_holds_none_is_found_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing here").unwrap();
    let make = |path: PathBuf| Egress::new(EgressOptions { extra_roots: Some(path), ..EgressOptions::default() });
    assert!(matches!(make(empty).unwrap_err(), OptionsError::NoCertificate { .. }));
    assert!(matches!(make(folder.path().join("missing.pem")).unwrap_err(), OptionsError::Certificates { .. }));
}
