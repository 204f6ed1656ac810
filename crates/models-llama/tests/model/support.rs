//! What the tests with the real model share: where it is, a runtime over it, and how to read an answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use stoa_model::completion::{
    AnswerForm, CompletionError, CompletionEvent, CompletionRequest, CompletionStream, FinishReason, LocalEvent,
    LocalOptions, LocalTimings, Parameters, PartKind, PromptMessage, Timers, TokenLogProb, Upstream, Usage,
};
use stoa_model::conversation::MessageRole;
use stoa_model::tools::ToolCall;
use stoa_model::{SystemClock, Timestamp, UserId};
use stoa_model_store::Store;
use stoa_model_store::store::NewModel;
use stoa_models::{LaneState, Runtime, RuntimeOptions, WorkerProgram};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

pub(crate) const NAME: &str = "smollm2:135m";

/// The starter model. `STOA_TEST_MODEL` says where it is; otherwise it is looked for where `./x run` puts it.
pub(crate) fn model_path() -> PathBuf {
    let path = std::env::var_os("STOA_TEST_MODEL").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models/SmolLM2-135M-Instruct.Q4_1.gguf"),
        PathBuf::from,
    );
    assert!(
        path.is_file(),
        "the starter model is not at {}: run the tests with `./x test`, which fetches it, or set STOA_TEST_MODEL",
        path.display()
    );
    path
}

pub(crate) fn worker() -> WorkerProgram {
    WorkerProgram { program: env!("CARGO_BIN_EXE_stoa-test-worker").into(), arguments: Vec::new() }
}

pub(crate) fn options() -> RuntimeOptions {
    RuntimeOptions { context_limit: 2_048, ..RuntimeOptions::new(worker()) }
}

/// A runtime over a store of its own.
pub(crate) struct House {
    pub(crate) runtime: Arc<Runtime>,
    _directory: TempDir,
}

impl House {
    pub(crate) fn new(options: RuntimeOptions) -> Self {
        Self::with_models(options, &[(&model_path(), NAME)])
    }

    /// A house of one model and its eye.
    pub(crate) fn seeing(options: RuntimeOptions, weights: &Path, projector: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.import_with_projector(weights, projector, &NAME.parse().unwrap(), &mut |_| {}).unwrap();
        Self::over(store, options, directory)
    }

    /// A house of one model with an adapter.
    pub(crate) fn adapted(options: RuntimeOptions, adapter: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let name = NAME.parse().unwrap();
        store.import(&model_path(), &name, &mut |_| {}).unwrap();
        let adapters = vec![store.import_adapter(adapter, &mut |_| {}).unwrap()];
        let new = NewModel { from: Some(name.clone()), adapters, ..NewModel::default() };
        store.create(&name, &new, &mut |_| {}).unwrap();
        Self::over(store, options, directory)
    }

