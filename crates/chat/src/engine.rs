//! The engine: begins turns, knows every generation that lives here, and lets readers attach.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stoa_dispatch::Dispatch;
use stoa_model::personal::is_personal;
use stoa_model::{Clock, GenerationId, InstanceId, Principal, StreamId, Timestamp, UserId};
use stoa_objects::Objects;
use stoa_storage::{
    BrowserAppend, Database, Engine as DatabaseEngine, GenerationRow, GenerationState, NewTurn, Notice, StorageError,
    StoredPersonalProvider, TurnIds, TurnLimits,
};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::browser::{BrowserCall, Upload, UploadEnd};
use crate::feed::{Feeds, OpenStream};
use crate::flusher::{Ending, Flusher, Run};
use crate::inbox::Inbox;
use crate::live::{End, EndReason, Live, Subject};
use crate::stream::{EventStream, Revoked, StreamCommand, Subscribe};
use crate::{browser, follow, housekeeping, indexing, lease, log, pictures, run, title};

/// Commands that wait for a stream whose reader is slow.
const COMMANDS_WAITING: usize = 256;

#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// How many of the latest messages a model is sent.
    pub history_messages: u32,
    /// Whether a model writes the title of a new conversation.
    pub titles: bool,
    /// Whether old turns of long conversations are summed up by themselves.
    pub summaries: bool,
    /// Answers that one person may have in the making at once.
    pub answers_per_user: u32,
    /// Event streams that one person may have open: tabs and devices.
    pub streams_per_user: usize,
    /// Whether people may have their browsers call providers of their own.
    pub personal_providers: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            history_messages: 40,
            titles: true,
            summaries: true,
            answers_per_user: 32,
            streams_per_user: 64,
            personal_providers: true,
        }
    }
}

/// A turn that is kept.
#[derive(Debug)]
pub struct Begun {
    pub turn: TurnIds,
    /// What the user's browser has to call, when the answer is its to write.
    pub call: Option<BrowserCall>,
}

#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The server is stopping and begins nothing new.
    #[error("the server is shutting down")]
    Closing,
    #[error("too many event streams are open")]
    TooManyStreams,
    /// The question shows pictures, and the model is known to take none.
    #[error("the model {model} takes no pictures")]
    CannotSee { model: String },
    /// The model that was asked for something beside an answer could not do it.
    #[error(transparent)]
    Call(stoa_model::completion::CompletionError),
    /// The model has answered, and it is nothing that was asked for.
    #[error("the model wrote nothing that can be used")]
    NothingUsable,
    /// The stream is closed, or has too many commands waiting.
    #[error("the event stream is not open")]
    StreamGone,
}

/// Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    database: Database,
    dispatch: Dispatch,
    objects: Objects,
    clock: Arc<dyn Clock>,
    options: EngineOptions,
    instance: InstanceId,
    tracker: TaskTracker,
    flusher: Flusher,
    feeds: Feeds,
    generations: Mutex<HashMap<GenerationId, Known>>,
    /// Begin nothing new.
    closing: CancellationToken,
    /// End what is running.
    interrupt: CancellationToken,
    /// Nothing runs any more: the helpers may go.
    closed: CancellationToken,
}

/// A generation that lives here.
#[derive(Clone)]
enum Known {
    /// Written by this process.
    Own(Arc<Run>),
    /// Written by another, followed through the database.
    Followed(Arc<Live>),
}

impl Known {
    fn live(&self) -> &Arc<Live> {
        match self {
            Self::Own(run) => &run.live,
            Self::Followed(live) => live,
        }
    }
}

