//! What functions leave on the disk of a server, and in the object store: with real sandboxes and packages, and a clock that
//! is set forward.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use serde_json::json;
use stoa_egress::{Allowances, Egress, EgressOptions};
use stoa_functions_service::{
    BuildOptions, Caller, Code, FunctionService, Makers, Options, Parts, Prices, ServiceError, Target, Whom,
};
use stoa_identity::{Door, SetupToken};
use stoa_model::function::{FunctionProfile, Language, ModelAccess};
use stoa_model::person::Role;
use stoa_model::{Clock, FunctionId, Principal, SessionId, Timestamp, Via};
use stoa_objects::{Digest, Objects};
use stoa_storage::testing::TestDatabase;
use stoa_storage::{Engine, FunctionChange, NewFunction, NewUser, StoredCode};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::functions::Index;

/// Says what it is, and reads it anew each time.
const PROGRAM: &str = r#"
import os, greeting
from http.server import BaseHTTPRequestHandler, HTTPServer
class Says(BaseHTTPRequestHandler):
    def do_GET(self):
        body = (open(greeting.__file__).read() + open("revision.txt").read()).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Says).serve_forever()
"#;
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

struct House {
    service: FunctionService,
    test: TestDatabase,
    objects: Objects,
    clock: Arc<TestClock>,
    folder: tempfile::TempDir,
    who: Principal,
    shutdown: CancellationToken,
}

