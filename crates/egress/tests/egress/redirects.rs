//! Redirects pass the same gate, one hop at a time, and never carry credentials elsewhere.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, LOCATION};
use http::{Response, StatusCode};
use http_body_util::Full;
use stoa_egress::{EgressError, Limits, Redirects, Request, Target};

use crate::support::{FakeDns, Server, egress, get, quick, text};

fn redirect(status: StatusCode, location: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, HeaderValue::from_str(location).unwrap());
    response
}

#[tokio::test]
async fn a_redirect_inside_is_refused_in_every_spelling() {
    let inner = Server::http(|_| text("inside")).await;
    let port = inner.port();
    for location in [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[::ffff:a9fe:a9fe]/".to_owned(),
        format!("http://127.0.0.1:{port}/"),
        format!("http://0x7f.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://[::ffff:7f00:1]:{port}/"),
        format!("//127.1:{port}/"),
        format!("\\\\127.1:{port}\\"),
        format!("http://inside.test:{port}/"),
    ] {
        let to = location.clone();
        let outer = Server::http(move |_| redirect(StatusCode::FOUND, &to)).await;
        let dns = FakeDns::default().with("inside.test", &[&["127.0.0.1"]]);
        let egress = egress(dns, [outer.authority()]);
        let error = egress.send(get(&outer.url("/")), quick()).await.unwrap_err();
        assert!(matches!(error, EgressError::Refused { .. }), "{location}: {error}");
    }
    assert_eq!(inner.accepted(), 0);
}

#[tokio::test]
async fn a_redirect_to_what_is_no_web_address_is_refused() {
    for location in ["file:///etc/passwd", "gopher://127.0.0.1:11211/", "http://user:pass@example.test/", "http://"] {
        let outer = Server::http(move |_| redirect(StatusCode::FOUND, location)).await;
        let egress = egress(FakeDns::default(), [outer.authority()]);
        let error = egress.send(get(&outer.url("/")), quick()).await.unwrap_err();
        assert!(matches!(error, EgressError::BadRedirect(_)), "{location}: {error}");
    }
}

#[tokio::test]
async fn redirects_are_counted() {
    let server = Server::http(|_| redirect(StatusCode::FOUND, "/again")).await;
    let egress = egress(FakeDns::default(), [server.authority()]);
    let error = egress.send(get(&server.url("/")), quick()).await.unwrap_err();
    assert!(matches!(error, EgressError::TooManyRedirects { limit: 5 }), "{error}");
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&seen);
    let last = Server::http(move |request| {
        let headers = request.headers();
        record.lock().unwrap().push((headers.contains_key(AUTHORIZATION), headers.contains_key("x-extra")));
        text("done")
    })
    .await;
    let record = Arc::clone(&seen);
    let to = last.url("/elsewhere");
    let first = Server::http(move |request| {
        let headers = request.headers();
        record.lock().unwrap().push((headers.contains_key(AUTHORIZATION), headers.contains_key("x-extra")));
        if request.uri().path() == "/" {
            redirect(StatusCode::FOUND, "/same")
        } else {
            redirect(StatusCode::FOUND, &to)
        }
    })
    .await;
    let egress = egress(FakeDns::default(), [first.authority(), last.authority()]);
    let mut extra = HeaderValue::from_static("secret");
    extra.set_sensitive(true);
    let request = get(&first.url("/"))
        .header(AUTHORIZATION, HeaderValue::from_static("Bearer key"))
        .header(HeaderName::from_static("x-extra"), extra);
    let answer = egress.send(request, quick()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), "done");
    assert_eq!(*seen.lock().unwrap(), [(true, true), (true, true), (false, false)]);
}

#[tokio::test]
async fn an_unsafe_method_is_not_sent_on_unless_told() {
    let methods = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&methods);
    let server = Server::http(move |request| {
        record.lock().unwrap().push(request.method().to_string());
        match request.uri().path() {
            "/307" => redirect(StatusCode::TEMPORARY_REDIRECT, "/end"),
            "/303" => redirect(StatusCode::SEE_OTHER, "/end"),
            _ => text("end"),
        }
    })
    .await;
    let egress = egress(FakeDns::default(), [server.authority()]);
    let post = |path: &str| Request::post(Target::parse(&server.url(path)).unwrap(), "body");

    let answer = egress.send(post("/307"), quick()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
    drop(answer);
    let told = Limits { redirects: Redirects::Any(3), ..quick() };
    assert_eq!(egress.send(post("/307"), told).await.unwrap().status(), StatusCode::OK);
    assert_eq!(egress.send(post("/303"), told).await.unwrap().status(), StatusCode::OK);
    assert_eq!(*methods.lock().unwrap(), ["POST", "POST", "POST", "POST", "GET"]);
}
