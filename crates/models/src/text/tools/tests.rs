//! Tests of the splitter of calls: every family, every cut, and text that only looks like a call.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use super::*;

fn splitter(format: ToolFormat) -> ToolCallSplitter<SmallRng> {
    let weather = r#"{"type":"function","function":{"name":"weather","parameters":{"type":"object",
        "properties":{"place":{"type":"string"},"days":{"type":"integer"}}}}}"#;
    let tools = [weather, r#"{"name":"time"}"#].map(|tool| Json::parse(tool).unwrap());
    ToolCallSplitter::new(format, &tools, SmallRng::seed_from_u64(1))
}

/// The whole text, and the calls as `name(arguments)`, of an answer cut into pieces of `cut` characters.
fn split(format: ToolFormat, answer: &str, cut: usize) -> (String, Vec<String>) {
    let mut splitter = splitter(format);
    let characters: Vec<char> = answer.chars().collect();
    let mut pieces = Vec::new();
    for piece in characters.chunks(cut) {
        pieces.extend(splitter.push(&piece.iter().collect::<String>()));
    }
    pieces.extend(splitter.finish());
    let (mut text, mut calls) = (String::new(), Vec::new());
    for piece in pieces {
        match piece {
            ToolPiece::Text(more) => text.push_str(&more),
            ToolPiece::Call(call) => calls.push(format!("{}({})", call.name, call.arguments)),
        }
    }
    (text, calls)
}

const WHOLE: usize = usize::MAX >> 1;

/// Checks an answer in every cut.
fn check(format: ToolFormat, answer: &str, text: &str, calls: &[&str]) {
    for cut in (1..8).chain([WHOLE]) {
        let (found_text, found_calls) = split(format, answer, cut);
        assert_eq!(
            (found_text.as_str(), found_calls),
            (text, calls.iter().map(ToString::to_string).collect()),
            "{answer:?} in pieces of {cut}"
        );
    }
}

const ULM: &str = r#"weather({"place": "Ulm", "days": 2})"#;
const NOW: &str = "time({})";

#[test]
fn hermes_and_qwen_write_calls_in_tags() {
    let one = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"place\": \"Ulm\", \"days\": 2}}\n</tool_call>";
    check(ToolFormat::Hermes, one, "", &[ULM]);
    check(ToolFormat::Hermes, &format!("Let me look.\n\n{one}\n"), "Let me look.", &[ULM]);
    let two = format!("{one}\n<tool_call>{{\"name\":\"time\"}}</tool_call> Done.");
    check(ToolFormat::Hermes, &two, "Done.", &[ULM, NOW]);
    // The end of the answer may come before the closing tag, or within.
    check(ToolFormat::Hermes, &one[..one.len() - 5], "", &[ULM]);
    check(ToolFormat::Hermes, &one[..one.len() - 13], "", &[ULM]);
    check(ToolFormat::Hermes, "<tool_call><function=time>{}</function></tool_call>", "", &[NOW]);
}

