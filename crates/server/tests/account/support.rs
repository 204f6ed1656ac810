//! The whole application on a test database, asked as a browser or a program would ask it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use stoa_chat::{Engine, EngineOptions};
use stoa_dispatch::{Dispatch, NoLocalModels, UpstreamFactory};
use stoa_egress::{Egress, EgressOptions};
use stoa_functions_service::{BuildOptions, FunctionService, Makers};
use stoa_identity::{Door, SetupToken};
use stoa_listener::PeerAddress;
use stoa_model::completion::Upstream;
use stoa_model::{Clock, Timestamp};
use stoa_model_store::gguf::fixture::good;
use stoa_model_store::{ModelSearch, Pulls, Registries, RegistryOptions, Store};
use stoa_models::{Runtime, RuntimeOptions, WorkerProgram};
use stoa_objects::Objects;
use stoa_providers::{Provider, Settings};
use stoa_server::{App, AppOptions, FileService, LocalModelService, application};
use stoa_storage::testing::TestDatabase;
use stoa_storage::{Secret, StoredProvider};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

pub(crate) const OWNER: &str = "ada@example.org";
pub(crate) const MEMBER: &str = "charles@example.org";
pub(crate) const PASSWORD: &str = "correct horse battery";
/// Bytes of pictures that one person may keep.
pub(crate) const FILES_PER_USER: u64 = 400_000;
/// All volumes of one person together.
pub(crate) const VOLUMES_PER_PERSON_MIB: u64 = 20 * 1_024;
pub(crate) const NOBODYS_ID: &str = "01890000-0000-7000-8000-000000000000";

#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn forward(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn later(&self, by: Duration) -> String {
        self.now().plus(by).to_string()
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

struct Providers(Egress);

impl UpstreamFactory for Providers {
    fn upstream(&self, stored: &StoredProvider) -> Arc<dyn Upstream> {
        let provider = &stored.provider;
        let api_key = stored.api_key.as_ref().map(Secret::expose).unwrap_or_default();
        Provider::new(self.0.clone(), Settings::parse(provider.kind, &provider.base_url, api_key).unwrap())
    }
}

pub(crate) struct House {
    pub(crate) clock: Arc<TestClock>,
    /// Every answer so far, head and body.
    pub(crate) answers: Arc<Mutex<Vec<String>>>,
    /// Its directory goes with the test.
    _test: TestDatabase,
    _models: TempDir,
    /// Where blobs lie.
    pub(crate) files: TempDir,
    pub(crate) chat: Engine,
    router: Router,
    setup_token: SetupToken,
    helpers: CancellationToken,
}

impl Drop for House {
    fn drop(&mut self) {
        self.helpers.cancel();
    }
}

impl House {
    pub(crate) async fn empty(test: TestDatabase) -> Self {
        Self::open(test, AppOptions { personal_providers: true, ..AppOptions::default() }).await
    }

    pub(crate) async fn open(test: TestDatabase, options: AppOptions) -> Self {
        Self::open_titled(test, options, false).await
    }

    /// A house where models write titles, with an owner, signed in.
    pub(crate) async fn titled(test: TestDatabase) -> (Self, Browser) {
        let options = AppOptions { personal_providers: true, ..AppOptions::default() };
        Self::open_titled(test, options, true).await.owned().await
    }

