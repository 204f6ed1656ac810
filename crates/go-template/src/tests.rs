//! Tests of Go templates: the language as its documentation describes it, and templates made to do harm.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { fuel: 2_000_000, bytes_per_fuel: 64, output_bytes: 4 * 1024 * 1024 };

/// Data as a chat has it: a conversation of two turns.
fn data() -> Value {
    let message =
        |role: &str, content: &str| Value::record([("role", Value::text(role)), ("content", Value::text(content))]);
    Value::record([
        ("System", Value::text("Be brief.")),
        ("Prompt", Value::text("Bye")),
        ("Response", Value::text("")),
        ("Suffix", Value::text("")),
        ("Tools", Value::list(Vec::new())),
        (
            "Messages",
            Value::list(vec![
                message("system", "Be brief."),
                message("user", "Hi"),
                message("assistant", "Ho"),
                message("user", "Bye"),
            ]),
        ),
    ])
}

fn render(source: &str) -> Result<String, Error> {
    let template = Template::parse(source)?;
    let mut run = Run::new(&template, LIMITS, "2026-01-01".to_owned());
    run.execute(&data(), None)?;
    Ok(run.into_output())
}

fn write(source: &str) -> String {
    render(source).unwrap()
}

fn refusal(source: &str) -> String {
    Template::parse(source).unwrap_err().to_string()
}

#[test]
fn space_and_comments_go_away_where_marks_say_so() {
    for (source, expected) in [
        ("a {{- 1 -}} b", "a1b"),
        ("a {{ 1 }} b", "a 1 b"),
        ("a\n{{- /* gone */ -}}\nb", "ab"),
        ("a {{/* }} */}} b", "a  b"),
        ("{{23 -}} < {{- 45}}", "23<45"),
        ("{{-3}}", "-3"),
        ("a {{- \"}}\" }}", "a}}"),
        ("{{\n1\n}}", "1"),
        ("{ {{ `{{` }} }", "{ {{ }"),
    ] {
        assert_eq!(write(source), expected, "{source:?}");
    }
}

#[test]
fn conditions_choose() {
    for (source, expected) in [
        ("{{ if .System }}yes{{ else }}no{{ end }}", "yes"),
        ("{{ if .Suffix }}yes{{ else }}no{{ end }}", "no"),
        ("{{ if 0 }}a{{ else if \"\" }}b{{ else if 1.5 }}c{{ else }}d{{ end }}", "c"),
        ("{{ with .System }}{{ . }}{{ end }}", "Be brief."),
        ("{{ with $x := .System }}{{ $x }}{{ .Foo }}{{ end }}", "Be brief."),
        ("{{ with .Suffix }}a{{ else with .System }}{{ . }}{{ end }}", "Be brief."),
        ("{{ if and .System .Messages }}a{{ end }}{{ if or .Suffix .Foo }}b{{ end }}", "a"),
        ("{{ if not .Suffix }}a{{ end }}", "a"),
    ] {
        assert_eq!(write(source), expected, "{source:?}");
    }
}

#[test]
fn loops_go_over_lists_maps_and_numbers() {
    for (source, expected) in [
        (
            "{{ range .Messages }}{{ .Role }}:{{ .Content }};{{ end }}",
            "system:Be brief.;user:Hi;assistant:Ho;user:Bye;",
        ),
        ("{{ range $i, $m := .Messages }}{{ $i }}{{ $m.Role }} {{ end }}", "0system 1user 2assistant 3user "),
        ("{{ range $m := .Messages }}{{ $m.Content }}{{ end }}", "Be brief.HiHoBye"),
        ("{{ range .Tools }}a{{ else }}none{{ end }}", "none"),
        ("{{ range 3 }}{{ . }}{{ end }}", "012"),
        ("{{ range $i := 3 }}{{ $i }}{{ end }}", "012"),
        ("{{ range .Foo }}a{{ else }}b{{ end }}", "b"),
        (
            "{{ range $i, $_ := .Messages }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ if eq $i 3 }}{{ break }}{{ end }}{{ $i }}{{ end }}",
            "02",
        ),
        ("{{ range .Messages }}{{ $.System }}{{ break }}{{ end }}", "Be brief."),
        ("{{ $last := \"\" }}{{ range .Messages }}{{ $last = .Role }}{{ end }}{{ $last }}", "user"),
        ("{{ range $i, $_ := .Messages }}{{ if le (len (slice $.Messages $i)) 2 }}{{ $i }}{{ end }}{{ end }}", "23"),
    ] {
        assert_eq!(write(source), expected, "{source:?}");
    }
}

#[test]
fn variables_live_as_long_as_their_block() {
    assert_eq!(write("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}"), "21");
    assert_eq!(write("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}"), "2");
    assert_eq!(write("{{ $ := 3 }}{{ $ }}"), "3");
    assert!(refusal("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}").contains("$x is not known"));
    assert!(refusal("{{ $x = 1 }}").contains("$x is not known"));
    assert!(refusal("{{ $x := $x }}").contains("$x is not known"));
    assert!(refusal("{{ $x := 1 }}{{ define \"t\" }}{{ $x }}{{ end }}").contains("$x is not known"));
}

