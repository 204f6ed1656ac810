//! The one thread that starts processes which must not outlive this one.
//!
//! Such a process asks to be killed when its parent dies, and by that Linux means the thread that started it. A thread of
//! an async runtime may end at any time; this one lives as long as what it was made for.

use std::io;
use std::sync::mpsc::{Sender, channel};
use std::thread;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Clone, Debug)]
pub struct Spawner {
    jobs: Sender<Job>,
}

#[derive(Debug, thiserror::Error)]
#[error("the thread that starts processes is gone")]
pub struct SpawnerGone;

impl Spawner {
    /// The thread ends when the last clone is dropped.
    pub fn start(name: &str) -> io::Result<Self> {
        let (jobs, received) = channel::<Job>();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Ok(job) = received.recv() {
                job();
            }
        })?;
        Ok(Self { jobs })
    }

    /// Runs `job` on the thread, after those that came before.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), SpawnerGone> {
        self.jobs.send(Box::new(job)).map_err(|_| SpawnerGone)
    }
}