    pub(crate) fn with_models(options: RuntimeOptions, models: &[(&Path, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        for (path, name) in models {
            store.import(path, &name.parse().unwrap(), &mut |_| {}).unwrap();
        }
        Self::over(store, options, directory)
    }

    fn over(store: Store, options: RuntimeOptions, directory: TempDir) -> Self {
        let runtime = Runtime::new(Arc::new(store), options, TaskTracker::new(), Arc::new(SystemClock)).unwrap();
        Self { runtime, _directory: directory }
    }

    pub(crate) async fn open(&self, request: CompletionRequest) -> Result<CompletionStream, CompletionError> {
        Arc::clone(&self.runtime).open(request).await
    }

    pub(crate) async fn ask(&self, request: CompletionRequest) -> Result<Answer, CompletionError> {
        Answer::read(self.open(request).await?).await
    }

    /// The process that serves the only model, once it has one.
    pub(crate) async fn worker_id(&self) -> u32 {
        for _ in 0..2_000 {
            if let Some(id) = self.runtime.status().lanes.first().and_then(|lane| lane.worker_id) {
                return id;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no worker came up: {:?}", self.runtime.status());
    }

    pub(crate) async fn until(&self, state: LaneState) {
        for _ in 0..2_000 {
            if self.runtime.status().lanes.first().is_some_and(|lane| lane.state == state) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the lane never became {state:?}: {:?}", self.runtime.status());
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    pub(crate) pieces: usize,
    pub(crate) usage: Option<Usage>,
    pub(crate) finish: Option<FinishReason>,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) logprobs: Vec<TokenLogProb>,
    pub(crate) timings: Option<LocalTimings>,
    /// How many were before it in the queue, as it was told.
    pub(crate) ahead: Vec<u32>,
}

/// Equal answers say the same in the same pieces; how long they took is another matter.
impl PartialEq for Answer {
    fn eq(&self, other: &Self) -> bool {
        let said =
            |answer: &Self| (answer.text.clone(), answer.reasoning.clone(), answer.pieces, answer.usage, answer.finish);
        said(self) == said(other)
    }
}

impl Answer {
    /// Reads a stream to its end. Usage must come before the finish, and nothing after it.
    pub(crate) async fn read(mut stream: CompletionStream) -> Result<Self, CompletionError> {
        let mut answer = Self::default();
        while let Some(event) = stream.next().await {
            assert!(answer.finish.is_none(), "nothing comes after the finish");
            match event? {
                CompletionEvent::Delta { part, text } => {
                    answer.pieces += 1;
                    match part {
                        PartKind::Text => answer.text.push_str(&text),
                        PartKind::Reasoning => answer.reasoning.push_str(&text),
                    }
                }
                CompletionEvent::ToolCall(call) => answer.calls.push(call),
                CompletionEvent::Local(LocalEvent::LogProbs(logprobs)) => answer.logprobs.extend(logprobs),
                CompletionEvent::Local(LocalEvent::Context(_)) => {}
                CompletionEvent::Local(LocalEvent::Queued { ahead }) => {
                    assert_eq!(answer.pieces, 0, "whoever is served waits no more");
                    answer.ahead.push(ahead);
                }
                CompletionEvent::Local(LocalEvent::Timings(timings)) => answer.timings = Some(timings),
                CompletionEvent::Usage(usage) => answer.usage = Some(usage),
                CompletionEvent::Finish(reason) => {
                    assert!(answer.usage.is_some(), "usage comes before the finish");
                    answer.finish = Some(reason);
                }
            }
        }
        assert!(answer.finish.is_some(), "an answer has an end");
        Ok(answer)
    }
}

pub(crate) fn request(text: &str) -> CompletionRequest {
    CompletionRequest {
        model: NAME.to_owned(),
        messages: vec![PromptMessage::new(MessageRole::User, text)],
        parameters: Parameters { temperature: Some(0.0), max_tokens: Some(48), ..Parameters::default() },
        stop: Vec::new(),
        seed: Some(7),
        form: AnswerForm::default(),
        tenant: None,
        depth: 0,
        timers: Timers::default(),
        local: LocalOptions::default(),
    }
}

/// A request whose answer goes on and on.
pub(crate) fn long_request() -> CompletionRequest {
    let mut request = request("Write a very long story about a lighthouse and the sea.");
    request.parameters.max_tokens = Some(1_500);
    request.parameters.temperature = Some(1.0);
    request
}

/// Another person every time.
pub(crate) fn user() -> UserId {
    UserId::generate(Timestamp::from_millis(0))
}

/// Reads until the first text has come.
pub(crate) async fn first_text(stream: &mut CompletionStream) -> String {
    loop {
        match stream.next().await.expect("the stream goes on").expect("no error") {
            CompletionEvent::Delta { text, .. } => return text,
            CompletionEvent::ToolCall(_) | CompletionEvent::Usage(_) | CompletionEvent::Local(_) => {}
            CompletionEvent::Finish(reason) => panic!("it has already ended: {reason:?}"),
        }
    }
}

pub(crate) fn signal(process: u32, signal: rustix::process::Signal) {
    let id = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    rustix::process::kill_process(id, signal).unwrap();
}