impl House {
    async fn open(index: &Index) -> Self {
        let test = TestDatabase::open(Engine::Sqlite).await;
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_767_225_600_000)));
        let shared: Arc<dyn Clock> = Arc::<TestClock>::clone(&clock);
        let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let database = test.database.clone();
        let token = SetupToken::derive(&test.key);
        let door = Door::open(database.clone(), Arc::clone(&shared), token, &tracker, shutdown.clone());
        let allowed = Allowances::parse_list(&format!("127.0.0.1:{}", index.port)).unwrap();
        let allowances = Arc::new(Allowances::new(allowed));
        let egress = Egress::new(EgressOptions { allowances, ..EgressOptions::default() }).unwrap();
        let objects = Objects::on_disk(&folder.path().join("objects")).unwrap();
        let options = Options {
            makers: Makers::Everybody,
            folder: folder.path().join("functions"),
            volumes: folder.path().join("volumes"),
            volumes_per_person_mib: 0,
            init: env!("CARGO_BIN_EXE_stoa").into(),
            runtimes: Vec::new(),
            waiting: 0,
            prepared: 0,
            builds: BuildOptions {
                pip_index: Some(format!("http://127.0.0.1:{}/simple", index.port)),
                ..BuildOptions::default()
            },
            prices: Prices::default(),
        };
        let parts = Parts { database, objects: objects.clone(), egress, door, clock: shared };
        let service = FunctionService::start(options, parts, &tracker, shutdown.clone());
        let new = NewUser {
            name: "Ada".to_owned(),
            email: "ada@example.org".to_owned(),
            role: Role::Owner,
            password_hash: "none".to_owned(),
        };
        let user = test.database.create_user(&Principal::System("test"), new, clock.now()).await.unwrap();
        let via = Via::Session(SessionId::generate(clock.now()));
        let who = Principal::User { id: user.id, role: Role::Owner, epoch: 1, via };
        Self { service, test, objects, clock, folder, who, shutdown }
    }

    fn forward(&self, by: Duration) {
        self.clock.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    async fn code(&self, revision: u32) -> StoredCode {
        let mut code = Code::default();
        for (path, text) in [("app.py", PROGRAM), ("requirements.txt", "greeting==1.0\n")] {
            code.put(path, Bytes::from_static(text.as_bytes()), false).unwrap();
        }
        code.put("revision.txt", format!("revision {revision}").into(), false).unwrap();
        let archive = code.archive().unwrap();
        let digest = Digest::of(&archive).to_string();
        assert!(self.test.database.claim_blob(&digest, self.clock.now()).await.unwrap());
        self.objects.put(archive).await.unwrap();
        StoredCode { digest, files: code.listing() }
    }

    async fn made(&self, name: &str) -> FunctionId {
        let new = NewFunction {
            name: name.to_owned(),
            profile: FunctionProfile::default(),
            language: Language::Python,
            template: None,
            settings: json!({ "command": ["python3", "app.py"] }),
            code: self.code(1).await,
            models: ModelAccess::Off,
        };
        self.test.database.create_function(&self.who, new, self.clock.now()).await.unwrap().id
    }

    async fn save(&self, id: FunctionId, revision: u32) -> String {
        let code = self.code(revision).await;
        let digest = code.digest.clone();
        let before = self.test.database.function(&self.who, id).await.unwrap().revision;
        let change = FunctionChange { code: Some(code), revision: Some(before), ..FunctionChange::default() };
        self.test.database.change_function(&self.who, id, change, self.clock.now()).await.unwrap();
        digest
    }

    async fn call(&self, id: FunctionId) -> Result<String, ServiceError> {
        let function = self.service.callable(&Whom::Id(id)).await?;
        let body = Empty::<Bytes>::new().map_err(Into::into).boxed_unsync();
        let request = Request::get("/").header("host", "f").body(body).unwrap();
        let answer = self.service.call(&function, &Target::Latest, &Caller::default(), request).await?;
        Ok(String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    /// What lies there.
    fn names(&self, part: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("functions").join(part)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Sweeps until only so much is left: lanes end in their own time.
    async fn swept_to(&self, part: &str, count: usize) {
        for _ in 0..200 {
            self.service.sweep_disk().await;
            self.forward(6 * MINUTE);
            if self.names(part).len() <= count {
                assert_eq!(self.names(part).len(), count, "{part}");
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{part}: {:?}", self.names(part));
    }

    async fn sweep_builds(&self) -> u64 {
        let now = self.clock.now();
        self.test.database.sweep_function_builds(now.minus(DAY), now).await.unwrap()
    }
}

/// Links to a file of the packages.
fn links(folder: &Path, key: &str) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let file = folder.join("functions/packages").join(key).join("python_modules/greeting.py");
    std::fs::metadata(file).unwrap().nlink()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_runs_goes_from_the_disk_and_what_runs_stays() {
    let index = Index::start().await;
    let house = House::open(&index).await;
    let id = house.made("agent").await;
    let mut digest = String::new();
    for revision in 2..10 {
        digest = house.save(id, revision).await;
        let said = house.call(id).await.unwrap();
        assert!(said.contains("good morning") && said.ends_with(&format!("revision {revision}")), "{said}");
    }
    assert_eq!(house.names("code").len(), 8);
    let packages = house.names("packages");
    assert_eq!((packages.len(), links(house.folder.path(), &packages[0])), (1, 9), "one file for all of them");

    house.swept_to("code", 1).await;
    assert_eq!(house.names("code"), [digest]);
    assert_eq!(links(house.folder.path(), &packages[0]), 2);
    house.forward(30 * DAY);
    house.service.sweep_disk().await;
    assert_eq!(house.names("packages"), packages, "the code that runs has them");
    assert!(house.call(id).await.unwrap().ends_with("revision 9"), "it reads its files as ever");

    house.test.database.delete_function(&house.who, id).await.unwrap();
    house.swept_to("code", 0).await;
    house.forward(6 * DAY);
    house.service.sweep_disk().await;
    assert_eq!(house.names("packages"), packages);
    house.forward(2 * DAY);
    house.swept_to("packages", 0).await;
    house.shutdown.cancel();
    house.service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packages_that_were_swept_while_they_lay_here_are_kept_again() {
    let index = Index::start().await;
    let house = House::open(&index).await;
    let id = house.made("agent").await;
    house.call(id).await.unwrap();
    let key = house.names("packages").remove(0);
    house.test.database.delete_function(&house.who, id).await.unwrap();
    assert_eq!(house.sweep_builds().await, 0);
    house.forward(DAY + MINUTE);
    assert_eq!(house.sweep_builds().await, 1);
    assert_eq!(house.names("packages"), [key.as_str()]);

    // No index is needed for whoever asks for the same, and it is kept with that.
    drop(index);
    let other = house.made("other").await;
    let digest = house.save(other, 2).await;
    assert!(house.call(other).await.unwrap().ends_with("revision 2"));
    let parts = house.test.database.use_function_build(&key, &digest).await.unwrap();
    assert_eq!(parts.len(), 1);
    assert!(house.objects.get(parts[0].parse().unwrap()).await.is_ok());
    house.forward(2 * DAY);
    assert_eq!((house.sweep_builds().await, house.sweep_builds().await), (0, 0));

    // The same code once more: it lies unpacked here, and its packages were swept.
    house.test.database.delete_function(&house.who, other).await.unwrap();
    house.sweep_builds().await;
    house.forward(DAY + MINUTE);
    assert_eq!(house.sweep_builds().await, 1);
    let again = house.made("again").await;
    house.save(again, 2).await;
    assert!(house.call(again).await.unwrap().ends_with("revision 2"));
    house.forward(2 * DAY);
    assert_eq!((house.sweep_builds().await, house.sweep_builds().await), (0, 0));
    assert_eq!(house.test.database.use_function_build(&key, &digest).await.unwrap(), parts, "the same bytes as before");
    house.shutdown.cancel();
    house.service.shutdown().await;
}
