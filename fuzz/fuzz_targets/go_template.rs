//! Any text as a template layer of Ollama: it ends, within its limits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stoa_model::Timestamp;
use stoa_model::json::Json;
use stoa_models::protocol::MAX_PROMPT_BYTES;
use stoa_models::template::go::GoTemplate;
use stoa_models::template::{Role, TemplateInput, TemplateMessage};

fuzz_target!(|source: &str| {
    let Ok(template) = GoTemplate::new(source) else { return };
    let input = TemplateInput {
        messages: vec![
            TemplateMessage::new(Role::System, "Be brief."),
            TemplateMessage::new(Role::User, "Hi"),
            TemplateMessage::new(Role::Assistant, "Ho"),
            TemplateMessage::new(Role::User, "How is it in Ulm? é"),
        ],
        tools: vec![Json::parse(r#"{"type":"function","function":{"name":"weather"}}"#).unwrap_or_default()],
        ..TemplateInput::default()
    };
    for suffix in ["", "}"] {
        let input = TemplateInput { suffix: suffix.to_owned(), ..input.clone() };
        if let Ok(prompt) = template.render(&input, Timestamp::from_millis(0)) {
            assert!(prompt.len() <= MAX_PROMPT_BYTES);
        }
    }
});