impl Engine {
    /// Registers this process and begins to keep its leases.
    pub async fn start(
        database: Database,
        dispatch: Dispatch,
        objects: Objects,
        clock: Arc<dyn Clock>,
        tracker: TaskTracker,
        options: EngineOptions,
    ) -> Result<Self, StorageError> {
        let now = clock.now();
        let instance = InstanceId::generate(now);
        if database.engine() == DatabaseEngine::Sqlite {
            database.sweep_other_servers().await?;
            database.revive_browsers(now).await?;
        }
        database.register_instance(instance, env!("CARGO_PKG_VERSION"), now).await?;
        let engine = Self {
            shared: Arc::new(Shared {
                database,
                dispatch,
                objects,
                clock,
                options,
                instance,
                tracker,
                flusher: Flusher::default(),
                feeds: Feeds::default(),
                generations: Mutex::default(),
                closing: CancellationToken::new(),
                interrupt: CancellationToken::new(),
                closed: CancellationToken::new(),
            }),
        };
        if engine.database().engine() == DatabaseEngine::Sqlite {
            lease::end_orphans(&engine).await?;
        }
        let notices = engine.database().notices().subscribe();
        let tracker = &engine.shared.tracker;
        tracker.spawn(engine.clone().flush());
        tracker.spawn(lease::keep(engine.clone()));
        tracker.spawn(housekeeping::keep(engine.clone()));
        tracker.spawn(indexing::keep(engine.clone()));
        tracker.spawn(engine.clone().hear(notices));
        Ok(engine)
    }

    /// Begins a turn. When this answers, the turn is kept; the answer is written whoever watches, but by the user's own
    /// browser where only that reaches the provider.
    pub async fn begin(&self, principal: &Principal, turn: NewTurn) -> Result<Begun, ChatError> {
        if self.is_closing() {
            return Err(ChatError::Closing);
        }
        pictures::check_sight(self, principal, &turn).await?;
        let options = self.options();
        let limits = TurnLimits {
            running_per_user: options.answers_per_user.into(),
            history: options.history_messages,
            personal_providers: options.personal_providers,
        };
        let mut turn = self.database().begin_turn(principal, turn, self.instance(), limits, self.now()).await?;
        if let Some(provider) = turn.browser.take() {
            let call = self.hand_to_browser(principal, &turn, provider).await?;
            return Ok(Begun { turn, call });
        }
        let live = Live::new(Subject {
            generation: turn.generation,
            conversation: turn.conversation,
            message: turn.reply,
            user: turn.user,
            model: turn.model.clone(),
            base: turn.base.clone(),
        });
        let run = Run::new(live, turn.lease);
        self.generations().insert(turn.generation, Known::Own(Arc::clone(&run)));
        self.shared.tracker.spawn(run::write(self.clone(), principal.clone(), turn.clone(), run));
        Ok(Begun { turn, call: None })
    }

    /// `None` when there is nothing to call, and the answer has failed.
    async fn hand_to_browser(
        &self,
        principal: &Principal,
        turn: &TurnIds,
        provider: StoredPersonalProvider,
    ) -> Result<Option<BrowserCall>, ChatError> {
        match browser::call(self, principal, turn, provider).await {
            Ok(call) => Ok(Some(call)),
            Err(failure) => {
                let end = UploadEnd { reason: EndReason::Failed(failure), ..UploadEnd::stopped() };
                self.take_upload(principal, turn.generation, Upload::ending(end)).await?;
                Ok(None)
            }
        }
    }

    /// Keeps what a browser has of an answer that is its to write.
    pub async fn take_upload(
        &self,
        principal: &Principal,
        id: GenerationId,
        upload: Upload,
    ) -> Result<BrowserAppend, ChatError> {
        browser::take(self, principal, id, upload).await
    }

    /// A title for a turn that begins a conversation.
    pub fn first_title(parts: &[stoa_model::conversation::Part]) -> String {
        title::from_first_message(parts)
    }

