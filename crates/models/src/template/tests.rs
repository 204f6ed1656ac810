//! Tests of chat templates: real ones, and ones made to do harm.

use super::*;
use stoa_model::json::Json;
use stoa_model::think::Think;

const SMOLLM: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

const GEMMA: &str = "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}";

fn message(role: Role, content: &str) -> PromptMessage {
    PromptMessage::new(role, content)
}

fn render(source: &str, messages: &[PromptMessage]) -> Result<String, TemplateError> {
    ChatTemplate::new(source.to_owned(), "<bos>".to_owned(), "<eos>".to_owned())?
        .render(messages, Timestamp::from_millis(1_767_225_600_123))
}

#[test]
fn a_chatml_template_renders_as_its_makers_mean_it() {
    let prompt = render(SMOLLM, &[message(Role::User, "Hi")]).unwrap();
    assert_eq!(
        prompt,
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    );
}

#[test]
fn a_template_without_a_system_role_gets_it_in_the_first_turn() {
    let prompt = render(GEMMA, &[message(Role::System, "Be brief."), message(Role::User, "Hi")]).unwrap();
    assert_eq!(prompt, "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n");
}

#[test]
fn methods_of_python_and_dates_work() {
    let source = "{{ messages[0].content.strip().split(' ')[-1].upper() }} {{ strftime_now('%d %b %Y') }}";
    assert_eq!(render(source, &[message(Role::User, " hello world ")]).unwrap(), "WORLD 01 Jan 2026");
}

#[test]
fn blocks_leave_no_blank_lines() {
    let source =
        "{% for message in messages %}\n    {% if true %}\n{{ message.content }}\n    {% endif %}\n{% endfor %}\n";
    assert_eq!(render(source, &[message(Role::User, "a")]).unwrap(), "a\n");
}

#[test]
fn what_a_template_refuses_is_said() {
    let error = render("{{ raise_exception('roles must alternate') }}", &[message(Role::User, "a")]).unwrap_err();
    assert_eq!(error.to_string(), "it refuses these messages: roles must alternate");
}

#[test]
fn a_broken_template_is_refused_when_it_is_compiled() {
    assert!(matches!(render("{% for %}", &[]), Err(TemplateError::Syntax { .. })));
    assert!(matches!(render(&" ".repeat(MAX_TEMPLATE_BYTES + 1), &[]), Err(TemplateError::TooLong { .. })));
}

#[test]
fn bombs_are_defused() {
    let doubling = format!("{{% set ns = namespace(x='aaaaaaaa') %}}{}", "{% set ns.x = ns.x ~ ns.x %}".repeat(60));
    let bombs = [
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}".to_owned(),
        "{{ 'a' * 10000000000 }}".to_owned(),
        doubling,
        "{% set x = 'a' * 1000000 %}{% for i in range(100000) %}{{ x }}{% endfor %}".to_owned(),
        "{% set x = 'a' * 1000000 %}{{ x.replace('a', x) | length }}".to_owned(),
        "{% set x = 'a' * 1000000 %}{% set y = [x] * 100000 %}{{ ','.join(y) | length }}".to_owned(),
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}".to_owned(),
        "{{ range(1000000000) | list | length }}".to_owned(),
    ];
    for bomb in bombs {
        let error = render(&bomb, &[message(Role::User, "a")]).unwrap_err();
        assert!(
            matches!(error, TemplateError::TooCostly | TemplateError::OutputTooLong | TemplateError::Render { .. }),
            "{bomb}: {error}"
        );
    }
}

#[test]
fn deep_nesting_of_a_template_overflows_no_stack() {
    let nested = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(matches!(render(&format!("{{{{ {nested} }}}}"), &[]), Err(TemplateError::Syntax { .. })));
}

#[test]
fn the_longest_prompt_can_be_paid_for() {
    let long = "word ".repeat(MAX_PROMPT_BYTES / 6);
    assert!(render(SMOLLM, &[message(Role::User, &long)]).unwrap().len() > long.len());
}

#[test]
fn templates_have_no_way_out() {
    for source in ["{% include '/etc/passwd' %}", "{% import 'os' as os %}{{ os }}", "{{ self.__class__.__mro__[1] }}"]
    {
        assert!(render(source, &[message(Role::User, "a")]).is_err(), "{source}");
    }
}

fn render_input(source: &str, input: &TemplateInput) -> Result<String, TemplateError> {
    ChatTemplate::new(source.to_owned(), "<bos>".to_owned(), "<eos>".to_owned())?
        .render_input(input, Timestamp::from_millis(1_767_225_600_123))
}

fn weather() -> Json {
    Json::parse(
        r#"{"type":"function","function":{"name":"weather","description":"Tells <the> weather.","parameters":
            {"type":"object","properties":{"place":{"type":"string"},"days":{"type":"integer"}},"required":["place"]}}}"#,
    )
    .unwrap()
}

