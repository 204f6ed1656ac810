//! Answers that must have a form: JSON by a schema, and calls of tools. And templates that come with a request.

use stoa_model::completion::{CompletionError, CompletionRequest, FinishReason, PromptMessage, PromptRole};
use stoa_model::format::Format;
use stoa_model::json::Json;
use stoa_model::tools::{ToolCall, ToolChoice, Tools};

use crate::support::{House, options, request, user};

const PERSON: &str = r#"{"type":"object","properties":{"name":{"type":"string","maxLength":20},"age":{"type":"integer","minimum":0,"maximum":150},"likes":{"type":"array","items":{"enum":["sea","hills"]},"maxItems":3}},"required":["name","age","likes"],"additionalProperties":false}"#;

/// A template of Ollama's kind that tells the model of tools, as SmolLM's own does not.
const WITH_TOOLS: &str = "{{ if .Tools }}<|im_start|>system\nTools: {{ .Tools }}<|im_end|>\n{{ end }}{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}{{ range .ToolCalls }}<tool_call>{{ json .Function }}</tool_call>{{ end }}<|im_end|>\n{{ end }}<|im_start|>assistant\n";

const TOOLS: [&str; 2] = [
    r#"{"type":"function","function":{"name":"weather","description":"Tells the weather","parameters":{"type":"object","properties":{"city":{"type":"string","maxLength":24}},"required":["city"],"additionalProperties":false}}}"#,
    r#"{"type":"function","function":{"name":"clock","parameters":{"type":"object","properties":{"zone":{"enum":["UTC","CET"]}},"required":["zone"],"additionalProperties":false}}}"#,
];

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

fn formed(text: &str, schema: &str) -> CompletionRequest {
    let mut asked = request(text);
    asked.form.format = Some(Format::of_schema(json(schema), true).unwrap());
    asked.parameters.max_tokens = Some(200);
    asked
}

fn calling(choice: ToolChoice) -> CompletionRequest {
    let mut asked = request("What is the weather in Oslo?");
    asked.local.template = Some(WITH_TOOLS.to_owned());
    asked.form.tools = Tools { offered: TOOLS.map(json).to_vec(), choice, one_call: false };
    asked.parameters.max_tokens = Some(200);
    asked
}

fn assert_person(text: &str) {
    let person = json(text);
    let Json::Object(entries) = &person else { panic!("{text}") };
    assert_eq!(entries.keys().collect::<Vec<_>>(), ["name", "age", "likes"], "the order of the schema: {text}");
    assert!(person.get("name").and_then(Json::as_text).is_some_and(|name| name.chars().count() <= 20), "{text}");
    assert!(
        matches!(person.get("age"), Some(Json::Number(age)) if age.as_u64().is_some_and(|age| age <= 150)),
        "{text}"
    );
    let Some(Json::Array(likes)) = person.get("likes") else { panic!("{text}") };
    assert!(likes.len() <= 3 && likes.iter().all(|one| matches!(one.as_text(), Some("sea" | "hills"))), "{text}");
}

#[tokio::test]
async fn an_answer_keeps_to_its_schema_however_it_is_chosen() {
    let house = House::new(options());
    for (seed, temperature, penalty) in [(1, 0.0, None), (2, 1.0, None), (3, 2.0, None), (4, 2.0, Some(1.3))] {
        let mut asked = formed("Describe a person.", PERSON);
        asked.seed = Some(seed);
        asked.parameters.temperature = Some(temperature);
        asked.local.repeat_penalty = penalty;
        let answer = house.ask(asked).await.unwrap();
        assert_eq!(answer.finish, Some(FinishReason::Stop), "{answer:?}");
        assert_person(&answer.text);
    }
}

#[tokio::test]
async fn answers_with_and_without_a_form_run_side_by_side() {
    let house = House::new(options());
    let free = {
        let mut free = request("Count from one to twenty.");
        (free.seed, free.tenant) = (None, Some(user()));
        free
    };
    let formed = {
        let mut formed = formed("Describe a person.", PERSON);
        (formed.seed, formed.tenant) = (None, Some(user()));
        formed
    };
    let (one, other, third) = tokio::join!(house.ask(free), house.ask(formed.clone()), house.ask(formed));
    assert!(!one.unwrap().text.is_empty());
    assert_person(&other.unwrap().text);
    assert_person(&third.unwrap().text);
}

#[tokio::test]
async fn what_is_too_much_to_keep_to_is_refused_and_the_worker_goes_on() {
    let house = House::new(options());
    // A rule that is not kept to, a reference to elsewhere, and what nothing can be.
    for schema in [
        r#"{"type":"object","properties":{"a":{"not":{"type":"string"}}}}"#,
        r#"{"$ref":"http://127.0.0.1:1/schema.json"}"#,
        r#"{"allOf":[{"type":"string"},{"type":"integer"}]}"#,
    ] {
        let refused = house.ask(formed("Go.", schema)).await;
        assert!(matches!(refused, Err(CompletionError::Invalid { .. })), "{schema:.60}: {refused:?}");
    }
    // A million states are not made before they are needed, and a schema that has itself inside goes as deep as it must.
    let deep = r##"{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"],"additionalProperties":false}"##;
    for schema in [r#"{"type":"string","pattern":"^(([a-f]|[b-g]){1000}){1000}$"}"#, deep] {
        let answer = house.ask(formed("Go.", schema)).await;
        let harmless = match &answer {
            Ok(answer) => answer.finish == Some(FinishReason::Length),
            Err(error) => matches!(error, CompletionError::Invalid { .. }),
        };
        assert!(harmless, "{answer:?}");
    }
    assert_person(&house.ask(formed("Describe a person.", PERSON)).await.unwrap().text);
    assert_eq!(house.runtime.status().lanes[0].failures, 0);
}

