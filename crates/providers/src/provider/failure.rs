//! What went wrong, in the words of whoever knows it: error statuses, error objects of any shape, failed connections.

use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use serde_json::Value;
use stoa_egress::{EgressError, describe};
use stoa_model::completion::{CompletionError, TimedStep};

/// The longest message taken from an upstream, in characters.
const MAX_DETAIL_CHARS: usize = 600;
/// Nobody waits longer for a provider.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);
/// A shorter part of a key is no secret of its own.
const LEAST_PART_CHARS: usize = 16;
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// What an answer with an error status says.
pub(crate) fn of_answer(status: StatusCode, headers: &HeaderMap, body: &[u8], secret: Option<&str>) -> CompletionError {
    let detail = match message_of(body) {
        Some(message) => redacted(&message, secret),
        None => status.canonical_reason().unwrap_or("no explanation").to_owned(),
    };
    if let Some((prompt_tokens, context_window)) = exceeded_context(&detail) {
        return CompletionError::TooLong { prompt_tokens, context_window };
    }
    CompletionError::Refused { status: status.as_u16(), detail, retry_after: retry_after(headers) }
}

/// What an error object in the middle of a stream says. Its code is taken for a status where it can be one.
pub(crate) fn of_object(object: &Value, secret: Option<&str>) -> CompletionError {
    let detail = message_in(object, 0).unwrap_or_else(|| object.to_string());
    let detail = redacted(&detail, secret);
    if let Some((prompt_tokens, context_window)) = exceeded_context(&detail) {
        return CompletionError::TooLong { prompt_tokens, context_window };
    }
    let inner = object.get("error").filter(|error| error.is_object()).unwrap_or(object);
    let status = ["code", "status", "status_code"]
        .iter()
        .filter_map(|key| inner.get(key).or_else(|| object.get(key)))
        .find_map(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()))
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| (400..600).contains(code))
        .unwrap_or_else(|| {
            let mut words = ["type", "code"].iter().filter_map(|key| inner.get(key).and_then(Value::as_str));
            words.find_map(|word| status_of_word(word).or_else(|| status_of_exception(word))).unwrap_or(500)
        });
    CompletionError::Refused { status, detail, retry_after: None }
}

/// The status that would have gone with an error of that type or code.
fn status_of_word(word: &str) -> Option<u16> {
    Some(match word {
        "rate_limit_error" | "rate_limit_exceeded" | "requests" | "tokens" => 429,
        "invalid_request_error" | "invalid_prompt" => 400,
        "authentication_error" => 401,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "overloaded_error" => 503,
        "timeout_error" => 504,
        _ => return None,
    })
}

/// The status that would have gone with an exception of Amazon's.
fn status_of_exception(word: &str) -> Option<u16> {
    Some(match word.to_ascii_lowercase().strip_suffix("exception")? {
        "validation" => 400,
        "accessdenied" => 403,
        "resourcenotfound" => 404,
        "modeltimeout" => 408,
        "modelerror" | "modelstreamerror" => 424,
        "throttling" | "modelnotready" => 429,
        "serviceunavailable" => 503,
        _ => return None,
    })
}

/// What a failed connection means. `started`: whether the answer had begun.
pub(crate) fn of_egress(error: EgressError, started: bool) -> CompletionError {
    match error {
        EgressError::Refused { authority, .. } => CompletionError::AddressRefused { authority },
        EgressError::ConnectTimedOut { after, .. } => CompletionError::TimedOut { step: TimedStep::Connection, after },
        EgressError::HeadTimedOut { after } => CompletionError::TimedOut { step: TimedStep::FirstToken, after },
        EgressError::IdleTimedOut { after } => CompletionError::TimedOut { step: TimedStep::NextToken, after },
        EgressError::TotalTimedOut { after } => CompletionError::TimedOut { step: TimedStep::End, after },
        EgressError::CutOff(_) if started => CompletionError::CutOff,
        EgressError::CutOff(_) => {
            CompletionError::Unreachable { detail: "the connection was closed before an answer came".to_owned() }
        }
        error @ (EgressError::TooLarge { .. } | EgressError::HeadTooLarge { .. } | EgressError::Protocol(_)) => {
            CompletionError::Protocol { detail: describe(&error) }
        }
        error => CompletionError::Unreachable { detail: describe(&error) },
    }
}

