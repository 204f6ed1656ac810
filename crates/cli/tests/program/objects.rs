//! Where pictures are kept: on a disk that outlives a crash, in a bucket that two replicas share, and nowhere that cannot be.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use http::{Method, StatusCode};
use serde_json::Value;
use stoa_storage::MasterKey;

use crate::start::{refusal, start};
use crate::support::Browser;

/// One red pixel.
const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90\x77\x53\xde\0\0\0\x0cIDAT\
    \x78\xda\x63\xf8\xcf\xc0\0\0\x03\x01\x01\0\xf7\x03\x41\x43\0\0\0\0IEND\xae\x42\x60\x82";

async fn upload(browser: &Browser) -> String {
    let (status, body) = browser.raw(Method::POST, "/api/v1/files?name=red.png", PIXEL.to_vec()).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let file: Value = serde_json::from_str(&body).unwrap();
    format!("/api/v1/files/{}", file["id"].as_str().unwrap())
}

async fn is_there(browser: &Browser, path: &str) {
    let (status, headers, body) = browser.send(Method::GET, path, None).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(headers["content-type"], "image/png");
    assert_eq!(headers["x-content-type-options"], "nosniff");
}

/// An S3 server (moto). `./x test` installs it and names it in `STOA_TEST_MOTO`.
struct S3 {
    server: Child,
    address: SocketAddr,
}

impl S3 {
    fn start() -> Self {
        let program = std::env::var("STOA_TEST_MOTO").expect(
            "STOA_TEST_MOTO names the program moto_server; `./x test` installs it (conformance/requirements.txt)",
        );
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", "0"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut server = command.spawn().expect("moto_server starts");
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let address = lines
            .find_map(|line| line.unwrap().split_once("Running on http://")?.1.trim().parse().ok())
            .expect("moto_server says where it listens");
        std::thread::spawn(move || lines.for_each(drop));
        Self { server, address }
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_was_acknowledged_outlives_a_crash() {
    let directory = tempfile::tempdir().unwrap();
    let server = start(directory.path(), &[]).unwrap();
    let owner = Browser::sign_in(server.address).await;
    let path = upload(&owner).await;
    is_there(&owner, &path).await;
    server.kill();
    let server = start(directory.path(), &[]).unwrap();
    is_there(&Browser::sign_in(server.address).await, &path).await;
    assert!(directory.path().join("objects/sha256").is_dir());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_a_bucket() {
    let s3 = S3::start();
    let (status, body) = Browser::nobody(s3.address).status(Method::PUT, "/stoa-files", None).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (directory, key) = (tempfile::tempdir().unwrap(), MasterKey::generate().to_hex());
    let database = stoa_storage::testing::create_postgres_database().await;
    let url = format!("s3://stoa-files?endpoint=http://{}&region=us-east-1", s3.address);
    let variables = [
        ("STOA_DATABASE_URL", database.as_str()),
        ("STOA_MASTER_KEY", &key),
        ("STOA_OBJECTS_URL", &url),
        ("AWS_ACCESS_KEY_ID", "stoa"),
        ("AWS_SECRET_ACCESS_KEY", "hidden-secret"),
    ];
    let one = start(&directory.path().join("one"), &variables).unwrap();
    let two = start(&directory.path().join("two"), &variables).unwrap();
    let owner = Browser::sign_in(one.address).await;
    let path = upload(&owner).await;
    is_there(&owner.at(two.address), &path).await;
    // Without the store pictures are not to be had, and that is said; all else goes on.
    drop(s3);
    let (status, problem) = owner.status(Method::GET, &path, None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    assert!(problem.contains("files_unavailable") && !problem.contains("127.0.0.1"), "{problem}");
    owner.get("/api/v1/conversations").await;
    let log = one.stop();
    assert!(!log.contains("hidden-secret"), "{log}");
}

fn says(data: &Path, variables: &[(&str, &str)], wanted: &str) {
    let log = refusal(data, variables);
    assert!(log.contains("STOA_OBJECTS_URL") && log.contains(wanted), "{log}");
}

#[test]
fn a_place_that_cannot_be_is_refused_with_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    says(data, &[("STOA_OBJECTS_URL", "gs://bucket")], "must begin with");
    says(data, &[("STOA_OBJECTS_URL", "s3://bucket?regoin=x")], "regoin");
    says(data, &[("STOA_OBJECTS_URL", "s3://stoa-files")], "AWS_SECRET_ACCESS_KEY");
    says(data, &[("STOA_OBJECTS_URL", "file:///proc/none")], "/proc/none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_not_there_is_told_in_the_log() {
    let s3 = S3::start();
    let directory = tempfile::tempdir().unwrap();
    let url = format!("s3://no-such-bucket?endpoint=http://{}", s3.address);
    let variables =
        [("STOA_OBJECTS_URL", url.as_str()), ("AWS_ACCESS_KEY_ID", "stoa"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let server = start(directory.path(), &variables).unwrap();
    for _ in 0..200 {
        if server.log.lock().unwrap().contains("files cannot be kept: look at STOA_OBJECTS_URL") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("nothing was said");
}
