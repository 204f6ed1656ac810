//! Interpreters that wait take the code of whoever comes.

use std::time::Duration;

use stoa_functions::{Engine as _, StopReason};

use crate::support::{APP, House, in_time, python};

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
