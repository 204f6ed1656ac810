//! A conversation as Markdown, message by message.

use stoa_model::conversation::{Message, MessageRole, Part};

/// What stands above the messages.
pub fn front(title: &str) -> String {
    let title = if title.is_empty() { "Conversation".to_owned() } else { escaped(title) };
    format!("# {title}\n")
}

/// One message under a heading that says whose it is. `you` is what its owner is called.
pub fn message(message: &Message, you: &str) -> String {
    let who = match message.role {
        MessageRole::User => escaped(you),
        MessageRole::System => "System".to_owned(),
        MessageRole::Assistant => {
            escaped(message.stand_in.as_deref().or(message.model.as_deref()).unwrap_or("Assistant"))
        }
    };
    let mut text = format!("\n## {who}\n\n*{}*\n", &message.created_at.to_string());
    for part in &message.parts {
        match part {
            Part::Text { text: said } => {
                text.push('\n');
                text.push_str(said.trim_end());
                text.push('\n');
            }
            // As a quotation, so that it is told apart from the answer.
            Part::Reasoning { text: thought, .. } => {
                text.push('\n');
                for line in thought.trim_end().lines() {
                    text.push_str("> ");
                    text.push_str(line);
                    text.push('\n');
                }
            }
            Part::Image { name, .. } => {
                text.push_str("\n*[");
                text.push_str(&escaped(name));
                text.push_str("]*\n");
            }
        }
    }
    if let Some(error) = &message.error {
        text.push_str("\n*");
        text.push_str(&escaped(&error.detail));
        text.push_str("*\n");
    }
    text
}

/// Text that is not to be taken for Markdown.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            out.push(' ');
            continue;
        }
        if matches!(letter, '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '~') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use stoa_model::conversation::MessageStatus;
    use stoa_model::{ConversationId, MessageId, Timestamp};

    use super::*;

    fn said(role: MessageRole, parts: Vec<Part>) -> Message {
        let now = Timestamp::from_millis(1_767_225_600_000);
        Message {
            id: MessageId::generate(now),
            conversation_id: ConversationId::generate(now),
            parent_id: None,
            role,
            parts,
            status: MessageStatus::Complete,
            finish_reason: None,
            model: Some("mock/a_b".to_owned()),
            stand_in: None,
            parameters: None,
            generation_id: None,
            usage: None,
            timings: None,
            error: None,
            translation: None,
            summary: None,
            siblings: Vec::new(),
            created_at: now,
        }
    }

    #[test]
    fn what_was_said_stays_markdown_and_names_do_not_become_it() {
        assert_eq!(front("Tea *and* #1\n"), "# Tea \\*and\\* \\#1 \n");
        let text = Part::Text { text: "A **bold** word.\n\n".to_owned() };
        let thought = Part::Reasoning { text: "Hm.\nWell.".to_owned(), duration_ms: 1 };
        assert_eq!(
            message(&said(MessageRole::Assistant, vec![thought, text.clone()]), "Ada"),
            "\n## mock/a\\_b\n\n*2026-01-01T00:00:00Z*\n\n> Hm.\n> Well.\n\nA **bold** word.\n"
        );
        assert_eq!(
            message(&said(MessageRole::User, vec![text]), "Ada <b>"),
            "\n## Ada \\<b\\>\n\n*2026-01-01T00:00:00Z*\n\nA **bold** word.\n"
        );
    }
}
