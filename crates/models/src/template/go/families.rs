//! The families of models that are used most, as template layers written from what their makers document of their
//! prompts; and what each makes of the same conversations.

use super::*;
use stoa_model::json::Json;

/// 1 January 2026.
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_123);

/// ChatML as Qwen's documentation has it, with tools in the manner of Hermes.
const QWEN: &str = "\
{{- if or .System .Tools }}<|im_start|>system
{{ .System }}
{{- if .Tools }}

# Tools

Call these functions when they help:
<tools>
{{- range .Tools }}
{{ json . }}
{{- end }}
</tools>

A call is written as JSON in tags:
<tool_call>
{\"name\": NAME, \"arguments\": OBJECT}
</tool_call>
{{- end }}<|im_end|>
{{ end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}
{{- if eq .Role \"user\" }}<|im_start|>user
{{ .Content }}<|im_end|>
{{ else if eq .Role \"assistant\" }}<|im_start|>assistant
{{ if .Content }}{{ .Content }}{{ end }}
{{- range .ToolCalls }}
<tool_call>
{\"name\": {{ json .Function.Name }}, \"arguments\": {{ .Function.Arguments }}}
</tool_call>
{{- end }}{{ if not $last }}<|im_end|>
{{ end }}
{{- else if eq .Role \"tool\" }}<|im_start|>user
<tool_response>
{{ .Content }}
</tool_response><|im_end|>
{{ end }}
{{- if and (ne .Role \"assistant\") $last }}<|im_start|>assistant
{{ end }}
{{- end }}";

const LLAMA2: &str = "[INST] {{ if .System }}<<SYS>>
{{ .System }}
<</SYS>>

{{ end }}{{ .Prompt }} [/INST] {{ .Response }} </s><s>";

const LLAMA3: &str = "\
{{ range .Messages }}<|start_header_id|>{{ .Role }}<|end_header_id|>

{{ .Content }}<|eot_id|>{{ end }}<|start_header_id|>assistant<|end_header_id|>

";

const LLAMA31: &str = "\
<|start_header_id|>system<|end_header_id|>

Cutting Knowledge Date: December 2023
Today Date: {{ currentDate }}
{{- if .Tools }}
Environment: ipython
{{- end }}
{{- with .System }}

{{ . }}
{{- end }}<|eot_id|>
{{- range $i, $m := .Messages }}
{{- if and (eq $m.Role \"user\") $.Tools (le (len (slice $.Messages $i)) 1) }}<|start_header_id|>user<|end_header_id|>

To call a function, answer with {\"name\": NAME, \"parameters\": OBJECT} only.
{{ range $.Tools }}
{{ . }}
{{- end }}

{{ $m.Content }}<|eot_id|>
{{- else if or (eq $m.Role \"user\") (and (eq $m.Role \"assistant\") (not $m.ToolCalls)) }}<|start_header_id|>{{ $m.Role }}<|end_header_id|>

{{ $m.Content }}<|eot_id|>
{{- else if eq $m.Role \"assistant\" }}<|start_header_id|>assistant<|end_header_id|>

{{ range $m.ToolCalls }}{\"name\": \"{{ .Function.Name }}\", \"parameters\": {{ .Function.Arguments }}}{{ end }}<|eot_id|>
{{- else if eq $m.Role \"tool\" }}<|start_header_id|>ipython<|end_header_id|>

{{ $m.Content }}<|eot_id|>
{{- end }}
{{- end }}<|start_header_id|>assistant<|end_header_id|>

";

const MISTRAL: &str = "\
{{- range $i, $_ := .Messages }}
{{- $rest := len (slice $.Messages $i) }}
{{- if eq .Role \"user\" }}
{{- if and $.Tools (le $rest 2) }}[AVAILABLE_TOOLS] {{ $.Tools }}[/AVAILABLE_TOOLS]{{ end }}[INST] {{ if and $.System (eq $rest 1) }}{{ $.System }}

{{ end }}{{ .Content }}[/INST]
{{- else if eq .Role \"assistant\" }}
{{- if .ToolCalls }}[TOOL_CALLS] [{{ range $j, $call := .ToolCalls }}{{ if $j }}, {{ end }}{\"name\": \"{{ $call.Function.Name }}\", \"arguments\": {{ $call.Function.Arguments }}}{{ end }}]</s>
{{- else }} {{ .Content }}{{ if gt $rest 1 }}</s>{{ end }}
{{- end }}
{{- else if eq .Role \"tool\" }}[TOOL_RESULTS] {\"content\": {{ json .Content }}}[/TOOL_RESULTS]
{{- end }}
{{- end }}";

/// Gemma knows no system role: its text goes to the head of the first turn.
const GEMMA: &str = "\
{{- $system := .System }}
{{- range .Messages }}
{{- if eq .Role \"user\" }}<start_of_turn>user
{{ if $system }}{{ $system }}

{{ $system = \"\" }}{{ end }}{{ .Content }}<end_of_turn>
{{ else if eq .Role \"assistant\" }}<start_of_turn>model
{{ .Content }}<end_of_turn>
{{ end }}
{{- end }}<start_of_turn>model
";

const PHI3: &str = "\
{{ if .System }}<|system|>
{{ .System }}<|end|>
{{ end }}{{ if .Prompt }}<|user|>
{{ .Prompt }}<|end|>
{{ end }}<|assistant|>
{{ .Response }}<|end|>
";

const DEEPSEEK_R1: &str = "\
{{- with .System }}{{ . }}{{ end }}
{{- range $i, $m := .Messages }}
{{- if eq .Role \"user\" }}<｜User｜>{{ .Content }}
{{- else if eq .Role \"assistant\" }}<｜Assistant｜>{{ .Content }}{{ if gt (len (slice $.Messages $i)) 1 }}<｜end▁of▁sentence｜>{{ end }}
{{- end }}
{{- if and (eq (len (slice $.Messages $i)) 1) (ne .Role \"assistant\") }}<｜Assistant｜>
{{- if and $.IsThinkSet (not $.Think) }}<think>

</think>

{{ end }}
{{- end }}
{{- end }}";

const COMMAND_R: &str = "\
{{- range .Messages }}
{{- if eq .Role \"system\" }}<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>{{ .Content }}<|END_OF_TURN_TOKEN|>
{{- else if eq .Role \"user\" }}<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{{ .Content }}<|END_OF_TURN_TOKEN|>
{{- else if eq .Role \"assistant\" }}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>
{{- if .ToolCalls }}Action: ```json
[
{{- range $i, $_ := .ToolCalls }}{{ if $i }},{{ end }}
    {
        \"tool_name\": \"{{ .Function.Name }}\",
        \"parameters\": {{ .Function.Arguments }}
    }
{{- end }}
]```
{{- else }}{{ .Content }}{{ end }}<|END_OF_TURN_TOKEN|>
{{- else if eq .Role \"tool\" }}<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|><results>
{{ .Content }}
</results><|END_OF_TURN_TOKEN|>
{{- end }}
{{- end }}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>";

const GRANITE: &str = "\
{{- if .System }}<|start_of_role|>system<|end_of_role|>{{ .System }}<|end_of_text|>
{{ end }}
{{- if .Tools }}<|start_of_role|>tools<|end_of_role|>{{ .Tools }}<|end_of_text|>
{{ end }}
{{- range .Messages }}
{{- if ne .Role \"system\" }}<|start_of_role|>{{ if eq .Role \"tool\" }}tool_response{{ else }}{{ .Role }}{{ end }}<|end_of_role|>
{{- if .ToolCalls }}<|tool_call|>[{{ range $i, $_ := .ToolCalls }}{{ if $i }}, {{ end }}{\"name\": \"{{ .Function.Name }}\", \"arguments\": {{ .Function.Arguments }}}{{ end }}]
{{- else }}{{ .Content }}{{ end }}<|end_of_text|>
{{ end }}
{{- end }}<|start_of_role|>assistant<|end_of_role|>";

const VICUNA: &str = "{{ if .System }}{{ .System }} {{ end }}USER: {{ .Prompt }} ASSISTANT: {{ .Response }}</s>";

const ALPACA: &str = "\
{{- if .System }}{{ .System }}

{{ end }}{{ if .Prompt }}### Instruction:
{{ .Prompt }}

{{ end }}### Response:
{{ .Response }}

";

fn conversation() -> TemplateInput {
    let messages = [
        (Role::System, "Be brief."),
        (Role::User, "What is 2 + 2?"),
        (Role::Assistant, "4"),
        (Role::User, "And <3 + 3>?"),
    ];
    TemplateInput {
        messages: messages.map(|(role, text)| TemplateMessage::new(role, text)).to_vec(),
        ..TemplateInput::default()
    }
}

fn with_tools() -> TemplateInput {
    let tool = r#"{"type":"function","function":{"name":"weather","description":"The weather of a place.","parameters":{"type":"object","properties":{"place":{"type":"string"}},"required":["place"]}}}"#;
    let mut answer = TemplateMessage::new(Role::Assistant, "");
    answer.tool_calls = ["Ulm", "Bonn"]
        .map(|place| TemplateToolCall {
            id: format!("call_{place}"),
            name: "weather".to_owned(),
            arguments: Json::parse(&format!(r#"{{"place":"{place}"}}"#)).unwrap(),
        })
        .to_vec();
    let mut result = TemplateMessage::new(Role::Tool, "rain");
    result.tool_name = Some("weather".to_owned());
    let user = |text| TemplateMessage::new(Role::User, text);
    TemplateInput {
        messages: vec![
            TemplateMessage::new(Role::System, "Be brief."),
            user("Ulm and Bonn?"),
            answer,
            result,
            user("Sure?"),
        ],
        tools: vec![Json::parse(tool).unwrap()],
        ..TemplateInput::default()
    }
}

fn prompts(source: &str, has_tools: bool) -> String {
    let template = GoTemplate::new(source).unwrap();
    assert_eq!(template.capabilities().tools, has_tools);
    let mut text = template.render(&conversation(), NOW).unwrap();
    if has_tools {
        text.push_str("\n=== with tools ===\n");
        text.push_str(&template.render(&with_tools(), NOW).unwrap());
    }
    text
}

macro_rules! families {
    ($($name:ident: $source:expr, $has_tools:expr;)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(prompts($source, $has_tools));
            }
        )*
    };
}

families! {
    qwen: QWEN, true;
    llama2: LLAMA2, false;
    llama3: LLAMA3, false;
    llama31: LLAMA31, true;
    mistral: MISTRAL, true;
    gemma: GEMMA, false;
    phi3: PHI3, false;
    deepseek_r1: DEEPSEEK_R1, false;
    command_r: COMMAND_R, false;
    granite: GRANITE, true;
    vicuna: VICUNA, false;
    alpaca: ALPACA, false;
}

#[test]
fn deepseek_r1_thinks_unless_it_is_told_not_to() {
    let template = GoTemplate::new(DEEPSEEK_R1).unwrap();
    assert!(template.capabilities().thinking);
    let input = TemplateInput { think: Some(Think::Off), ..conversation() };
    assert!(template.render(&input, NOW).unwrap().ends_with("<｜Assistant｜><think>\n\n</think>\n\n"));
}