fn a_call() -> TemplateInput {
    let call = TemplateToolCall {
        id: "call_1".to_owned(),
        name: "weather".to_owned(),
        arguments: Json::parse(r#"{"place":"Ulm","days":2}"#).unwrap(),
    };
    let mut answer = TemplateMessage::new(Role::Assistant, "");
    answer.tool_calls.push(call);
    answer.reasoning = Some("I must look.".to_owned());
    let mut result = TemplateMessage::new(Role::Tool, "rain");
    result.tool_call_id = Some("call_1".to_owned());
    result.tool_name = Some("weather".to_owned());
    TemplateInput {
        messages: vec![TemplateMessage::new(Role::User, "Ulm?"), answer, result],
        tools: vec![weather()],
        ..TemplateInput::default()
    }
}

#[test]
fn tools_are_written_as_python_writes_them() {
    let prompt = render_input("{% for tool in tools %}{{ tool | tojson }}{% endfor %}", &a_call()).unwrap();
    assert_eq!(
        prompt,
        r#"{"type": "function", "function": {"name": "weather", "description": "Tells <the> weather.", "parameters": {"type": "object", "properties": {"place": {"type": "string"}, "days": {"type": "integer"}}, "required": ["place"]}}}"#
    );
    let prompt = render_input("{{ {'b': [1, 'é'], 'a': {}} | tojson(indent=2) }}", &a_call()).unwrap();
    assert_eq!(prompt, "{\n  \"b\": [\n    1,\n    \"é\"\n  ],\n  \"a\": {}\n}");
    let source = "{{ {'b': 1.5, 'a': 'é'} | tojson(separators=(',', ':'), sort_keys=true, ensure_ascii=true) }}";
    assert_eq!(render_input(source, &a_call()).unwrap(), "{\"a\":\"\\u00e9\",\"b\":1.5}");
}

#[test]
fn calls_and_their_results_reach_the_template() {
    let source = "{% for message in messages %}{{ message.role }}:{{ message.content }}\
        {% for call in message.tool_calls %}{{ call.id }} {{ call.function.name }}({{ call.function.arguments | tojson }})\
        {% endfor %}{{ message.name }} {{ message.tool_call_id }} {{ message.reasoning_content }}\n{% endfor %}";
    assert_eq!(
        render_input(source, &a_call()).unwrap(),
        "user:Ulm?  \nassistant:call_1 weather({\"place\": \"Ulm\", \"days\": 2})  I must look.\ntool:rainweather call_1 \n"
    );
}

#[test]
fn without_tools_there_are_none() {
    let source =
        "{% if tools is none and documents is none %}none{% endif %}{% if enable_thinking is defined %}set{% endif %}";
    assert_eq!(render_input(source, &TemplateInput::default()).unwrap(), "none");
}

#[test]
fn thinking_is_left_to_the_template_until_it_is_said() {
    let source = "{% if enable_thinking is defined %}{{ enable_thinking }} {{ reasoning_effort }}{% endif %}";
    for (think, expected) in
        [(None, ""), (Some(Think::Off), "False "), (Some(Think::On), "True "), (Some(Think::High), "True high")]
    {
        let input = TemplateInput { think, ..TemplateInput::default() };
        assert_eq!(render_input(source, &input).unwrap(), expected);
    }
}

#[test]
fn a_template_may_want_arguments_as_text() {
    let source = "{% for message in messages %}{% for call in message.tool_calls %}{{ '```json\n' + call.function.arguments + '\n```' }}{% endfor %}{% endfor %}";
    assert_eq!(render_input(source, &a_call()).unwrap(), "```json\n{\"place\":\"Ulm\",\"days\":2}\n```");
}

#[test]
fn values_that_nest_without_end_are_refused() {
    let source = "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x | tojson }}";
    assert!(matches!(render_input(source, &TemplateInput::default()), Err(TemplateError::Render { .. })));
    let source = "{% set x = 'a' * 1000000 %}{% set y = [x] * 1000 %}{{ y | tojson | length }}";
    assert!(matches!(render_input(source, &TemplateInput::default()), Err(TemplateError::TooCostly)));
}

#[test]
fn a_template_may_want_parts() {
    let input = TemplateInput {
        messages: vec![TemplateMessage::new(Role::System, "Be brief."), TemplateMessage::new(Role::User, "Hi there")],
        ..TemplateInput::default()
    };
    // One fails on text, the other goes over its characters and writes nothing.
    for source in [
        "{{ messages[0]['content'][0]['text'] + ' ' + messages[1]['content'][0]['text'] }}",
        "{% for message in messages %}{% for part in message.content %}{% if part['type'] == 'text' %}{{ part.text }} {% endif %}{% endfor %}{% endfor %}",
    ] {
        assert_eq!(render_input(source, &input).unwrap().trim_end(), "Be brief. Hi there", "{source}");
    }
    assert_eq!(render_input("nothing", &input).unwrap(), "nothing");
}

#[test]
fn nothing_is_not_iterable() {
    let source =
        "{% if tools is iterable and tools | length > 0 %}tools{% endif %}{{ 'a' is iterable }} {{ [] is iterable }}";
    assert_eq!(render_input(source, &TemplateInput::default()).unwrap(), "True True");
}

#[test]
fn marks_of_training_write_nothing() {
    let source = "a{% generation %}b{%- endgeneration -%} c {%- generation -%} {{ 'd' }} {%- endgeneration %} {% if generation %}x{% endif %}";
    assert_eq!(render_input(source, &TemplateInput::default()).unwrap(), "abcd ");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(500))]

    #[test]
    fn a_spoilt_template_is_survived(
        changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), "[ {}%'|.()a0+n-]"), 1..6),
        which in 0_usize..3,
    ) {
        let good = [
            SMOLLM,
            GEMMA,
            "{% for tool in tools %}{{ tool | tojson(indent=2) }}{% endfor %}{% for message in messages %}{% for call in message.tool_calls %}{{ call.function.arguments.items() | list }}{% endfor %}{{ message.content.split(' ')[-1].strip() }}{% endfor %}",
        ];
        let mut source: Vec<char> = good[which].chars().collect();
        for (index, character) in changes {
            let index = index.index(source.len());
            source[index] = character.chars().next().unwrap_or(' ');
        }
        let source: String = source.into_iter().collect();
        let _ = Capabilities::of_jinja(&source);
        let _ = render_input(&source, &a_call());
    }
}