/// The message of an error body: JSON of any common shape, the title of an HTML page, or the text itself.
pub(crate) fn message_of(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        return Some(message_in(&value, 0).unwrap_or_else(|| shortened(text)));
    }
    if text.starts_with('<') {
        return Some(match html_title(text) {
            Some(title) => format!("an HTML page titled “{title}” instead of an answer"),
            None => "an HTML page instead of an answer".to_owned(),
        });
    }
    Some(shortened(text))
}

fn message_in(value: &Value, depth: usize) -> Option<String> {
    if depth > 4 {
        return None;
    }
    match value {
        Value::String(text) => Some(shortened(text)).filter(|text| !text.is_empty()),
        Value::Array(values) => values.iter().find_map(|value| message_in(value, depth + 1)),
        Value::Object(object) => ["error", "message", "msg", "detail", "details", "errors", "error_msg", "reason"]
            .iter()
            .filter_map(|key| object.get(*key))
            .find_map(|value| message_in(value, depth + 1)),
        _ => None,
    }
}

fn html_title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    Some(shortened(&text[start..end])).filter(|title| !title.is_empty())
}

/// One line without control characters, cut at a length that people read.
pub(crate) fn shortened(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|character: char| character.is_whitespace() || character.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.chars().count() > MAX_DETAIL_CHARS {
            return line.chars().take(MAX_DETAIL_CHARS).chain(['…']).collect();
        }
    }
    line
}

/// Some servers repeat the key that they refuse, or a part of one that has several.
fn redacted(text: &str, secret: Option<&str>) -> String {
    let Some(secret) = secret.filter(|secret| secret.len() >= 4) else { return text.to_owned() };
    let parts = secret.split(':').filter(|part| part.len() >= LEAST_PART_CHARS);
    parts.fold(text.replace(secret, "…"), |text, part| text.replace(part, "…"))
}

/// When to come back: seconds, a date (seen from the answer's own `Date`), or OpenAI's milliseconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let moment = |text: &str| httpdate::parse_http_date(text).ok();
    let wait = if let Some(millis) = text(&RETRY_AFTER_MS).and_then(|text| text.parse::<f64>().ok()) {
        Duration::try_from_secs_f64(millis / 1_000.0).ok()
    } else {
        let value = text(&RETRY_AFTER)?;
        if let Ok(seconds) = value.parse::<f64>() {
            Duration::try_from_secs_f64(seconds).ok()
        } else {
            let now: SystemTime = moment(text(&DATE)?)?;
            Some(moment(value)?.duration_since(now).unwrap_or_default())
        }
    };
    wait.map(|wait| wait.min(MAX_RETRY_AFTER))
}

/// The two numbers of the message about a prompt that does not fit, which has no field for them: OpenAI's and vLLM's,
/// Anthropic's, and Gemini's.
fn exceeded_context(message: &str) -> Option<(u64, u64)> {
    if let Some(prompt) = number_behind(message, "prompt is too long: ") {
        return Some((prompt, number_before(message, " maximum")?));
    }
    if let Some(prompt) = number_behind(message, "input token count (") {
        return Some((prompt, number_behind(message, "maximum number of tokens allowed (")?));
    }
    let window = number_behind(message, "maximum context length is ")?;
    let prompt = number_behind(message, "your messages resulted in ")
        .or_else(|| number_before(message, " in the messages"))
        .or_else(|| number_behind(message, "you requested "))
        .or_else(|| number_behind(message, "your prompt contains at least "))?;
    Some((prompt, window))
}