#[test]
fn templates_call_templates() {
    for (source, expected) in [
        ("{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" .System }}{{ template \"t\" }}", "<Be brief.><>"),
        ("{{ block \"t\" .System }}[{{ . }}]{{ end }}", "[Be brief.]"),
        (
            "{{ template \"t\" 3 }}{{ define \"t\" }}{{ if gt . 0 }}{{ . }}{{ template \"u\" }}{{ end }}{{ end }}{{ define \"u\" }}!{{ end }}",
            "3!",
        ),
        ("{{ define \"t\" }}{{ $ }}{{ end }}{{ template \"t\" `x` }}", "x"),
    ] {
        assert_eq!(write(source), expected, "{source:?}");
    }
    let error = render("{{ template \"none\" }}").unwrap_err();
    assert_eq!(error.to_string(), "the template \"none\" is not defined");
}

#[test]
fn functions_do_what_the_documentation_says() {
    for (source, expected) in [
        ("{{ eq 1 2 3 1 }} {{ eq .System \"Be brief.\" }} {{ ne 1 2 }}", "true true true"),
        ("{{ lt 1 2 }} {{ le 2 2 }} {{ gt \"b\" \"a\" }} {{ ge 1.5 1 }}", "true true true true"),
        ("{{ eq .Foo \"x\" }} {{ ne .Foo \"x\" }} {{ eq .Foo nil }}", "false true true"),
        ("{{ and 1 0 2 }} {{ and 1 2 }} {{ or 0 \"\" 3 }} {{ or 0 \"\" }}", "0 2 3 "),
        ("{{ not 0 }} {{ not \"a\" }}", "true false"),
        ("{{ len \"é\" }} {{ len .Messages }}", "2 4"),
        ("{{ index .Messages 1 | len }}", "2"),
        ("{{ (index .Messages 1).Content }}", "Hi"),
        ("{{ index \"abc\" 1 }}", "98"),
        ("{{ slice \"abcdef\" 1 3 }} {{ slice \"abc\" 1 }} {{ len (slice .Messages 1 3) }}", "bc bc 2"),
        ("{{ print 1 2 \"a\" 3 4 }} {{ println 1 \"a\" }}", "1 2a3 4 1 a\n"),
        ("{{ printf \"%s-%d-%q\" .System 3 \"x\" }}", "Be brief.-3-\"x\""),
        ("{{ 3 | printf \"%d %d\" 2 }}", "2 3"),
        ("{{ \"output\" | printf \"%s\" | printf \"%q\" }}", "\"output\""),
        ("{{ html \"<a href='x'>&\" }}", "&lt;a href=&#39;x&#39;&gt;&amp;"),
        ("{{ js \"<a='b'>\\n\" }}", "\\u003Ca\\u003D\\'b\\'\\u003E\\u000A"),
        ("{{ urlquery \"a b&é\" }}", "a+b%26%C3%A9"),
        ("{{ json .System }} {{ json 1.5 }} {{ json .Foo }}", "\"Be brief.\" 1.5 null"),
        ("{{ currentDate }}", "2026-01-01"),
        ("{{ true }} {{ 1e3 }} {{ 'a' }} {{ 0x10 }}", "true 1000 97 16"),
        ("{{ .Foo }}{{ .Foo.Bar }}{{ .System.Foo }}", ""),
    ] {
        assert_eq!(write(source), expected, "{source:?}");
    }
}

#[test]
fn what_go_refuses_to_read_is_refused() {
    for source in [
        "{{ if }}a{{ end }}",
        "{{ if true }}",
        "{{ end }}",
        "{{ else }}",
        "{{ if true }}{{ else }}{{ else }}{{ end }}",
        "{{ range true }}{{ else if true }}{{ end }}",
        "{{",
        "{{ .A",
        "{{ \"a }}",
        "{{ (1 }}",
        "{{ 1) }}",
        "{{ 1 2 }}",
        "{{ 1 | 2 }}",
        "{{ | print }}",
        "{{ print | }}",
        "{{ nil }}",
        "{{ unknown 1 }}",
        "{{ call .A }}",
        "{{ .A\"b\" }}",
        "{{ $x, $y := .A }}",
        "{{ break }}",
        "{{ define \"a\" }}{{ break }}{{ end }}",
        "{{ if true }}{{ define \"a\" }}{{ end }}{{ end }}",
        "{{ define \"a\" }}",
        "{{ template .A }}",
        "{{ /* a */ 1 }}",
        "{{/* a }}",
        "{{ ~ }}",
        "{{ 1x }}",
        "{{ }}",
    ] {
        assert!(Template::parse(source).is_err(), "{source:?}");
    }
    assert_eq!(refusal("a\n\n{{ if }}{{ end }}"), "a command is missing (line 3)");
}

