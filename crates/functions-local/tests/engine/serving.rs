//! Functions answer.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{House, in_time, python};

#[tokio::test]
async fn python_answers_over_http_and_is_said_what_it_took() {
    let house = House::new().await;
    let (version, instance) = house.start_app("python", python).await;
    assert_eq!(house.get(&instance, "/a").await, "hello from /a");
    let view = house.view(&version, &instance);
    assert!(view.ready_at.is_some() && view.ready_at.unwrap() >= view.created_at);
    let cold = view.cold_start;
    assert!(!cold.sandbox.is_zero() && !cold.spawn.is_zero() && !cold.init.is_zero(), "{cold:?}");
    house.end().await;
}

const NODE: &str = "
const http = require('http');
http.createServer((request, response) => response.end('node says ' + request.url)).listen(process.env.PORT);
";

#[tokio::test]
async fn node_answers_over_http() {
    let house = House::new().await;
    let version = house.apply("node", &[("app.js", NODE)], |draft| {
        draft.command = vec!["node".to_owned(), "app.js".to_owned()];
        draft.port = 8080;
    });
    let version = version.await;
    house.scale(&version, 1).await;
    let instance = house.ready(&version).await;
    assert!(house.get(&instance, "/b").await.contains("node says /b"));
    house.end().await;
}

#[tokio::test]
async fn an_answer_comes_piece_by_piece() {
    let house = House::new().await;
    let (_, instance) = house.start_app("stream", python).await;
    let mut connection = house.connect(&instance).await;
    connection.write_all(b"GET /stream HTTP/1.1\r\nHost: f\r\n\r\n").await.unwrap();
    let mut got = String::new();
    let mut pieces = 0;
    in_time("the stream", async {
        while !got.ends_with("0\r\n\r\n") {
            let mut piece = [0; 1_024];
            let read = connection.read(&mut piece).await.unwrap();
            assert!(read > 0, "{got}");
            got.push_str(&String::from_utf8_lossy(&piece[..read]));
            pieces += 1;
        }
    })
    .await;
    assert!(pieces >= 5, "{pieces} pieces: it was not kept back");
    assert!(got.contains("2\r\n4\n\r\n"), "{got}");
    house.end().await;
}

#[tokio::test]
async fn many_requests_are_served_at_once() {
    let house = House::new().await;
    let (_, instance) = house.start_app("many", python).await;
    // Each waits until all are there.
    let code = "import __main__, threading\n\
                barrier = __main__.__dict__.setdefault('barrier', threading.Barrier(20))\n\
                barrier.wait(20)\nanswer = 'together'";
    let runs = (0..20).map(|_| house.run(&instance, code));
    let answers = futures(runs).await;
    assert_eq!(answers, vec!["together".to_owned(); 20]);
    house.end().await;
}

async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, output) in &mut all {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = one.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if all.iter().all(|(_, output)| output.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    all.into_iter().filter_map(|(_, output)| output).collect()
}

#[tokio::test]
async fn the_environment_is_what_was_asked_for_and_nothing_of_the_servers() {
    let house = House::new().await;
    let (_, instance) = house
        .start_app("environment", |draft| drop(draft.environment.insert("GREETING".to_owned(), "good day".to_owned())))
        .await;
    let got = house.run(&instance, "import os; answer = sorted(os.environ.items())").await;
    assert!(got.contains("('GREETING', 'good day')") && got.contains("('PORT', '9000')"), "{got}");
    let names = house.run(&instance, "import os; answer = ' '.join(sorted(os.environ))").await;
    let known = "FC_SERVER_PORT GREETING HOME LANG LC_CTYPE PATH PORT PWD PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONUNBUFFERED TMPDIR";
    for name in names.split(' ') {
        assert!(known.contains(name), "{name} of {names}");
    }
    house.end().await;
}
