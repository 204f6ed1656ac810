//! The lock around a worker: what an intruder in it could do, and that it computes all the same.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command as Program, Stdio};

use rustix::io::Errno;
use stoa_models::LaneState;
use stoa_models::protocol::{Command, Confinement, Landlock, LoadFailure, Report, VERSION, WorkerArguments};

use crate::orphans::{Worker, arguments};
use crate::seer;
use crate::support::{House, model_path, options, request};

/// What came of each attempt: the number of its error, or 0.
type Attempts = HashMap<String, i32>;

/// A worker that tries to break out and then serves: what it got before and after the lock, and how it says it is locked.
/// `file` is one that it must be able to read.
fn break_out(file: &Path, arguments: &WorkerArguments) -> (Attempts, Attempts, Confinement) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "x").unwrap();
    let (socket, theirs) = UnixStream::pair().unwrap();
    let mut child = Program::new(env!("CARGO_BIN_EXE_stoa-test-worker"))
        .arg("--break-out")
        .arg(listener.local_addr().unwrap().to_string())
        .arg(folder.path())
        .arg(file)
        .args(arguments.to_arguments())
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut before, mut after) = (Attempts::new(), Attempts::new());
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let [when, what, number] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if what == "end" {
            break;
        }
        let attempts = if when == "before" { &mut before } else { &mut after };
        attempts.insert(what.to_owned(), number.parse().unwrap());
    }
    let made: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != "secret")
        .collect();
    assert!(made.iter().all(|name| name.to_str().unwrap().starts_with("before")), "{made:?}");

    let mut worker = Worker::at(socket);
    worker.send(&Command::Hello { version: VERSION });
    let confinement = loop {
        if let Report::Ready { confinement, .. } = worker.report().expect("the worker goes on") {
            break confinement;
        }
    };
    worker.submit(1);
    worker.until(|report| matches!(report, Report::Piece { .. }));
    drop(worker);
    child.wait().unwrap();
    (before, after, confinement)
}

#[test]
fn whoever_takes_a_worker_over_has_its_model_and_nothing_else() {
    let (before, mut after, confinement) = break_out(&model_path(), &arguments(std::process::id()));
    for (what, number) in &before {
        assert_eq!(*number, 0, "{what} can be done without the lock, so that the lock is what forbids it");
    }
    assert!(confinement.seccomp);
    assert_eq!(after.remove("read_model"), Some(0), "{after:?}");

    // What Landlock forbids can be done where the kernel has none, and the worker says so.
    let by_landlock = ["read_users", "read_beside_model", "read_environment_of_parent", "list"];
    let files = if confinement.landlock == Landlock::Absent { 0 } else { Errno::ACCESS.raw_os_error() };
    for what in by_landlock {
        assert_eq!(after.remove(what), Some(files), "{what} under {confinement}");
    }
    assert_eq!(after.remove("clone3"), Some(Errno::NOSYS.raw_os_error()));
    assert!(after.len() >= 35, "everything has been tried: {after:?}");
    for (what, number) in &after {
        assert_eq!(*number, Errno::PERM.raw_os_error(), "{what} under {confinement}");
    }
}

#[test]
fn a_worker_with_an_eye_reads_one_file_more() {
    let (_folder, model, projector) = seer::save(&seer::eye(seer::EyeSize::TINY));
    let seeing = WorkerArguments { model, projector: Some(projector.clone()), ..arguments(std::process::id()) };
    let (_, after, confinement) = break_out(&projector, &seeing);
    assert_eq!(after["read_model"], 0, "its eye");
    let refused = if confinement.landlock == Landlock::Absent { 0 } else { Errno::ACCESS.raw_os_error() };
    assert_eq!((after["read_users"], after["read_beside_model"], after["list"]), (refused, refused, refused));
}

#[test]
fn a_worker_without_its_model_says_so() {
    let (socket, theirs) = UnixStream::pair().unwrap();
    let mut nowhere = arguments(std::process::id());
    nowhere.model = "/nowhere/model.gguf".into();
    let mut child = Program::new(env!("CARGO_BIN_EXE_stoa-test-worker"))
        .args(nowhere.to_arguments())
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Worker::at(socket).until(|report| *report == Report::LoadFailed { failure: LoadFailure::Model });
    assert!(!child.wait().unwrap().success());
}

#[tokio::test]
async fn every_thread_of_a_worker_is_locked_in_and_the_status_says_how() {
    let house = House::new(options());
    house.ask(request("Say hello.")).await.unwrap();
    house.until(LaneState::Idle).await;
    let lane = house.runtime.status().lanes.remove(0);
    let confinement = lane.confinement.unwrap();
    assert!(confinement.seccomp, "{confinement}");

    let process = format!("/proc/{}", lane.worker_id.unwrap());
    let read = |path: String| fs::read_to_string(path).unwrap();
    let mut threads = 0;
    for thread in fs::read_dir(format!("{process}/task")).unwrap() {
        let status = read(format!("{}/status", thread.unwrap().path().display()));
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        assert_eq!((field("Seccomp:"), field("NoNewPrivs:")), ("2".to_owned(), "1".to_owned()), "{status}");
        // At most the second: to read files whoever owns them.
        let capabilities = u64::from_str_radix(&field("CapPrm:"), 16).unwrap();
        assert_eq!(capabilities & !4, 0, "{status}");
        threads += 1;
    }
    assert!(threads >= 2, "the one that computes and the one that listens");
    let limits = read(format!("{process}/limits"));
    let limit = |name: &str| {
        let found = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        found.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(["Max core file size", "Max file size", "Max open files"].map(limit), ["0", "0", "64"]);
    let score = |process: &str| read(format!("{process}/oom_score_adj")).trim().parse::<i32>().unwrap();
    assert!(score(&process) > score("/proc/self"), "it goes before the server");
}
