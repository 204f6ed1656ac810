//! What the store promises, on a disk and on a server that speaks S3.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http::Method;
use stoa_egress::{Egress, EgressOptions, Limits, Request, Target};
use stoa_objects::{Bucket, Credentials, Digest, Location, MAX_BLOB_BYTES, Objects, ObjectsError};

/// An S3 server (moto) of its own for a test. `./x test` installs it and names it in `STOA_TEST_MOTO`.
struct S3 {
    server: Child,
    address: String,
}

impl S3 {
    fn start(settings: &[(&str, &str)]) -> Self {
        let program = std::env::var("STOA_TEST_MOTO").expect(
            "STOA_TEST_MOTO names the program moto_server; `./x test` installs it (conformance/requirements.txt)",
        );
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", "0"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut server = command.envs(settings.iter().copied()).spawn().expect("moto_server starts");
        let mut lines = BufReader::new(server.stderr.take().unwrap()).lines();
        let address = lines
            .find_map(|line| {
                line.unwrap().split_once("Running on http://").map(|(_, address)| address.trim().to_owned())
            })
            .expect("moto_server says where it listens");
        // It says something about every request, and must not wait for somebody to read it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { server, address }
    }

    fn bucket(&self, name: &str) -> Bucket {
        match format!("s3://{name}?endpoint=http://{}&region=us-east-1", self.address).parse() {
            Ok(Location::Bucket(bucket)) => bucket,
            other => unreachable!("{other:?}"),
        }
    }

    async fn make(&self, bucket: &Bucket) {
        let target = Target::parse(&format!("http://{}/{}", self.address, bucket.name)).unwrap();
        let made = way_out(bucket).send(Request::new(Method::PUT, target, Bytes::new()), Limits::default()).await;
        assert_eq!(made.unwrap().status(), 200);
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn way_out(bucket: &Bucket) -> Egress {
    Egress::new(EgressOptions { exempt: vec![bucket.authority().unwrap()], ..EgressOptions::default() }).unwrap()
}

fn credentials() -> Credentials {
    Credentials { access_key_id: "stoa".to_owned(), secret_access_key: "secret".to_owned(), session_token: None }
}

async fn keeps_its_promises(objects: &Objects) {
    objects.check("test").await.unwrap();
    let absent = Digest::of(b"never put");
    assert!(matches!(objects.get(absent).await, Err(ObjectsError::NotFound)));
    objects.delete(absent).await.unwrap();

    let large: Bytes = (0..5_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    for bytes in [Bytes::new(), Bytes::from_static(b"hello"), large] {
        let digest = objects.put(bytes.clone()).await.unwrap();
        assert_eq!(digest, Digest::of(&bytes));
        assert_eq!(objects.put(bytes.clone()).await.unwrap(), digest, "the same again");
        assert_eq!(objects.get(digest).await.unwrap(), bytes);
        objects.delete(digest).await.unwrap();
        assert!(matches!(objects.get(digest).await, Err(ObjectsError::NotFound)), "{} bytes", bytes.len());
    }
    let too_large = Bytes::from(vec![0; MAX_BLOB_BYTES + 1]);
    assert!(matches!(objects.put(too_large).await, Err(ObjectsError::TooLarge)));
    // Many at once, the same and different.
    let many = (0..40).map(|number| objects.put(Bytes::from(format!("blob {}", number % 10))));
    let digests: Vec<Digest> = futures_util::future::try_join_all(many).await.unwrap();
    for (number, digest) in digests.into_iter().enumerate() {
        assert_eq!(objects.get(digest).await.unwrap(), format!("blob {}", number % 10));
    }
}

#[tokio::test]
async fn a_disk_keeps_what_it_is_given() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("deep/objects");
    keeps_its_promises(&Objects::on_disk(&folder).unwrap()).await;
    assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn a_bucket_keeps_what_it_is_given() {
    let s3 = S3::start(&[]);
    let bucket = s3.bucket("stoa-files");
    s3.make(&bucket).await;
    keeps_its_promises(&Objects::in_bucket(&bucket, credentials(), way_out(&bucket)).unwrap()).await;
}

#[tokio::test]
async fn what_was_put_is_there_for_the_next_process_and_damage_shows() {
    let directory = tempfile::tempdir().unwrap();
    let digest = Objects::on_disk(directory.path()).unwrap().put(Bytes::from_static(b"hello")).await.unwrap();
    let again = Objects::on_disk(directory.path()).unwrap();
    assert_eq!(again.get(digest).await.unwrap(), "hello");
    let name = digest.to_string();
    let path = directory.path().join("sha256").join(&name[..2]).join(&name);
    for wrong in [&b"hellO"[..], b"", b"hello hello"] {
        std::fs::write(&path, wrong).unwrap();
        assert!(matches!(again.get(digest).await, Err(ObjectsError::Damaged { .. })), "{wrong:?}");
    }
    // Putting it again mends it.
    again.put(Bytes::from_static(b"hello")).await.unwrap();
    assert_eq!(again.get(digest).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_folder_that_cannot_be_one_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Objects::on_disk(&file.join("below")).unwrap_err();
    assert!(matches!(error, ObjectsError::Folder { .. }), "{error:?}");
}

#[tokio::test]
async fn a_store_that_refuses_or_has_no_such_bucket_says_so() {
    // After so many requests by anybody, it looks at who asks.
    let s3 = S3::start(&[("INITIAL_NO_AUTH_ACTION_COUNT", "1")]);
    let bucket = s3.bucket("stoa-files");
    s3.make(&bucket).await;
    let objects = Objects::in_bucket(&bucket, credentials(), way_out(&bucket)).unwrap();
    let refused = objects.check("test").await.unwrap_err();
    assert!(matches!(refused, ObjectsError::Refused(_)), "{refused:?}");

    let s3 = S3::start(&[]);
    let absent = s3.bucket("no-such-bucket");
    let objects = Objects::in_bucket(&absent, credentials(), way_out(&absent)).unwrap();
    assert!(objects.check("test").await.is_err());
}

#[tokio::test]
async fn a_private_address_is_reached_only_when_it_is_exempt() {
    let s3 = S3::start(&[]);
    let bucket = s3.bucket("stoa-files");
    s3.make(&bucket).await;
    let strict = Egress::new(EgressOptions::default()).unwrap();
    let objects = Objects::in_bucket(&bucket, credentials(), strict).unwrap();
    let error = objects.put(Bytes::from_static(b"hello")).await.unwrap_err();
    assert!(matches!(error, ObjectsError::Unavailable(_)), "{error:?}");
    let reached = Objects::in_bucket(&bucket, credentials(), way_out(&bucket)).unwrap();
    assert!(matches!(reached.get(Digest::of(b"hello")).await, Err(ObjectsError::NotFound)), "nothing had arrived");
}

#[tokio::test]
async fn a_store_that_is_gone_is_not_available() {
    let s3 = S3::start(&[]);
    let bucket = s3.bucket("stoa-files");
    s3.make(&bucket).await;
    let objects = Objects::in_bucket(&bucket, credentials(), way_out(&bucket)).unwrap();
    let digest = objects.put(Bytes::from_static(b"hello")).await.unwrap();
    drop(s3);
    assert!(matches!(objects.get(digest).await, Err(ObjectsError::Unavailable(_))));
}