#[tokio::test]
async fn the_form_begins_behind_what_the_model_thinks() {
    let house = House::new(options());
    let mut asked = formed(
        "",
        r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}"#,
    );
    asked.messages.clear();
    let turn = |n: u32| format!("Q: {n}\n<think>\nfine\n</think>\n{{\"n\":{n}}}\n\n");
    asked.local.prompt = Some(format!("{}{}{}{}Q: 5\n<think>", turn(1), turn(2), turn(3), turn(4)));
    let answer = house.ask(asked).await.unwrap();
    assert_eq!(answer.reasoning.trim(), "fine", "{answer:?}");
    assert!(json(&answer.text).get("n").is_some(), "{answer:?}");
    assert!(answer.usage.unwrap().reasoning_tokens > 0);
}

#[tokio::test]
async fn a_call_that_is_required_is_made() {
    let house = House::new(options());
    for (seed, temperature) in [(1, 0.0), (2, 1.5), (3, 2.0)] {
        for (choice, names) in
            [(ToolChoice::Required, &["weather", "clock"][..]), (ToolChoice::Named("clock".to_owned()), &["clock"])]
        {
            let mut asked = calling(choice.clone());
            asked.seed = Some(seed);
            asked.parameters.temperature = Some(temperature);
            let answer = house.ask(asked).await.unwrap();
            assert_eq!((answer.finish, answer.text.as_str()), (Some(FinishReason::ToolCalls), ""), "{answer:?}");
            let [ToolCall { id, name, arguments }] = answer.calls.as_slice() else { panic!("{answer:?}") };
            assert!(names.contains(&name.as_str()) && id.starts_with("call_"), "{answer:?}");
            let wanted = if name == "weather" { "city" } else { "zone" };
            assert!(json(arguments).get(wanted).and_then(Json::as_text).is_some(), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_call_that_the_model_writes_by_itself_is_found() {
    let house = House::new(options());
    let mut asked = calling(ToolChoice::Auto);
    // What came before makes even a small model do it again.
    let call = |city: &str| ToolCall {
        id: "call_1".to_owned(),
        name: "weather".to_owned(),
        arguments: format!(r#"{{"city":"{city}"}}"#),
    };
    let turn = |city: &str| {
        [
            PromptMessage::new(PromptRole::User, format!("What is the weather in {city}?")),
            PromptMessage { role: PromptRole::Assistant, tool_calls: vec![call(city)], ..PromptMessage::default() },
            PromptMessage {
                tool_call_id: Some("call_1".to_owned()),
                tool_name: Some("weather".to_owned()),
                ..PromptMessage::new(PromptRole::Tool, "fine")
            },
        ]
    };
    asked.messages.splice(0..0, ["Rome", "Paris", "Cairo", "Delhi"].into_iter().flat_map(turn));
    let answer = house.ask(asked).await.unwrap();
    assert_eq!(answer.finish, Some(FinishReason::ToolCalls), "{answer:?}");
    assert!(answer.calls.iter().any(|call| call.name == "weather"), "{answer:?}");
}

#[tokio::test]
async fn what_a_template_does_not_know_is_refused() {
    let house = House::new(options());
    let mut tools = calling(ToolChoice::Auto);
    tools.local.template = None;
    let mut suffix = request("def f():");
    suffix.local.suffix = Some("return 1".to_owned());
    let mut think = request("Hi");
    think.form.think = Some(stoa_model::think::Think::On);
    for (asked, what) in [(tools, "tools"), (suffix, "insert"), (think, "thinking")] {
        let Err(CompletionError::Invalid { detail }) = house.ask(asked).await else { panic!("{what}") };
        assert!(detail.ends_with(&format!("does not support {what}")), "{detail}");
    }
    assert!(house.runtime.status().lanes.is_empty(), "nothing was loaded for it");
}

#[tokio::test]
async fn a_gap_is_filled_by_a_template_that_knows_it() {
    let house = House::new(options());
    let mut asked = request("The capital of France is");
    asked.local.template = Some("{{ .Prompt }}{{ if .Suffix }} ({{ .Suffix }}){{ end }}: the city of".to_owned());
    asked.local.suffix = Some("not Lyon".to_owned());
    asked.parameters.max_tokens = Some(4);
    let answer = house.ask(asked).await.unwrap();
    let mut by_hand = request("");
    by_hand.messages.clear();
    by_hand.local.prompt = Some("The capital of France is (not Lyon): the city of".to_owned());
    by_hand.parameters.max_tokens = Some(4);
    assert_eq!(answer, house.ask(by_hand).await.unwrap());
}
