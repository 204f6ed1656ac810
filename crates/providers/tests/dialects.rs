//! The real client against a real server in every protocol that it speaks.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

#[path = "support/asked.rs"]
mod asked;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use stoa_egress::{Allowances, Authority, Egress, EgressOptions};
use stoa_mock_openai::{Mock, MockServer};
use stoa_model::completion::{
    CompletionError, CompletionEvent, CompletionRequest, FinishReason, Parameters, PartKind, PromptMessage, PromptRole,
    TimedStep, Upstream, Usage,
};
use stoa_model::format::Format;
use stoa_model::image::Image;
use stoa_model::json::Json;
use stoa_model::provider::ProviderKind;
use stoa_model::think::Think;
use stoa_model::tools::{ToolCall, ToolChoice};
use stoa_providers::{Provider, Settings};

use asked::request;

const KEY: &str = "sk-secret-key";

fn provider(kind: ProviderKind, server: &MockServer) -> Arc<Provider> {
    let allowed: Authority = server.address().to_string().parse().unwrap();
    let options = EgressOptions { allowances: Arc::new(Allowances::new([allowed])), ..EgressOptions::default() };
    let settings = Settings::parse(kind, &format!("http://{}", server.address()), KEY).unwrap();
    Provider::new(Egress::new(options).unwrap(), settings)
}

async fn mock() -> MockServer {
    Mock::default().key(KEY).serve().await.unwrap()
}

#[derive(Debug, Default, PartialEq)]
struct Answer {
    text: String,
    reasoning: String,
    calls: Vec<ToolCall>,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    error: Option<CompletionError>,
}

async fn ask(provider: &Arc<Provider>, request: CompletionRequest) -> Answer {
    let mut answer = Answer::default();
    let mut stream = match Arc::clone(provider).open(request).await {
        Ok(stream) => stream,
        Err(error) => return Answer { error: Some(error), ..answer },
    };
    while let Some(event) = stream.next().await {
        assert!(answer.finish.is_none() && answer.error.is_none(), "nothing follows the end");
        match event {
            Ok(CompletionEvent::Delta { part: PartKind::Text, text }) => answer.text.push_str(&text),
            Ok(CompletionEvent::Delta { part: PartKind::Reasoning, text }) => answer.reasoning.push_str(&text),
            Ok(CompletionEvent::Local(_)) => {}
            Ok(CompletionEvent::Usage(usage)) => answer.usage = Some(usage),
            Ok(CompletionEvent::Finish(reason)) => answer.finish = Some(reason),
            Ok(CompletionEvent::ToolCall(call)) => answer.calls.push(call),
            Err(error) => answer.error = Some(error),
        }
    }
    answer
}

fn look() -> Json {
    Json::parse(
        r#"{"type":"function","function":{"name":"look","description":"Looks","parameters":{"type":"object","properties":{"z":{"type":"integer"},"a":{"type":"integer"}}}}}"#,
    )
    .unwrap()
}

#[tokio::test]
async fn an_answer_comes_with_its_usage_and_its_end() {
    let server = mock().await;
    for kind in ProviderKind::ALL {
        let provider = provider(kind, &server);
        for model in ["echo", "echo;split=1", "echo;split=7"] {
            let answer = ask(&provider, request(model, "Grüße, 漢字 and\nmore")).await;
            assert_eq!(answer.text, "Grüße, 漢字 and\nmore", "{kind:?} {model}: {:?}", answer.error);
            assert_eq!(answer.finish, Some(FinishReason::Stop), "{kind:?}");
            let usage = Usage { prompt_tokens: 4, completion_tokens: 4, ..Usage::default() };
            assert_eq!(answer.usage, Some(usage), "{kind:?}");
        }
        let cut = ask(&provider, request("echo;finish=length", "hi")).await;
        assert_eq!((cut.text.as_str(), cut.finish), ("hi", Some(FinishReason::Length)), "{kind:?}");
    }
}

#[tokio::test]
async fn thoughts_are_told_apart() {
    let server = mock().await;
    for kind in ProviderKind::ALL {
        let answer = ask(&provider(kind, &server), request("reasoning", "the answer")).await;
        assert_eq!((answer.text.as_str(), answer.finish), ("the answer", Some(FinishReason::Stop)), "{kind:?}");
        assert!(answer.reasoning.starts_with("Lorem ipsum"), "{kind:?}");
        assert_eq!(answer.reasoning.split_whitespace().count(), 24, "{kind:?}");
        let usage = answer.usage.unwrap();
        assert_eq!(usage.completion_tokens, 26, "{kind:?}");
        let tells_them_apart = !matches!(kind, ProviderKind::Bedrock | ProviderKind::Ollama);
        assert_eq!(usage.reasoning_tokens, if tells_them_apart { 24 } else { 0 }, "{kind:?}");
    }
}