fn number_behind(text: &str, words: &str) -> Option<u64> {
    let rest = &text[text.find(words)? + words.len()..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest[..digits].parse().ok()
}

fn number_before(text: &str, words: &str) -> Option<u64> {
    let before = &text[..text.find(words)?];
    let digits = before.bytes().rev().take_while(u8::is_ascii_digit).count();
    before[before.len() - digits..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn detail(body: &str) -> String {
        message_of(body.as_bytes()).unwrap_or_default()
    }

    #[test]
    fn messages_are_found_in_every_shape() {
        for (body, expected) in [
            (r#"{"error":{"message":"no such model","type":"x","code":null}}"#, "no such model"),
            (r#"{"error":"model 'x' not found"}"#, "model 'x' not found"),
            (r#"{"message":"Unauthorized"}"#, "Unauthorized"),
            (r#"{"object":"error","message":"bad","code":400}"#, "bad"),
            (r#"{"detail":"Not Found"}"#, "Not Found"),
            (r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#, "field required"),
            (r#"[{"error":{"code":400,"message":"API key not valid"}}]"#, "API key not valid"),
            (r#"{"errors":[{"message":"first"},{"message":"second"}]}"#, "first"),
            (r#"{"code":1,"oops":true}"#, r#"{"code":1,"oops":true}"#),
            ("upstream   connect\n error", "upstream connect error"),
            (
                "<html><head><title>502 Bad\nGateway</title>",
                "an HTML page titled “502 Bad Gateway” instead of an answer",
            ),
            ("<p>hm", "an HTML page instead of an answer"),
            ("", ""),
        ] {
            assert_eq!(detail(body), expected, "{body}");
        }
        assert!(detail(&"a ".repeat(100_000)).chars().count() <= MAX_DETAIL_CHARS + 1);
        assert!(!detail("bell\u{7} and \u{1b}[31m").contains(['\u{7}', '\u{1b}']));
    }

    #[test]
    fn the_key_is_never_repeated() {
        let body = br#"{"error":{"message":"Incorrect API key provided: sk-verysecret."}}"#;
        let error = of_answer(StatusCode::UNAUTHORIZED, &HeaderMap::new(), body, Some("sk-verysecret"));
        assert_eq!(error.to_string(), "the provider answered 401: Incorrect API key provided: ….");
    }

    #[test]
    fn the_time_to_come_back_is_read_in_every_form() {
        let wait = |pairs: &[(&'static str, &'static str)]| {
            let headers =
                pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            retry_after(&headers.collect())
        };
        assert_eq!(wait(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(wait(&[("retry-after", "0.5")]), Some(Duration::from_millis(500)));
        assert_eq!(wait(&[("retry-after-ms", "250"), ("retry-after", "1")]), Some(Duration::from_millis(250)));
        assert_eq!(
            wait(&[("retry-after", "Thu, 01 Jan 2026 00:01:00 GMT"), ("date", "Thu, 01 Jan 2026 00:00:00 GMT")]),
            Some(Duration::from_mins(1))
        );
        for nonsense in ["", "soon", "-1", "NaN", "inf", "Thu, 01 Jan 2026 00:01:00 GMT"] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(wait(&[("retry-after", "99999999")]), Some(MAX_RETRY_AFTER));
    }

    #[test]
    fn a_prompt_that_does_not_fit_is_told_with_its_numbers() {
        let body = br#"{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens. Please reduce the length of the messages.","code":"context_length_exceeded"}}"#;
        let error = of_answer(StatusCode::BAD_REQUEST, &HeaderMap::new(), body, None);
        assert_eq!(error, CompletionError::TooLong { prompt_tokens: 10_000, context_window: 8_192 });
    }

    #[test]
    fn every_vendors_words_for_it_are_known() {
        for (message, numbers) in [
            ("prompt is too long: 210000 tokens > 200000 maximum", (210_000, 200_000)),
            (
                "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
                (1_200_000, 1_048_576),
            ),
        ] {
            assert_eq!(exceeded_context(message), Some(numbers), "{message}");
        }
        assert_eq!(exceeded_context("prompt is too long: say less"), None);
    }

    #[test]
    fn an_error_in_mid_stream_keeps_its_status() {
        let status = |object: &str| match of_object(&serde_json::from_str(object).unwrap(), None) {
            CompletionError::Refused { status, .. } => status,
            other => panic!("{other}"),
        };
        assert_eq!(status(r#"{"message":"busy","code":529}"#), 529);
        assert_eq!(status(r#"{"message":"busy","code":"429"}"#), 429);
        assert_eq!(status(r#"{"message":"busy","type":"rate_limit_error","code":null}"#), 429);
        assert_eq!(status(r#"{"message":"busy","code":"model_overloaded"}"#), 500);
    }
}
