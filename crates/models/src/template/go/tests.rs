//! Tests of template layers: what they are given, and where the answer begins.

use super::*;
use crate::protocol::MAX_PROMPT_BYTES;
use stoa_model::json::Json;

/// 1 January 2026.
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_123);

fn messages(turns: &[(Role, &str)]) -> TemplateInput {
    let messages = turns.iter().map(|(role, content)| TemplateMessage::new(*role, *content)).collect();
    TemplateInput { messages, ..TemplateInput::default() }
}

fn render(source: &str, input: &TemplateInput) -> Result<String, TemplateError> {
    GoTemplate::new(source)?.render(input, NOW)
}

#[test]
fn an_older_template_is_applied_to_each_turn() {
    let source = "{{ if .System }}<s>{{ .System }}</s>{{ end }}<u>{{ .Prompt }}</u><a>{{ .Response }}</a>";
    let input = messages(&[
        (Role::System, "Be brief."),
        (Role::User, "Hi"),
        (Role::User, "there"),
        (Role::Assistant, "Ho"),
        (Role::System, "Be long."),
        (Role::User, "Bye"),
    ]);
    assert_eq!(
        render(source, &input).unwrap(),
        "<s>Be brief.</s><u>Hi\n\nthere</u><a>Ho</a><s>Be long.</s><u>Bye</u><a>"
    );
    assert_eq!(render(source, &TemplateInput::default()).unwrap(), "<u></u><a>");
}

#[test]
fn texts_in_the_same_role_are_one_message() {
    let mut input = messages(&[
        (Role::System, "a"),
        (Role::System, "b"),
        (Role::User, "c"),
        (Role::User, ""),
        (Role::User, "d"),
        (Role::Tool, "e"),
        (Role::Tool, "f"),
    ]);
    let look = "{{ .System }}|{{ range .Messages }}{{ .Role }}:{{ .Content }}|{{ len .Images }};{{ end }}";
    input.messages[3].images = 1;
    assert_eq!(render(look, &input).unwrap(), "a\n\nb|system:a\n\nb|0;user:c\n\nd|1;tool:e|0;tool:f|0;");
}

#[test]
fn an_answer_that_has_begun_is_gone_on_with() {
    let source = "<u>{{ .Prompt }}</u><a>{{ .Response }}</a>";
    let input = messages(&[(Role::User, "Hi"), (Role::Assistant, "Ho")]);
    assert_eq!(render(source, &input).unwrap(), "<u>Hi</u><a>Ho");
}

#[test]
fn a_template_without_an_answer_has_it_at_its_end() {
    let input = messages(&[(Role::User, "Hi"), (Role::Assistant, "Ho"), (Role::User, "Bye")]);
    assert_eq!(render("Q: {{ .Prompt }} A: ", &input).unwrap(), "Q: Hi A: HoQ: Bye A: ");
}

#[test]
fn what_stands_behind_the_answer_is_left_out_in_any_structure() {
    let source = "{{ if .Prompt }}<a>{{ if true }}{{ .Response }}!{{ end }}?{{ end }}.";
    assert_eq!(render(source, &messages(&[(Role::User, "Hi")])).unwrap(), "<a>");
    let source = "{{ range .Messages }}{{ .Content }}{{ end }}<a>{{ .Response }}</a>";
    assert_eq!(render(source, &messages(&[(Role::User, "Hi")])).unwrap(), "Hi<a>");
}

#[test]
fn a_gap_is_filled_when_the_template_knows_how() {
    let source = "{{ if .Suffix }}<PRE>{{ .Prompt }}<SUF>{{ .Suffix }}<MID>{{ else }}{{ .Prompt }}{{ end }}";
    let mut input = messages(&[(Role::System, "s"), (Role::User, "fn main() {")]);
    input.suffix = "}".to_owned();
    assert_eq!(render(source, &input).unwrap(), "<PRE>fn main() {<SUF>}<MID>");
    assert_eq!(render("{{ .Prompt }}", &input).unwrap(), "fn main() {");
}

#[test]
fn tools_and_calls_are_written_as_json() {
    let tool = r#"{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"place":{"type":"string"},"days":{"type":["integer","null"]}},"required":["place"]}}}"#;
    let mut answer = TemplateMessage::new(Role::Assistant, "");
    answer.tool_calls.push(TemplateToolCall {
        id: "call_1".to_owned(),
        name: "weather".to_owned(),
        arguments: Json::parse(r#"{"place":"<Ulm>","days":2}"#).unwrap(),
    });
    let input = TemplateInput {
        messages: vec![TemplateMessage::new(Role::User, "Ulm?"), answer],
        tools: vec![Json::parse(tool).unwrap()],
        think: Some(Think::Low),
        ..TemplateInput::default()
    };
    let look = "{{ with false }}{{ .Messages }}{{ end }}";
    for (source, expected) in [
        ("{{ .Tools }}", format!("[{tool}]").as_str()),
        ("{{ json .Tools }}", format!("[{tool}]").as_str()),
        ("{{ range .Tools }}{{ . }}{{ end }}", tool),
        ("{{ range .Tools }}{{ .Function.Name }} {{ .Function.Parameters.Required }}{{ end }}", "weather [\"place\"]"),
        (
            "{{ range .Tools }}{{ range $name, $p := .Function.Parameters.Properties }}{{ $name }}:{{ $p.Type }};{{ end }}{{ end }}",
            "days:[\"integer\",\"null\"];place:string;",
        ),
        (
            "{{ range .Messages }}{{ range .ToolCalls }}{{ .ID }} {{ .Function.Index }} {{ .Function.Name }}{{ .Function.Arguments }}{{ end }}{{ end }}",
            r#"call_1 0 weather{"place":"<Ulm>","days":2}"#,
        ),
        ("{{ .Think }} {{ .ThinkLevel }} {{ .IsThinkSet }}", "true low true"),
    ] {
        assert_eq!(render(&format!("{source}{look}"), &input).unwrap(), expected, "{source:?}");
    }
}

#[test]
fn the_longest_prompt_can_be_paid_for() {
    let long = "word ".repeat(MAX_PROMPT_BYTES / 6);
    let prompt = render("{{ range .Messages }}{{ .Content }}{{ end }}", &messages(&[(Role::User, &long)])).unwrap();
    assert_eq!(prompt.len(), long.len());
    let many: Vec<(Role, &str)> =
        (0..20_000).map(|turn| if turn % 2 == 0 { (Role::Assistant, "Ho") } else { (Role::User, "Hi") }).collect();
    let source = "{{ range $i, $m := .Messages }}{{ if eq (len (slice $.Messages $i)) 1 }}last{{ end }}{{ $m.Content }}{{ end }}";
    assert!(render(source, &messages(&many)).unwrap().ends_with("lastHi"));
}
