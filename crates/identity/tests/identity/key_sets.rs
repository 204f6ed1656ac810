//! Keys that an issuer publishes: read when they are needed, kept, and read again seldom.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stoa_egress::{Authority, Egress, EgressOptions};
use stoa_identity::jwt::{Expected, JwtError, KeySets, NotAdmitted};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::TestClock;

/// Ed25519, made for this test alone.
const KEYS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"one","x":"ZdZfFd-r5AEXCRP2AqNmop_O4DTe1Mu-CLvj0ywTp1w"}]}"#;
const OTHERS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"two","x":"ZdZfFd-r5AEXCRP2AqNmop_O4DTe1Mu-CLvj0ywTp1w"}]}"#;
/// Of `one`, from `https://id.test` for `stoa`, until the year 2100.
const TOKEN: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6Im9uZSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLnRlc3QiLCJhdWQiOiJzdG9hIiwic3ViIjoiYW5uIiwicm9sZSI6WyJ0ZXN0ZXIiXSwiZXhwIjo0MTAyNDQ0ODAwfQ.XAZ-nrj05W3IKg6VYT5zKT9d86_XP5MxN09hipzhu_GotTT9tUOrImbOmyEwcWEo5pqd-xJQrNWRSzquHsqoAg";

/// An issuer that counts how often it is asked.
struct Issuer {
    url: String,
    asked: Arc<AtomicUsize>,
    answer: Arc<Mutex<(u16, String)>>,
    sets: KeySets,
    clock: Arc<TestClock>,
}

impl Issuer {
    async fn start(answer: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let (asked, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new((200, answer.to_owned()))));
        let (count, answered) = (Arc::clone(&asked), Arc::clone(&answer));
        tokio::task::spawn_local(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let _ = socket.read(&mut [0; 4_096]).await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let (status, body) = answered.lock().unwrap().clone();
                let length = body.len();
                let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                let _ = socket.write_all([head, body].concat().as_bytes()).await;
            }
        });
        let exempt = vec![authority.parse::<Authority>().unwrap()];
        let egress = Egress::new(EgressOptions { exempt, ..EgressOptions::default() }).unwrap();
        let clock = TestClock::new();
        let sets = KeySets::new(egress, Arc::<TestClock>::clone(&clock));
        Self { url: format!("http://{authority}/keys"), asked, answer, sets, clock }
    }

    fn publishes(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }

    async fn believed(&self, token: &str) -> Result<(), NotAdmitted> {
        let claims = BTreeMap::new();
        let expected = Expected { issuer: "https://id.test", audience: "stoa", claims: &claims };
        self.sets.verify(token, &self.url, expected).await.map(drop)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn with(issuer: &str, test: impl AsyncFnOnce(Issuer)) {
    let tasks = tokio::task::LocalSet::new();
    tasks.run_until(async { test(Issuer::start(issuer).await).await }).await;
}

const UNKNOWN: Result<(), NotAdmitted> = Err(NotAdmitted::Token(JwtError::UnknownKey));

#[tokio::test]
async fn keys_are_read_once_in_an_hour() {
    with(KEYS, async |issuer| {
        for _ in 0..5 {
            assert_eq!(issuer.believed(TOKEN).await, Ok(()));
        }
        assert_eq!(issuer.asked(), 1);
        issuer.clock.forward(Duration::from_hours(1));
        assert_eq!(issuer.believed(TOKEN).await, Ok(()));
        assert_eq!(issuer.asked(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_new_key_is_found_and_made_up_names_do_not_have_the_issuer_asked_for_each() {
    with(OTHERS, async |issuer| {
        assert_eq!(issuer.believed(TOKEN).await, UNKNOWN);
        issuer.publishes(200, KEYS);
        for _ in 0..20 {
            assert_eq!(issuer.believed(TOKEN).await, UNKNOWN, "it was asked a moment ago");
        }
        assert_eq!(issuer.asked(), 1);
        issuer.clock.forward(Duration::from_secs(30));
        assert_eq!(issuer.believed(TOKEN).await, Ok(()));
        assert_eq!(issuer.asked(), 2);
        for text in ["", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            issuer.clock.forward(Duration::from_mins(1));
            assert!(issuer.believed(text).await.is_err());
        }
        assert_eq!(issuer.asked(), 2, "what is no token of that kind is no reason to ask");
    })
    .await;
}

#[tokio::test]
async fn an_issuer_that_is_away_is_believed_for_a_day_and_no_longer() {
    with(KEYS, async |issuer| {
        assert_eq!(issuer.believed(TOKEN).await, Ok(()));
        issuer.publishes(503, "");
        issuer.clock.forward(Duration::from_hours(23));
        assert_eq!(issuer.believed(TOKEN).await, Ok(()));
        issuer.clock.forward(Duration::from_hours(1));
        assert!(matches!(issuer.believed(TOKEN).await, Err(NotAdmitted::Keys(_))), "fails closed");
        issuer.clock.forward(Duration::from_mins(1));
        issuer.publishes(200, KEYS);
        assert_eq!(issuer.believed(TOKEN).await, Ok(()));
    })
    .await;
}

#[tokio::test]
async fn what_is_no_set_or_too_large_lets_nobody_in() {
    for body in ["", "{}", r#"{"keys":[]}"#, &format!("{}{KEYS}", " ".repeat(300 * 1024))] {
        with(body, async |issuer| {
            assert!(matches!(issuer.believed(TOKEN).await, Err(NotAdmitted::Keys(_))), "{} bytes", body.len());
        })
        .await;
    }
    let nowhere = KeySets::new(Egress::new(EgressOptions::default()).unwrap(), TestClock::new());
    let claims = BTreeMap::new();
    let expected = Expected { issuer: "https://id.test", audience: "stoa", claims: &claims };
    for url in ["http://127.0.0.1:1/keys", "http://169.254.169.254/keys", "file:///etc/passwd", "nonsense"] {
        let refused = nowhere.verify(TOKEN, url, expected).await;
        assert!(matches!(refused, Err(NotAdmitted::Keys(_))), "{url}");
    }
}
