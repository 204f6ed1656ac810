//! Instances start, freeze, fail and end.

use std::time::{Duration, Instant};

use stoa_functions::spec::{HealthCheck, Hook, Volume};
use stoa_functions::{Engine as _, EngineError, Scale, State, StopReason};

use crate::support::{APP, House, processes_with, python, somebody};

/// A thread that notes the longest time in which it did not run.
const WATCH: &str = "
import __main__, threading, time
def watch():
    last = time.monotonic()
    while True:
        time.sleep(0.002)
        now = time.monotonic()
        __main__.longest = max(getattr(__main__, 'longest', 0), now - last)
        last = now
threading.Thread(target=watch, daemon=True).start()
";

async fn freezes(house: House) {
    let (version, instance) = house.start_app("frozen", python).await;
    house.run(&instance, WATCH).await;
    assert!(house.engine.freeze(&instance).await.unwrap());
    assert_eq!(house.view(&version, &instance).state, State::Frozen);
    assert!(matches!(house.engine.connect(&instance).await, Err(EngineError::WrongState)));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    house.engine.thaw(&instance).await.unwrap();
    house.engine.thaw(&instance).await.unwrap();
    assert_eq!(house.get(&instance, "/thawed").await, "hello from /thawed");
    let longest: f64 = house.run(&instance, "import __main__; answer = __main__.longest").await.parse().unwrap();
    assert!(longest > 1.3, "it stood still: {longest}");
    // Also when it is frozen, it ends.
    house.engine.freeze(&instance).await.unwrap();
    house.scale(&version, 0).await;
    assert_eq!(house.stopped(&version).await, StopReason::Asked);
    house.end().await;
}

#[tokio::test]
async fn a_frozen_instance_stands_still_and_comes_back() {
    freezes(House::new().await).await;
}

#[tokio::test]
async fn without_control_groups_signals_freeze() {
    freezes(House::with(|options| options.control_groups = false).await).await;
}

#[tokio::test]
async fn a_crash_is_noticed_with_its_status() {
    let house = House::new().await;
    for (name, code, expected) in [
        ("exits", "import os; os._exit(3)", "status 3"),
        ("killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal 9"),
    ] {
        let (version, instance) = house.start_app(name, python).await;
        house.run(&instance, code).await;
        assert_eq!(house.stopped(&version).await, StopReason::Exited { status: expected.to_owned() });
        assert!(matches!(house.engine.connect(&instance).await, Err(EngineError::NoInstance)));
        // Another comes when it is asked for, and not before.
        house.scale(&version, 1).await;
        let next = house.until(&version, |one| one.state == State::Ready).await;
        assert_ne!(next.id, instance);
    }
    house.end().await;
}

#[tokio::test]
async fn a_start_that_fails_says_why() {
    let house = House::new().await;
    let command = |line: &[&str]| line.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let code = "import sys; print('no luck', file=sys.stderr); sys.exit(7)";
    let version = house.apply("early", &[], |draft| draft.command = command(&["python3", "-c", code])).await;
    house.scale(&version, 1).await;
    assert_eq!(house.stopped(&version).await, StopReason::ExitedEarly { status: "status 7".to_owned() });
    let instance = house.until(&version, |_| true).await.id;
    assert!(house.log(&instance).await.contains("no luck"));

    let version = house.apply("missing", &[], |draft| draft.command = command(&["no-such-program"])).await;
    house.scale(&version, 1).await;
    let reason = house.stopped(&version).await;
    assert!(matches!(&reason, StopReason::ExitedEarly { status } if status.contains("error 2")), "{reason:?}");

    let version = house.apply("silent", &[], |draft| {
        draft.command = command(&["sleep", "1000"]);
        draft.timeouts.start_ms = 300;
    });
    let version = version.await;
    house.scale(&version, 1).await;
    assert_eq!(house.stopped(&version).await, StopReason::StartTimeout);
    house.end().await;
}

#[tokio::test]
async fn an_initializer_runs_before_the_first_request_and_must_succeed() {
    let house = House::new().await;
    let hook =
        |code: &str| Some(Hook { command: ["python3", "-c", code].map(str::to_owned).to_vec(), timeout_ms: 20_000 });
    let (_, instance) =
        house.start_app("initialized", |draft| draft.initializer = hook("open('/tmp/ready', 'w').write('yes')")).await;
    assert_eq!(house.run(&instance, "answer = open('/tmp/ready').read()").await, "yes");

    let version = house.apply("not", &[("app.py", APP)], |draft| draft.initializer = hook("raise SystemExit(4)")).await;
    house.scale(&version, 1).await;
    assert_eq!(house.stopped(&version).await, StopReason::Initializer { status: "status 4".to_owned() });

    let version = house.apply("slow", &[("app.py", APP)], |draft| {
        draft.initializer = hook("import time; time.sleep(1000)").map(|hook| Hook { timeout_ms: 200, ..hook });
    });
    let version = version.await;
    house.scale(&version, 1).await;
    assert_eq!(house.stopped(&version).await, StopReason::Initializer { status: "signal 9".to_owned() });
    house.end().await;
}

