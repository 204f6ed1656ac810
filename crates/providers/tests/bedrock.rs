//! Bedrock's keys, signatures and regions, against a server that checks them.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]

#[path = "support/asked.rs"]
mod asked;

use std::sync::Arc;

use futures_util::StreamExt as _;
use serde_json::json;
use stoa_egress::{Allowances, Authority, Egress, EgressOptions};
use stoa_mock_openai::{Mock, MockServer};
use stoa_model::completion::{
    CompletionError, CompletionEvent, CompletionRequest, FinishReason, PartKind, Upstream, Usage,
};
use stoa_model::json::Json;
use stoa_model::provider::ProviderKind;
use stoa_model::think::Think;
use stoa_model::tools::ToolChoice;
use stoa_providers::{Provider, Settings};

use asked::request;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const OF_A_SESSION: &str =
    "ASIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY:IQoJb3JpZ2luX2VjEXAMPLE//token==";

fn provider(server: &MockServer, behind: &str, key: &str) -> Arc<Provider> {
    let allowed: Authority = server.address().to_string().parse().unwrap();
    let options = EgressOptions { allowances: Arc::new(Allowances::new([allowed])), ..EgressOptions::default() };
    let base_url = format!("http://{}{behind}", server.address());
    let settings = Settings::parse(ProviderKind::Bedrock, &base_url, key).unwrap();
    Provider::new(Egress::new(options).unwrap(), settings)
}

async fn ask(provider: &Arc<Provider>, request: CompletionRequest) -> Result<String, CompletionError> {
    let mut stream = Arc::clone(provider).open(request).await?;
    let mut text = String::new();
    while let Some(event) = stream.next().await {
        if let CompletionEvent::Delta { part: PartKind::Text, text: delta } = event? {
            text.push_str(&delta);
        }
    }
    Ok(text)
}

#[tokio::test]
async fn requests_are_signed_for_the_region_that_the_base_url_names() {
    for key in [KEY, OF_A_SESSION] {
        let server = Mock::default().key(key).serve().await.unwrap();
        let provider = provider(&server, "/some/way?region=eu-west-1", key);
        // Names with a colon and a slash are signed in another form than they are sent in.
        for model in ["echo", "arn:aws:bedrock:eu-west-1:1:inference-profile/echo"] {
            assert_eq!(ask(&provider, request(model, "hello")).await.as_deref(), Ok("hello"), "{model}");
        }
        let names: Vec<_> = provider.list_models().await.unwrap().into_iter().map(|model| model.name).collect();
        assert!(names.contains(&"echo".to_owned()) && names.contains(&"us.mock.echo".to_owned()), "{names:?}");
        for told in server.requests() {
            let header = |name: &str| told.headers.get(name).and_then(serde_json::Value::as_str);
            let authorization = header("authorization").unwrap();
            assert!(authorization.contains("/eu-west-1/bedrock/aws4_request"), "{authorization}");
            assert!(told.path.starts_with("/some/way/") && !told.path.contains("region="), "{}", told.path);
            assert_eq!(header("x-amz-security-token"), key.splitn(3, ':').nth(2));
            assert!(!authorization.contains("wJalr"));
        }
    }
}

