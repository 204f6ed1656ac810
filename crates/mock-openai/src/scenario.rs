//! What the mock shall do with one request, gathered from model name, message, headers and path.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "one switch for each habit of a real server")]
pub(crate) struct Scenario {
    pub(crate) text: Text,
    pub(crate) tokens: u64,
    /// Tokens a second; 0 for no pauses.
    pub(crate) rate: f64,
    pub(crate) first: Duration,
    pub(crate) head: Duration,
    pub(crate) reasoning: u64,
    pub(crate) reasoning_field: ReasoningField,
    pub(crate) stall_after: Option<u64>,
    pub(crate) cut_after: Option<u64>,
    pub(crate) unfinished_after: Option<u64>,
    pub(crate) malformed_after: Option<u64>,
    pub(crate) error_after: Option<u64>,
    pub(crate) status: Option<StatusCode>,
    pub(crate) retry_after: Option<String>,
    pub(crate) error_body: ErrorBody,
    pub(crate) finish: String,
    pub(crate) usage: UsagePlace,
    pub(crate) done: bool,
    pub(crate) crlf: bool,
    pub(crate) comments: bool,
    pub(crate) no_space: bool,
    pub(crate) split: Option<usize>,
    pub(crate) trickle: Option<Duration>,
    pub(crate) giant_bytes: Option<u64>,
    pub(crate) redirect: Option<String>,
    pub(crate) redirect_status: StatusCode,
    pub(crate) whole: bool,
    /// Calls the first tool that is offered instead of saying anything.
    pub(crate) call: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Echo,
    Lorem,
    Counter,
    Markdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReasoningField {
    ReasoningContent,
    Reasoning,
    ThinkTags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorBody {
    Json,
    Html,
    Text,
    Empty,
    /// `{"detail": [{"msg": …}]}`, as FastAPI has it.
    Nested,
    /// `[{"error": {…}}]`, as Google has it.
    List,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UsagePlace {
    Asked,
    Always,
    Every,
    Choice,
    None,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            text: Text::Echo,
            tokens: 64,
            rate: 0.0,
            first: Duration::ZERO,
            head: Duration::ZERO,
            reasoning: 0,
            reasoning_field: ReasoningField::ReasoningContent,
            stall_after: None,
            cut_after: None,
            unfinished_after: None,
            malformed_after: None,
            error_after: None,
            status: None,
            retry_after: None,
            error_body: ErrorBody::Json,
            finish: "stop".to_owned(),
            usage: UsagePlace::Asked,
            done: true,
            crlf: false,
            comments: false,
            no_space: false,
            split: None,
            trickle: None,
            giant_bytes: None,
            redirect: None,
            redirect_status: StatusCode::TEMPORARY_REDIRECT,
            whole: false,
            call: false,
        }
    }
}

/// The models that the list names.
pub(crate) const MODELS: &[&str] = &[
    "echo",
    "lorem",
    "counter",
    "mock-20tps",
    "markdown",
    "reasoning",
    "think-tags",
    "slow-first",
    "endless",
    "stall",
    "silent",
    "cut",
    "unfinished",
    "malformed",
    "error-midstream",
    "error-401",
    "error-429",
    "error-500",
    "error-html",
    "trickle",
    "giant-line",
    "whole",
    "tool",
];

/// What stands wrong in a scenario, said back to whoever wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown(pub(crate) String);

impl Scenario {
    pub(crate) fn gather(
        model: Option<&str>,
        message: &str,
        headers: &HeaderMap,
        path_options: &str,
    ) -> Result<Self, Unknown> {
        let mut scenario = Self::default();
        let model = model.unwrap_or("echo");
        let model = model.rsplit_once('/').filter(|(before, _)| !before.contains(';')).map_or(model, |(_, name)| name);
        let (name, options) = model.split_once(';').unwrap_or((model, ""));
        scenario.preset(name)?;
        scenario.apply_all(options.split(';'))?;
        if let Some((_, options, _)) = directive(message) {
            scenario.apply_all(options.split_whitespace())?;
        }
        for (name, value) in headers {
            if let Some(key) = name.as_str().strip_prefix("x-mock-") {
                scenario.apply(&key.replace('-', "_"), value.to_str().unwrap_or_default())?;
            }
        }
        scenario.apply_all(path_options.split(';'))?;
        Ok(scenario)
    }

