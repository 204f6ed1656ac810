//! The real client against a real server that behaves as servers do, and worse.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails by panicking")]

#[path = "support/asked.rs"]
mod asked;

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, future};
use stoa_egress::{Allowances, Authority, Egress, EgressOptions};
use stoa_mock_openai::{Mock, MockServer};
use stoa_model::completion::{
    CompletionError, CompletionEvent, CompletionRequest, FinishReason, Parameters, PartKind, TimedStep, Timers,
    Upstream, Usage,
};
use stoa_model::embedding::EmbeddingRequest;
use stoa_model::image::Image;
use stoa_model::provider::ProviderKind;
use stoa_providers::{ApiKey, Provider, Settings};
use tokio::time::{Instant, sleep, timeout};

use asked::{request, timers};

fn egress(allowed: Option<&MockServer>) -> Egress {
    let allowed: Option<Authority> = allowed.map(|server| server.address().to_string().parse().unwrap());
    let options = EgressOptions { allowances: Arc::new(Allowances::new(allowed)), ..EgressOptions::default() };
    Egress::new(options).unwrap()
}

fn provider_at(egress: Egress, base_url: &str, key: &str) -> Arc<Provider> {
    Provider::new(egress, Settings::parse(ProviderKind::Openai, base_url, key).unwrap())
}

fn provider(server: &MockServer) -> Arc<Provider> {
    provider_at(egress(Some(server)), &server.base_url(), "sk-secret-key")
}

#[derive(Debug, Default)]
struct Answer {
    text: String,
    reasoning: String,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    error: Option<CompletionError>,
}

async fn ask(provider: &Arc<Provider>, request: CompletionRequest) -> Answer {
    let mut answer = Answer::default();
    let mut stream = match Arc::clone(provider).open(request).await {
        Ok(stream) => stream,
        Err(error) => {
            answer.error = Some(error);
            return answer;
        }
    };
    while let Some(event) = stream.next().await {
        assert!(answer.finish.is_none() && answer.error.is_none(), "nothing follows the end");
        match event {
            Ok(CompletionEvent::Delta { part: PartKind::Text, text }) => answer.text.push_str(&text),
            Ok(CompletionEvent::Delta { part: PartKind::Reasoning, text }) => answer.reasoning.push_str(&text),
            Ok(CompletionEvent::Local(_)) => {}
            Ok(CompletionEvent::Usage(usage)) => answer.usage = Some(usage),
            Ok(CompletionEvent::Finish(reason)) => answer.finish = Some(reason),
            Ok(CompletionEvent::ToolCall(_)) => unreachable!("nothing offers tools"),
            Err(error) => answer.error = Some(error),
        }
    }
    answer
}

async fn failure(provider: &Arc<Provider>, model: &str) -> CompletionError {
    let answer = ask(provider, request(model, "hi")).await;
    answer.error.unwrap_or_else(|| panic!("{model} did not fail: {} bytes", answer.text.len()))
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("never came: {what}");
}

#[tokio::test]
async fn an_answer_comes_with_its_usage_and_its_end() {
    let server = Mock::start().await.unwrap();
    let answer = ask(&provider(&server), request("echo", "Grüße, 漢字 and\nmore")).await;
    assert_eq!(answer.text, "Grüße, 漢字 and\nmore");
    assert_eq!(answer.finish, Some(FinishReason::Stop));
    assert_eq!(answer.usage.unwrap().completion_tokens, 4);
    assert_eq!(answer.error, None);
}

#[tokio::test]
async fn the_request_says_what_was_chosen_and_nothing_else() {
    let server = Mock::start().await.unwrap();
    let mut chosen = request("echo", "hi");
    chosen.parameters = Parameters { temperature: Some(0.5), max_tokens: Some(9), ..Parameters::default() };
    chosen.stop = vec!["END".to_owned()];
    chosen.tenant = Some(stoa_model::UserId::generate(stoa_model::Timestamp::from_millis(0)));
    let tenant = chosen.tenant.unwrap().to_string();
    ask(&provider(&server), chosen).await;
    let sent = &server.requests()[0];
    assert_eq!(
        sent.body,
        serde_json::json!({"model": "echo", "messages": [{"role": "user", "content": "hi"}], "stream": true,
            "stream_options": {"include_usage": true}, "temperature": 0.5, "max_tokens": 9, "stop": ["END"]})
    );
    assert_eq!(sent.headers["authorization"], "Bearer sk-secret-key");
    assert!(!format!("{sent:?}").contains(&tenant));

    let keyless = provider_at(egress(Some(&server)), &server.base_url(), " ");
    ask(&keyless, request("echo", "hi")).await;
    assert!(!server.requests()[1].headers.contains_key("authorization"));
}

