//! `/metrics` after real calls, and who may read it.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;
use stoa_mock_openai::Mock;

use crate::start::refusal;
use crate::support::{Browser, Server, starter_model, stoa};

const MODEL: &str = "counter;rate=200;tokens=20";
const TOKEN: &str = "a-long-enough-token";

/// The value of the only series with this beginning.
#[track_caller]
fn value(text: &str, series: &str) -> f64 {
    let found: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(series)).collect();
    let [value] = found[..] else { panic!("{series} is there {} times in:\n{text}", found.len()) };
    // What is left of the labels comes before the value.
    value.rsplit(' ').next().unwrap().parse().unwrap()
}

async fn read(who: &Browser) -> String {
    let (status, text) = who.raw(Method::GET, "/metrics", Vec::new()).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_requests_streams_and_local_models_are_counted() {
    let mock = Mock::start().await.unwrap();
    let authority = mock.base_url().trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let directory = tempfile::tempdir().unwrap();
    let variables = [("STOA_DATA_DIR", directory.path().to_str().unwrap()), ("STOA_EGRESS_ALLOW", &authority)];
    let model = starter_model();
    let imported = stoa(&variables).args(["model", "import", &model, "--name", "tiny"]).output().unwrap();
    assert!(imported.status.success(), "{imported:?}");
    let server = Server::start(&variables);
    let neighbour = Browser::nobody(server.address);
    let browser = Browser::sign_in(server.address).await;
    let before = read(&neighbour).await;
    assert!(!before.contains("stoa_model_calls_total{"), "nothing was called: {before}");

    browser.add_mock(&mock.base_url(), MODEL).await;
    for _ in 0..2 {
        let turn = browser.begin(MODEL).await;
        assert_eq!(browser.settled(&turn, Duration::from_secs(20)).await["status"], "complete");
    }
    let conversation = browser.post("/api/v1/conversations", json!({})).await;
    let id = conversation["id"].as_str().unwrap();
    let message = json!({
        "parts": [{ "type": "text", "text": "Say hello." }],
        "model": "local/tiny:latest",
        "parameters": { "max_tokens": 8 },
    });
    let mut turn = browser.post(&format!("/api/v1/conversations/{id}/messages"), message).await;
    turn["conversation_id"] = conversation["id"].clone();
    let answer = browser.settled(&turn, Duration::from_mins(1)).await;
    assert_eq!(answer["status"], "complete", "{answer}");
    let stream = browser.open(Method::GET, "/api/v1/events", None).await;
    assert_eq!(stream.status(), StatusCode::OK);
    browser.status(Method::GET, "/api/v1/conversations/no-such-place", None).await;

    let text = read(&neighbour).await;
    let of_mock = format!("provider=\"mock\",model=\"{MODEL}\"");
    assert!((value(&text, &format!("stoa_model_calls_total{{{of_mock},outcome=\"stop\"}}")) - 2.0).abs() < 0.1);
    assert!((value(&text, &format!("stoa_model_tokens_out_total{{{of_mock}}}")) - 40.0).abs() < 0.1);
    assert!((value(&text, &format!("stoa_model_first_token_seconds_count{{{of_mock}}}")) - 2.0).abs() < 0.1);
    assert!(value(&text, &format!("stoa_model_between_tokens_seconds_count{{{of_mock}}}")) >= 2.0);
    assert!(value(&text, "stoa_model_calls_total{provider=\"local\",model=\"tiny:latest\",outcome=\"") >= 1.0);
    let turns =
        "stoa_http_requests_total{route=\"/api/v1/conversations/{id}/messages\",method=\"POST\",status=\"202\"}";
    assert!((value(&text, turns) - 3.0).abs() < 0.1);
    assert!(!text.contains("no-such-place") && !text.contains(id), "a path is no label");
    assert!((value(&text, "stoa_event_streams_open ") - 1.0).abs() < 0.1);
    assert!((value(&text, "stoa_local_model_loads_total ") - 1.0).abs() < 0.1);
    assert!(value(&text, "stoa_local_model_load_seconds_total ") > 0.0);
    assert!(value(&text, "stoa_local_model_slots{model=\"tiny:latest\"} ") >= 1.0);
    assert!(value(&text, "stoa_local_model_resident_bytes{model=\"tiny:latest\"} ") > 50_000_000.0);
    assert!(value(&text, "stoa_process_resident_memory_bytes ") > 1_000_000.0);

    drop(stream);
    for _ in 0..200 {
        if value(&read(&neighbour).await, "stoa_event_streams_open ") < 0.5 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the stream that was closed still counts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_for_neighbours_and_for_whoever_has_the_token() {
    let directory = tempfile::tempdir().unwrap();
    let data = ("STOA_DATA_DIR", directory.path().to_str().unwrap());
    let server = Server::start(&[data]);
    let (status, _) = Browser::with_key(server.address, TOKEN).status(Method::GET, "/metrics", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "there is no token that could be right");
    read(&Browser::nobody(server.address)).await;
    server.stop();

    // On all addresses nobody counts as sitting here.
    let server = Server::start(&[data, ("STOA_LISTEN", "0.0.0.0:0"), ("STOA_METRICS_TOKEN", TOKEN)]);
    let address = ([127, 0, 0, 1], server.address.port()).into();
    for key in ["", "another-long-token!", &TOKEN[..18]] {
        let (status, text) = Browser::with_key(address, key).status(Method::GET, "/metrics", None).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{key}: {text}");
        assert!(!text.contains("stoa_process"), "{text}");
    }
    read(&Browser::with_key(address, TOKEN)).await;
    server.stop();

    let log = refusal(directory.path(), &[("STOA_METRICS_TOKEN", "short")]);
    assert!(log.contains("STOA_METRICS_TOKEN is `…`, but must be at least 16 characters"), "{log}");
}
