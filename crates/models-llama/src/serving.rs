//! The worker's loop: takes what the server asks, gives prompts to threads that take them apart, and computes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::TryRecvError;
use std::thread::{self, Scope};
use std::time::Instant;

use stoa_model::completion::Usage;
use stoa_models::protocol::{Command, DeviceUse, Outcome, Refusal, Report};

use crate::devices::Given;
use crate::engine::{self, Embed, Eye, Order, Preparer, Request, Rerank, Session, TextQueue, Watch};
use crate::link::{Input, Link, LinkError};

/// llama.cpp's way of splitting text may go deep; this is what a program's first thread has.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Serves until the server says that it is over.
pub(crate) fn serve(
    mut session: Session<'_>,
    texts: TextQueue<'_>,
    preparer: &Preparer<'_>,
    eye: Option<&Eye<'_>>,
    given: &Given,
    link: &Link,
) -> Result<(), LinkError> {
    thread::scope(|scope| {
        if let Some(eye) = eye {
            let (looks, asked) = engine::looks();
            let sender = link.sender.clone();
            thread::Builder::new().name("eye".to_owned()).spawn_scoped(scope, move || {
                // The loop is gone only when the process is about to end.
                engine::watch(eye, &asked, |sequence, seen| drop(sender.send(Input::Seen { sequence, seen })));
            })?;
            session.ask_at(looks, eye.both_ways());
        }
        let mut serving = Serving {
            scope,
            preparer,
            link,
            session,
            texts,
            preparing: HashMap::new(),
            reports: Vec::new(),
            in_use: InUse { given, told: given.in_use() },
        };
        let ended = serving.run();
        // The scope waits for them.
        for cancelled in serving.preparing.values() {
            cancelled.store(true, Ordering::Relaxed);
        }
        serving.session.abandon();
        ended
    })
}

struct Serving<'scope, 'env, 'engine> {
    scope: &'scope Scope<'scope, 'env>,
    preparer: &'env Preparer<'engine>,
    link: &'env Link,
    session: Session<'engine>,
    texts: TextQueue<'engine>,
    /// What threads are at work on, and how each is told that it is for nothing.
    preparing: HashMap<u64, Arc<AtomicBool>>,
    /// What the server is told at the end of the step.
    reports: Vec<Report>,
    in_use: InUse<'env>,
}

/// Devices, and what the server has last been told of them.
struct InUse<'env> {
    given: &'env Given,
    told: Vec<DeviceUse>,
}

impl InUse<'_> {
    /// A context for embeddings, for one, is made when it is first needed.
    fn tell(&mut self, reports: &mut Vec<Report>) {
        let devices = self.given.in_use();
        if devices != self.told {
            self.told.clone_from(&devices);
            reports.push(Report::Devices { devices });
        }
    }
}

enum Next {
    Step,
    Over,
}

impl<'scope> Serving<'scope, '_, '_> {
    fn run(&mut self) -> Result<(), LinkError> {
        while matches!(self.listen()?, Next::Step) {
            if self.session.is_ready() {
                self.session.step(&self.link.vitals, &mut self.reports);
            }
            self.texts.step(&self.link.vitals, &mut self.reports);
            self.in_use.tell(&mut self.reports);
        }
        Ok(())
    }