#[tokio::test]
async fn pictures_stand_in_the_request_where_they_were_shown() {
    let server = Mock::start().await.unwrap();
    let image = Image::new(&b"\x89PNG\r\n\x1a\n"[..], 4).unwrap();
    let mut shown = request("echo", "See this?");
    shown.messages[0].images = vec![image.clone()];
    ask(&provider(&server), shown).await;
    assert_eq!(
        server.requests()[0].body["messages"],
        serde_json::json!([{"role": "user", "content": [{"type": "text", "text": "See "},
            {"type": "image_url", "image_url": {"url": image.to_data_url()}}, {"type": "text", "text": "this?"}]}])
    );
}

#[tokio::test]
async fn thoughts_are_told_apart_wherever_they_come() {
    let server = Mock::start().await.unwrap();
    let provider = provider(&server);
    let mut thoughts = Vec::new();
    for model in
        ["reasoning", "reasoning;reasoning_field=reasoning", "think-tags", "think-tags;split=3", "reasoning;whole"]
    {
        let answer = ask(&provider, request(model, "the answer")).await;
        assert_eq!((answer.text.as_str(), answer.finish), ("the answer", Some(FinishReason::Stop)), "{model}");
        thoughts.push(answer.reasoning);
    }
    assert!(thoughts[0].starts_with("Lorem ipsum"));
    assert!(thoughts.iter().all(|thought| *thought == thoughts[0]), "{thoughts:?}");
}

#[tokio::test]
async fn the_clothes_of_an_answer_do_not_matter() {
    let server = Mock::start().await.unwrap();
    let provider = provider(&server);
    for options in [
        "crlf",
        "nospace",
        "comments",
        "split=1",
        "split=1;crlf;nospace;comments",
        "done=false",
        "usage=none",
        "usage=every",
        "usage=choice",
        "usage=always",
        "whole",
        "finish=eos",
    ] {
        let answer = ask(&provider, request(&format!("echo;{options}"), "Straße 漢 🎉 end")).await;
        assert_eq!(answer.text, "Straße 漢 🎉 end", "{options}");
        assert_eq!(answer.finish, Some(FinishReason::Stop), "{options}: {:?}", answer.error);
        assert_eq!(answer.usage.is_some(), options != "usage=none", "{options}");
    }
}