    async fn open_titled(test: TestDatabase, options: AppOptions, titles: bool) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(1_767_225_600_000)));
        let shared: Arc<dyn Clock> = Arc::<TestClock>::clone(&clock);
        let (tracker, helpers) = (TaskTracker::new(), CancellationToken::new());
        let database = test.database.clone();
        let setup_token = SetupToken::derive(&test.key);
        let door = Door::open(database.clone(), Arc::clone(&shared), setup_token.clone(), &tracker, helpers.clone());
        let egress = Egress::new(EgressOptions::default()).unwrap();
        let factory = Box::new(Providers(egress.clone()));
        let local = Arc::new(NoLocalModels);
        let dispatch =
            Dispatch::start(database.clone(), factory, local, Arc::clone(&shared), &tracker, helpers.clone());
        let dispatch = dispatch.await.unwrap();
        let chat_options = EngineOptions { titles, ..EngineOptions::default() };
        let files = tempfile::tempdir().unwrap();
        let objects = Objects::on_disk(files.path()).unwrap();
        let chat = Engine::start(
            database.clone(),
            dispatch.clone(),
            objects.clone(),
            Arc::clone(&shared),
            tracker,
            chat_options,
        );
        let chat = chat.await.unwrap();
        let models = tempfile::tempdir().unwrap();
        let local_models = local_models(models.path(), &egress, &shared);
        let functions_options = stoa_functions_service::Options {
            makers: Makers::Administrators,
            folder: files.path().join("functions"),
            volumes: files.path().join("volumes"),
            volumes_per_person_mib: VOLUMES_PER_PERSON_MIB,
            // None runs here.
            init: files.path().join("no-init"),
            runtimes: Vec::new(),
            waiting: 0,
            prepared: 0,
            prices: stoa_functions_service::Prices::default(),
            builds: BuildOptions::default(),
        };
        let functions = FunctionService::start(
            functions_options,
            stoa_functions_service::Parts {
                database: database.clone(),
                objects: objects.clone(),
                egress: egress.clone(),
                door: door.clone(),
                clock: Arc::clone(&shared),
            },
            &TaskTracker::new(),
            helpers.clone(),
        );
        let app = App {
            functions,
            database,
            door,
            chat: chat.clone(),
            dispatch,
            egress,
            files: FileService::new(objects, FILES_PER_USER),
            local_models,
            clock: shared,
            options: Arc::new(options),
        };
        Self {
            _models: models,
            files,
            chat,
            clock,
            answers: Arc::default(),
            _test: test,
            router: application(app),
            setup_token,
            helpers,
        }
    }

    /// The house with an owner, signed in.
    pub(crate) async fn with_owner(test: TestDatabase) -> (Self, Browser) {
        Self::empty(test).await.owned().await
    }

    async fn owned(self) -> (Self, Browser) {
        let mut owner = self.browser();
        let answer = owner.post("/api/v1/setup", self.setup()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        (self, owner)
    }

    /// The set-up form with the token from the log.
    pub(crate) fn setup(&self) -> Value {
        let mut form = setup();
        form["token"] = json!(self.setup_token.expose());
        form
    }

    /// A browser where nobody is signed in.
    pub(crate) fn browser(&self) -> Browser {
        Browser {
            router: self.router.clone(),
            answers: Arc::clone(&self.answers),
            cookie: None,
            key: None,
            origin: Some("http://stoa.test".to_owned()),
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        }
    }

    /// A program with an API key.
    pub(crate) fn program(&self, key: &str) -> Browser {
        Browser { key: Some(key.to_owned()), origin: None, ..self.browser() }
    }

    /// Another browser of somebody with an account.
    pub(crate) async fn signed_in(&self, email: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.post("/api/v1/session", json!({"email": email, "password": PASSWORD})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        browser
    }

    /// Gives somebody an account and signs them in; says their id too.
    pub(crate) async fn join(&self, by: &mut Browser, email: &str, role: &str) -> (Browser, String) {
        let new = json!({"name": "Charles", "email": email, "password": PASSWORD, "role": role});
        let answer = by.post("/api/v1/users", new).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        (self.signed_in(email).await, answer.id())
    }
}

/// One small model under two names, in a directory of its own. Nothing here could run it.
fn local_models(directory: &Path, egress: &Egress, clock: &Arc<dyn Clock>) -> LocalModelService {
    let file = directory.join("tiny.gguf");
    std::fs::write(&file, good().bytes()).unwrap();
    let store = Store::open(directory.join("models")).unwrap();
    for name in ["tiny:1b", "tiny:copy"] {
        store.import(&file, &name.parse().unwrap(), &mut |_| {}).unwrap();
    }
    let tracker = TaskTracker::new();
    let worker = WorkerProgram { program: "/nowhere/stoa".into(), arguments: Vec::new() };
    let options = RuntimeOptions { first_backoff: Duration::from_millis(10), ..RuntimeOptions::new(worker) };
    let runtime = Runtime::new(Arc::new(store), options, tracker.clone(), Arc::clone(clock)).unwrap();
    let once = RegistryOptions { pause: Duration::from_millis(1), ..RegistryOptions::default() };
    let registries = Registries::new(egress.clone(), Arc::clone(runtime.store()), once, tracker.clone());
    let refresh: stoa_model_store::pulls::Refresh = Arc::new(|| Box::pin(async {}));
    let pulls = Pulls::new(registries.clone(), Arc::clone(clock), tracker, Arc::clone(&refresh));
    // A port that nothing listens on and nobody has allowed.
    let search = Some(ModelSearch::new(egress.clone(), "http://127.0.0.1:9").unwrap());
    LocalModelService { runtime, registries, pulls, search, refresh }
}

pub(crate) fn setup() -> Value {
    json!({"name": "Ada", "email": OWNER, "password": PASSWORD})
}

#[derive(Clone)]
pub(crate) struct Browser {
    router: Router,
    answers: Arc<Mutex<Vec<String>>>,
    pub(crate) cookie: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) address: IpAddr,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
    pub(crate) bytes: Bytes,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.text)).to_owned()
    }

    /// The fields that could not be taken.
    pub(crate) fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["field"].as_str()).collect()
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.code()), (status, code), "{}", self.text);
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["request_id"].as_str(), self.headers["x-request-id"].to_str().ok());
        assert!(self.body["title"].is_string() && self.body["detail"].is_string() && self.body["type"].is_string());
    }

    #[track_caller]
    pub(crate) fn good(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }
}

impl Browser {
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn put(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn patch(&mut self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.exchange(request.body(body).unwrap()).await
    }

    /// The head of a request, with everything that a browser adds by itself.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let unsafe_method = !method.is_safe();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "stoa.test")
            .header(USER_AGENT, "Test/1")
            .extension(PeerAddress(SocketAddr::new(self.address, 40_000)));
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, format!("theme=dark; stoa_session={cookie}"));
        }
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        if let Some(origin) = self.origin.as_ref().filter(|_| unsafe_method) {
            request = request.header(ORIGIN, origin);
        }
        request
    }

    pub(crate) async fn exchange(&mut self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = tokio::time::timeout(Duration::from_secs(20), body.collect()).await.unwrap().unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(cookie) = head.headers.get(SET_COOKIE) {
            let value = cookie.to_str().unwrap().split(';').next().unwrap().strip_prefix("stoa_session=").unwrap();
            self.cookie = Some(value.to_owned()).filter(|value| !value.is_empty());
        }
        self.answers.lock().unwrap().push(format!("{} {:?}\n{text}", head.status, head.headers));
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: head.status, headers: head.headers, text, body, bytes }
    }

    /// The first piece of an answer that goes on.
    pub(crate) async fn first_piece(&self, path: &str) -> (String, Body) {
        let request = self.request(Method::GET, path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let mut body = response.into_body();
        let piece = next_piece(&mut body).await.unwrap();
        (piece, body)
    }
}

/// The next piece of an event stream; none at its end.
pub(crate) async fn next_piece(body: &mut Body) -> Option<String> {
    let frame = tokio::time::timeout(Duration::from_secs(20), body.frame()).await.unwrap()?;
    Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
}
