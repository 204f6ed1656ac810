//! Runs models in worker processes and decides who uses them when.
//!
//! Each loaded model has a lane: a fair queue, one worker, and the task that brings both together. The worker computes;
//! everything about people (whose turn it is, how long they wait, what they are told) is decided here.

mod admission;
mod answer;
mod breaker;
mod devices;
mod embed;
mod engines;
mod environment;
mod estimate;
mod job;
mod lane;
mod options;
mod placement;
mod process;
mod profile;
mod quantize;
mod queue;
mod rerank;
mod spawner;
mod totals;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use stoa_model::completion::{
    CompletionError, CompletionRequest, CompletionStream, KeepAlive, LocalTimings, OpenFuture, PromptMessage, Upstream,
};
use stoa_model::format::Format;
use stoa_model::image::MAX_IMAGES;
use stoa_model::provider::Ability;
use stoa_model::{Clock, UserId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::protocol::{MAX_IMAGES_BYTES, MAX_PROMPT_BYTES, MAX_STOP_BYTES, MAX_STOPS, Sampling, Submission};
use admission::Admission;
use engines::Engines;
use job::{Completion, Job, Outlet, Part, Task};
use lane::{Lane, LaneContext, LaneShared};
use spawner::Spawner;
use stoa_model_store::{Digest, ModelContent, Store, StoreError, StoredModel};
use totals::Totals;

pub use devices::DeviceStatus;
pub use embed::{EmbedRequest, Embeddings};
pub use engines::{DeviceChoice, DeviceId, EngineDevice, EngineStatus, NoDeviceChoice};
pub use lane::{DeviceShare, LaneState, LaneStatus};
pub use options::{RuntimeOptions, WorkerProgram};
pub use profile::Profile;
use profile::Profiles;
pub use quantize::QuantizeError;
pub use rerank::{MAX_DOCUMENTS, RerankRequest, Reranked};
pub use totals::RuntimeTotals;

/// A model of the store, as it would run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalModel {
    /// As requests name it: `smollm2:135m`.
    pub name: String,
    /// As people read it.
    pub display_name: String,
    pub digest: Digest,
    pub size_bytes: u64,
    /// Of the weights and all that belongs to them.
    pub total_bytes: u64,
    pub modified_at: SystemTime,
    /// Tokens of prompt and answer together that it gets here.
    pub context_window: u32,
    pub architecture: String,
    /// Weights.
    pub parameters: u64,
    /// How the weights are packed: `Q4_1`.
    pub quantization: String,
    pub abilities: Vec<Ability>,
    /// Base models cannot: they have no chat template.
    pub can_chat: bool,
}

/// What the runtime is doing right now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuntimeStatus {
    pub lanes: Vec<LaneStatus>,
    /// What all models may take together.
    pub memory_bytes: u64,
    /// Models that were unloaded to make room for others.
    pub evictions: u64,
    /// Programs that compute on devices, as they were when last asked.
    pub engines: Vec<EngineStatus>,
    /// What models may take of each of their devices that may be used, and what they take.
    pub devices: Vec<DeviceStatus>,
    pub totals: RuntimeTotals,
}

/// The door to local models. Dropping it ends all workers.
pub struct Runtime {
    store: Arc<Store>,
    profiles: Arc<Profiles>,
    engines: Arc<Engines>,
    context: Arc<LaneContext>,
    lanes: Lanes,
    tracker: TaskTracker,
    /// The lanes' tasks alone, so that shutdown can wait for them.
    tasks: TaskTracker,
    /// Held by whoever packs weights, which takes all processors.
    quantizing: tokio::sync::Mutex<()>,
}

/// Lanes by the content of their model: two names of one file share a worker, if they share the eye as well.
type Lanes = Arc<Mutex<HashMap<ModelContent, Arc<LaneShared>>>>;