#[test]
fn qwen_3_coder_writes_each_argument_in_tags() {
    let call = "<function=weather>\n<parameter=place>\nUlm </parameter\nis far\n</parameter>\n<parameter=days>\n2\n</parameter>\n</function>";
    let expected = r#"weather({"place":"Ulm </parameter\nis far","days":2})"#;
    check(ToolFormat::Hermes, &format!("I look.\n<tool_call>\n{call}\n</tool_call>"), "I look.", &[expected]);
    check(ToolFormat::Hermes, &format!("{call}\n</tool_call>"), "", &[expected]);
    check(ToolFormat::Function, call, "", &[expected]);
    // A place may have a number for its name.
    let number = "<function=weather><parameter=place>84</parameter><parameter=days>null</parameter></function>";
    check(ToolFormat::Function, number, "", &[r#"weather({"place":"84","days":null})"#]);
    check(ToolFormat::Function, "<function=time></function>.", ".", &[NOW]);
    for broken in [
        "<function=weather><parameter=place>Ulm</function>",
        "<function=weather><parameter=place",
        "<function=weather>Ulm</function>",
        "<function=><parameter=a>1</parameter></function>",
    ] {
        check(ToolFormat::Function, broken, broken, &[]);
    }
    let long = format!("<function=weather><parameter=a>{}</parameter></function>", "é".repeat(MAX_CALL_BYTES));
    check(ToolFormat::Function, &long, &long, &[]);
}

#[test]
fn llama_answers_with_the_call_itself() {
    let call = r#"{"name": "weather", "parameters": {"place": "Ulm", "days": 2}}"#;
    check(ToolFormat::Llama, call, "", &[ULM]);
    check(ToolFormat::Llama, &format!("\n {call}; {{\"name\":\"time\",\"parameters\":{{}}}}"), "", &[ULM, NOW]);
    check(ToolFormat::Llama, &format!("{call}\n{call}"), "", &[ULM, ULM]);
    check(ToolFormat::Llama, &format!("<|python_tag|>{call}"), "", &[ULM]);
    check(ToolFormat::Llama, "<function=time>{}</function>", "", &[NOW]);
    check(ToolFormat::Llama, &format!("<|python_start|>{call}<|python_end|>"), "", &[ULM]);
    check(ToolFormat::Llama, "functools[{\"name\":\"time\",\"arguments\":{}}]", "", &[NOW]);
    let other = r#"{"answer": {"name": "weather"}}"#;
    check(ToolFormat::Llama, other, other, &[]);
    let unknown = r#"{"name": "Bob", "parameters": {}}"#;
    check(ToolFormat::Llama, unknown, unknown, &[]);
    let later = format!("So: {call}");
    check(ToolFormat::Llama, &later, &later, &[]);
}

#[test]
fn mistral_writes_a_list_or_a_name_before_its_arguments() {
    let list = r#"[TOOL_CALLS] [{"name": "weather", "arguments": {"place": "Ulm", "days": 2}, "id": "123456789"}, {"name": "time", "arguments": {}}]"#;
    check(ToolFormat::Mistral, list, "", &[ULM, NOW]);
    let named = r#"[TOOL_CALLS]weather[ARGS]{"place": "Ulm", "days": 2}[TOOL_CALLS]time[ARGS]{}"#;
    check(ToolFormat::Mistral, named, "", &[ULM, NOW]);
}

#[test]
fn command_r_writes_actions() {
    let call = r#"{"tool_name": "weather", "parameters": {"place": "Ulm", "days": 2}}"#;
    check(ToolFormat::CommandR, &format!("Action: ```json\n[\n    {call}\n]```"), "", &[ULM]);
    check(ToolFormat::CommandR, &format!("I will look.<|START_ACTION|>[{call}]<|END_ACTION|>"), "I will look.", &[ULM]);
}

#[test]
fn granite_has_a_mark_and_a_list() {
    let call = r#"{"name": "weather", "arguments": {"place": "Ulm", "days": 2}}"#;
    check(ToolFormat::Granite, &format!("<|tool_call|>[{call}, {call}]"), "", &[ULM, ULM]);
    check(ToolFormat::Granite, &format!("<|tool_call|>[{call}]<|/tool_call|>"), "", &[ULM]);
    check(ToolFormat::Granite, &format!("<tool_call>[{call}]"), "", &[ULM]);
}

#[test]
fn deepseek_has_the_name_outside() {
    let older = "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n{\"place\": \"Ulm\", \"days\": 2}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>time\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>";
    check(ToolFormat::DeepSeek, older, "", &[ULM, NOW]);
    let newer = "Well.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{\"place\": \"Ulm\", \"days\": 2}<｜tool▁call▁end｜><｜tool▁calls▁end｜>";
    check(ToolFormat::DeepSeek, newer, "Well.", &[ULM]);
}

#[test]
fn without_a_mark_json_of_a_known_tool_is_a_call() {
    let call = r#"{"name": "weather", "arguments": {"place": "Ulm", "days": 2}}"#;
    check(ToolFormat::Json, call, "", &[ULM]);
    check(ToolFormat::Json, &format!("I look:\n```json\n{call}\n```\n"), "I look:", &[ULM]);
    let other = "```json\n{\"name\": \"Bob\"}\n```";
    check(ToolFormat::Json, other, other, &[]);
}

#[test]
fn what_only_looks_like_a_call_stays_text() {
    for answer in [
        "<tool_call>",
        "<tool_call",
        "a <tool_call> b",
        "<tool_call>{\"name\": \"weather\"",
        "<tool_call>{\"name\": \"weather\", \"arguments\": 1}</tool_call>",
        "<tool_call>{name: weather}</tool_call>",
        "<tool_call>[]</tool_call>",
        "<tool_call></tool_call>",
        "<tool_call><function=></function></tool_call>",
        "  white space \n\n",
        "{",
        "",
    ] {
        check(ToolFormat::Hermes, answer, answer, &[]);
    }
    for answer in ["[TOOL_CALLS]", "[TOOL_CALLS] none", "[TOOL_CALLS]a[ARGS]1", "[TOOL", "[1, 2]"] {
        check(ToolFormat::Mistral, answer, answer, &[]);
    }
}

#[test]
fn a_call_after_a_broken_one_is_found() {
    let good = "<tool_call>{\"name\":\"time\"}</tool_call>";
    check(
        ToolFormat::Hermes,
        &format!("<tool_call>{{broken}}</tool_call>{good}"),
        "<tool_call>{broken}</tool_call>",
        &[NOW],
    );
    check(ToolFormat::Hermes, &format!("<tool_call>{good}"), "<tool_call>", &[NOW]);
    let second = r#"{"name":"time"}; {"name":"nobody"}"#;
    check(ToolFormat::Llama, second, "; {\"name\":\"nobody\"}", &[NOW]);
}

#[test]
fn a_call_that_is_too_long_is_let_go() {
    let long = format!("<tool_call>{{\"name\":\"{}\"}}</tool_call> end", "é".repeat(MAX_CALL_BYTES));
    check(ToolFormat::Hermes, &long, &long, &[]);
    let mut splitter = splitter(ToolFormat::Hermes);
    let mut pieces = splitter.push("<tool_call>{\"");
    for _ in 0..MAX_CALL_BYTES {
        pieces.extend(splitter.push("aé"));
        let held = splitter.attempt.as_ref().map_or(splitter.held.len(), Attempt::held_bytes);
        assert!(held <= MAX_CALL_BYTES + 100, "{held} bytes are held back");
    }
    assert!(!pieces.is_empty());
}

#[test]
fn text_is_not_held_back_longer_than_it_must_be() {
    let mut splitter = splitter(ToolFormat::Hermes);
    assert_eq!(splitter.push("Hello <b"), [ToolPiece::Text("Hello <b".to_owned())]);
    assert_eq!(splitter.push(" <tool"), []);
    assert_eq!(splitter.push("box>"), [ToolPiece::Text(" <toolbox>".to_owned())]);
    // A great gap is not held as a whole.
    let held: usize = splitter
        .push(&" ".repeat(5_000))
        .iter()
        .map(|piece| match piece {
            ToolPiece::Text(text) => text.len(),
            ToolPiece::Call(_) => 0,
        })
        .sum();
    assert_eq!(held, 5_000 - MAX_GAP_BYTES);
    // An answer in JSON that can be no call comes at once.
    let mut json = ToolCallSplitter::new(ToolFormat::Json, &[], SmallRng::seed_from_u64(1));
    json.push("{\"answer\"");
    assert_eq!(json.push(": 4"), [ToolPiece::Text(": 4".to_owned())]);
}

#[test]
fn calls_have_ids_of_their_own() {
    let mut splitter = splitter(ToolFormat::Hermes);
    let pieces = splitter.push("<tool_call>{\"name\":\"time\"}</tool_call><tool_call>{\"name\":\"time\"}</tool_call>");
    let ids: Vec<&str> = pieces
        .iter()
        .filter_map(|piece| match piece {
            ToolPiece::Call(call) => Some(call.id.as_str()),
            ToolPiece::Text(_) => None,
        })
        .collect();
    assert_ne!(ids[0], ids[1]);
    for id in ids {
        let letters = id.strip_prefix("call_").unwrap();
        assert!(
            letters.len() == 8 && letters.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
            "{id}"
        );
    }
}

#[test]
fn the_form_is_seen_in_the_template() {
    for (template, format) in [
        ("{{- '<tool_call>\\n' }}", ToolFormat::Hermes),
        ("<|start_header_id|>ipython<|end_header_id|>", ToolFormat::Llama),
        ("[AVAILABLE_TOOLS] [TOOL_CALLS] [", ToolFormat::Mistral),
        ("Action: ```json\\n[", ToolFormat::CommandR),
        ("<|START_ACTION|>", ToolFormat::CommandR),
        ("<|tool_call|> <tool_call>", ToolFormat::Granite),
        ("<｜tool▁calls▁begin｜>", ToolFormat::DeepSeek),
        ("<function=example>", ToolFormat::Function),
        ("{{ messages }}", ToolFormat::Json),
    ] {
        assert_eq!(ToolFormat::of_template(template), format, "{template}");
    }
}

const FORMATS: [ToolFormat; 8] = [
    ToolFormat::Hermes,
    ToolFormat::Llama,
    ToolFormat::Mistral,
    ToolFormat::CommandR,
    ToolFormat::Granite,
    ToolFormat::DeepSeek,
    ToolFormat::Function,
    ToolFormat::Json,
];

/// Answers made of marks and pieces of calls, whole and broken.
fn answer() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<tool_call>",
        "</tool_call>",
        "[TOOL_CALLS]",
        "[ARGS]",
        "<|python_tag|>",
        "<function=",
        "</function>",
        "<|tool_call|>",
        "Action: ```json",
        "```json",
        "```",
        "<|START_ACTION|>",
        "<|END_ACTION|>",
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁call▁begin｜>",
        "<parameter=a>",
        "</parameter>",
        "functools",
        "<toolcall>",
        "<｜tool▁sep｜>",
        "<｜tool▁call▁end｜>",
        "<｜tool▁calls▁end｜>",
        "{\"name\":\"time\",\"arguments\":{\"é\":[1]}}",
        "{\"name\":\"time\"}",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        ";",
        ">",
        " ",
        "\n",
        "time",
        "é",
        "<",
        "{\"name\":",
        "\"arguments\":{}",
        "a b",
    ]);
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn cutting_never_changes_what_is_found(answer in answer(), format in prop::sample::select(FORMATS.to_vec()), cut in 1_usize..9) {
        prop_assert_eq!(split(format, &answer, cut), split(format, &answer, WHOLE));
    }

    /// Without calls, the text is the answer; with calls, all that is not theirs is there in its order.
    #[test]
    fn nothing_is_lost(answer in answer(), format in prop::sample::select(FORMATS.to_vec())) {
        let (text, calls) = split(format, &answer, WHOLE);
        if calls.is_empty() {
            prop_assert_eq!(text, answer);
        } else {
            let mut rest = answer.chars();
            prop_assert!(text.chars().all(|wanted| rest.any(|found| found == wanted)), "{:?} of {:?}", text, answer);
        }
    }

    #[test]
    fn text_around_calls_stays_as_it_is(before in "[a-z .é<]{0,20}", after in "[a-z .é<]{0,20}", arguments in "[a-zé{}\\[\\]<>]{0,20}") {
        let arguments = serde_json::json!({ "text": arguments }).to_string();
        let answer = format!("{before}<tool_call>{{\"name\":\"time\",\"arguments\":{arguments}}}</tool_call>{after}");
        let (text, calls) = split(ToolFormat::Hermes, &answer, 3);
        prop_assert_eq!(text, format!("{}{}", before.trim_end(), after.trim_start()));
        prop_assert_eq!(calls, vec![format!("time({arguments})")]);
    }
}