#[tokio::test]
async fn a_wrong_secret_is_refused() {
    let server = Mock::default().key(KEY).serve().await.unwrap();
    for key in
        ["AKIAIOSFODNN7EXAMPLE:another", "AKIAIOSFODNN7ANOTHER:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "ABSKplain"]
    {
        let error = ask(&provider(&server, "?region=eu-west-1", key), request("echo", "hello")).await.unwrap_err();
        assert!(matches!(error, CompletionError::Refused { status: 401, .. }), "{key}: {error}");
    }
    let unsigned = ask(&provider(&server, "?region=eu-west-1", ""), request("echo", "hello")).await.unwrap_err();
    assert!(matches!(unsigned, CompletionError::Refused { status: 401, .. }), "{unsigned}");
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent() {
    let server = Mock::default().key(KEY).serve().await.unwrap();
    for (behind, key, word) in [
        ("", KEY, "region"),
        ("?region=EU/west", KEY, "region"),
        ("?region=eu-west-1", "AKIAIOSFODNN7EXAMPLE", "SECRET"),
        ("?region=eu-west-1", "ASIAIOSFODNN7EXAMPLE:secret", "SESSION_TOKEN"),
    ] {
        let provider = provider(&server, behind, key);
        for error in [ask(&provider, request("echo", "hello")).await.err(), provider.list_models().await.err()] {
            match error {
                Some(CompletionError::Invalid { detail }) => assert!(detail.contains(word), "{detail}"),
                other => panic!("{behind} {key}: {other:?}"),
            }
        }
    }
    assert_eq!(server.counts().received, 0);
}

#[tokio::test]
async fn a_key_of_bedrocks_own_needs_no_region() {
    let server = Mock::default().key("ABSKexample==").serve().await.unwrap();
    let provider = provider(&server, "", "ABSKexample==");
    assert_eq!(ask(&provider, request("echo", "hello")).await.as_deref(), Ok("hello"));
}

#[tokio::test]
async fn parts_of_a_key_are_not_shown_in_what_the_provider_says() {
    // The mock echoes the model that it does not know.
    let server = Mock::default().serve().await.unwrap();
    let token = OF_A_SESSION.splitn(3, ':').nth(2).unwrap().replace('/', "-");
    let key = format!("ASIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI+K7MDENG+bPxRfiCYEXAMPLEKEY:{token}");
    let error = ask(&provider(&server, "?region=eu-west-1", &key), request(&token, "hello")).await.unwrap_err();
    let shown = error.to_string();
    assert!(matches!(error, CompletionError::Refused { status: 404, .. }), "{shown}");
    assert!(shown.contains('…') && !shown.contains(&token), "{shown}");
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let server = Mock::default().serve().await.unwrap();
    let mut answer = provider(&server, "", "").open(request("reasoning;whole=true", "hello")).await.unwrap();
    let (mut text, mut thought, mut end) = (String::new(), String::new(), Vec::new());
    while let Some(event) = answer.next().await {
        match event.unwrap() {
            CompletionEvent::Delta { part: PartKind::Text, text: delta } => text.push_str(&delta),
            CompletionEvent::Delta { part: PartKind::Reasoning, text: delta } => thought.push_str(&delta),
            event => end.push(event),
        }
    }
    assert_eq!((text.as_str(), thought.split_whitespace().count()), ("hello", 24));
    let usage = Usage { prompt_tokens: 1, completion_tokens: 25, ..Usage::default() };
    assert_eq!(end, [CompletionEvent::Usage(usage), CompletionEvent::Finish(FinishReason::Stop)]);
}

#[tokio::test]
async fn each_family_of_models_is_told_in_its_own_words_how_hard_to_think() {
    let server = Mock::default().serve().await.unwrap();
    let provider = provider(&server, "", "");
    for (model, think, fields, effort) in [
        (
            "anthropic.claude-3-7-sonnet-20250219-v1:0",
            Think::Low,
            json!({"thinking": {"type": "enabled", "budget_tokens": 2_048}}),
            json!(null),
        ),
        ("eu.anthropic.claude-opus-4-6-v1:0", Think::High, json!({"thinking": {"type": "adaptive"}}), json!("high")),
        (
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            Think::Off,
            json!({"thinking": {"type": "disabled"}}),
            json!(null),
        ),
        ("openai.gpt-oss-120b-1:0", Think::Max, json!({"reasoning_effort": "high"}), json!(null)),
    ] {
        let mut asked = request(&format!("{model}/echo"), "hello");
        asked.form.think = Some(think);
        assert_eq!(ask(&provider, asked).await.as_deref(), Ok("hello"), "{model}");
        let body = server.requests().last().unwrap().body.clone();
        assert_eq!(body["additionalModelRequestFields"], fields, "{model}");
        assert_eq!(body["outputConfig"]["effort"], effort, "{model}");
    }
}

#[tokio::test]
async fn whether_a_tool_must_be_called_is_said_in_bedrocks_words() {
    let server = Mock::default().serve().await.unwrap();
    let provider = provider(&server, "", "");
    let look = Json::parse(r#"{"type":"function","function":{"name":"look","description":"","strict":true}}"#).unwrap();
    let spec = json!({"name": "look", "inputSchema": {"json": {"type": "object", "properties": {}}}, "strict": true});
    let tools = json!([{"toolSpec": spec}]);
    for (choice, expected) in [
        (ToolChoice::Auto, json!({"tools": tools})),
        (ToolChoice::Required, json!({"tools": tools, "toolChoice": {"any": {}}})),
        (ToolChoice::Named("look".to_owned()), json!({"tools": tools, "toolChoice": {"tool": {"name": "look"}}})),
        // What is not offered cannot be called.
        (ToolChoice::None, json!(null)),
    ] {
        let mut asked = request("echo", "hello");
        asked.form.tools.offered = vec![look.clone()];
        asked.form.tools.choice = choice;
        assert_eq!(ask(&provider, asked).await.as_deref(), Ok("hello"));
        assert_eq!(server.requests().last().unwrap().body["toolConfig"], expected);
    }
}
