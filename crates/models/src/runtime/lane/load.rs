//! How a lane gets its worker: room for it, and a start with as many layers on devices as turn out to fit.

use std::sync::Arc;

use stoa_model::completion::CompletionError;
use tokio::time::Instant;

use super::{Lane, LaneState, Loaded, shared, shutting_down};
use crate::protocol::{Confinement, Landlock, LockProfile, WorkerArguments};
use crate::runtime::admission::{Chosen, Grant, IdleModel, OnDevices, Wish};
use crate::runtime::estimate::Estimate;
use crate::runtime::job::Job;
use crate::runtime::locked;
use crate::runtime::process::{WorkerFault, WorkerProcess};

/// How often a load on devices is tried, each time with half of the layers, before all of them stay with the processor.
const TRIES_ON_DEVICES: u32 = 2;

impl Lane {
    /// Waits for room and starts a worker there. Where a device does not hold what it seemed to, fewer layers are tried, and
    /// then none; that is logged and told in the status, and only what fails on the processor, too, is a failure.
    pub(super) async fn load(&mut self, job: &Job) -> Result<(), CompletionError> {
        self.shared.note_fallback(None);
        let estimate = Estimate::of(&self.shared.model, &self.context.options);
        let mut most_layers = self.most_layers().await;
        let mut tries = 0;
        loop {
            self.shared.set_state(LaneState::Waiting);
            let wish = Wish { model: &estimate, most_layers };
            let (grant, chosen) = tokio::select! {
                granted = self.context.admission.acquire(wish, || self.idle_models()) => granted.map_err(|no_room| {
                    self.shared.set_state(LaneState::Cold);
                    no_room.completion_error()
                })?,
                // Nobody wants the answer any more, so the model need not be loaded, either.
                () = job.outlet.closed() => return Err(shutting_down()),
            };
            self.shared.note_let_in(chosen.host_bytes);
            let layers = chosen.on_devices.as_ref().map_or(0, OnDevices::layers);
            let fault = match self.start(grant, chosen, estimate.layers()).await {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            if layers == 0 {
                self.failed(&fault);
                return Err(fault.completion_error());
            }
            tries += 1;
            most_layers = if tries < TRIES_ON_DEVICES { layers / 2 } else { 0 };
            tracing::warn!(
                model = %self.shared.model.name,
                error = &fault as &dyn std::error::Error,
                layers,
                next = most_layers,
                "a local model cannot be loaded with so many layers on devices; fewer are tried"
            );
            self.context.totals.fell_back();
            self.shared.note_fallback(Some(format!("with {layers} layers on devices, {fault}")));
        }
    }

    /// Layers that an operator and the makers of the model let be on devices.
    async fn most_layers(&self) -> u32 {
        let (profiles, store) = (Arc::clone(&self.context.profiles), Arc::clone(&self.context.store));
        let model = self.shared.model.clone();
        let read = self.context.tracker.spawn_blocking(move || profiles.of(&store, &model));
        let of_model = match read.await {
            Ok(Ok(profile)) => profile.device_layers,
            // It is being deleted, or damaged; then it does not load, either.
            Ok(Err(_)) | Err(_) => None,
        };
        [of_model, self.context.options.device_layers].into_iter().flatten().min().unwrap_or(u32::MAX)
    }

    async fn start(&mut self, grant: Grant, chosen: Chosen, layers: u32) -> Result<(), WorkerFault> {
        self.shared.set_state(LaneState::Loading);
        let started = Instant::now();
        let options = &self.context.options;
        let on_devices = chosen.on_devices;
        let arguments = WorkerArguments {
            model: self.shared.model.path.clone(),
            projector: self.shared.model.projector.as_ref().map(|projector| projector.path.clone()),
            adapter: self.shared.model.adapter.as_ref().map(|adapter| adapter.path.clone()),
            context_window: options.context_window(&self.shared.model),
            slots: on_devices.as_ref().map(|on| on.slots).or(options.slots),
            context_bytes: options.context_bytes,
            parent: std::process::id(),
            threads: options.threads,
            memory_bytes: options.memory_bytes,
            processor: options.processor,
            devices: on_devices.as_ref().map(OnDevices::arguments).unwrap_or_default(),
        };
        let program = on_devices.as_ref().map_or_else(|| options.worker.clone(), |on| on.program.clone());
        let (spawner, tracker) = (&self.context.spawner, &self.context.tracker);
        let worker =
            WorkerProcess::start(spawner, options, (program, arguments), tracker, |process| grant.started(process))
                .await?;
        let took = started.elapsed();
        self.context.totals.loaded(took);
        let shares = on_devices.as_ref().map(|on| on.shares_of(worker.devices())).unwrap_or_default();
        tracing::info!(
            model = %self.shared.model.name,
            worker = worker.id(),
            slots = worker.slots(),
            engine = on_devices.as_ref().map(|on| on.engine.as_str()),
            layers,
            layers_on_devices = shares.iter().map(|share| share.layers).sum::<u32>(),
            device_bytes = shares.iter().map(|share| share.bytes).sum::<u64>(),
            confinement = worker.confinement().map(tracing::field::display),
            elapsed_ms = took.as_millis(),
            "a local model is loaded"
        );
        self.warn_of_gaps(worker.confinement());
        let slots = u32::try_from(worker.slots()).unwrap_or(u32::MAX);
        grant.loaded(shares.iter().map(|share| (share.id.clone(), share.bytes)).collect());
        let noted = shared::Worker {
            id: worker.id(),
            slots,
            context_tokens: worker.context_tokens(),
            confinement: worker.confinement(),
            engine: on_devices.as_ref().map(|on| on.engine.clone()),
            devices: shares,
            layers,
        };
        self.shared.note_loaded(noted, worker.context_window());
        self.loaded = Some(Loaded { worker, at: Instant::now(), took, on_devices, grant });
        Ok(())
    }

    /// A worker that this kernel cannot lock in wholly serves all the same, but nobody shall think that it is.
    fn warn_of_gaps(&self, confinement: Option<Confinement>) {
        let missing = match confinement.map(|confinement| (confinement.landlock, confinement.profile)) {
            Some((Landlock::Full { .. }, LockProfile::Processor | LockProfile::Writing)) => return,
            Some((Landlock::Full { .. }, LockProfile::Devices)) => {
                "drivers of devices need files, calls and memory for code of their own: \
                 docs/decisions/0015-graphics-processors.md says which"
            }
            Some((Landlock::Partial { .. }, _)) => {
                "this kernel's Landlock is older than Linux 6.12: ports, signals or sockets of other programs are kept \
                 from the worker by seccomp alone"
            }
            Some((Landlock::Absent, _)) | None => {
                "this kernel has no Landlock (Linux 5.13 or later, and `landlock` among its security modules): the \
                 worker could read every file that the server may read"
            }
        };
        tracing::warn!(model = %self.shared.model.name, missing, "the worker of a local model is not wholly locked in");
    }

    /// The other models that nobody uses right now.
    fn idle_models(&self) -> Vec<IdleModel> {
        let lanes = locked(&self.lanes);
        lanes.values().filter_map(|lane| IdleModel::new(Arc::clone(lane))).collect()
    }
}
