//! Tests of chat templates: real ones, and ones made to do harm.

use super::*;

const SMOLLM: &str = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

const GEMMA: &str = "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}";

fn message(role: MessageRole, content: &str) -> Message {
    Message { role, content: content.to_owned() }
}

fn render(source: &str, messages: &[Message]) -> Result<String, TemplateError> {
    ChatTemplate::new(source.to_owned(), "<bos>".to_owned(), "<eos>".to_owned())?
        .render(messages, Timestamp::from_millis(1_767_225_600_123))
}

#[test]
fn a_chatml_template_renders_as_its_makers_mean_it() {
    let prompt = render(SMOLLM, &[message(MessageRole::User, "Hi")]).unwrap();
    assert_eq!(
        prompt,
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    );
}

#[test]
fn a_template_without_a_system_role_gets_it_in_the_first_turn() {
    let prompt = render(GEMMA, &[message(MessageRole::System, "Be brief."), message(MessageRole::User, "Hi")]).unwrap();
    assert_eq!(prompt, "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n");
}

#[test]
fn methods_of_python_and_dates_work() {
    let source = "{{ messages[0].content.strip().split(' ')[-1].upper() }} {{ strftime_now('%d %b %Y') }}";
    assert_eq!(render(source, &[message(MessageRole::User, " hello world ")]).unwrap(), "WORLD 01 Jan 2026");
}

#[test]
fn blocks_leave_no_blank_lines() {
    let source =
        "{% for message in messages %}\n    {% if true %}\n{{ message.content }}\n    {% endif %}\n{% endfor %}\n";
    assert_eq!(render(source, &[message(MessageRole::User, "a")]).unwrap(), "a\n");
}

#[test]
fn what_a_template_refuses_is_said() {
    let error =
        render("{{ raise_exception('roles must alternate') }}", &[message(MessageRole::User, "a")]).unwrap_err();
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
        let error = render(&bomb, &[message(MessageRole::User, "a")]).unwrap_err();
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
    assert!(render(SMOLLM, &[message(MessageRole::User, &long)]).unwrap().len() > long.len());
}

#[test]
fn templates_have_no_way_out() {
    for source in ["{% include '/etc/passwd' %}", "{% import 'os' as os %}{{ os }}", "{{ self.__class__.__mro__[1] }}"]
    {
        assert!(render(source, &[message(MessageRole::User, "a")]).is_err(), "{source}");
    }
}
