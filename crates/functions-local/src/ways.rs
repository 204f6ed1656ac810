//! The ways out of one sandbox: what connects to its doors is carried to where the version says, or told why not.
//!
//! Inside, process 1 listens and hands out what connects, so the function speaks to the engine itself. Here it is asked for
//! what it wants, that is looked up in the version's list, and the rest is bytes.

mod doors;
mod proxy;

use std::sync::Arc;

use stoa_egress::{Authority, Host as Named, Target};
use stoa_functions::Connection;
use stoa_functions::carry::{Moved, Watched};
use stoa_functions::spec::{self, HostPattern};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::host::Host;
use crate::options::Outward;
use crate::output::{Complaints, Log};
use crate::way_out::{WayOut, WayOutError};
use doors::Door;

pub(crate) use doors::Wanted;

pub(crate) struct Ways {
    who: String,
    doors: Vec<(u16, Door)>,
    out: Arc<dyn WayOut>,
    limits: Outward,
    seats: Arc<Semaphore>,
    seats_in_all: Arc<Semaphore>,
    complaints: Complaints,
    tracker: TaskTracker,
}

/// Why a connection does not come about.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("it is not among the hosts that the function may reach")]
    NotAllowed,
    #[error(transparent)]
    Out(#[from] WayOutError),
}

impl Ways {
    /// None where none are wanted, or where the engine has no way out; then nothing that wants one is run.
    pub(crate) fn of(host: &Host, who: &str, wanted: Wanted<'_>, log: &Log) -> Option<Self> {
        let doors = wanted.doors();
        if doors.is_empty() {
            return None;
        }
        let limits = host.options.outward;
        Some(Self {
            who: who.to_owned(),
            doors,
            out: host.options.way_out.clone()?,
            limits,
            seats: Arc::new(Semaphore::new(limits.connections)),
            seats_in_all: Arc::clone(&host.seats_out),
            complaints: Complaints::into(log, &host.clock),
            tracker: host.tracker.clone(),
        })
    }

    pub(crate) async fn serve(self, mut outward: mpsc::Receiver<(u16, TcpStream)>, over: CancellationToken) {
        let ways = Arc::new(self);
        loop {
            let (port, inside) = tokio::select! {
                next = outward.recv() => match next {
                    Some(next) => next,
                    None => return,
                },
                () = over.cancelled() => return,
            };
            let Ok(seat) = Arc::clone(&ways.seats).try_acquire_owned() else {
                ways.complain(&format!("a connection was closed: {} are open", ways.limits.connections));
                continue;
            };
            let Ok(seat_in_all) = Arc::clone(&ways.seats_in_all).try_acquire_owned() else {
                ways.complain("a connection was closed: all functions of this server together have too many open");
                continue;
            };
            let (task, over) = (Arc::clone(&ways), over.clone());
            ways.tracker.spawn(async move {
                task.carry(port, inside, &over).await;
                drop((seat, seat_in_all));
            });
        }
    }

    async fn carry(&self, port: u16, inside: TcpStream, over: &CancellationToken) {
        let Some((_, door)) = self.doors.iter().find(|(open, _)| *open == port) else { return };
        // Small pieces go at once, as they came.
        let _ = inside.set_nodelay(true);
        let moved = Arc::new(Moved::default());
        let inside = Watched::new(inside, &moved);
        let carried = async {
            match door {
                Door::Proxy(patterns) => proxy::serve(self, patterns, inside, over).await,
                Door::Binding(name, to) => self.bind(name, to, inside).await,
            }
        };
        tokio::select! {
            () = Box::pin(carried) => {}
            () = moved.stands_still(self.limits.idle) => {}
            () = tokio::time::sleep(self.limits.longest) => {}
            () = over.cancelled() => {}
        }
    }

    async fn bind(&self, name: &str, to: &Authority, mut inside: Watched<TcpStream>) {
        match self.out.open(&self.who, to).await {
            // Either side may break off.
            Ok(mut outside) => drop(tokio::io::copy_bidirectional(&mut inside, &mut outside).await),
            Err(error) => self.complain(&format!("no connection of the binding {name} to {to}: {error}")),
        }
    }

    /// For the proxy.
    async fn open(&self, patterns: &[HostPattern], to: &Target) -> Result<Box<dyn Connection>, Refusal> {
        let host = match to.host() {
            Named::Name(name) => spec::Host::Name(name),
            Named::Address(address) => spec::Host::Address(*address),
        };
        let opened = if patterns.iter().any(|pattern| pattern.allows(host, to.port())) {
            self.out.open(&self.who, &to.authority()).await.map_err(Refusal::Out)
        } else {
            Err(Refusal::NotAllowed)
        };
        opened.inspect_err(|refusal| self.complain(&format!("connection to {} refused: {refusal}", to.authority())))
    }

    /// In the log of the instance.
    fn complain(&self, what: &str) {
        self.complaints.say(what);
    }
}