#[tokio::test]
async fn who_ignores_sigterm_gets_its_hook_and_is_killed() {
    let house = House::new().await;
    let (key, notes) = house.volume(somebody(), 64);
    let app = format!("import signal\nsignal.signal(signal.SIGTERM, lambda *_: open('/notes/term', 'w'))\n{APP}");
    let files = [("app.py", app.as_str())];
    let version = house.apply_with("stubborn", &files, vec![key], |draft| {
        draft.volumes = vec![Volume { volume: "notes".to_owned(), path: "/notes".to_owned(), read_only: false }];
        draft.pre_stop = Some(Hook { command: vec!["touch".to_owned(), "/notes/hook".to_owned()], timeout_ms: 5_000 });
        draft.stop_grace_ms = 2_000;
    });
    let version = version.await;
    house.scale(&version, 1).await;
    house.ready(&version).await;
    let began = Instant::now();
    house.scale(&version, 0).await;
    assert_eq!(house.stopped(&version).await, StopReason::Asked);
    assert!(began.elapsed() >= Duration::from_secs(2), "it had its time");
    assert!(notes.join("term").exists() && notes.join("hook").exists());
    house.end().await;
}

#[tokio::test]
async fn a_hook_runs_to_its_end_though_the_function_has_ended() {
    let house = House::new().await;
    let (key, notes) = house.volume(somebody(), 64);
    let version = house.apply_with("quick", &[("app.py", APP)], vec![key], |draft| {
        draft.volumes = vec![Volume { volume: "notes".to_owned(), path: "/notes".to_owned(), read_only: false }];
        let command = ["sh", "-c", "sleep 0.3; touch /notes/hook"].map(str::to_owned).to_vec();
        draft.pre_stop = Some(Hook { command, timeout_ms: 5_000 });
    });
    let version = version.await;
    house.scale(&version, 1).await;
    house.ready(&version).await;
    house.scale(&version, 0).await;
    assert_eq!(house.stopped(&version).await, StopReason::Asked);
    assert!(notes.join("hook").exists());
    house.end().await;
}

#[tokio::test]
async fn a_health_check_holds_back_and_ends() {
    let app = "
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    sick = False
    def do_GET(self):
        if self.path == '/sicken':
            Handler.sick = True
        if self.path == '/health':
            Handler.asked += 1
        self.send_response(200 if self.path == '/health' and Handler.asked > 3 and not Handler.sick else 503)
        self.end_headers()
        self.wfile.write(str(Handler.asked).encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(('', 9000), Handler).serve_forever()
";
    let house = House::new().await;
    let check = HealthCheck { path: "/health".to_owned(), period_seconds: 1, timeout_seconds: 1, failures: 2 };
    let version = house.apply("health", &[("app.py", app)], |draft| draft.health = Some(check)).await;
    house.scale(&version, 1).await;
    let instance = house.ready(&version).await;
    let asked: u32 = house.get(&instance, "/").await.parse().unwrap();
    assert!(asked >= 4, "it was ready when it was well: {asked}");
    house.get(&instance, "/sicken").await;
    assert_eq!(house.stopped(&version).await, StopReason::Unhealthy);
    house.end().await;
}

#[tokio::test]
async fn those_leave_that_are_named() {
    let house = House::new().await;
    let version = house.apply("several", &[("app.py", APP)], python).await;
    house.scale(&version, 3).await;
    let mut seen = house.engine.instances(&version).unwrap();
    let all_ready = |all: &std::sync::Arc<[stoa_functions::Instance]>| {
        all.len() == 3 && all.iter().all(|one| one.state == State::Ready)
    };
    let all = seen.wait_for(all_ready).await.unwrap().clone();
    let leaving = all[1].id.clone();
    house.engine.scale(&version, Scale { instances: 2, leaving: vec![leaving.clone()] }).await.unwrap();
    let gone = house.until(&version, |one| one.state.is_over()).await;
    assert_eq!(gone.id, leaving);
    for one in [&all[0], &all[2]] {
        assert_eq!(house.get(&one.id, "/").await, "hello from /");
    }
    // Also what has only begun to start leaves nothing.
    house.scale(&version, 6).await;
    house.scale(&version, 0).await;
    house.end().await;
}

#[tokio::test]
async fn a_deleted_version_is_gone_with_its_processes() {
    let house = House::new().await;
    let version = house.apply("deleted", &[("marked-file.py", APP)], |draft| {
        draft.command = vec!["python3".to_owned(), format!("/code/../code/marked-file.py"), mark()];
    });
    let version = version.await;
    house.scale(&version, 1).await;
    house.ready(&version).await;
    assert_eq!(processes_with(&mark()).len(), 1);
    house.engine.delete(&version).await.unwrap();
    assert!(matches!(house.engine.instances(&version), Err(EngineError::NoVersion)));
    house.end().await;
    assert_eq!(processes_with(&mark()), Vec::<u32>::new());
}

fn mark() -> String {
    format!("--mark-of-{}", std::process::id())
}

#[tokio::test]
async fn both_streams_are_in_the_log() {
    let house = House::new().await;
    let (_, instance) = house.start_app("speaks", python).await;
    house.run(&instance, "import sys\nprint('to output')\nprint('to error', file=sys.stderr)").await;
    for _ in 0..100 {
        let log = house.log(&instance).await;
        if log.contains("to output\n") && log.contains("to error\n") {
            return house.end().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{}", house.log(&instance).await);
}
