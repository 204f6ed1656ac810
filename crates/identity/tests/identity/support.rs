//! A door on a test database, with a clock that the test turns.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use stoa_identity::{Device, Door, NewAccount, NewOwner, SetupToken, SignIn, SignedIn};
use stoa_model::person::{Role, User};
use stoa_model::{Clock, Principal, Timestamp};
use stoa_storage::Database;
use stoa_storage::testing::TestDatabase;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) const OWNER: &str = "ada@example.org";
pub(crate) const MEMBER: &str = "charles@example.org";
pub(crate) const PASSWORD: &str = "correct horse battery";

#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_767_225_600_000)))
    }

    pub(crate) fn forward(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct House {
    pub(crate) door: Door,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) database: Database,
    pub(crate) test: TestDatabase,
    pub(crate) shutdown: CancellationToken,
    tracker: TaskTracker,
}

impl House {
    pub(crate) fn new(test: TestDatabase) -> Self {
        let token = SetupToken::derive(&test.key);
        let clock = TestClock::new();
        let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let database = test.database.clone();
        let door = Door::open(database.clone(), Arc::<TestClock>::clone(&clock), token, &tracker, shutdown.clone());
        Self { door, clock, database, test, shutdown, tracker }
    }

    /// The same with an owner, signed in.
    pub(crate) async fn with_owner(test: TestDatabase) -> (Self, SignedIn) {
        let house = Self::new(test);
        let owner =
            NewOwner { name: "Ada".to_owned(), email: OWNER.to_owned(), password: PASSWORD.to_owned(), token: None };
        let signed_in = house.door.set_up(owner, laptop()).await.unwrap();
        (house, signed_in)
    }

    pub(crate) async fn add(&self, by: &Principal, email: &str, role: Role) -> User {
        let new =
            NewAccount { name: "Charles".to_owned(), email: email.to_owned(), password: PASSWORD.to_owned(), role };
        self.door.create_account(by, new).await.unwrap()
    }

    pub(crate) async fn sign_in(&self, email: &str) -> SignedIn {
        self.door.sign_in(sign_in(email, PASSWORD, HOME)).await.unwrap()
    }

    /// Shutdown waits for the door's task.
    pub(crate) async fn close(self) {
        self.shutdown.cancel();
        self.tracker.close();
        within("the door's tasks end", self.tracker.wait()).await;
    }
}

pub(crate) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// At the machine itself.
pub(crate) fn laptop() -> Device {
    Device { address: HOME, user_agent: "Laptop".to_owned(), at_the_machine: true }
}

pub(crate) fn elsewhere() -> Device {
    Device { at_the_machine: false, ..laptop() }
}

pub(crate) fn sign_in(email: &str, password: &str, address: IpAddr) -> SignIn {
    let device = Device { address, user_agent: "Browser\u{7} 1".to_owned(), at_the_machine: false };
    SignIn { email: email.to_owned(), password: password.to_owned(), device }
}

/// Waits for what must happen soon; a hang becomes a failure with a name.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(Duration::from_secs(10), future).await;
    result.unwrap_or_else(|_| panic!("{what}: not within 10 s"))
}

/// Polls until `done` says so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    within(what, async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
