//! What a model can do, as far as its template tells.

use minijinja::Environment;

use super::MAX_TEMPLATE_BYTES;

/// Abilities that need something of the template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// It tells the model of tools.
    pub tools: bool,
    /// It knows of thinking, to turn it on or off or to keep it apart.
    pub thinking: bool,
    /// It takes what stands behind a gap.
    pub insert: bool,
}

impl Capabilities {
    /// Of a Jinja template, as it is in a GGUF file. A template that is none has no abilities.
    pub fn of_jinja(source: &str) -> Self {
        if source.len() > MAX_TEMPLATE_BYTES {
            return Self::default();
        }
        let environment = Environment::new();
        let source = super::without_training_marks(source.to_owned());
        let Ok(template) = environment.template_from_str(&source) else { return Self::default() };
        let names = template.undeclared_variables(false);
        let mentions = ["<think>", "</think>", "enable_thinking", "reasoning_content", "reasoning_effort"];
        Self {
            tools: names.contains("tools"),
            thinking: names.contains("thinking") || mentions.iter().any(|mention| source.contains(mention)),
            insert: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::go::GoTemplate;
    use super::*;

    #[test]
    fn abilities_are_seen_in_the_template() {
        let tools = "{%- if not tools is defined %}{%- set tools = none %}{%- endif %}{% if tools %}{{ tools | tojson }}{% endif %}";
        assert_eq!(Capabilities::of_jinja(tools), Capabilities { tools: true, ..Capabilities::default() });
        let thinks =
            "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>' }}{% endif %}";
        assert_eq!(Capabilities::of_jinja(thinks), Capabilities { thinking: true, ..Capabilities::default() });
        let talks = "{{ 'You have no tools.' }}{% for message in messages %}{{ message.tools }}{% endfor %}";
        assert_eq!(Capabilities::of_jinja(talks), Capabilities::default());
        assert_eq!(Capabilities::of_jinja("{% for %}"), Capabilities::default());
        let trained = "{{ tools }}{% generation %}{% endgeneration %}";
        assert_eq!(Capabilities::of_jinja(trained), Capabilities { tools: true, ..Capabilities::default() });
    }

    #[test]
    fn abilities_are_seen_in_layers_of_ollama() {
        let of_go = |source: &str| GoTemplate::new(source).unwrap().capabilities();
        let insert = Capabilities { insert: true, ..Capabilities::default() };
        assert_eq!(of_go("<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>"), insert);
        let all = "{{ if $.Tools }}{{ end }}{{ range .Messages }}{{ .Thinking }}{{ end }}{{ .Suffix }}";
        assert_eq!(of_go(all), Capabilities { tools: true, thinking: true, insert: true });
    }
}
