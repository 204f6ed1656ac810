//! Recorded answers of many servers and what they mean; requests of many clients and what is made of them; what Stoa says.

mod support;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::BytesMut;
use proptest::prelude::*;
use serde_json::Value;
use stoa_model::Timestamp;
use stoa_model::completion::{
    CompletionError, CompletionEvent, FinishReason, LocalEvent, LogProb, PartKind, TokenLogProb, Usage,
};
use stoa_model::provider::ProviderKind;
use stoa_model::tools::ToolCall;
use stoa_providers::Reading;
use stoa_providers::outward::{
    ApiError, ChatRequest, ChunkEncoder, ChunkEvents, Collector, EventEncoder as _, Form, ListedModel, encode_models,
};

use support::{files, framed, name, render, replay, requests, snapshot};

/// Everything that an answer says, fed in pieces of `size` bytes.
fn interpret(answer: &[u8], size: usize) -> (Vec<CompletionEvent>, Result<(), CompletionError>) {
    replay(ProviderKind::Openai, answer, size)
}

/// The text of each part, whatever the deltas.
fn joined(events: &[CompletionEvent]) -> (String, String) {
    let of = |wanted: PartKind| {
        events
            .iter()
            .filter_map(|event| match event {
                CompletionEvent::Delta { part, text } if *part == wanted => Some(text.as_str()),
                _ => None,
            })
            .collect()
    };
    (of(PartKind::Text), of(PartKind::Reasoning))
}

#[test]
fn answers_of_known_servers_are_understood_wherever_they_are_cut() {
    for path in files("client").iter().filter(|path| path.extension().unwrap() == "sse") {
        let answer = std::fs::read(path).unwrap();
        assert!(answer.starts_with(b": source: "), "{} names no source", path.display());
        let (events, result) = interpret(&answer, usize::MAX);
        snapshot("client", &name(path), &render(&events, &result));
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(interpret(&answer, size), (events.clone(), result.clone()), "{} by {size}", path.display());
        }
    }
}

#[test]
fn whole_answers_are_understood() {
    for path in files("client").iter().filter(|path| path.extension().unwrap() == "json") {
        let (events, result) = interpret(&std::fs::read(path).unwrap(), usize::MAX);
        snapshot("client", &name(path), &render(&events, &result));
    }
}

