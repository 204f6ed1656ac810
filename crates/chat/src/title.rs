//! Titles: the first line of the first message at once, a better one from the model when the first answer is there.

use std::time::Duration;

use stoa_model::Principal;
use stoa_model::completion::{Parameters, PromptMessage, PromptRole};
use stoa_model::conversation::{Message, MessageRole, Part};
use stoa_storage::TurnIds;

use crate::ask::{Question, ask};
use crate::engine::Engine;

const LONGEST: usize = 60;
const MOST_WORDS: usize = 10;
/// What is read of what a model says for a title.
const LONGEST_BYTES: usize = 1_000;
/// How much of the first exchange the model sees, in characters of each side.
const EXCERPT: usize = 1_000;
/// Of a conversation that has just begun.
pub(crate) const MESSAGES: u32 = 2;

const ASK: &str = "Write a title of two to six words for this conversation, in its own language. \
    Answer with the title only: no quotes, no full stop, no explanation.";

/// A title from the words of the first message.
pub(crate) fn from_first_message(parts: &[Part]) -> String {
    let text: String = parts.iter().map(Part::text).collect();
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let clean: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    shorten(clean.trim_start_matches(['#', '>', '-', '*', ' ']).trim())
}

/// Asks the model of the turn for a title. What is no title is left aside, and the first line stays.
pub(crate) async fn suggest(engine: &Engine, principal: &Principal, turn: &TurnIds, answer: &[Part]) {
    if !engine.options().titles {
        return;
    }
    // What a thread has from its conversation is not what it is about.
    let own = turn.history.messages.iter().filter(|message| message.conversation_id == turn.conversation);
    let said =
        own.filter(|message| message.role == MessageRole::User).map(|message| (message.role, &message.parts[..]));
    let question = Question {
        model: &turn.model,
        messages: asking(said.chain([(MessageRole::Assistant, answer)])),
        parameters: parameters(),
        format: None,
        within: Duration::from_mins(2),
        bytes: LONGEST_BYTES,
    };
    let written = ask(engine, principal, question).await.ok();
    let Some(title) = written.as_deref().and_then(clean) else { return };
    if let Err(error) = engine.database().suggest_title(principal, turn.conversation, &title).await {
        tracing::debug!(%error, "a suggested title was not kept");
    }
}

/// What a model is asked for the title of what was said.
pub(crate) fn question(said: &[Message]) -> Vec<PromptMessage> {
    asking(said.iter().map(|message| (message.role, &message.parts[..])))
}

pub(crate) fn parameters() -> Parameters {
    Parameters { temperature: Some(0.2), max_tokens: Some(32), ..Parameters::default() }
}

fn asking<'a>(said: impl Iterator<Item = (MessageRole, &'a [Part])>) -> Vec<PromptMessage> {
    let excerpt = |(role, parts): (MessageRole, &'a [Part])| {
        let who = if role == MessageRole::User { "User" } else { "Assistant" };
        format!("{who}: {}\n\n", words(parts).chars().take(EXCERPT).collect::<String>())
    };
    let mut exchange: String = said.map(excerpt).collect();
    exchange.push_str(ASK);
    vec![PromptMessage::new(PromptRole::User, exchange)]
}

/// What a message says; the names of its pictures where it says nothing.
pub(crate) fn words(parts: &[Part]) -> String {
    let text: String = parts.iter().filter(|part| part.is_text()).map(Part::text).collect();
    if !text.trim().is_empty() {
        return text;
    }
    let names = parts.iter().filter_map(|part| match part {
        Part::Image { name, .. } => Some(name.as_str()),
        _ => None,
    });
    names.collect::<Vec<_>>().join(", ")
}

/// What a model wrote, when it is a title.
pub(crate) fn clean(written: &str) -> Option<String> {
    let line = written.trim().lines().next()?.trim();
    let line = line.trim_start_matches("Title:").trim();
    let line = line.trim_matches(['"', '\'', '“', '”', '「', '」', '《', '》', '*', '#', '.', '。', ' ']);
    let fits = !line.is_empty()
        && line.chars().count() <= LONGEST
        && line.split_whitespace().count() <= MOST_WORDS
        && !line.chars().any(char::is_control)
        // It has gone on answering instead.
        && !line.contains("```");
    fits.then(|| line.to_owned())
}

fn shorten(line: &str) -> String {
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    let cut: String = line.chars().take(LONGEST - 1).collect();
    let whole_words = cut.rfind(' ').filter(|at| *at > LONGEST / 2).map_or(cut.as_str(), |at| &cut[..at]);
    format!("{}…", whole_words.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_title_until_a_better_one_comes() {
        let title = |text: &str| from_first_message(&[Part::Text { text: text.to_owned() }]);
        assert_eq!(title("\n  ## Plan the release\nmore"), "Plan the release");
        assert_eq!(title("   "), "");
        let long = title(&"word ".repeat(40));
        assert!(long.ends_with("word…") && long.chars().count() <= LONGEST, "{long}");
        assert_eq!(title(&"字".repeat(80)).chars().count(), LONGEST);
    }

    #[test]
    fn a_picture_without_words_is_known_by_its_name() {
        let file_id = stoa_model::FileId::generate(stoa_model::Timestamp::from_millis(1));
        let picture = Part::Image { file_id, name: "cat.png".to_owned(), width: 1, height: 1 };
        let said = Part::Text { text: "Hello".to_owned() };
        let thought = Part::Reasoning { text: "hm".to_owned(), duration_ms: 1 };
        assert_eq!(words(&[picture.clone(), said]), "Hello");
        assert_eq!(words(&[thought, picture]), "cat.png");
    }

    #[test]
    fn only_a_title_is_taken_for_one() {
        assert_eq!(clean("\"Release notes\"\n").as_deref(), Some("Release notes"));
        assert_eq!(clean("Title: 合同条款翻译。").as_deref(), Some("合同条款翻译"));
        assert_eq!(clean("I would be happy to help you with a title for this conversation about notes"), None);
        assert_eq!(clean("```python\nprint()\n```"), None);
        assert_eq!(clean("  "), None);
    }
}