#[tokio::test]
async fn tools_are_offered_and_called() {
    let server = mock().await;
    for kind in ProviderKind::ALL {
        let mut asked = request("tool", "a cat");
        asked.form.tools.offered = vec![look()];
        let answer = ask(&provider(kind, &server), asked).await;
        assert_eq!(answer.finish, Some(FinishReason::ToolCalls), "{kind:?}: {:?}", answer.error);
        let [call] = &answer.calls[..] else { panic!("{kind:?}: {answer:?}") };
        assert_eq!((call.name.as_str(), call.arguments.as_str()), ("look", r#"{"said":"a cat"}"#), "{kind:?}");
        let again = {
            let mut asked = request("tool", "a cat");
            asked.form.tools.offered = vec![look()];
            ask(&provider(kind, &server), asked).await
        };
        // Where the protocol gives calls no ids, they are given ones that no other answer has.
        let given = matches!(kind, ProviderKind::Gemini | ProviderKind::Ollama);
        assert_eq!(again.calls[0].id != call.id, given, "{kind:?}: {}", call.id);
    }
}

#[tokio::test]
async fn refusals_are_told_in_the_providers_own_words() {
    let server = mock().await;
    for kind in ProviderKind::ALL {
        let provider = provider(kind, &server);
        for (model, status) in [("error-401", 401), ("error-404", 404), ("error-500", 500)] {
            match ask(&provider, request(model, "hi")).await.error {
                Some(CompletionError::Refused { status: got, detail, .. }) => {
                    assert_eq!(got, status, "{kind:?}");
                    assert!(detail.contains("told to answer"), "{kind:?}: {detail}");
                }
                other => panic!("{kind:?} {model}: {other:?}"),
            }
        }
        let busy = ask(&provider, request("error-429", "hi")).await.error;
        let wait = Some(Duration::from_secs(7));
        assert!(
            matches!(&busy, Some(CompletionError::Refused { status: 429, retry_after, .. }) if *retry_after == wait),
            "{kind:?}: {busy:?}"
        );
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_not_repeated() {
    let server = Mock::default().key("another").serve().await.unwrap();
    for kind in ProviderKind::ALL {
        let error = ask(&provider(kind, &server), request("echo", "hi")).await.error.unwrap();
        assert!(matches!(error, CompletionError::Refused { status: 401, .. }), "{kind:?}: {error}");
        assert!(!error.to_string().contains(KEY));
    }
}

#[tokio::test]
async fn what_breaks_in_the_middle_is_a_typed_error_behind_what_came() {
    let server = mock().await;
    for kind in ProviderKind::ALL {
        let provider = provider(kind, &server);
        for model in ["cut", "unfinished", "malformed", "error-midstream"] {
            let answer = ask(&provider, request(model, "hi")).await;
            assert_eq!(answer.text.split_whitespace().count(), 8, "{kind:?} {model}");
            assert_eq!(answer.finish, None, "{kind:?} {model}");
            match (model, answer.error.unwrap()) {
                ("cut" | "unfinished", CompletionError::CutOff) | ("malformed", CompletionError::Protocol { .. }) => {}
                ("error-midstream", CompletionError::Refused { status, detail, .. }) => {
                    assert!((500..=503).contains(&status) && detail.contains("had an error"), "{kind:?}: {detail}");
                }
                (_, other) => panic!("{kind:?} {model}: {other}"),
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_given_up() {
    let server = mock().await;
    for kind in ProviderKind::ALL {
        let mut asked = request("stall", "hi");
        asked.timers.idle = Duration::from_millis(300);
        let answer = ask(&provider(kind, &server), asked).await;
        let late = Some(CompletionError::TimedOut { step: TimedStep::NextToken, after: Duration::from_millis(300) });
        assert_eq!((answer.text.split_whitespace().count(), answer.error), (8, late), "{kind:?}");
    }
}

#[tokio::test]
async fn a_provider_says_what_models_it_has_and_is_tried_out() {
    let server = mock().await;
    for kind in ProviderKind::ALL {
        let provider = provider(kind, &server);
        let models = provider.list_models().await;
        if kind == ProviderKind::Azure {
            assert!(matches!(models, Err(CompletionError::Invalid { .. })), "{models:?}");
        } else {
            assert!(models.unwrap().iter().any(|model| model.name == "echo"), "{kind:?}");
        }
        let checked = provider.check(Some("echo"), request("echo", "").timers).await.unwrap();
        assert_eq!(checked.model, "echo");
        assert!(provider.check(Some("none"), request("echo", "").timers).await.is_err(), "{kind:?}");
    }
}

/// A talk with all that a request can hold, as far as the protocol takes it.
fn everything(kind: ProviderKind) -> CompletionRequest {
    let mut asked = request("echo", "");
    let call =
        |id: &str| ToolCall { id: id.to_owned(), name: "look".to_owned(), arguments: r#"{"z":1,"a":2}"#.to_owned() };
    let answered = |id: &str, text: &str| PromptMessage {
        tool_call_id: Some(id.to_owned()),
        tool_name: Some("look".to_owned()),
        ..PromptMessage::new(PromptRole::Tool, text)
    };
    let image = Image::new(&b"\x89PNG\r\n\x1a\n"[..], 4).unwrap();
    asked.messages = vec![
        PromptMessage::new(PromptRole::System, "Be brief."),
        PromptMessage { images: vec![image], ..PromptMessage::new(PromptRole::User, "See this") },
        PromptMessage {
            reasoning: Some("Hm.".to_owned()),
            tool_calls: vec![call("c1"), call("c2")],
            ..PromptMessage::new(PromptRole::Assistant, "Let me see.")
        },
        answered("c1", "A cat"),
        answered("c2", "A dog"),
        PromptMessage::new(PromptRole::User, "And?"),
        PromptMessage::new(PromptRole::Assistant, ""),
    ];
    asked.parameters =
        Parameters { temperature: Some(0.5), top_p: Some(0.9), max_tokens: Some(9_000), ..Parameters::default() };
    asked.form.tools.offered = vec![look()];
    asked.form.think = Some(Think::High);
    asked.form.format =
        Some(Format::of_schema(Json::parse(r#"{"type":"object","properties":{}}"#).unwrap(), true).unwrap());
    if kind != ProviderKind::Ollama {
        asked.form.tools.choice = ToolChoice::Named("look".to_owned());
    }
    if kind == ProviderKind::Bedrock {
        // Whose words are taken for how hard to think is told by the name. The mock hears what stands behind the slash.
        "anthropic.claude-sonnet-4-6-v1:0/echo".clone_into(&mut asked.model);
    }
    if kind != ProviderKind::Responses {
        asked.stop = vec!["END".to_owned()];
    }
    asked
}

/// What was sent, without what does not matter.
fn sent(server: &MockServer) -> String {
    let requests = server.requests();
    let last = requests.last().unwrap();
    let header = |name: &str| last.headers.get(name).map(|value| format!("{name}: {}\n", value.as_str().unwrap()));
    let headers: String = ["authorization", "x-api-key", "x-goog-api-key", "api-key", "anthropic-version"]
        .into_iter()
        .filter_map(header)
        .collect();
    format!("{} {}\n{headers}\n{}", last.method, last.path, serde_json::to_string_pretty(&last.body).unwrap())
}

#[tokio::test]
async fn the_request_says_everything_in_the_words_of_the_protocol() {
    for kind in ProviderKind::ALL {
        let server = mock().await;
        let answer = ask(&provider(kind, &server), everything(kind)).await;
        assert_eq!(answer.error, None, "{kind:?}");
        insta::with_settings!({
            snapshot_path => "golden/requests",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!(kind.as_str(), sent(&server)) });
    }
}

#[tokio::test]
async fn what_a_protocol_has_no_word_for_is_refused_by_name() {
    let server = mock().await;
    let refused = |kind, change: fn(&mut CompletionRequest), name: &'static str| {
        let provider = provider(kind, &server);
        async move {
            let mut asked = request("echo", "hi");
            change(&mut asked);
            match ask(&provider, asked).await.error {
                Some(CompletionError::Invalid { detail }) => assert!(detail.contains(name), "{kind:?}: {detail}"),
                other => panic!("{kind:?} {name}: {other:?}"),
            }
        }
    };
    for kind in [ProviderKind::Anthropic, ProviderKind::Bedrock, ProviderKind::Responses] {
        refused(kind, |asked| asked.seed = Some(1), "`seed`").await;
        refused(kind, |asked| asked.parameters.presence_penalty = Some(1.0), "`presence_penalty`").await;
    }
    for kind in [ProviderKind::Anthropic, ProviderKind::Bedrock] {
        refused(kind, |asked| asked.parameters.temperature = Some(1.5), "`temperature`").await;
        refused(kind, |asked| asked.form.format = Some(Format::Json), "without a schema").await;
    }
    refused(ProviderKind::Bedrock, |asked| asked.form.think = Some(Think::Low), "`think`").await;
    let not_to_think = |asked: &mut CompletionRequest| {
        asked.model = "openai.gpt-oss-120b-1:0".to_owned();
        asked.form.think = Some(Think::Off);
    };
    refused(ProviderKind::Bedrock, not_to_think, "`think`").await;
    let no_more_calls = |asked: &mut CompletionRequest| {
        asked.form.tools.offered = vec![look()];
        asked.form.tools.choice = ToolChoice::None;
        let call = ToolCall { id: "c".to_owned(), name: "look".to_owned(), arguments: "{}".to_owned() };
        asked.messages.push(PromptMessage { tool_calls: vec![call], ..PromptMessage::new(PromptRole::Assistant, "") });
    };
    refused(ProviderKind::Bedrock, no_more_calls, "`tool_choice: none`").await;
    let think_in_little_room = |asked: &mut CompletionRequest| {
        asked.form.think = Some(Think::High);
        asked.parameters.max_tokens = Some(100);
    };
    refused(ProviderKind::Anthropic, think_in_little_room, "`max_tokens`").await;
    refused(ProviderKind::Responses, |asked| asked.stop = vec!["x".to_owned()], "`stop`").await;
    refused(ProviderKind::Gemini, |asked| asked.seed = Some(u32::MAX), "`seed`").await;
    for kind in [ProviderKind::Bedrock, ProviderKind::Ollama, ProviderKind::Gemini] {
        let one_call = |asked: &mut CompletionRequest| {
            asked.form.tools.offered = vec![look()];
            asked.form.tools.one_call = true;
        };
        refused(kind, one_call, "`parallel_tool_calls`").await;
    }
    let required = |asked: &mut CompletionRequest| {
        asked.form.tools.offered = vec![look()];
        asked.form.tools.choice = ToolChoice::Required;
    };
    refused(ProviderKind::Ollama, required, "`tool_choice`").await;
    assert_eq!(server.counts().received, 0, "nothing of it went out");
}

#[tokio::test]
async fn a_call_whose_arguments_are_no_object_is_refused_where_they_must_be_one() {
    let server = mock().await;
    for kind in [ProviderKind::Anthropic, ProviderKind::Bedrock, ProviderKind::Gemini, ProviderKind::Ollama] {
        let mut asked = request("echo", "hi");
        let call = ToolCall { id: "c".to_owned(), name: "look".to_owned(), arguments: "{\"z\":".to_owned() };
        asked.messages.push(PromptMessage { tool_calls: vec![call], ..PromptMessage::new(PromptRole::Assistant, "") });
        let error = ask(&provider(kind, &server), asked).await.error;
        assert!(matches!(error, Some(CompletionError::Invalid { .. })), "{kind:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_thinking_model_of_anthropics_is_asked_as_its_version_wants() {
    let server = mock().await;
    let provider = provider(ProviderKind::Anthropic, &server);
    let asked = |think| {
        let mut asked = request("echo", "hi");
        asked.form.think = Some(think);
        asked
    };
    let body = |server: &MockServer| server.requests().last().unwrap().body.clone();
    ask(&provider, asked(Think::Off)).await;
    assert_eq!(body(&server)["thinking"], json!({"type": "disabled"}));
    ask(&provider, asked(Think::Low)).await;
    let told = body(&server);
    assert_eq!(told["thinking"], json!({"type": "enabled", "budget_tokens": 2_048}));
    assert_eq!(told["max_tokens"], 10_240);
    ask(&provider, asked(Think::Budget(5_000))).await;
    assert_eq!(body(&server)["thinking"], json!({"type": "enabled", "budget_tokens": 5_000}));
    let newer = CompletionRequest { model: "claude-opus-4-6".to_owned(), ..asked(Think::High) };
    ask(&provider, newer).await;
    let told = body(&server);
    assert_eq!((&told["thinking"], &told["output_config"]), (&json!({"type": "adaptive"}), &json!({"effort": "high"})));

    // In the midst of calling tools it cannot go on thinking without the thoughts that it has signed.
    let mut calling = asked(Think::High);
    let call = ToolCall { id: "c".to_owned(), name: "look".to_owned(), arguments: "{}".to_owned() };
    calling.messages.push(PromptMessage { tool_calls: vec![call], ..PromptMessage::new(PromptRole::Assistant, "") });
    let answered = PromptMessage { tool_call_id: Some("c".to_owned()), ..PromptMessage::new(PromptRole::Tool, "x") };
    calling.messages.push(answered);
    ask(&provider, calling).await;
    assert_eq!(body(&server).get("thinking"), None::<&Value>);
}
