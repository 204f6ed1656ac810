//! Workers whose server is gone end by themselves, whatever they are doing.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command as Program, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use stoa_model::completion::{LocalOptions, Parameters, PromptMessage, PromptRole};
use stoa_models::protocol::{
    Command, Decoder, LoadFailure, Processor, Prompt, Report, Sampling, Submission, Talk, VERSION, WorkerArguments,
    encode,
};

use crate::support::{model_path, signal};

/// A worker without a server, spoken to by hand.
pub(crate) struct Worker {
    socket: UnixStream,
    decoder: Decoder,
}

pub(crate) fn arguments(parent: u32) -> WorkerArguments {
    WorkerArguments {
        model: model_path(),
        projector: None,
        adapter: None,
        context_window: 2_048,
        slots: Some(1),
        context_bytes: None,
        parent,
        threads: None,
        memory_bytes: None,
        processor: Processor::Baseline,
        devices: Vec::new(),
    }
}

fn program(parent: u32, theirs: UnixStream) -> Program {
    let mut program = Program::new(env!("CARGO_BIN_EXE_stoa-test-worker"));
    program.args(arguments(parent).to_arguments()).stdin(Stdio::from(OwnedFd::from(theirs))).stderr(Stdio::null());
    program
}

impl Worker {
    fn start() -> (Child, Self) {
        let (socket, theirs) = UnixStream::pair().unwrap();
        let child = program(std::process::id(), theirs).spawn().unwrap();
        (child, Self::at(socket))
    }

    pub(crate) fn at(socket: UnixStream) -> Self {
        Self { socket, decoder: Decoder::default() }
    }

    pub(crate) fn send(&mut self, command: &Command) {
        self.socket.write_all(&encode(command).unwrap()).unwrap();
    }

    pub(crate) fn report(&mut self) -> Option<Report> {
        let mut bytes = [0; 4_096];
        loop {
            if let Some(report) = self.decoder.next_message().unwrap() {
                return Some(report);
            }
            match self.socket.read(&mut bytes) {
                Ok(length @ 1..) => self.decoder.push(&bytes[..length]),
                _ => return None,
            }
        }
    }

    pub(crate) fn until(&mut self, wanted: impl Fn(&Report) -> bool) {
        while !wanted(&self.report().expect("the worker goes on")) {}
    }

    pub(crate) fn submit(&mut self, sequence: u64) {
        self.send(&Command::Submit(Box::new(Submission {
            sequence,
            prompt: Prompt::Messages(Talk {
                messages: vec![PromptMessage::new(PromptRole::User, "Tell a very long story.")],
                ..Talk::default()
            }),
            images: Vec::new(),
            sampling: Sampling::new(&Parameters::default(), &LocalOptions::default(), 1),
            max_tokens: None,
            stop: Vec::new(),
            owner: None,
            cache_scope: None,
            alone: false,
            logprobs: None,
            context: None,
            schema: None,
            now_ms: 0,
        })));
    }
}

fn ends(mut ended: impl FnMut() -> bool) {
    let started = Instant::now();
    while !ended() {
        assert!(started.elapsed() < Duration::from_secs(20), "the worker lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_worker_that_is_hung_up_on_ends_in_mid_answer() {
    let (mut child, mut worker) = Worker::start();
    worker.send(&Command::Hello { version: VERSION });
    worker.submit(1);
    worker.until(|report| matches!(report, Report::Piece { .. }));
    drop(worker);
    ends(|| child.try_wait().unwrap().is_some());
}

#[test]
fn a_worker_dies_with_its_parent_even_when_somebody_holds_the_socket() {
    let (socket, theirs) = UnixStream::pair().unwrap();
    // A shell in between is the parent. Its end is not the end of the socket, whose other half the worker itself holds.
    let script = r#"exec 3<&0; program=$1; shift; "$program" --model "$1" --context 512 --parent $$ <&3 & wait"#;
    let mut shell = Program::new("/bin/sh")
        .args(["-c", script, "sh", env!("CARGO_BIN_EXE_stoa-test-worker")])
        .arg(model_path())
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .unwrap();
    let mut worker = Worker { socket, decoder: Decoder::default() };
    worker.until(|report| matches!(report, Report::Ready { .. }));
    signal(shell.id(), Signal::KILL);
    shell.wait().unwrap();
    worker.socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(worker.socket.read(&mut [0; 64]).unwrap(), 0, "the last copy of the other half is gone with the worker");
}

#[test]
fn a_worker_that_somebody_else_started_does_not_serve() {
    let (_socket, theirs) = UnixStream::pair().unwrap();
    let mut child = program(1, theirs).spawn().unwrap();
    assert!(!child.wait().unwrap().success());
}

#[test]
fn a_worker_hangs_up_on_another_version_and_on_rubbish() {
    let (mut child, mut worker) = Worker::start();
    worker.send(&Command::Hello { version: VERSION + 1 });
    let failure = LoadFailure::Version { server: VERSION + 1, worker: VERSION };
    worker.until(|report| *report == Report::LoadFailed { failure: failure.clone() });
    ends(|| child.try_wait().unwrap().is_some());

    for rubbish in [b"\xff\xff\xff\xff".as_slice(), b"\x02\x00\x00\x00{]", b"\x10\x00\x00\x00{\"type\":\"sudo\"}x"] {
        let (mut child, mut worker) = Worker::start();
        worker.socket.write_all(rubbish).unwrap();
        ends(|| child.try_wait().unwrap().is_some());
    }
}

#[test]
fn sequences_have_numbers_and_only_one_runs() {
    let (mut child, mut worker) = Worker::start();
    worker.send(&Command::Hello { version: VERSION });
    worker.submit(7);
    worker.until(|report| matches!(report, Report::Piece { sequence: 7, .. }));
    worker.submit(8);
    worker.until(|report| matches!(report, Report::Refused { sequence: 8, .. }));
    // Cancelling another one changes nothing.
    worker.send(&Command::Cancel { sequence: 8 });
    worker.until(|report| matches!(report, Report::Piece { sequence: 7, .. }));
    worker.send(&Command::Ping { nonce: 42 });
    worker.until(|report| matches!(report, Report::Pong { nonce: 42, busy: true, steps: 1.., .. }));
    worker.send(&Command::Cancel { sequence: 7 });
    worker.until(|report| {
        matches!(report, Report::Finished { sequence: 7, outcome: stoa_models::protocol::Outcome::Cancelled, .. })
    });
    worker.send(&Command::Shutdown);
    assert!(child.wait().unwrap().success());
}

#[test]
fn started_by_hand_a_worker_says_what_it_is() {
    let output = Program::new(env!("CARGO_BIN_EXE_stoa-test-worker")).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("started by the server, not by hand"), "{said}");
}
