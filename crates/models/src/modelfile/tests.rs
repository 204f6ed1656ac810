//! Tests of Modelfiles: what the documentation shows, what is refused, and that what is written is read again.

use proptest::prelude::*;

use super::*;

#[test]
fn every_instruction_is_read() {
    let file = Modelfile::parse(
        "\u{feff}# A comment\n\
         FROM llama3.2\n\
         from ./projector.gguf\r\n\
         \n\
         PARAMETER temperature 0.7\n\
         parameter STOP \"<|im_end|>\"\n\
         PARAMETER stop \"two words\"\n\
         TEMPLATE \"\"\"{{ if .System }}\n  # {{ .System }} \n{{ end }}\"\"\"\n\
         SYSTEM You are \"brief\".  \n\
         ADAPTER ./lora.gguf\n\
         LICENSE \"\"\"\nMIT\n\"\"\"\n\
         LICENSE \"\"\n\
         MESSAGE user Is Toronto in Canada?\n\
         MESSAGE Assistant \"yes\"\n\
         REQUIRES 0.14.0",
    )
    .unwrap();
    let text = |text: &str| text.to_owned();
    let expected = Modelfile {
        from: vec![text("llama3.2"), text("./projector.gguf")],
        adapters: vec![text("./lora.gguf")],
        template: Some(text("{{ if .System }}\n  # {{ .System }} \n{{ end }}")),
        system: Some(text("You are \"brief\".")),
        parameters: [("temperature", "0.7"), ("stop", "<|im_end|>"), ("stop", "two words")]
            .map(|(name, value)| (text(name), text(value)))
            .to_vec(),
        messages: vec![(Role::User, text("Is Toronto in Canada?")), (Role::Assistant, text("yes"))],
        licenses: vec![text("\nMIT\n"), String::new()],
        requires: Some(text("0.14.0")),
    };
    assert_eq!(file, expected);
    assert_eq!(Modelfile::parse(&file.to_text().unwrap()), Ok(expected));
}

#[test]
fn the_last_of_an_instruction_that_is_there_once_holds() {
    let file = Modelfile::parse("FROM a\nSYSTEM one\nSYSTEM two").unwrap();
    assert_eq!(file.system.as_deref(), Some("two"));
}

#[test]
fn what_is_not_understood_is_refused_with_its_line() {
    for (text, expected) in [
        ("", "`FROM` is missing"),
        ("SYSTEM x", "`FROM` is missing"),
        ("FROM", "line 1: `FROM` needs a model or a file"),
        ("FROM \"\"", "line 1: `FROM` needs a model or a file"),
        ("FROM a\nPARAMETER", "line 2: `PARAMETER` needs a name and a value"),
        ("FROM a\nPARAMETER top_k", "line 2: `PARAMETER` needs a name and a value"),
        ("FROM a\n\nSYSTEM  ", "line 3: `SYSTEM` needs a value"),
        ("FROM a\nSYSTEM \"\"\"x\ny", "line 2: the quotes do not end"),
        ("FROM a\nSYSTEM \"x", "line 2: the quotes do not end"),
        ("FROM a\nSYSTEM \"\"\"x\"\"\" y", "line 2: the quotes do not end"),
        ("FROM a\nMESSAGE robot hi", "line 2: `robot` is no role; there are system, user, assistant and tool"),
        ("FROM a\nMESSAGE user", "line 2: `MESSAGE` needs a value"),
        (
            "FROM a\nTOOLS x",
            "line 2: `TOOLS` is no instruction; there are FROM, PARAMETER, TEMPLATE, SYSTEM, ADAPTER, LICENSE, MESSAGE and REQUIRES",
        ),
    ] {
        assert_eq!(Modelfile::parse(text).unwrap_err().to_string(), expected, "{text:?}");
    }
    let long = format!("FROM a\n{}", "#".repeat(MAX_MODELFILE_BYTES));
    assert!(matches!(Modelfile::parse(&long), Err(ModelfileError::TooLong { .. })));
}

#[test]
fn a_value_that_no_quotes_can_hold_is_not_written() {
    let file = Modelfile { system: Some("def f():\n    \"\"\"\n    x".to_owned()), ..Modelfile::default() };
    assert_eq!(file.to_text(), Err(ModelfileError::Unwritable { instruction: "SYSTEM" }));
    // Quotes elsewhere are no trouble.
    let file = Modelfile {
        from: vec!["a".to_owned()],
        system: Some("a \"\"\" b\nc\"".to_owned()),
        template: Some("\"\"\"".to_owned()),
        ..Modelfile::default()
    };
    assert_eq!(Modelfile::parse(&file.to_text().unwrap()), Ok(file));
}

/// A value with all that is special.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a \"\n\r#é]{0,12}"]
}

fn word() -> impl Strategy<Value = String> {
    "[a-z0-9_./:<|>-]{1,12}"
}

fn file() -> impl Strategy<Value = Modelfile> {
    let role = prop::sample::select(vec![Role::System, Role::User, Role::Assistant, Role::Tool]);
    let some = || value().prop_filter("not empty", |value| !value.is_empty());
    (
        prop::collection::vec(some(), 1..3),
        prop::collection::vec(some(), 0..2),
        prop::option::of(value()),
        prop::option::of(value()),
        prop::collection::vec((word(), some()), 0..4),
        prop::collection::vec((role, value()), 0..4),
        prop::collection::vec(value(), 0..2),
        prop::option::of(word()),
    )
        .prop_map(|(from, adapters, template, system, parameters, messages, licenses, requires)| Modelfile {
            from,
            adapters,
            template,
            system,
            parameters,
            messages,
            licenses,
            requires,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_written_is_read_again(file in file()) {
        match file.to_text() {
            Ok(text) => prop_assert_eq!(Modelfile::parse(&text), Ok(file)),
            Err(error) => {
                let is_unwritable = matches!(error, ModelfileError::Unwritable { .. });
                prop_assert!(is_unwritable);
            }
        }
    }

    #[test]
    fn any_text_is_survived(text in "(FROM|SYSTEM|PARAMETER|MESSAGE|TEMPLATE)?[ a\"\n#]{0,30}") {
        let _ = Modelfile::parse(&text);
    }
}
