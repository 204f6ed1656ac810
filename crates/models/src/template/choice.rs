//! Which of a model's templates makes its prompts: that of its layer, or that of its file.

use stoa_model::Timestamp;

use super::go::GoTemplate;
use super::{Capabilities, ChatTemplate, TemplateError, TemplateInput};
use crate::text::tools::ToolFormat;

/// The template of a model, and what it tells of the model.
pub struct PromptTemplate {
    template: Template,
    capabilities: Capabilities,
    tool_format: ToolFormat,
}

enum Template {
    Jinja(Box<ChatTemplate>),
    Go(GoTemplate),
}

/// What a model brings. An empty text is no template.
#[derive(Clone, Debug, Default)]
pub struct TemplateSources {
    /// `tokenizer.chat_template` of the GGUF file.
    pub jinja: Option<String>,
    /// The template layer, which somebody may have written in a Modelfile.
    pub go: Option<String>,
    /// The texts of the tokens for the beginning and the end.
    pub bos: String,
    pub eos: String,
}

impl PromptTemplate {
    /// The layer, unless the file's template can do more and nothing less; `None` when there is neither. A template that
    /// cannot be read is an error only when there is no other.
    pub fn choose(sources: TemplateSources) -> Result<Option<Self>, TemplateError> {
        let TemplateSources { jinja, go, bos, eos } = sources;
        let go = go.filter(|source| !source.trim().is_empty()).map(|source| Self::go(&source));
        let jinja = jinja.filter(|source| !source.trim().is_empty()).map(|source| Self::jinja(source, bos, eos));
        match (go, jinja) {
            (Some(Ok(go)), Some(Ok(jinja))) if jinja.capabilities.exceed(go.capabilities) => Ok(Some(jinja)),
            (Some(Ok(chosen)), _) | (Some(Err(_)) | None, Some(Ok(chosen))) => Ok(Some(chosen)),
            (Some(Err(error)), _) | (None, Some(Err(error))) => Err(error),
            (None, None) => Ok(None),
        }
    }

    fn go(source: &str) -> Result<Self, TemplateError> {
        let template = GoTemplate::new(source)?;
        let capabilities = template.capabilities();
        Ok(Self { template: Template::Go(template), capabilities, tool_format: ToolFormat::of_template(source) })
    }

    fn jinja(source: String, bos: String, eos: String) -> Result<Self, TemplateError> {
        let capabilities = Capabilities::of_jinja(&source);
        let tool_format = ToolFormat::of_template(&source);
        let template = Template::Jinja(Box::new(ChatTemplate::new(source, bos, eos)?));
        Ok(Self { template, capabilities, tool_format })
    }

    pub const fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// How the model writes calls.
    pub const fn tool_format(&self) -> ToolFormat {
        self.tool_format
    }

    /// The prompt of `input`, ending where the model's answer begins.
    pub fn render(&self, input: &TemplateInput, now: Timestamp) -> Result<String, TemplateError> {
        match &self.template {
            Template::Jinja(template) => template.render_input(input, now),
            Template::Go(template) => template.render(input, now),
        }
    }
}

impl Capabilities {
    /// Whether these are all of `other` and more.
    fn exceed(self, other: Self) -> bool {
        let all = |capabilities: Self| [capabilities.tools, capabilities.thinking, capabilities.insert];
        self != other && all(self).into_iter().zip(all(other)).all(|(mine, theirs)| mine || !theirs)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Role, TemplateMessage};
    use super::*;

    /// What is made of "Hi" by the template that is chosen.
    fn prompt(jinja: Option<&str>, go: Option<&str>) -> Result<Option<String>, TemplateError> {
        let owned = |source: Option<&str>| source.map(str::to_owned);
        let sources = TemplateSources { jinja: owned(jinja), go: owned(go), ..TemplateSources::default() };
        let Some(template) = PromptTemplate::choose(sources)? else { return Ok(None) };
        let messages = vec![TemplateMessage::new(Role::User, "Hi")];
        template.render(&TemplateInput { messages, ..TemplateInput::default() }, Timestamp::from_millis(0)).map(Some)
    }

    const JINJA: &str = "jinja {{ messages[0].content }}";
    const JINJA_WITH_TOOLS: &str = "jinja{% if tools %}{{ tools }}{% endif %} {{ messages[0].content }}";
    const GO: &str = "go {{ .Prompt }}";
    const GO_WITH_INSERT: &str = "go {{ .Prompt }}{{ .Suffix }}";

    #[test]
    fn the_layer_wins_unless_the_file_can_do_more() {
        for (jinja, go, expected) in [
            (None, None, None),
            (Some(""), Some(" \n"), None),
            (Some(JINJA), None, Some("jinja Hi")),
            (None, Some(GO), Some("go Hi")),
            (Some(JINJA), Some(GO), Some("go Hi")),
            (Some(JINJA_WITH_TOOLS), Some(GO), Some("jinja Hi")),
            // Each can do what the other cannot.
            (Some(JINJA_WITH_TOOLS), Some(GO_WITH_INSERT), Some("go Hi")),
            (Some(JINJA), Some("{{ if }}"), Some("jinja Hi")),
            (Some("{% if %}"), Some(GO), Some("go Hi")),
        ] {
            assert_eq!(prompt(jinja, go).unwrap().as_deref(), expected, "{jinja:?} {go:?}");
        }
    }

    #[test]
    fn a_template_that_cannot_be_read_is_an_error_when_it_is_the_only_one() {
        for (jinja, go) in [(Some("{% if %}"), None), (None, Some("{{ if }}")), (Some("{% if %}"), Some("{{ if }}"))] {
            assert!(matches!(prompt(jinja, go), Err(TemplateError::Syntax { .. })), "{jinja:?} {go:?}");
        }
    }

    #[test]
    fn the_form_of_calls_is_that_of_the_template_chosen() {
        let sources = TemplateSources {
            jinja: Some("[TOOL_CALLS]".to_owned()),
            go: Some("{{ .Tools }}<tool_call>".to_owned()),
            ..TemplateSources::default()
        };
        let template = PromptTemplate::choose(sources).unwrap().unwrap();
        assert_eq!(template.tool_format(), ToolFormat::Hermes);
        assert!(template.capabilities().tools);
    }
}