    /// Stops a generation, wherever it runs. No fault when it has ended.
    pub async fn stop(&self, principal: &Principal, id: GenerationId) -> Result<(), ChatError> {
        let user = principal.user_id();
        let written_here = match self.generations().get(&id) {
            Some(Known::Own(run)) if Some(run.live.subject.user) == user => Some(Arc::clone(run)),
            _ => None,
        };
        match written_here {
            Some(run) => run.stop.cancel(),
            None if is_personal(&self.database().generation(principal, id).await?.model) => {
                // Its browser may be gone. What it still sends is left aside, and the answer to it says so.
                match self.take_upload(principal, id, Upload::ending(UploadEnd::stopped())).await {
                    Err(ChatError::Storage(StorageError::NotFound)) => {
                        self.database().request_stop(principal, id).await?;
                    }
                    ended => _ = ended?,
                }
            }
            None => self.database().request_stop(principal, id).await?,
        }
        Ok(())
    }

    /// Finds a generation to follow from after `after`.
    pub async fn attach(&self, principal: &Principal, id: GenerationId, after: u64) -> Result<Subscribe, ChatError> {
        let live = match self.known(principal, id) {
            Some(live) => live,
            None => self.find(principal, id).await?,
        };
        Ok(Subscribe { live, after })
    }

    /// One stream for everything that a tab follows.
    pub fn open_stream(&self, principal: &Principal, revoked: Revoked) -> Result<EventStream, ChatError> {
        let user = principal.user_id().ok_or(StorageError::Forbidden)?;
        if self.shared.feeds.count(user) >= self.options().streams_per_user {
            return Err(ChatError::TooManyStreams);
        }
        let id = StreamId::generate(self.now());
        let inbox = Arc::<Inbox>::default();
        let (commands, receiver) = mpsc::channel(COMMANDS_WAITING);
        let stream = OpenStream { user, inbox: Arc::clone(&inbox), commands };
        let registration = self.shared.feeds.register(id, stream);
        let closed = self.shared.closed.clone();
        Ok(EventStream::multiplexed(id, inbox, receiver, registration, revoked, closed))
    }

    /// A stream of one generation.
    pub async fn open_generation(
        &self,
        principal: &Principal,
        id: GenerationId,
        after: u64,
        revoked: Revoked,
    ) -> Result<EventStream, ChatError> {
        let subscribe = self.attach(principal, id, after).await?;
        Ok(EventStream::single(subscribe, revoked, self.shared.closed.clone()))
    }

    /// Changes what a stream follows. The stream may be held by another replica, which is then told.
    pub async fn subscribe(
        &self,
        principal: &Principal,
        stream: StreamId,
        subscribe: Vec<(GenerationId, u64)>,
        unsubscribe: Vec<GenerationId>,
    ) -> Result<(), ChatError> {
        let user = principal.user_id().ok_or(StorageError::Forbidden)?;
        let mut commands = Vec::with_capacity(subscribe.len() + unsubscribe.len());
        for (id, after) in &subscribe {
            commands.push(StreamCommand::Subscribe(self.attach(principal, *id, *after).await?));
        }
        commands.extend(unsubscribe.iter().copied().map(StreamCommand::Unsubscribe));
        if let Some(open) = self.shared.feeds.find(stream, user) {
            return commands
                .into_iter()
                .try_for_each(|command| open.commands.try_send(command).map_err(|_| ChatError::StreamGone));
        }
        if self.database().engine() == DatabaseEngine::Sqlite {
            return Err(ChatError::StreamGone);
        }
        let body = serde_json::to_string(&(subscribe, unsubscribe)).map_err(|_| ChatError::StreamGone)?;
        self.database().notices().publish(Notice::Subscribe { stream, user, instance: None, body }).await;
        Ok(())
    }

