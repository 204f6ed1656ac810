//! Any text as a Jinja template of a model: it ends, within its limits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stoa_model::Timestamp;
use stoa_model::json::Json;
use stoa_models::protocol::MAX_PROMPT_BYTES;
use stoa_models::template::{Capabilities, ChatTemplate, Role, TemplateInput, TemplateMessage, TemplateToolCall};

fn input() -> TemplateInput {
    let mut answer = TemplateMessage::new(Role::Assistant, "");
    answer.tool_calls.push(TemplateToolCall {
        id: "call_1".to_owned(),
        name: "weather".to_owned(),
        arguments: Json::parse(r#"{"place":"Ulm"}"#).unwrap_or_default(),
    });
    TemplateInput {
        messages: vec![
            TemplateMessage::new(Role::System, "Be brief."),
            TemplateMessage::new(Role::User, "How is it in Ulm? é"),
            answer,
            TemplateMessage::new(Role::Tool, "rain"),
        ],
        tools: vec![Json::parse(r#"{"type":"function","function":{"name":"weather"}}"#).unwrap_or_default()],
        ..TemplateInput::default()
    }
}

fuzz_target!(|source: &str| {
    let _ = Capabilities::of_jinja(source);
    let Ok(template) = ChatTemplate::new(source.to_owned(), "<s>".to_owned(), "</s>".to_owned()) else { return };
    if let Ok(prompt) = template.render_input(&input(), Timestamp::from_millis(0)) {
        assert!(prompt.len() <= MAX_PROMPT_BYTES);
    }
});
