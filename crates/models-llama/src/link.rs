//! The worker's end of the socket: a thread that reads, and writes that any thread may make.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use stoa_model::image::MAX_IMAGES;
use stoa_models::protocol::{
    Command, Decoder, Frame, FrameError, LoadFailure, MAX_IMAGES_BYTES, Refusal, Report, Submission, VERSION, encode,
};

use crate::engine::{Order, Prepared, PreparedText, Request, Seen};

/// What may wait for the engine: a few things for each of the sequences that may run at once.
const WAITING: usize = 256;

const READ_BYTES: usize = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the socket failed")]
    Socket(#[from] std::io::Error),
    #[error("the server sent something unreadable")]
    Frame(#[from] FrameError),
    #[error("the server sent more images than a prompt may have")]
    TooManyImages,
}

/// What the reading thread tells about the engine when the server asks for a sign of life.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    steps: AtomicU64,
    busy: AtomicBool,
    context_tokens: AtomicU64,
}

impl Vitals {
    pub(crate) fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    pub(crate) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    pub(crate) fn set_context_tokens(&self, tokens: usize) {
        self.context_tokens.store(u64::try_from(tokens).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// What the engine is told: by the server, and by threads that prepared something for it.
pub(crate) enum Input {
    Command(Command),
    /// A submission, which came with these images.
    Submit {
        asked: Box<Submission>,
        images: Vec<Vec<u8>>,
    },
    /// What the eye has made of the image that is next in a sequence.
    Seen {
        sequence: u64,
        seen: Seen,
    },
    Prompt {
        request: Request,
        prepared: Result<Option<Prepared>, Refusal>,
    },
    Texts {
        order: Order,
        prepared: Result<Option<Vec<PreparedText>>, Refusal>,
    },
}

/// The writing half, shared by the engine and the reading thread.
#[derive(Clone)]
pub(crate) struct Reports {
    socket: Arc<Mutex<UnixStream>>,
}

impl Reports {
    pub(crate) fn send(&self, report: &Report) -> Result<(), LinkError> {
        let frame = encode(report)?;
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).write_all(&frame)?;
        Ok(())
    }

    /// All at once, so that the server wakes up once for a step and not for each sequence.
    pub(crate) fn send_all(&self, reports: &mut Vec<Report>) -> Result<(), LinkError> {
        if reports.is_empty() {
            return Ok(());
        }
        let mut frames = Vec::new();
        for report in reports.drain(..) {
            frames.append(&mut encode(&report)?);
        }
        self.socket.lock().unwrap_or_else(PoisonError::into_inner).write_all(&frames)?;
        Ok(())
    }
}

pub(crate) struct Link {
    pub(crate) reports: Reports,
    pub(crate) inputs: Receiver<Input>,
    /// For threads that prepare something.
    pub(crate) sender: SyncSender<Input>,
    pub(crate) vitals: Arc<Vitals>,
}

impl Link {
    /// Starts to read. When the server hangs up, the process ends there and then, whatever the engine computes.
    pub(crate) fn start(socket: UnixStream) -> Result<Self, LinkError> {
        let reports = Reports { socket: Arc::new(Mutex::new(socket.try_clone()?)) };
        let vitals = Arc::new(Vitals::default());
        let (sender, inputs) = sync_channel(WAITING);
        let reader = Reader { socket, reports: reports.clone(), vitals: Arc::clone(&vitals), sender: sender.clone() };
        thread::Builder::new().name("link".to_owned()).spawn(move || {
            if let Err(error) = reader.run() {
                tracing::error!(error = &error as &dyn std::error::Error, "the server cannot be heard");
            }
            end_at_once();
        })?;
        Ok(Self { reports, inputs, sender, vitals })
    }
}

struct Reader {
    socket: UnixStream,
    reports: Reports,
    vitals: Arc<Vitals>,
    sender: SyncSender<Input>,
}

impl Reader {
    fn run(mut self) -> Result<(), LinkError> {
        let mut decoder = Decoder::default();
        // Those of the submission that is next.
        let mut images = Vec::new();
        let mut bytes = vec![0; READ_BYTES];
        loop {
            let length = self.socket.read(&mut bytes)?;
            if length == 0 {
                return Ok(());
            }
            decoder.push(&bytes[..length]);
            while let Some(frame) = decoder.next_frame()? {
                let command = match frame {
                    Frame::Message(command) => command,
                    Frame::Image(image) => {
                        images.push(image);
                        if images.len() > MAX_IMAGES || images.iter().map(Vec::len).sum::<usize>() > MAX_IMAGES_BYTES {
                            return Err(LinkError::TooManyImages);
                        }
                        continue;
                    }
                };
                match command {
                    Command::Hello { version: VERSION } => {}
                    Command::Hello { version } => {
                        let failure = LoadFailure::Version { server: version, worker: VERSION };
                        return self.reports.send(&Report::LoadFailed { failure });
                    }
                    Command::Ping { nonce } => self.reports.send(&Report::Pong {
                        nonce,
                        steps: self.vitals.steps.load(Ordering::Relaxed),
                        busy: self.vitals.busy.load(Ordering::Relaxed),
                        context_tokens: self.vitals.context_tokens.load(Ordering::Relaxed),
                    })?,
                    // The engine is gone only when the process is about to end.
                    Command::Submit(asked) => {
                        drop(self.sender.send(Input::Submit { asked, images: std::mem::take(&mut images) }));
                    }
                    command => drop(self.sender.send(Input::Command(command))),
                }
            }
        }
    }
}

/// Ends the process without running destructors of libraries while other threads still compute in them.
fn end_at_once() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}