#[test]
fn what_go_refuses_to_run_is_an_error() {
    for source in [
        "{{ .System 1 }}",
        "{{ 1 | .System }}",
        "{{ eq 1 \"a\" }}",
        "{{ lt 1 \"a\" }}",
        "{{ lt .Foo 1 }}",
        "{{ eq 1 }}",
        "{{ len 1 }}",
        "{{ index .Messages 9 }}",
        "{{ index .Messages -1 }}",
        "{{ slice \"abc\" 2 1 }}",
        "{{ slice \"é\" 1 }}",
        "{{ slice .Messages 0 9 }}",
        "{{ range \"abc\" }}{{ end }}",
        "{{ range true }}{{ end }}",
        "{{ not 1 2 }}",
        "{{ json }}",
    ] {
        let error = render(source).unwrap_err();
        assert!(matches!(error, Error::Run { .. }), "{source:?}: {error}");
    }
}

#[test]
fn bombs_are_defused() {
    let doubling = format!("{{{{ $x := \"aaaaaaaa\" }}}}{}{{{{ len $x }}}}", "{{ $x = print $x $x }}".repeat(60));
    let recursion = "{{ define \"t\" }}{{ template \"t\" . }}{{ end }}{{ template \"t\" . }}".to_owned();
    let tree = "{{ define \"t\" }}{{ if gt (len .) 0 }}{{ template \"t\" (slice . 1) }}{{ template \"t\" (slice . 1) }}{{ end }}{{ end }}{{ template \"t\" \"0123456789012345678901234567890\" }}".to_owned();
    for bomb in [
        doubling,
        recursion,
        tree,
        "{{ range 9223372036854775807 }}{{ end }}".to_owned(),
        "{{ range 100000 }}{{ range 100000 }}{{ end }}{{ end }}".to_owned(),
        format!("{{{{ range 100000 }}}}{}{{{{ end }}}}", "a".repeat(1_000)),
        format!("{{{{ range 1000000 }}}}{{{{ len `{}` }}}}{{{{ end }}}}", "a".repeat(100_000)),
        "{{ $f := \"%256d\" }}{{ range 30 }}{{ $f = print $f $f }}{{ end }}{{ len (printf $f 1) }}".to_owned(),
        "{{ $x := .Messages }}{{ range 1000000 }}{{ len (json $x) }}{{ end }}".to_owned(),
    ] {
        let error = render(&bomb).unwrap_err();
        assert!(matches!(error, Error::TooCostly | Error::OutputTooLong | Error::Run { .. }), "{bomb:.80}: {error}");
    }
}

#[test]
fn nesting_has_an_end() {
    for deep in [
        format!("{{{{ {}1{} }}}}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("{}{}", "{{ if true }}".repeat(20_000), "{{ end }}".repeat(20_000)),
        "{{ if true }}{{ else if true }}".repeat(10_000),
        "{{ block \"a\" . }}".repeat(20_000),
    ] {
        assert!(matches!(Template::parse(&deep), Err(Error::Syntax { .. })), "{deep:.40}");
    }
    // As deep as it may be read, it can be run.
    let deepest = format!("{}a{}", "{{ if true }}".repeat(100), "{{ end }}".repeat(100));
    assert_eq!(write(&deepest), "a");
}

/// Pieces from which templates are made, good and bad.
fn source() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        "\n",
        ".",
        ".Messages",
        ".Content",
        ".Role",
        ".Tools",
        ".Prompt",
        ".Response",
        "$",
        "$x",
        ":=",
        "=",
        ",",
        "|",
        "(",
        ")",
        "if",
        "else",
        "end",
        "range",
        "with",
        "template",
        "define",
        "block",
        "break",
        "continue",
        "\"t\"",
        "and",
        "or",
        "not",
        "eq",
        "lt",
        "len",
        "index",
        "slice",
        "print",
        "printf",
        "json",
        "0",
        "1",
        "-1",
        "1.5",
        "\"%d\"",
        "true",
        "nil",
        "/*",
        "*/",
        "é",
        "{{ end }}",
        "{{ range .Messages }}",
        "{{ if .System }}",
        "{{ $x := 1 }}",
        "{{ .Content }}",
        "'a'",
        "`b`",
    ]);
    prop::collection::vec(piece, 0..30)
        .prop_map(|pieces| pieces.join(" ").replace("{{ -", "{{-").replace("- }}", "-}}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_template_is_survived(source in source()) {
        let _ = render(&source);
    }

    #[test]
    fn any_text_is_survived(source in any::<String>()) {
        let _ = render(&source);
    }

    #[test]
    fn any_printf_is_survived(format in "[%a0-9.+# vsdqxfget*\\]\\[-]{0,20}", number in any::<i64>(), text in any::<String>()) {
        let _ = format::printf(&format, &[Value::Int(number), Value::text(text), Value::Float(0.1)], 10_000);
    }

    #[test]
    fn text_without_actions_is_written_as_it_is(text in "[^{]{0,60}") {
        prop_assert_eq!(render(&text).unwrap(), text);
    }
}
