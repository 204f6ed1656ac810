//! Interpreters that wait take the code of whoever comes.

use std::time::Duration;

use stoa_functions::spec::Volume;
use stoa_functions::{Engine as _, StopReason};

use crate::support::{APP, House, in_time, python, somebody};

async fn waiting(house: &House, count: usize) {
    in_time("the pool", async {
        while house.engine.waiting() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_waiting_python_becomes_the_function_and_another_waits() {
    let house = House::with(|options| options.waiting = 1).await;
    waiting(&house, 2).await;
    let first = house.apply("first", &[("app.py", APP), ("secret.py", "mine = 1")], |draft| {
        draft.environment.insert("GREETING".to_owned(), "good day".to_owned());
        draft.command.push("argument".to_owned());
        draft.isolation.limits = false;
    });
    let first = first.await;
    house.scale(&first, 1).await;
    let instance = house.ready(&first).await;
    assert!(house.view(&first, &instance).cold_start.from_pool);
    let seen = "import os, sys; answer = (os.environ['GREETING'], os.environ['PORT'], sys.argv, os.getcwd(), sys.path[0], __import__('secret').mine, __import__('__main__').__name__)";
    let expected = "('good day', '9000', ['app.py', 'argument'], '/code', '/code', 1, '__main__')";
    assert_eq!(house.run(&instance, seen).await, expected);
    let got = house.run(&instance, "open('/code/new', 'w')").await;
    assert!(got.starts_with("OSError: [Errno 30]") || got.starts_with("PermissionError"), "{got}");

    waiting(&house, 2).await;
    let (second, other) = house.start_app("second", python).await;
    assert!(house.view(&second, &other).cold_start.from_pool);
    let names = house.run(&other, "import os; answer = sorted(os.listdir('/code'))").await;
    assert_eq!(names, "['app.py']", "and nothing of the other");
    // The claimed code is as much locked in as any.
    assert!(house.run(&other, "import os; os.unshare(0x10000000)").await.contains("rror"), "unshare");
    house.end().await;
}

#[tokio::test]
async fn a_waiting_node_becomes_the_function() {
    let house = House::with(|options| options.waiting = 1).await;
    waiting(&house, 2).await;
    let code = "
const http = require('http');
const main = require.main === module;
http.createServer((request, response) => response.end(JSON.stringify(
  [main, process.argv.slice(1), process.env.GREETING, require('./part').part]))).listen(process.env.PORT);
";
    let files = [("app.js", code), ("part.js", "exports.part = 'part'")];
    let version = house.apply("node", &files, |draft| {
        draft.command = ["node", "app.js", "argument"].map(str::to_owned).to_vec();
        draft.environment.insert("GREETING".to_owned(), "good day".to_owned());
    });
    let version = version.await;
    house.scale(&version, 1).await;
    let instance = house.ready(&version).await;
    assert!(house.view(&version, &instance).cold_start.from_pool);
    let got = house.get(&instance, "/").await;
    assert!(got.contains(r#"[true,["/code/app.js","argument"],"good day","part"]"#), "{got}");
    house.end().await;
}

#[tokio::test]
async fn what_does_not_fit_starts_as_if_none_waited() {
    let house = House::with(|options| options.waiting = 1).await;
    waiting(&house, 2).await;
    let (version, instance) = house.start_app("disk", |draft| draft.disk_mib = 100).await;
    assert!(!house.view(&version, &instance).cold_start.from_pool);
    let (key, _) = house.volume(somebody(), 64);
    let version = house.apply_with("volume", &[("app.py", APP)], vec![key], |draft| {
        draft.volumes = vec![Volume { volume: "v".to_owned(), path: "/data".to_owned(), read_only: true }];
    });
    let version = version.await;
    house.scale(&version, 1).await;
    let instance = house.ready(&version).await;
    assert!(!house.view(&version, &instance).cold_start.from_pool);
    let (version, instance) = house.start_app("option", |draft| draft.command.insert(1, "-u".to_owned())).await;
    assert!(!house.view(&version, &instance).cold_start.from_pool);
    house.end().await;
}

#[tokio::test]
async fn what_died_while_it_waited_is_not_handed_out() {
    let house = House::with(|options| options.waiting = 1).await;
    waiting(&house, 2).await;
    for record in std::fs::read_dir(house.folder.path().join("engine/processes")).unwrap() {
        let record = std::fs::read_to_string(record.unwrap().path()).unwrap();
        let process = record.split(' ').next().unwrap().parse().unwrap();
        let process = rustix::process::Pid::from_raw(process).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    }
    // Until that is noticed.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (version, instance) = house.start_app("late", python).await;
    assert_eq!(house.get(&instance, "/").await, "hello from /");
    assert!(!house.view(&version, &instance).cold_start.from_pool);
    // Others wait in their place.
    waiting(&house, 2).await;
    let (version, instance) = house.start_app("later", python).await;
    assert!(house.view(&version, &instance).cold_start.from_pool);
    house.end().await;
}

#[tokio::test]
async fn code_that_fails_in_a_claimed_interpreter_says_so() {
    let house = House::with(|options| options.waiting = 1).await;
    waiting(&house, 2).await;
    let version = house.apply("fails", &[("app.py", "raise RuntimeError('no luck')")], python).await;
    house.scale(&version, 1).await;
    assert_eq!(house.stopped(&version).await, StopReason::ExitedEarly { status: "status 1".to_owned() });
    let instance = house.until(&version, |_| true).await;
    assert!(instance.cold_start.from_pool);
    assert!(house.log(&instance.id).await.contains("no luck"));
    assert!(house.engine.capabilities().isolation.landlock);
    house.end().await;
}

/// Says whether a package was there before the code ran, and what the code finds.
const PREPARED: &str = "
import os, sys
early = 'slow' in sys.modules
import slow
from part import more
import http.server
print('main runs', flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = repr((early, slow.read, more.more, os.environ['GREETING'], sys.argv, __name__, sys.path[0], sys.stdin.read())).encode()
        self.send_response(200)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
";
/// Is seen by the code of the function alone; what it imports is brought before.
const PART: &str = "import other\nfrom . import more";
const MORE: &str =
    "import sys\nmore = 'slow' in sys.modules and 'other' in sys.modules\nprint('part runs', flush=True)";

async fn prepared(house: &House, version: &stoa_functions::VersionId, count: usize) {
    in_time("the prepared", async {
        while house.engine.prepared(version) != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn prepare(draft: &mut stoa_functions::Draft) {
    python(draft);
    draft.prepared = 1;
    // What no interpreter of the pool could be given.
    draft.disk_mib = 100;
    draft.environment.insert("GREETING".to_owned(), "good day".to_owned());
}

#[tokio::test]
async fn a_prepared_python_has_read_its_packages_and_run_nothing() {
    let house = House::new().await;
    let files = [
        ("app.py", PREPARED),
        ("part/__init__.py", PART),
        ("part/more.py", MORE),
        (
            "python_modules/slow.py",
            "import os\nread = (os.environ['GREETING'], os.getpid())\nprint('slow is read', flush=True)",
        ),
        ("python_modules/other/__init__.py", "raise SystemExit('not here')"),
    ];
    let version = house.apply("prepared", &files, prepare).await;
    prepared(&house, &version, 1).await;
    assert!(house.engine.instances(&version).unwrap().borrow().is_empty(), "it is no instance yet");
    // `other` ends whoever imports it: the code fails as it would have, and says so.
    house.scale(&version, 1).await;
    assert_eq!(house.stopped(&version).await, StopReason::ExitedEarly { status: "status 1".to_owned() });
    let instance = house.until(&version, |_| true).await;
    assert!(instance.cold_start.from_pool);
    let log = house.log(&instance.id).await;
    assert!(log.contains("slow is read") && log.contains("not here") && !log.contains("part runs"), "{log}");

    let mut files = files;
    files[4].1 = "";
    let version = house.apply("better", &files, prepare).await;
    prepared(&house, &version, 1).await;
    house.scale(&version, 1).await;
    let instance = house.ready(&version).await;
    assert!(house.view(&version, &instance).cold_start.from_pool);
    let got = house.get(&instance, "/").await;
    let expected = "(True, ('good day', 2), True, 'good day', ['app.py'], '__main__', '/code', '')";
    assert_eq!(got, expected);
    let log = house.log(&instance).await;
    let order: Vec<_> = ["slow is read", "part runs", "main runs"].iter().map(|words| log.find(words)).collect();
    assert!(order.is_sorted() && order.iter().all(Option::is_some), "{log}");
    assert_eq!(log.matches("slow is read").count(), 1, "{log}");
    // Another waits in its place, and none when the version is gone.
    prepared(&house, &version, 1).await;
    house.engine.delete(&version).await.unwrap();
    assert_eq!(house.engine.prepared(&version), 0);
    house.end().await;
}

#[tokio::test]
async fn a_prepared_module_and_a_prepared_node_run() {
    let house = House::new().await;
    let files = [("web/__init__.py", ""), ("web/__main__.py", APP), ("python_modules/slow.py", "read = True")];
    let version = house.apply("module", &files, |draft| {
        prepare(draft);
        draft.command = ["python3", "-m", "web", "argument"].map(str::to_owned).to_vec();
    });
    let version = version.await;
    prepared(&house, &version, 1).await;
    house.scale(&version, 1).await;
    let instance = house.ready(&version).await;
    assert!(house.view(&version, &instance).cold_start.from_pool);
    let seen = "import sys; answer = (sys.argv, sys.path[0])";
    assert_eq!(house.run(&instance, seen).await, "(['/code/web/__main__.py', 'argument'], '/code')");

    let code = "
const http = require('http');
const early = Object.keys(require.cache).some((name) => name.includes('slow'));
const old = require('slow');
import('new').then((fresh) => http.createServer((request, response) => response.end(JSON.stringify(
  [early, old.read, fresh.read, require.main === module, process.argv.slice(1), process.env.GREETING]))).listen(process.env.PORT));
";
    let files = [
        ("app.js", code),
        ("package.json", r#"{"dependencies": {"slow": "1", "new": "1", "absent": "1"}}"#),
        ("node_modules/slow/index.js", "exports.read = process.env.GREETING"),
        ("node_modules/new/package.json", r#"{"name": "new", "type": "module", "exports": "./index.js"}"#),
        ("node_modules/new/index.js", "export const read = 'fresh'"),
    ];
    let version = house.apply("node", &files, |draft| {
        prepare(draft);
        draft.command = ["node", "app.js", "argument"].map(str::to_owned).to_vec();
    });
    let version = version.await;
    prepared(&house, &version, 1).await;
    house.scale(&version, 1).await;
    let instance = house.ready(&version).await;
    assert!(house.view(&version, &instance).cold_start.from_pool);
    let got = house.get(&instance, "/").await;
    assert!(got.contains(r#"[true,"good day","fresh",true,["/code/app.js","argument"],"good day"]"#), "{got}");
    house.end().await;
}

#[tokio::test]
async fn no_more_are_prepared_than_there_is_room_for() {
    let house = House::with(|options| options.prepared = 1).await;
    let files = [("app.py", APP)];
    let first = house.apply("first", &files, prepare).await;
    prepared(&house, &first, 1).await;
    let second = house.apply("second", &files, prepare).await;
    house.scale(&second, 1).await;
    let instance = house.ready(&second).await;
    assert!(!house.view(&second, &instance).cold_start.from_pool, "it starts as others do");
    assert_eq!((house.engine.prepared(&first), house.engine.prepared(&second)), (1, 0));
    // Room that was taken is given back.
    house.engine.delete(&first).await.unwrap();
    in_time("room", async {
        for number in 0.. {
            let third = house.apply(&format!("third-{number}"), &files, prepare).await;
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            // Whoever looks first has it.
            if house.engine.prepared(&second) + house.engine.prepared(&third) == 1 {
                break;
            }
        }
    })
    .await;
    house.end().await;
}