    /// Begins nothing new, gives what runs `bound` to finish, interrupts the rest, and writes everything down.
    pub async fn shutdown(&self, bound: Duration) {
        self.shared.closing.cancel();
        let finished = async {
            while self.runs() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(bound, finished).await.is_err() {
            tracing::info!(generations = self.runs(), "answers that are not finished are interrupted");
            self.shared.interrupt.cancel();
            let written = async {
                while self.runs() > 0 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            if tokio::time::timeout(Duration::from_secs(5), written).await.is_err() {
                tracing::error!("some answers could not be written down; their leases will end");
            }
        }
        self.shared.closed.cancel();
        if let Err(error) = self.database().forget_instance(self.instance()).await {
            tracing::warn!(%error, "the good-bye did not reach the database");
        }
    }

    /// Removes what has had its time. It is done by itself every ten minutes.
    pub async fn sweep(&self) -> Result<(), StorageError> {
        housekeeping::sweep(self).await
    }

    pub fn database(&self) -> &Database {
        &self.shared.database
    }

    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    pub(crate) fn dispatch(&self) -> &Dispatch {
        &self.shared.dispatch
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.shared.objects
    }

    pub(crate) fn options(&self) -> &EngineOptions {
        &self.shared.options
    }

    pub(crate) fn flusher(&self) -> &Flusher {
        &self.shared.flusher
    }

    pub(crate) fn instance(&self) -> InstanceId {
        self.shared.instance
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.shared.closing.is_cancelled()
    }

    pub(crate) async fn interrupted(&self) {
        self.shared.interrupt.cancelled().await;
    }

    pub(crate) async fn closed(&self) {
        self.shared.closed.cancelled().await;
    }

    /// Says to those who follow it here that there is more in the database.
    pub(crate) fn nudge(&self, id: GenerationId) {
        if let Some(Known::Followed(live)) = self.generations().get(&id) {
            live.nudge();
        }
    }

    /// Stops a generation that this process writes; nothing when it does not.
    pub(crate) fn stop_local(&self, id: GenerationId) {
        if let Some(Known::Own(run)) = self.generations().get(&id) {
            run.stop.cancel();
        }
    }

    pub(crate) fn forget(&self, id: GenerationId) {
        self.generations().remove(&id);
    }

    /// This generation is no longer ours to write, for another replica has ended it, or the database will not have it.
    /// Its readers hear how it ended.
    pub(crate) async fn hand_over(&self, run: &Run) {
        let live = &run.live;
        let id = live.subject.generation;
        tracing::warn!(generation = %id, "this answer is no longer ours to write");
        // Should nobody have ended it, we do: to the database we are dead here.
        let dead_since = Timestamp::from_millis(i64::MAX);
        if let Err(error) = self.database().interrupt_orphan(id, dead_since, self.now(), log::fold).await {
            tracing::warn!(%error, generation = %id, "an answer that was given up could not be ended");
        }
        let end = follow::ending(self, live, true).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "how it ended cannot be read");
            End { reason: EndReason::Interrupted, message: None, log_is_partial: false, last_seq: live.last_seq() }
        });
        live.end(end);
        self.forget(id);
    }

    fn generations(&self) -> MutexGuard<'_, HashMap<GenerationId, Known>> {
        self.shared.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runs(&self) -> usize {
        self.generations().values().filter(|known| matches!(known, Known::Own(_))).count()
    }

    /// A generation that lives here and is the principal's own: no query needed.
    fn known(&self, principal: &Principal, id: GenerationId) -> Option<Arc<Live>> {
        let user = principal.user_id()?;
        self.generations().get(&id).map(Known::live).filter(|live| live.subject.user == user).cloned()
    }

    /// A generation that ended, or that another replica writes.
    async fn find(&self, principal: &Principal, id: GenerationId) -> Result<Arc<Live>, ChatError> {
        let row = self.database().generation(principal, id).await?;
        let subject = self.subject(&row).await?;
        match row.state {
            GenerationState::Ended(_) => {
                let live = Live::new(subject);
                let end = follow::ending(self, &live, true).await?;
                let ended = Live::ended(live.subject.clone(), end);
                if let Some(usage) = live.usage() {
                    ended.set_usage(usage);
                }
                Ok(ended)
            }
            GenerationState::Running { .. } => {
                let live = Live::new(subject);
                let mut generations = self.generations();
                if let Some(known) = generations.get(&id) {
                    return Ok(Arc::clone(known.live()));
                }
                generations.insert(id, Known::Followed(Arc::clone(&live)));
                drop(generations);
                self.shared.tracker.spawn(follow::follow(self.clone(), Arc::clone(&live)));
                Ok(live)
            }
        }
    }

    async fn subject(&self, row: &GenerationRow) -> Result<Subject, StorageError> {
        let base = match row.state {
            GenerationState::Running { .. } => {
                self.database().message(&Principal::System("follower"), row.message).await?.parts
            }
            GenerationState::Ended(_) => Vec::new(),
        };
        Ok(Subject {
            generation: row.id,
            conversation: row.conversation,
            message: row.message,
            user: row.user,
            model: row.model.clone(),
            base,
        })
    }

    async fn flush(self) {
        let engine = self.clone();
        let ended = move |ended| {
            engine.shared.tracker.spawn(engine.clone().announce_ends(ended));
        };
        let shared = &self.shared;
        shared.flusher.work(shared.database.clone(), Arc::clone(&shared.clock), shared.closed.clone(), ended).await;
    }

    /// Tells readers, and other replicas, about generations whose end is written.
    async fn announce_ends(self, ended: Vec<(Arc<Run>, Ending)>) {
        for (run, ending) in ended {
            let subject = &run.live.subject;
            let message = self.database().message(&Principal::System("announcer"), subject.message).await;
            let message = message.inspect_err(|error| tracing::warn!(%error, "an ended answer cannot be read")).ok();
            let last_seq = ending.outcome.last_seq;
            // Forgotten first: whoever comes from now on gets the message, which is whole.
            self.forget(subject.generation);
            run.live.end(End { reason: ending.reason, message, log_is_partial: false, last_seq });
            let notices = self.database().notices();
            notices.publish(Notice::Finished { generation: subject.generation }).await;
            let (user, conversation) = (subject.user, subject.conversation);
            notices.publish(Notice::Conversation { user, conversation }).await;
        }
    }

    /// Acts on what other parts of the server, and other replicas, say.
    async fn hear(self, mut notices: broadcast::Receiver<Notice>) {
        loop {
            let notice = tokio::select! {
                notice = notices.recv() => notice,
                () = self.closed() => return,
            };
            match notice {
                Ok(Notice::Conversation { user, conversation }) => {
                    self.shared.feeds.announce(self.database(), user, conversation).await;
                }
                Ok(Notice::Conversations { user }) => self.shared.feeds.resync(Some(user)),
                Ok(Notice::Stop { generation }) => self.stop_local(generation),
                Ok(Notice::Subscribe { stream, user, body, .. }) => self.relay(stream, user, &body).await,
                Ok(Notice::Resync) | Err(RecvError::Lagged(_)) => self.shared.feeds.resync(None),
                Ok(Notice::Identity { .. } | Notice::Settings | Notice::Function { .. } | Notice::Finished { .. }) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// A change of subscriptions that came in on another replica, which has checked that `user` may see them.
    async fn relay(&self, stream: StreamId, user: UserId, body: &str) {
        let Some(open) = self.shared.feeds.find(stream, user) else { return };
        let Ok((subscribe, unsubscribe)) = serde_json::from_str::<(Vec<(GenerationId, u64)>, Vec<GenerationId>)>(body)
        else {
            return tracing::warn!("a relayed subscription was not understood");
        };
        for (id, after) in subscribe {
            match self.attach(&Principal::System("relay"), id, after).await {
                Ok(subscribe) if subscribe.live.subject.user == user => {
                    let _ = open.commands.try_send(StreamCommand::Subscribe(subscribe));
                }
                Ok(_) => {
                    tracing::warn!(generation = %id, "a relayed subscription to somebody else's answer is refused");
                }
                Err(error) => tracing::warn!(%error, "a relayed subscription failed"),
            }
        }
        for id in unsubscribe {
            let _ = open.commands.try_send(StreamCommand::Unsubscribe(id));
        }
    }
}
