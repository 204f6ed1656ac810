//! A disk that is full, or may not be written to. Where the user may not mount one, `./x test` leaves these tests out.

use std::process::Command;

use crate::start::{refusal, start};
use crate::support::Browser;

/// A small file system of its own.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount(options: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(directory.path()).status();
        assert!(mounted.unwrap().success());
        Self(directory)
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let done = Command::new("mount").args(["-o", &options]).arg(self.0.path()).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_read_only_data_directory_is_named() {
    let disk = Tmpfs::mount("size=8m");
    disk.remount("ro");
    let log = refusal(disk.0.path(), &[]);
    assert!(log.contains("cannot be written to"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_with_a_reason_and_serves_again_when_there_is_room() {
    let disk = Tmpfs::mount("size=8m");
    let server = start(disk.0.path(), &[]).unwrap();
    let browser = Browser::sign_in(server.address).await;
    let filler = disk.0.path().join("filler");
    let _ = std::fs::write(&filler, vec![0_u8; 16 << 20]);
    let mut refused = None;
    for _ in 0..200 {
        let role = "x".repeat(60_000);
        let conversation = serde_json::json!({ "title": "full" });
        let (status, _, body) = browser.send(http::Method::POST, "/api/v1/conversations", Some(&conversation)).await;
        if status == http::StatusCode::SERVICE_UNAVAILABLE {
            refused = Some(body);
            break;
        }
        assert_eq!(status, http::StatusCode::CREATED, "{body}");
        let path = format!("/api/v1/conversations/{}", body["id"].as_str().unwrap());
        let change = serde_json::json!({ "role": role });
        let (status, _, body) = browser.send(http::Method::PATCH, &path, Some(&change)).await;
        if status == http::StatusCode::SERVICE_UNAVAILABLE {
            refused = Some(body);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!(refused["code"], "database_unavailable");
    std::fs::remove_file(&filler).unwrap();
    browser.get("/api/v1/conversations").await;
    browser.post("/api/v1/conversations", serde_json::json!({})).await;
}