impl Runtime {
    /// `tracker` runs every task of the runtime. Fails when the thread that starts workers cannot be started; must be
    /// called inside a tokio runtime.
    pub fn new(
        store: Arc<Store>,
        options: RuntimeOptions,
        tracker: TaskTracker,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, std::io::Error> {
        let engines = Arc::new(Engines::find(&options));
        let profiles = Arc::<Profiles>::default();
        let context = LaneContext {
            spawner: Spawner::start()?,
            admission: Arc::new(Admission::new(&options, Arc::clone(&engines))),
            store: Arc::clone(&store),
            profiles: Arc::clone(&profiles),
            totals: Totals::default(),
            shutdown: CancellationToken::new(),
            tracker: tracker.clone(),
            options,
            clock,
        };
        let (looking, shutdown) = (Arc::clone(&engines), context.shutdown.clone());
        // Drivers are slow to start, and nobody shall wait for them until a model is asked for.
        tracker.spawn(async move {
            tokio::select! {
                _ = looking.look(Duration::ZERO) => {}
                () = shutdown.cancelled() => {}
            }
        });
        Ok(Arc::new(Self {
            store,
            profiles,
            engines,
            context: Arc::new(context),
            lanes: Lanes::default(),
            tracker,
            tasks: TaskTracker::new(),
            quantizing: tokio::sync::Mutex::default(),
        }))
    }

    pub const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// All models of the store, by name.
    pub async fn models(&self) -> Result<Vec<LocalModel>, StoreError> {
        Ok(self.stored().await?.iter().map(|(model, profile)| self.describe(model, profile)).collect())
    }

    /// The same as they lie there, with what each brings beside its weights. A damaged one is left out.
    pub async fn stored(&self) -> Result<Vec<(StoredModel, Arc<Profile>)>, StoreError> {
        let profiles = Arc::clone(&self.profiles);
        self.blocking(move |store| {
            let with_profile = |model: StoredModel| match profiles.of(store, &model) {
                Ok(profile) => Some((model, profile)),
                Err(error) => {
                    tracing::warn!(model = %model.name, error = &error as &dyn std::error::Error, "a model is damaged");
                    None
                }
            };
            Ok(store.list()?.into_iter().filter_map(with_profile).collect())
        })
        .await
    }

    pub fn status(&self) -> RuntimeStatus {
        let mut lanes: Vec<LaneStatus> =
            locked(&self.lanes).values().map(|lane| lane.status(&*self.context.clock)).collect();
        lanes.sort_by(|one, other| one.model.cmp(&other.model));
        let admission = &self.context.admission;
        RuntimeStatus {
            lanes,
            memory_bytes: admission.bound_bytes(),
            evictions: admission.evicted(),
            devices: self.devices(),
            engines: self.engines.status(),
            totals: self.context.totals.read(),
        }
    }

    /// Loads a model, if it is not loaded yet, in its turn among the requests of `tenant` and of others. `keep_alive`
    /// holds from then on.
    pub async fn load(
        &self,
        model: String,
        tenant: Option<UserId>,
        keep_alive: Option<KeepAlive>,
    ) -> Result<LocalTimings, CompletionError> {
        let model = self.find(model).await?;
        let (parts, mut ended) = mpsc::unbounded_channel();
        let queued_at = tokio::time::Instant::now();
        self.enqueue(&model, tenant, Job::new(Task::Load, keep_alive, Outlet::Parts(parts), queued_at))?;
        match ended.recv().await {
            Some(Ok(Part::Done { timings, .. })) => Ok(timings),
            Some(Err(error)) => Err(error),
            Some(Ok(Part::Vector { .. } | Part::Score { .. })) | None => Err(CompletionError::CutOff),
        }
    }

    /// Ends all workers over these weights as soon as what runs there has ended; nothing more begins until then.
    pub fn unload(&self, digest: &Digest) {
        for (_, lane) in locked(&self.lanes).iter().filter(|(content, _)| content.weights == *digest) {
            lane.evict();
        }
    }

    /// The same by the model's name.
    pub async fn unload_model(&self, model: String) -> Result<(), CompletionError> {
        let model = self.find(model).await?;
        self.unload(&model.digest);
        Ok(())
    }

    /// Refuses what comes, fails what runs, ends the workers and waits for all of it.
    pub async fn shutdown(&self) {
        self.context.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn describe(&self, model: &StoredModel, profile: &Profile) -> LocalModel {
        let gguf = &model.gguf;
        LocalModel {
            name: model.name.to_string(),
            display_name: gguf.name.clone().unwrap_or_else(|| model.name.to_string()),
            digest: model.digest.clone(),
            size_bytes: model.size_bytes,
            total_bytes: model.total_bytes,
            modified_at: model.modified_at,
            context_window: self.context.options.context_window(model),
            architecture: gguf.architecture.clone(),
            parameters: gguf.parameters,
            quantization: gguf.quantization.clone(),
            abilities: profile.abilities(),
            can_chat: profile.can_chat,
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.store);
        self.tracker.spawn_blocking(move || work(&store)).await.map_err(|error| StoreError::Io {
            what: "reading the store",
            path: "models".into(),
            source: std::io::Error::other(error),
        })?
    }

    async fn find(&self, name: String) -> Result<StoredModel, CompletionError> {
        let wanted = name.clone();
        self.read(name, move |store| store.find(&wanted)).await
    }

    /// A model of the store, and what it brings beside its weights.
    pub async fn profile(&self, name: String) -> Result<(StoredModel, Arc<Profile>), CompletionError> {
        let (wanted, profiles) = (name.clone(), Arc::clone(&self.profiles));
        self.read(name, move |store| {
            let model = store.find(&wanted)?;
            let profile = profiles.of(store, &model)?;
            Ok((model, profile))
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        name: String,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, CompletionError> {
        self.blocking(work).await.map_err(|error| match error {
            StoreError::NotFound { .. } | StoreError::Name(_) => CompletionError::UnknownModel { model: name },
            error => {
                tracing::error!(model = name, error = &error as &dyn std::error::Error, "a local model is unusable");
                CompletionError::WorkerFailed { detail: "its file in the model store is damaged".to_owned() }
            }
        })
    }

    async fn admit(&self, mut request: CompletionRequest) -> Result<CompletionStream, CompletionError> {
        check(&request)?;
        if self.context.shutdown.is_cancelled() {
            return Err(lane::shutting_down());
        }
        let opened = tokio::time::Instant::now();
        let (model, profile) = self.profile(std::mem::take(&mut request.model)).await?;
        let mut prompt = profile.prompt(&model.name.to_string(), &mut request)?;
        let (places, images) = prompt.take_images();
        let (events, answer) = mpsc::unbounded_channel();
        let sampling = Sampling::new(&request.parameters, &request.local, request.seed.unwrap_or_else(rand::random));
        // Whoever names a seed wants the same answer again. A kept prompt rounds differently from a new one, and steps
        // that are shared with others differently from one's own.
        let alone = request.seed.is_some();
        let form = request.form;
        let schema = form.tools.call_schema().or_else(|| form.format.as_ref().map(Format::schema));
        let submission = Submission {
            sequence: 0,
            prompt,
            images: places,
            sampling,
            max_tokens: request.parameters.max_tokens,
            stop: request.stop,
            owner: None,
            cache_scope: request.tenant.filter(|_| !alone).map(|user| user.to_string()),
            alone,
            logprobs: request.local.logprobs,
            context: request.local.context,
            schema,
            now_ms: 0,
        };
        let completion = Box::new(Completion { submission, images, tools: form.tools });
        let job = Job::new(Task::Complete(completion), request.local.keep_alive, Outlet::Answer(events), opened);
        self.enqueue(&model, request.tenant, job)?;
        Ok(answer::stream(answer, request.timers, opened))
    }

    fn enqueue(&self, model: &StoredModel, tenant: Option<UserId>, job: Job) -> Result<(), CompletionError> {
        let mut lanes = locked(&self.lanes);
        let content = model.content();
        if let Some(lane) = lanes.get(&content) {
            return lane.enqueue(tenant, job, &self.context.options);
        }
        let lane = Arc::new(LaneShared::new(model.clone(), &self.context.options));
        lane.enqueue(tenant, job, &self.context.options)?;
        lanes.insert(content, Arc::clone(&lane));
        let task = Lane::new(lane, Arc::clone(&self.context), Arc::clone(&self.lanes)).run();
        self.tracker.spawn(self.tasks.track_future(task));
        Ok(())
    }
}

impl Upstream for Runtime {
    fn open(self: Arc<Self>, request: CompletionRequest) -> OpenFuture<'static> {
        Box::pin(async move { self.admit(request).await })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.context.shutdown.cancel();
    }
}

fn check(request: &CompletionRequest) -> Result<(), CompletionError> {
    let invalid = |detail: String| CompletionError::Invalid { detail };
    let parameters = request.parameters.check().and_then(|()| request.local.check());
    parameters.map_err(|error| invalid(error.to_string()))?;
    match (&request.local.prompt, request.messages.is_empty()) {
        (None, true) => return Err(invalid("a prompt needs at least one message".to_owned())),
        (Some(_), false) => return Err(invalid("a prompt is either messages or raw text".to_owned())),
        _ => {}
    }
    if request.stop.len() > MAX_STOPS || request.stop.iter().any(|stop| stop.len() > MAX_STOP_BYTES) {
        return Err(invalid(format!("at most {MAX_STOPS} stop strings of at most {MAX_STOP_BYTES} bytes are taken")));
    }
    request.form.tools.check().map_err(|error| invalid(error.to_string()))?;
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let local = length(&request.local.prompt) + length(&request.local.suffix);
    let images = || request.messages.iter().flat_map(|message| &message.images);
    let (count, image_bytes) = (images().count(), images().map(|image| image.bytes().len()).sum::<usize>());
    if count > MAX_IMAGES || image_bytes > MAX_IMAGES_BYTES {
        return Err(invalid(format!(
            "there are {count} images of {image_bytes} bytes; local models take at most {MAX_IMAGES} of {MAX_IMAGES_BYTES} \
             bytes together"
        )));
    }
    let bytes = request.messages.iter().map(PromptMessage::bytes).sum::<usize>() - image_bytes + local;
    if bytes > MAX_PROMPT_BYTES {
        return Err(invalid(format!("the prompt has {bytes} bytes; local models take at most {MAX_PROMPT_BYTES}")));
    }
    Ok(())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whole seconds, rounded up: nobody is asked to come back too early.
fn round_up(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs() + u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests;