#[test]
fn answers_in_other_protocols_are_understood_wherever_they_are_cut() {
    for (folder, kind) in [
        ("anthropic", ProviderKind::Anthropic),
        ("bedrock", ProviderKind::Bedrock),
        ("gemini", ProviderKind::Gemini),
        ("ollama", ProviderKind::Ollama),
        ("responses-client", ProviderKind::Responses),
    ] {
        let files = files(folder);
        assert!(files.len() > 4, "{folder}");
        for path in files {
            let file = std::fs::read(&path).unwrap();
            let is_json = path.extension().unwrap() == "json";
            let named = file.starts_with(b": source: http") || file.starts_with(b"# source: http") || is_json;
            assert!(named, "{} names no source", path.display());
            // Lines know no comment.
            let beginning =
                if file.starts_with(b"#") { file.iter().position(|byte| *byte == b'\n').unwrap() } else { 0 };
            let framed = (path.extension().unwrap() == "events").then(|| framed(&file[beginning..]));
            let answer = framed.as_deref().unwrap_or(&file[beginning..]);
            let (events, result) = replay(kind, answer, usize::MAX);
            snapshot(folder, &name(&path), &render(&events, &result));
            for size in [1, 2, 3, 7, 64] {
                assert_eq!(
                    replay(kind, answer, size),
                    (events.clone(), result.clone()),
                    "{} by {size}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn requests_of_clients_are_taken_or_refused_by_name() {
    requests("outward", ChatRequest::parse);
}

#[test]
fn bodies_that_are_no_request_are_refused() {
    for body in [
        &b""[..],
        b"{",
        b"[]",
        b"\"text\"",
        b"\xff\xfe",
        b"{\"model\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}",
        b"{\"model\":\"a\",\"model\":\"b\",\"messages\":[]}",
        b"{\"model\":\"a\"} trailing",
    ] {
        let error = ChatRequest::parse(body).unwrap_err();
        assert_eq!((error.status.as_u16(), error.kind), (400, "invalid_request_error"), "{body:?}");
        assert!(!error.message.is_empty());
    }
    let deep = format!(
        "{{\"model\":\"a\",\"messages\":[{{\"role\":\"user\",\"content\":{}1{}}}]}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(ChatRequest::parse(deep.as_bytes()).is_err());
}

fn encoder(include_usage: bool) -> ChunkEncoder {
    ChunkEncoder::new(Form::Chat, "chatcmpl-1", "slug/\"m\"", Timestamp::from_millis(1_767_225_600_000), include_usage)
}

const USAGE: Usage =
    Usage { prompt_tokens: 9, completion_tokens: 4, cached_tokens: 2, reasoning_tokens: 1, cost: None };

fn call() -> ToolCall {
    let arguments = r#"{"z":"\"","a":1}"#.to_owned();
    ToolCall { id: "call_1".to_owned(), name: "look_up".to_owned(), arguments }
}

#[test]
fn a_stream_is_written_as_openai_writes_it() {
    for include_usage in [false, true] {
        let encoder = encoder(include_usage);
        let mut out = BytesMut::from(encoder.start());
        out.extend(encoder.delta(PartKind::Reasoning, "Hm."));
        encoder.append_delta(&mut out, PartKind::Text, "Plain 漢字 ");
        encoder.append_delta(&mut out, PartKind::Text, "\"quoted\" \\ \n\u{1}\u{2028}</script>");
        encoder.append_call(&mut out, 0, &call());
        out.extend(encoder.finish(FinishReason::ToolCalls));
        out.extend(encoder.usage(USAGE).unwrap_or_default());
        out.extend(ChunkEncoder::done());
        let text = String::from_utf8(out.to_vec()).unwrap();
        snapshot("outward", if include_usage { "stream-with-usage" } else { "stream" }, &text);

        // What Stoa writes, Stoa reads.
        let (events, result) = interpret(text.as_bytes(), 5);
        assert_eq!(result, Ok(()));
        assert_eq!(joined(&events), ("Plain 漢字 \"quoted\" \\ \n\u{1}\u{2028}</script>".to_owned(), "Hm.".to_owned()));
        assert_eq!(events.contains(&CompletionEvent::Usage(USAGE)), include_usage);
        assert!(events.contains(&CompletionEvent::ToolCall(call())));
        assert_eq!(events.last(), Some(&CompletionEvent::Finish(FinishReason::ToolCalls)));
    }
}

#[test]
fn a_whole_answer_is_written_as_openai_writes_it() {
    let mut collector = Collector::default();
    for event in [
        CompletionEvent::Delta { part: PartKind::Reasoning, text: "Hm.".to_owned() },
        CompletionEvent::Delta { part: PartKind::Text, text: "Four".to_owned() },
        CompletionEvent::Delta { part: PartKind::Text, text: ".".to_owned() },
        CompletionEvent::ToolCall(call()),
        CompletionEvent::Usage(USAGE),
        CompletionEvent::Finish(FinishReason::ToolCalls),
    ] {
        collector.push(event);
    }
    let json = collector.to_json(Form::Chat, "chatcmpl-1", "slug/m", Timestamp::from_millis(1_767_225_600_000));
    let value: Value = serde_json::from_slice(&json).unwrap();
    snapshot("outward", "whole", &serde_json::to_string_pretty(&value).unwrap());
}

#[test]
fn how_likely_the_tokens_were_is_written_as_openai_writes_it() {
    let chance = |text: &str, logprob| LogProb { text: text.to_owned(), bytes: text.as_bytes().to_vec(), logprob };
    let token =
        |text: &str| TokenLogProb { token: chance(text, -0.5), top: vec![chance(text, -0.5), chance("\"", -1.25)] };
    let likely = |text: &str| CompletionEvent::Local(LocalEvent::LogProbs(vec![token(text)]));
    let delta = |part, text: &str| CompletionEvent::Delta { part, text: text.to_owned() };
    let said = [
        likely("Hm"),
        delta(PartKind::Reasoning, "Hm"),
        likely("Fo"),
        likely("ur"),
        delta(PartKind::Text, "Four"),
        likely("."),
        CompletionEvent::Finish(FinishReason::Stop),
    ];
    let mut events = ChunkEvents::new(encoder(false));
    let (mut out, mut collector) = (BytesMut::new(), Collector::default());
    events.begin(&mut out);
    for event in said {
        events.event(&mut out, event.clone());
        collector.push(event);
    }
    let mut text = String::from_utf8(out.to_vec()).unwrap();
    text.push_str(
        &String::from_utf8(collector.to_json(Form::Chat, "chatcmpl-1", "m", Timestamp::from_millis(0))).unwrap(),
    );
    snapshot("outward", "logprobs", &text);
}

#[test]
fn the_older_protocol_has_text_alone() {
    let encoder = ChunkEncoder::new(Form::Text, "cmpl-1", "m", Timestamp::from_millis(1_767_225_600_000), true);
    let mut out = BytesMut::from(encoder.start());
    encoder.append_delta(&mut out, PartKind::Reasoning, "Hm.");
    encoder.append_delta(&mut out, PartKind::Text, "\"Four\".");
    encoder.append_call(&mut out, 0, &call());
    out.extend(encoder.finish(FinishReason::Stop));
    out.extend(encoder.usage(USAGE).unwrap_or_default());
    out.extend(ChunkEncoder::done());
    let mut text = String::from_utf8(out.to_vec()).unwrap();
    let mut collector = Collector::default();
    for event in [
        CompletionEvent::Delta { part: PartKind::Text, text: "Four".to_owned() },
        CompletionEvent::Usage(USAGE),
        CompletionEvent::Finish(FinishReason::Length),
    ] {
        collector.push(event);
    }
    text.extend(String::from_utf8(collector.to_json(Form::Text, "cmpl-1", "m", Timestamp::from_millis(0))));
    snapshot("outward", "text", &text);
}

#[test]
fn the_model_list_is_written_as_openai_writes_it() {
    let created = Timestamp::from_millis(1_767_225_600_000);
    let models = [
        ListedModel { id: "local/smollm2:135m", created, owned_by: "local" },
        ListedModel { id: "router/meta/llama-3", created, owned_by: "router" },
    ];
    let value: Value = serde_json::from_slice(&encode_models(models)).unwrap();
    snapshot("outward", "models", &serde_json::to_string_pretty(&value).unwrap());
}

#[test]
fn failures_have_openais_shape_and_tell_no_secrets() {
    let mut text = String::new();
    for error in [
        CompletionError::Unreachable { detail: "no connection to 10.0.0.5:8080".to_owned() },
        CompletionError::AddressRefused { authority: "10.0.0.5:8080".to_owned() },
        CompletionError::Refused { status: 401, detail: "Incorrect API key".to_owned(), retry_after: None },
        CompletionError::Refused { status: 400, detail: "bad parameter".to_owned(), retry_after: None },
        CompletionError::Refused {
            status: 429,
            detail: "slow down".to_owned(),
            retry_after: Some(Duration::from_secs(7)),
        },
        CompletionError::Refused { status: 503, detail: "overloaded".to_owned(), retry_after: None },
        CompletionError::Protocol { detail: "not JSON".to_owned() },
        CompletionError::CutOff,
        CompletionError::TimedOut {
            step: stoa_model::completion::TimedStep::FirstToken,
            after: Duration::from_mins(5),
        },
        CompletionError::TooLong { prompt_tokens: 10_000, context_window: 8_192 },
        CompletionError::UnknownModel { model: "slug/m".to_owned() },
        CompletionError::Invalid { detail: "the model takes no `seed`".to_owned() },
        CompletionError::TooMany { waiting: 32, retry_after: Duration::from_secs(2) },
        CompletionError::Busy { retry_after: Duration::from_secs(2) },
        CompletionError::NoRoom { needed_bytes: 5 << 30, room_bytes: 3_300_000_000 },
        CompletionError::WorkerFailed { detail: "killed".to_owned() },
    ] {
        let shown = ApiError::from(&error);
        let body = String::from_utf8(shown.to_json()).unwrap();
        assert!(!body.contains("10.0.0.5"), "{body}");
        writeln!(text, "{} {:?} {body}", shown.status.as_u16(), shown.retry_after).unwrap();
    }
    snapshot("outward", "failures", &text);
    assert_eq!(
        ChunkEncoder::error(&ApiError::unauthorized("No.")),
        "data: {\"error\":{\"message\":\"No.\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"invalid_api_key\"}}\n\n"
    );
}

proptest! {
    #[test]
    fn any_text_survives_the_wire(text in "\\PC{0,60}|[\\x00-\\x1f\"\\\\a]{0,20}", size in 1_usize..20) {
        let encoder = encoder(false);
        let mut out = BytesMut::from(encoder.delta(PartKind::Text, &text));
        out.extend(encoder.finish(FinishReason::Stop));
        out.extend(ChunkEncoder::done());
        let (mut reading, mut events) = (Reading::new(ProviderKind::Openai, false), VecDeque::new());
        for piece in out.chunks(size) {
            reading.push(piece, &mut events).unwrap();
        }
        let events: Vec<CompletionEvent> = events.into();
        prop_assert_eq!(joined(&events).0, text);
        prop_assert!(reading.is_over());
    }

    #[test]
    fn any_answer_is_survived(pieces in prop::collection::vec("data: |\\{\"choices\":\\[\\{\"delta\":\\{\"content\":|\"<think>|\\}\\]|\\}|\"error\":|null|\\[DONE\\]|\n\n|\\PC{0,4}", 0..30), size in 1_usize..9) {
        let answer = pieces.concat();
        let _ = interpret(answer.as_bytes(), size);
        let _ = interpret(format!("{{{answer}").as_bytes(), size);
        let _ = ChatRequest::parse(answer.as_bytes());
        for kind in ProviderKind::ALL {
            let _ = replay(kind, answer.as_bytes(), size);
        }
    }
}
