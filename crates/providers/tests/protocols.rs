//! What Stoa says to programs that speak Anthropic's Messages and OpenAI's Responses.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

mod support;

use bytes::BytesMut;
use http::StatusCode;
use proptest::prelude::*;
use serde_json::Value;
use stoa_model::Timestamp;
use stoa_model::completion::{CompletionError, CompletionEvent, FinishReason, PartKind, Usage};
use stoa_model::provider::ProviderKind;
use stoa_model::tools::ToolCall;
use stoa_providers::outward::{
    ApiError, Collector, EventEncoder, ListedModel, MessageEvents, MessagesRequest, ResponseEvents, ResponsesRequest,
    anthropic_error, encode_anthropic_models,
};
use stoa_providers::sse::{Caps, Decoder};
use support::{replay, requests, snapshot};

const USAGE: Usage =
    Usage { prompt_tokens: 9, completion_tokens: 4, cached_tokens: 2, reasoning_tokens: 1, cost: None };
const CREATED: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn call(arguments: &str) -> CompletionEvent {
    let arguments = arguments.to_owned();
    CompletionEvent::ToolCall(ToolCall { id: "call_1".to_owned(), name: "look_up".to_owned(), arguments })
}

/// An answer that has everything.
fn answer() -> Vec<CompletionEvent> {
    let delta = |part, text: &str| CompletionEvent::Delta { part, text: text.to_owned() };
    vec![
        delta(PartKind::Reasoning, "Hm"),
        delta(PartKind::Reasoning, "."),
        delta(PartKind::Text, "Plain 漢字 "),
        delta(PartKind::Text, "\"quoted\" \\ \n\u{1}"),
        call(r#"{"z":"\"","a":1}"#),
        call("{}"),
        CompletionEvent::Usage(USAGE),
        CompletionEvent::Finish(FinishReason::ToolCalls),
    ]
}

fn written(encoder: &mut dyn EventEncoder, events: Vec<CompletionEvent>) -> String {
    let mut out = BytesMut::new();
    encoder.begin(&mut out);
    for event in events {
        encoder.event(&mut out, event);
    }
    String::from_utf8(out.to_vec()).unwrap()
}

fn collected(events: Vec<CompletionEvent>) -> Collector {
    let mut collector = Collector::default();
    for event in events {
        collector.push(event);
    }
    collector
}

/// The names and the data of a stream's events.
fn read(stream: &str) -> Vec<(String, Value)> {
    let mut decoder = Decoder::new(Caps::default());
    decoder.push(stream.as_bytes());
    let mut events = Vec::new();
    while let Some(event) = decoder.next_event().unwrap() {
        let name = String::from_utf8(event.name.to_vec()).unwrap();
        events.push((name, serde_json::from_slice(event.data).unwrap()));
    }
    events
}

fn pretty(json: &[u8]) -> String {
    serde_json::to_string_pretty(&serde_json::from_slice::<Value>(json).unwrap()).unwrap()
}

fn messages(shows_thoughts: bool) -> MessageEvents {
    MessageEvents::new("msg_1".to_owned(), "slug/\"m\"".to_owned(), shows_thoughts)
}

fn asked() -> ResponsesRequest {
    ResponsesRequest::parse(br#"{"model":"slug/m","input":"Hi","temperature":0.5,"metadata":{"a":"b"}}"#).unwrap()
}

#[test]
fn requests_are_taken_or_refused_by_name() {
    requests("messages", MessagesRequest::parse);
    requests("responses", ResponsesRequest::parse);
}

#[test]
fn a_message_is_written_as_anthropic_writes_it() {
    snapshot("messages", "stream", &written(&mut messages(true), answer()));
    let whole = collected(answer()).to_message("msg_1", "slug/m", true).unwrap();
    snapshot("messages", "whole", &pretty(&whole));
}

#[test]
fn thoughts_stay_away_when_nobody_wants_them() {
    let stream = written(&mut messages(false), answer());
    assert!(!stream.contains("thinking") && stream.contains("Plain"), "{stream}");
    let whole = collected(answer()).to_message("msg_1", "m", false).unwrap();
    assert!(!String::from_utf8(whole).unwrap().contains("thinking"));
}

#[test]
fn arguments_that_are_no_object_are_no_message() {
    for arguments in ["", "[1]", "{\"a\":", "\"x\""] {
        let answer = collected(vec![call(arguments), CompletionEvent::Finish(FinishReason::ToolCalls)]);
        let error = answer.to_message("msg_1", "m", true).unwrap_err();
        assert!(matches!(error, CompletionError::Protocol { .. }), "{arguments}");
    }
}

#[test]
fn failures_have_anthropics_types() {
    let kind = |error: &CompletionError| {
        let (status, body) = anthropic_error(&ApiError::from(error), "req_1");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((body["type"].as_str(), body["request_id"].as_str()), (Some("error"), Some("req_1")));
        (status.as_u16(), body["error"]["type"].as_str().unwrap().to_owned())
    };
    let busy = CompletionError::Busy { retry_after: std::time::Duration::from_secs(2) };
    assert_eq!(kind(&busy), (529, "overloaded_error".to_owned()));
    assert_eq!(kind(&CompletionError::UnknownModel { model: "m".to_owned() }), (404, "not_found_error".to_owned()));
    assert_eq!(
        kind(&CompletionError::TooLong { prompt_tokens: 9, context_window: 8 }),
        (400, "invalid_request_error".to_owned())
    );
    assert_eq!(kind(&CompletionError::CutOff), (502, "api_error".to_owned()));
    let refused = CompletionError::Refused { status: 429, detail: "slow down".to_owned(), retry_after: None };
    assert_eq!(kind(&refused), (429, "rate_limit_error".to_owned()));
    let (status, body) = anthropic_error(&ApiError::unauthorized("No."), "req_1");
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(String::from_utf8(body).unwrap().contains("authentication_error"));

    let mut out = BytesMut::new();
    messages(true).fail(&mut out, &ApiError::from(&CompletionError::CutOff));
    snapshot("messages", "failure", std::str::from_utf8(&out).unwrap());
}

#[test]
fn models_are_listed_as_anthropic_lists_them() {
    let listed = |id| ListedModel { id, created: CREATED, owned_by: "p" };
    let list = encode_anthropic_models([(listed("p/a"), "A"), (listed("p/b"), "B")]);
    snapshot("messages", "models", &pretty(&list));
    let none: Value = serde_json::from_slice(&encode_anthropic_models([])).unwrap();
    assert_eq!((none["first_id"].is_null(), none["data"].as_array().unwrap().len()), (true, 0));
}

#[test]
fn a_response_is_written_as_openai_writes_it() {
    let request = asked();
    let stream = written(&mut ResponseEvents::new("1", &request, CREATED), answer());
    snapshot("responses", "stream", &stream);
    for (place, (name, data)) in read(&stream).into_iter().enumerate() {
        assert_eq!(
            (data["sequence_number"].as_u64(), data["type"].as_str()),
            (Some(place as u64), Some(name.as_str()))
        );
    }
    let whole = collected(answer()).to_response("1", &request, CREATED);
    snapshot("responses", "whole", &pretty(&whole));
    // The stream ends with what the whole answer is.
    let last = read(&stream).pop().unwrap().1["response"].clone();
    assert_eq!(last, serde_json::from_slice::<Value>(&whole).unwrap());
}

#[test]
fn a_response_that_does_not_come_to_its_end_says_so() {
    let cut = vec![
        CompletionEvent::Delta { part: PartKind::Text, text: "One".to_owned() },
        CompletionEvent::Finish(FinishReason::Length),
    ];
    let stream = written(&mut ResponseEvents::new("1", &asked(), CREATED), cut);
    let (name, data) = read(&stream).pop().unwrap();
    assert_eq!(name, "response.incomplete");
    assert_eq!(data["response"]["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(data["response"]["output"][0]["status"], "incomplete");

    let mut events = ResponseEvents::new("1", &asked(), CREATED);
    let mut out = BytesMut::new();
    events.begin(&mut out);
    events.event(&mut out, CompletionEvent::Delta { part: PartKind::Text, text: "One".to_owned() });
    events.fail(&mut out, &ApiError::from(&CompletionError::CutOff));
    let (name, data) = read(std::str::from_utf8(&out).unwrap()).pop().unwrap();
    assert_eq!((name.as_str(), data["response"]["status"].as_str()), ("response.failed", Some("failed")));
    assert_eq!(data["response"]["error"]["code"], "server_error");
    assert_eq!(data["response"]["output"][0]["content"][0]["text"], "One");
}

/// The same answer, with texts that follow each other put together.
fn put_together(events: Vec<CompletionEvent>) -> Vec<CompletionEvent> {
    let mut all: Vec<CompletionEvent> = Vec::new();
    for event in events {
        match (all.last_mut(), &event) {
            (Some(CompletionEvent::Delta { part: before, text: said }), CompletionEvent::Delta { part, text })
                if before == part =>
            {
                said.push_str(text);
            }
            _ => all.push(event),
        }
    }
    all
}

#[test]
fn what_is_written_is_read_as_it_was_meant() {
    let streams = [
        (ProviderKind::Anthropic, written(&mut messages(true), answer())),
        (ProviderKind::Responses, written(&mut ResponseEvents::new("1", &asked(), CREATED), answer())),
    ];
    for (kind, stream) in streams {
        let (events, result) = replay(kind, stream.as_bytes(), 5);
        assert_eq!(result, Ok(()), "{kind:?}");
        let mut meant = answer();
        if kind == ProviderKind::Anthropic {
            // It does not tell thoughts apart.
            let usage = Usage { reasoning_tokens: 0, ..USAGE };
            meant.iter_mut().filter(|event| matches!(event, CompletionEvent::Usage(_))).for_each(|event| {
                *event = CompletionEvent::Usage(usage);
            });
        }
        assert_eq!(put_together(events), put_together(meant), "{kind:?}");
    }
    let whole = collected(answer()).to_message("msg_1", "m", true).unwrap();
    assert_eq!(replay(ProviderKind::Anthropic, &whole, 7).1, Ok(()));
    let whole = collected(answer()).to_response("1", &asked(), CREATED);
    assert_eq!(replay(ProviderKind::Responses, &whole, 7).1, Ok(()));
}

proptest! {
    #[test]
    fn any_body_is_survived(body in "(\\{|\\}|\\[|\\]|,|:|\"(model|messages|input|content|role|type|text|tool_result|user|m)\"|null|1|\\PC){0,30}") {
        let _ = MessagesRequest::parse(body.as_bytes());
        let _ = ResponsesRequest::parse(body.as_bytes());
    }
}