#[tokio::test]
async fn refusals_are_told_in_the_providers_own_words() {
    let server = Mock::start().await.unwrap();
    let provider = provider(&server);
    for (model, status, words) in [
        ("error-401", 401, "told to answer 401"),
        ("error-403", 403, "told to answer 403"),
        ("error-404", 404, "told to answer 404"),
        ("error-500;error_body=text", 500, "told to answer 500"),
        ("error-500;error_body=nested", 500, "told to answer 500"),
        ("error-400;error_body=list", 400, "told to answer 400"),
        ("error-503;error_body=empty", 503, "Service Unavailable"),
        ("error-html", 502, "an HTML page titled “502 Bad Gateway”"),
        ("no-such-model", 404, "does not exist"),
    ] {
        match failure(&provider, model).await {
            CompletionError::Refused { status: got, detail, .. } => {
                assert_eq!(got, status, "{model}");
                assert!(detail.contains(words), "{model}: {detail}");
            }
            other => panic!("{model}: {other}"),
        }
    }
    let CompletionError::Refused { status: 429, retry_after, .. } = failure(&provider, "error-429").await else {
        panic!("429 is a refusal");
    };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn what_breaks_in_the_middle_is_a_typed_error_behind_what_came() {
    let server = Mock::start().await.unwrap();
    let provider = provider(&server);
    for model in ["cut", "unfinished", "malformed", "error-midstream"] {
        let answer = ask(&provider, request(model, "hi")).await;
        assert_eq!(answer.text, "Lorem ipsum dolor sit amet, consectetur adipiscing elit,", "{model}");
        assert_eq!(answer.finish, None, "{model}");
        match (model, answer.error.unwrap()) {
            ("cut" | "unfinished", CompletionError::CutOff) | ("malformed", CompletionError::Protocol { .. }) => {}
            ("error-midstream", CompletionError::Refused { status: 503, detail, .. }) => {
                assert!(detail.contains("had an error"), "{detail}");
            }
            (_, other) => panic!("{model}: {other}"),
        }
    }
}

#[tokio::test]
async fn every_step_has_its_timer() {
    let server = Mock::start().await.unwrap();
    let provider = provider(&server);
    let short = Duration::from_millis(150);
    let first = Timers { first_token: short, ..timers() };
    let idle = Timers { idle: short, ..timers() };
    let total = Timers { total: short, ..timers() };
    for (model, timers, step) in [
        ("silent", first, TimedStep::FirstToken),
        ("echo;head_ms=5000", first, TimedStep::FirstToken),
        ("whole;first_ms=5000", first, TimedStep::FirstToken),
        // Bytes come all the time, and never make an event: one byte a minute, only faster.
        ("trickle;trickle_ms=10", first, TimedStep::FirstToken),
        ("stall", idle, TimedStep::NextToken),
        ("endless;rate=100", total, TimedStep::End),
        ("endless", total, TimedStep::End),
        ("silent", total, TimedStep::End),
        ("echo;head_ms=5000", total, TimedStep::End),
    ] {
        let started = Instant::now();
        let answer = ask(&provider, CompletionRequest { timers, ..request(model, "hi") }).await;
        let error = answer.error.unwrap_or_else(|| panic!("{model} did not fail"));
        assert_eq!(error, CompletionError::TimedOut { step, after: short }, "{model}");
        assert!(started.elapsed() < Duration::from_secs(3), "{model} took {:?}", started.elapsed());
    }
    eventually("nothing runs on at the upstream", || server.counts().open == 0).await;
}

#[tokio::test]
async fn tokens_in_time_keep_an_answer_alive() {
    let server = Mock::start().await.unwrap();
    let timers = Timers { first_token: Duration::from_millis(400), idle: Duration::from_millis(400), ..timers() };
    let answer = ask(&provider(&server), CompletionRequest { timers, ..request("counter-20;rate=20", "hi") }).await;
    assert_eq!((answer.error, answer.finish), (None, Some(FinishReason::Stop)));
}

#[tokio::test]
async fn a_reader_who_pauses_is_not_taken_for_a_silent_upstream() {
    let server = Mock::start().await.unwrap();
    let timers = Timers { idle: Duration::from_millis(400), ..timers() };
    let request = CompletionRequest { timers, ..request("counter-12;rate=10", "hi") };
    let mut stream = provider(&server).open(request).await.unwrap();
    let mut text = String::new();
    while let Some(event) = stream.next().await {
        if let CompletionEvent::Delta { text: token, .. } = event.unwrap() {
            text.push_str(&token);
            if token == " 1" {
                sleep(Duration::from_millis(600)).await;
            }
        }
    }
    assert_eq!(text, "0 1 2 3 4 5 6 7 8 9 10 11");
}

#[tokio::test]
async fn a_line_of_a_gigabyte_is_given_up_early() {
    let server = Mock::start().await.unwrap();
    let error = failure(&provider(&server), "giant-line").await;
    assert!(matches!(&error, CompletionError::Protocol { detail } if detail.contains("1048576 bytes")), "{error}");
    eventually("the upstream is closed", || server.counts().cancelled == 1).await;
}

#[tokio::test]
async fn an_answer_without_end_is_given_up_at_its_cap() {
    let server = Mock::start().await.unwrap();
    let error = failure(&provider(&server), "endless").await;
    assert!(matches!(&error, CompletionError::Protocol { detail } if detail.contains("67108864 bytes")), "{error}");
    eventually("the upstream is closed", || server.counts().cancelled == 1).await;
}

#[tokio::test]
async fn dropping_an_answer_cancels_it_upstream_at_once() {
    let server = Mock::start().await.unwrap();
    let provider = provider(&server);
    for model in ["mock-20tps", "stall", "endless", "silent"] {
        let mut stream = Arc::clone(&provider).open(request(model, "hi")).await.unwrap();
        if model != "silent" {
            assert!(matches!(stream.next().await, Some(Ok(CompletionEvent::Delta { .. }))));
        }
        let before = server.counts().cancelled;
        drop(stream);
        eventually("the upstream is closed", || server.counts().cancelled == before + 1).await;
    }
    let opening = Arc::clone(&provider).open(request("echo;head_ms=60000", "hi"));
    assert!(timeout(Duration::from_millis(100), opening).await.is_err());
    eventually("the upstream is closed before its head", || server.counts().open == 0).await;
    assert_eq!(server.counts().cancelled, 5);
}

#[tokio::test]
async fn one_call_after_another_uses_one_connection() {
    let server = Mock::start().await.unwrap();
    let egress = egress(Some(&server));
    let provider = provider_at(egress.clone(), &server.base_url(), "");
    for _ in 0..20 {
        assert_eq!(ask(&provider, request("echo", "again")).await.text, "again");
        sleep(Duration::from_millis(2)).await;
    }
    // The connection and the task that closes it when it is idle.
    assert!(egress.open_tasks() <= 2, "{}", egress.open_tasks());
}

#[tokio::test]
async fn many_answers_at_once_keep_their_order() {
    let server = Mock::start().await.unwrap();
    let provider = provider(&server);
    let expected = (0..50).map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
    let answers = (0..200).map(|_| ask(&provider, request("counter-50;rate=100", "hi")));
    for answer in future::join_all(answers).await {
        assert_eq!((answer.text.as_str(), answer.error), (expected.as_str(), None));
    }
}

#[tokio::test]
async fn private_addresses_are_refused_with_what_to_allow() {
    let server = Mock::start().await.unwrap();
    let port = server.address().port();
    for (base, authority) in [
        (server.base_url(), format!("127.0.0.1:{port}")),
        (format!("http://localhost:{port}/v1"), format!("localhost:{port}")),
        (format!("http://0x7f.1:{port}/v1"), format!("127.0.0.1:{port}")),
        (format!("http://[::ffff:7f00:1]:{port}/v1"), format!("[::ffff:127.0.0.1]:{port}")),
        ("http://169.254.169.254/latest".to_owned(), "169.254.169.254:80".to_owned()),
        ("https://10.0.0.1/v1".to_owned(), "10.0.0.1:443".to_owned()),
    ] {
        let provider = provider_at(egress(None), &base, "");
        let refused = CompletionError::AddressRefused { authority };
        assert_eq!(failure(&provider, "echo").await, refused, "{base}");
        assert_eq!(provider.list_models().await.unwrap_err(), refused, "{base}");
        assert_eq!(provider.check(None, timers()).await.unwrap_err().error, refused, "{base}");
    }
    assert_eq!(server.counts().received, 0);
}

#[tokio::test]
async fn a_redirect_inside_is_not_followed() {
    let server = Mock::start().await.unwrap();
    let inner = Mock::start().await.unwrap();
    for to in ["http://169.254.169.254/latest/meta-data", "http://[::ffff:a9fe:a9fe]/", &inner.base_url()] {
        let options = format!("redirect={}", to.replace('/', "%2F"));
        let provider = provider_at(egress(Some(&server)), &server.base_url_with(&options), "k");
        let error = provider.list_models().await.unwrap_err();
        assert!(matches!(error, CompletionError::AddressRefused { .. }), "{to}: {error}");
        // A prompt is never sent on, wherever to.
        match failure(&provider, "echo").await {
            CompletionError::Refused { status: 307, detail, .. } => assert!(detail.contains(to), "{detail}"),
            other => panic!("{to}: {other}"),
        }
    }
    assert_eq!(inner.counts().received, 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_says_so() {
    let server = Mock::start().await.unwrap();
    let provider = provider(&server);
    server.stop().await;
    let error = failure(&provider, "echo").await;
    assert!(matches!(error, CompletionError::Unreachable { .. }), "{error}");
    assert!(error.to_string().to_lowercase().contains("connection refused"), "{error}");
}

#[tokio::test]
async fn models_are_listed_and_failures_shown() {
    let server = Mock::start().await.unwrap();
    let models = provider(&server).list_models().await.unwrap();
    assert!(models.iter().any(|model| model.name == "mock-20tps"));
    for (options, words) in [("status=401", "401"), ("error_body=html;status=502", "HTML page")] {
        let provider = provider_at(egress(Some(&server)), &server.base_url_with(options), "k");
        let error = provider.list_models().await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_check_makes_a_real_call_and_leaves_early() {
    let server = Mock::start().await.unwrap();
    let provider = provider(&server);
    let checked = provider.check(Some("mock-20tps;tokens=100000"), timers()).await.unwrap();
    assert_eq!(checked.model, "mock-20tps;tokens=100000");
    eventually("the rest of the answer is not waited for", || server.counts().cancelled == 1).await;

    let checked = provider.check(None, timers()).await.unwrap();
    assert_eq!(checked.model, "counter", "the first of the list");

    let failed = provider.check(Some("error-401"), timers()).await.unwrap_err();
    assert_eq!(failed.model.as_deref(), Some("error-401"));
    assert!(failed.error.to_string().contains("answered 401: The mock was told"), "{}", failed.error);
}

#[tokio::test]
async fn the_key_shows_itself_nowhere() {
    let server = Mock::default().key("another").serve().await.unwrap();
    let provider = provider(&server);
    let failed = provider.check(Some("echo"), timers()).await.unwrap_err();
    assert!(matches!(failed.error, CompletionError::Refused { status: 401, .. }));
    for shown in [format!("{provider:?}"), format!("{failed:?}"), failed.to_string(), failed.error.to_string()] {
        assert!(!shown.contains("sk-secret-key"), "{shown}");
    }
    assert!(ApiKey::parse("two words").is_err());
    assert!(ApiKey::parse("line\nbreak").is_err());
}

#[tokio::test]
async fn texts_become_vectors_by_every_protocol_that_has_them() {
    let server = Mock::start().await.unwrap();
    let at = |path: &str| format!("http://{}{path}", server.address());
    let asking = |dimensions| EmbeddingRequest {
        tenant: None,
        depth: 0,
        model: "seer".to_owned(),
        inputs: vec!["one".to_owned(), "three".to_owned()],
        dimensions,
        timers: timers(),
    };
    for (kind, base_url, told, place, words) in [
        (ProviderKind::Openai, at("/v1"), 6, "/v1/embeddings", r#""encoding_format":"float""#),
        (ProviderKind::Responses, at("/v1"), 6, "/v1/embeddings", r#""input":["one","three"]"#),
        (
            ProviderKind::Azure,
            at("/openai"),
            6,
            "/openai/deployments/seer/embeddings?api-version=2024-10-21",
            r#""dimensions":8"#,
        ),
        (ProviderKind::Ollama, at("/api"), 6, "/api/embed", r#""truncate":false"#),
        (
            ProviderKind::Gemini,
            at("/v1beta"),
            0,
            "/v1beta/models/seer:batchEmbedContents",
            r#""outputDimensionality":8"#,
        ),
    ] {
        let settings = Settings::parse(kind, &base_url, "sk-secret-key").unwrap();
        let provider = Provider::new(egress(Some(&server)), settings);
        let embedded = provider.embed(asking(Some(8))).await.unwrap();
        assert_eq!(embedded.vectors, [[3.0, 0.5], [5.0, 0.5]], "{kind:?}");
        assert_eq!(embedded.usage.prompt_tokens, told, "{kind:?}");
        let sent = server.requests().pop().unwrap();
        assert_eq!(sent.path, place);
        let body = sent.body.to_string();
        assert!(body.contains(words), "{kind:?}: {body}");
    }
    for kind in [ProviderKind::Anthropic, ProviderKind::Bedrock] {
        let key = if kind == ProviderKind::Bedrock { "AKID:secret" } else { "sk" };
        let settings = Settings::parse(kind, &at("/v1?region=eu-west-1"), key).unwrap();
        let refused = Provider::new(egress(Some(&server)), settings).embed(asking(None)).await.unwrap_err();
        assert!(
            matches!(&refused, CompletionError::Invalid { detail } if detail.contains("makes no vectors")),
            "{refused}"
        );
    }
}
