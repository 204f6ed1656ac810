//! The lock around a worker on a device: what its driver needs is let through, and nothing else.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command as Program, Stdio};

use rustix::io::Errno;
use stoa_models::protocol::{
    Command, Confinement, Decoder, DeviceUse, LockProfile, Processor, Report, VERSION, WorkerArguments, encode,
};

use crate::house::LAYERS;
use crate::support::model_path;

/// Reads on to where the worker is ready.
fn ready(mut socket: UnixStream) -> (Confinement, Vec<DeviceUse>) {
    socket.write_all(&encode(&Command::Hello { version: VERSION }).unwrap()).unwrap();
    let (mut decoder, mut bytes) = (Decoder::default(), [0; 4_096]);
    loop {
        if let Some(report) = decoder.next_message().unwrap() {
            match report {
                Report::Ready { confinement, devices, .. } => return (confinement, devices),
                Report::LoadFailed { failure } => panic!("{failure}"),
                _ => continue,
            }
        }
        let length = socket.read(&mut bytes).unwrap();
        assert!(length > 0, "the worker goes on");
        decoder.push(&bytes[..length]);
    }
}

#[test]
fn whoever_takes_a_worker_on_a_device_over_has_the_device_and_not_the_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "x").unwrap();
    let (socket, theirs) = UnixStream::pair().unwrap();
    let arguments = WorkerArguments {
        model: model_path(),
        projector: None,
        adapter: None,
        context_window: 256,
        slots: Some(1),
        context_bytes: None,
        parent: std::process::id(),
        threads: None,
        memory_bytes: None,
        processor: Processor::Best,
        devices: vec![format!("Vulkan0={LAYERS}").parse().unwrap()],
    };
    let mut child = Program::new(env!("CARGO_BIN_EXE_stoa-test-worker"))
        .arg("--break-out")
        .arg(listener.local_addr().unwrap().to_string())
        .arg(folder.path())
        .arg(model_path())
        .args(arguments.to_arguments())
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut after = HashMap::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let [when, what, number] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if what == "end" {
            break;
        }
        if when == "after" {
            after.insert(what.to_owned(), number.parse::<i32>().unwrap());
        }
    }
    let (confinement, devices) = ready(socket);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(confinement.seccomp && confinement.profile == LockProfile::Devices, "{confinement}");
    assert_eq!((devices[0].device.as_str(), devices[0].layers), ("Vulkan0", LAYERS), "it serves all the same");

    assert_eq!(after.remove("read_model"), Some(0));
    // What drivers need: calls to their devices, and memory for the code that they make.
    assert_eq!(after.remove("code"), Some(0));
    assert_ne!(after.remove("ioctl"), Some(Errno::PERM.raw_os_error()), "it is refused by the file, not by the lock");
    for what in ["read_users", "read_beside_model", "read_environment_of_parent", "list"] {
        assert_eq!(after.remove(what), Some(Errno::ACCESS.raw_os_error()), "{what}");
    }
    assert_eq!(after.remove("clone3"), Some(Errno::NOSYS.raw_os_error()));
    assert!(after.len() >= 33, "{after:?}");
    for (what, number) in &after {
        assert_eq!(*number, Errno::PERM.raw_os_error(), "{what}");
    }
}