    fn preset(&mut self, name: &str) -> Result<(), Unknown> {
        let number = |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.parse::<u64>().ok());
        match name {
            "echo" => {}
            "lorem" => self.text = Text::Lorem,
            "counter" => self.text = Text::Counter,
            "markdown" => self.text = Text::Markdown,
            "reasoning" => self.reasoning = 24,
            "think-tags" => (self.reasoning, self.reasoning_field) = (24, ReasoningField::ThinkTags),
            "slow-first" => self.first = Duration::from_secs(2),
            "endless" => (self.text, self.tokens) = (Text::Lorem, u64::MAX),
            "stall" => (self.text, self.stall_after) = (Text::Lorem, Some(8)),
            "silent" => self.first = Duration::from_hours(24),
            "cut" => (self.text, self.cut_after) = (Text::Lorem, Some(8)),
            "unfinished" => (self.text, self.unfinished_after) = (Text::Lorem, Some(8)),
            "malformed" => (self.text, self.malformed_after) = (Text::Lorem, Some(8)),
            "error-midstream" => (self.text, self.error_after) = (Text::Lorem, Some(8)),
            "error-html" => (self.status, self.error_body) = (Some(StatusCode::BAD_GATEWAY), ErrorBody::Html),
            "trickle" => (self.text, self.trickle) = (Text::Lorem, Some(Duration::from_mins(1))),
            "giant-line" => self.giant_bytes = Some(1 << 30),
            "redirect" => self.redirect = Some("/v1/chat/completions".to_owned()),
            "whole" => self.whole = true,
            "tool" => (self.call, self.finish) = (true, "tool_calls".to_owned()),
            _ => {
                if let Some(tokens) = number("lorem-") {
                    (self.text, self.tokens) = (Text::Lorem, tokens);
                } else if let Some(tokens) = number("counter-") {
                    (self.text, self.tokens) = (Text::Counter, tokens);
                } else if let Some(status) = number("error-") {
                    self.apply("status", &status.to_string())?;
                } else if let Some(rate) = name.strip_prefix("mock-").and_then(|rest| rest.strip_suffix("tps")) {
                    (self.text, self.tokens) = (Text::Lorem, 200);
                    self.apply("rate", rate)?;
                } else {
                    return Err(Unknown(format!("the model `{name}` does not exist")));
                }
            }
        }
        Ok(())
    }