    /// Takes everything that has come, and waits for something when there is nothing to compute.
    fn listen(&mut self) -> Result<Next, LinkError> {
        loop {
            let computing = self.session.is_ready() || self.texts.running() > 0;
            // Whoever waits for an image makes progress with its computation.
            self.link.vitals.set_busy(computing || self.session.running() > 0 || !self.preparing.is_empty());
            self.link.vitals.set_context_tokens(self.session.held_tokens());
            let input = match self.link.inputs.try_recv() {
                Err(TryRecvError::Empty) => {
                    self.link.reports.send_all(&mut self.reports)?;
                    if computing {
                        return Ok(Next::Step);
                    }
                    self.link.inputs.recv().map_err(|_| TryRecvError::Disconnected)
                }
                received => received,
            };
            match input {
                Ok(Input::Command(Command::Shutdown)) | Err(_) => return Ok(Next::Over),
                Ok(Input::Command(command)) => self.take(command),
                Ok(Input::Submit { asked, images }) => {
                    let sequence = asked.sequence;
                    let request = Request { asked, images, submitted: Instant::now() };
                    self.prepare(sequence, |preparer, watch| {
                        let prepared = preparer.prompt(&request, watch);
                        Input::Prompt { request, prepared }
                    });
                }
                Ok(Input::Seen { sequence, seen }) => self.session.see(sequence, seen, &mut self.reports),
                Ok(Input::Prompt { request, prepared }) => {
                    // A cancelled one has been told of already.
                    if self.preparing.remove(&request.asked.sequence).is_some() {
                        let sequence = request.asked.sequence;
                        let begun = match prepared {
                            Ok(Some(prepared)) => self.session.begin(request, prepared, &mut self.reports),
                            Ok(None) => Ok(()),
                            Err(refusal) => Err(refusal),
                        };
                        self.refuse(sequence, begun.err());
                    }
                }
                Ok(Input::Texts { order, prepared }) => {
                    if self.preparing.remove(&order.sequence).is_some() {
                        match prepared {
                            Ok(texts) => self.texts.begin(order, texts.unwrap_or_default()),
                            Err(refusal) => self.refuse(order.sequence, Some(refusal)),
                        }
                    }
                }
            }
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Embed { sequence, inputs, truncate, dimensions } => {
                let order = Order { sequence, dimensions, submitted: Instant::now() };
                let embed = Embed { inputs, truncate, dimensions };
                self.prepare(sequence, move |preparer, watch| Input::Texts {
                    order,
                    prepared: preparer.texts(&embed, watch),
                });
            }
            Command::Rerank { sequence, query, documents, truncate } => {
                let order = Order { sequence, dimensions: None, submitted: Instant::now() };
                let rerank = Rerank { query, documents, truncate };
                self.prepare(sequence, move |preparer, watch| Input::Texts {
                    order,
                    prepared: preparer.pairs(&rerank, watch),
                });
            }
            Command::Cancel { sequence } => self.cancel(sequence),
            // The reading thread answers these itself, and hands submissions over with their images.
            Command::Submit(_) | Command::Hello { .. } | Command::Ping { .. } | Command::Shutdown => {}
        }
    }

    /// Does `work` on a thread of its own: a long prompt holds up nobody's answer, and no short prompt behind it.
    fn prepare(&mut self, sequence: u64, work: impl FnOnce(&Preparer<'_>, &Watch<'_>) -> Input + Send + 'scope) {
        let taken = self.preparing.len() + self.session.running() + self.texts.running();
        if taken >= self.session.slots() {
            return self.refuse(sequence, Some(Refusal::Occupied));
        }
        let cancelled = Arc::new(AtomicBool::new(false));
        let (preparer, vitals, sender) = (self.preparer, &self.link.vitals, self.link.sender.clone());
        let flag = Arc::clone(&cancelled);
        let started = thread::Builder::new().name("prepare".to_owned()).stack_size(STACK_BYTES).spawn_scoped(
            self.scope,
            move || {
                let input = work(preparer, &Watch { cancelled: &flag, vitals });
                // The loop is gone only when the process is about to end.
                let _ = sender.send(input);
            },
        );
        match started {
            Ok(_) => drop(self.preparing.insert(sequence, cancelled)),
            Err(error) => {
                let detail = format!("no thread could be started: {error}");
                self.refuse(sequence, Some(Refusal::Engine { detail }));
            }
        }
    }

    /// A cancellation may cross the end of its sequence on the way, and then there is nothing to do.
    fn cancel(&mut self, sequence: u64) {
        if let Some(cancelled) = self.preparing.remove(&sequence) {
            cancelled.store(true, Ordering::Relaxed);
            let (outcome, usage) = (Outcome::Cancelled, Usage::default());
            self.reports.push(Report::Finished { sequence, outcome, usage, prompt_us: 0, answer_us: 0 });
        } else if !self.session.cancel(sequence, &mut self.reports) {
            self.texts.cancel(sequence, &mut self.reports);
        }
    }

    fn refuse(&mut self, sequence: u64, refusal: Option<Refusal>) {
        if let Some(refusal) = refusal {
            self.reports.push(Report::Refused { sequence, refusal });
        }
    }
}