    fn apply_all<'a>(&mut self, options: impl Iterator<Item = &'a str>) -> Result<(), Unknown> {
        for option in options.map(str::trim).filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, "true"));
            self.apply(key, value)?;
        }
        Ok(())
    }

    fn apply(&mut self, key: &str, value: &str) -> Result<(), Unknown> {
        let wrong = || Unknown(format!("the mock takes no `{key}={value}`"));
        let number = || value.parse::<u64>().map_err(|_| wrong());
        let flag = || value.parse::<bool>().map_err(|_| wrong());
        let status = || value.parse::<StatusCode>().map_err(|_| wrong());
        match key {
            "text" => {
                self.text = match value {
                    "echo" => Text::Echo,
                    "lorem" => Text::Lorem,
                    "counter" => Text::Counter,
                    "markdown" => Text::Markdown,
                    _ => return Err(wrong()),
                }
            }
            "tokens" => {
                self.tokens = number()?;
                if self.text == Text::Echo {
                    self.text = Text::Lorem;
                }
            }
            "rate" => {
                self.rate =
                    value.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate >= 0.0).ok_or_else(wrong)?;
            }
            "first_ms" => self.first = Duration::from_millis(number()?),
            "head_ms" => self.head = Duration::from_millis(number()?),
            "reasoning" => self.reasoning = number()?,
            "reasoning_field" => {
                self.reasoning_field = match value {
                    "reasoning_content" => ReasoningField::ReasoningContent,
                    "reasoning" => ReasoningField::Reasoning,
                    "think" => ReasoningField::ThinkTags,
                    _ => return Err(wrong()),
                }
            }
            "stall_after" => self.stall_after = Some(number()?),
            "cut_after" => self.cut_after = Some(number()?),
            "unfinished_after" => self.unfinished_after = Some(number()?),
            "malformed_after" => self.malformed_after = Some(number()?),
            "error_after" => self.error_after = Some(number()?),
            "status" => {
                let status = status()?;
                if status == StatusCode::TOO_MANY_REQUESTS && self.retry_after.is_none() {
                    self.retry_after = Some("7".to_owned());
                }
                self.status = Some(status);
            }
            "retry_after" => self.retry_after = Some(value.to_owned()),
            "error_body" => {
                self.error_body = match value {
                    "json" => ErrorBody::Json,
                    "html" => ErrorBody::Html,
                    "text" => ErrorBody::Text,
                    "empty" => ErrorBody::Empty,
                    "nested" => ErrorBody::Nested,
                    "list" => ErrorBody::List,
                    _ => return Err(wrong()),
                }
            }
            "finish" => value.clone_into(&mut self.finish),
            "usage" => {
                self.usage = match value {
                    "asked" => UsagePlace::Asked,
                    "always" => UsagePlace::Always,
                    "every" => UsagePlace::Every,
                    "choice" => UsagePlace::Choice,
                    "none" => UsagePlace::None,
                    _ => return Err(wrong()),
                }
            }
            "done" => self.done = flag()?,
            "crlf" => self.crlf = flag()?,
            "comments" => self.comments = flag()?,
            "nospace" => self.no_space = flag()?,
            "split" => self.split = Some(usize::try_from(number()?).ok().filter(|size| *size > 0).ok_or_else(wrong)?),
            "trickle_ms" => self.trickle = Some(Duration::from_millis(number()?)),
            "giant_bytes" => self.giant_bytes = Some(number()?),
            "redirect" => self.redirect = Some(value.to_owned()),
            "redirect_status" => self.redirect_status = status()?,
            "whole" => self.whole = flag()?,
            "call" => self.call = flag()?,
            _ => return Err(wrong()),
        }
        Ok(())
    }
}

/// The text before, within and behind the first `[[…]]`.
fn directive(message: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = message.split_once("[[")?;
    let (options, behind) = rest.split_once("]]")?;
    Some((before, options, behind))
}

/// The message without its directive: what `echo` says.
pub(crate) fn without_directive(message: &str) -> String {
    match directive(message) {
        Some((before, _, behind)) => format!("{before}{behind}").trim().to_owned(),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_nearer_word_wins() {
        let mut headers = HeaderMap::new();
        headers.insert("x-mock-rate", HeaderValue::from_static("30"));
        let message = "hello [[rate=20 first_ms=5]]";
        let scenario = Scenario::gather(Some("slug/mock-10tps;tokens=3"), message, &headers, "done=false").unwrap();
        assert!((scenario.rate - 30.0).abs() < f64::EPSILON);
        assert_eq!((scenario.tokens, scenario.first, scenario.done), (3, Duration::from_millis(5), false));
        assert_eq!(without_directive(message), "hello");
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let none = HeaderMap::new();
        assert!(Scenario::gather(Some("gpt-4"), "", &none, "").is_err());
        assert!(Scenario::gather(Some("echo;tokens=many"), "", &none, "").is_err());
        assert!(Scenario::gather(Some("echo"), "", &none, "colour=red").is_err());
    }

    #[test]
    fn every_listed_model_exists() {
        for model in MODELS {
            assert!(Scenario::gather(Some(model), "", &HeaderMap::new(), "").is_ok(), "{model}");
        }
    }
}
