//! The scanner: what it finds, however the bytes come, and that it holds one entry and no more.

use proptest::prelude::*;

use super::*;

/// What is found when `text` comes in pieces of so many bytes.
fn found(text: &[u8], pieces: usize, entry_bytes: usize) -> Vec<Found> {
    let mut scanner = Scanner::new(entry_bytes);
    let mut all = Vec::new();
    for mut piece in text.chunks(pieces.max(1)) {
        while let Some(found) = scanner.next(&mut piece) {
            all.push(found);
        }
        assert!(scanner.held() <= 4 * (entry_bytes + FIELD_BYTES), "{}", scanner.held());
    }
    all.extend(scanner.last());
    all
}

fn element(path: &str, json: &str) -> Found {
    Found::Element { path: path.to_owned(), json: json.into() }
}

fn field(name: &str, json: &str) -> Found {
    Found::Field { name: name.to_owned(), json: json.into() }
}

#[test]
fn a_document_is_descended_to_its_arrays() {
    let text = "\u{feff} {\"v\":7,\"state\":{\"messages\":[{\"a\":\"]}\\\"\"},[1,[2]],\"x\",3 , null],\"none\":[]},\
                \"settings\":{\"a\":{\"b\":{\"c\":[1]}}},\"last\":\"x\"}";
    for pieces in 1..40 {
        let want = [
            field("v", "7"),
            element("state.messages", "{\"a\":\"]}\\\"\"}"),
            element("state.messages", "[1,[2]]"),
            element("state.messages", "\"x\""),
            element("state.messages", "3"),
            element("state.messages", "null"),
            field("last", "\"x\""),
        ];
        assert_eq!(found(text.as_bytes(), pieces, 1_000), want, "{pieces}");
    }
}

#[test]
fn an_array_may_be_the_root_and_lines_follow_a_document() {
    assert_eq!(found(b"[{\"a\":1},{\"b\":2}]", 3, 100), [element("", "{\"a\":1}"), element("", "{\"b\":2}")]);
    let lines = b"{\"format\":\"x\"}\n{\"a\":1}\n\n{broken\n{\"b\":2}";
    let want = [
        field("format", "\"x\""),
        Found::Line(b"{\"a\":1}".to_vec()),
        Found::Line(b"{broken".to_vec()),
        Found::Line(b"{\"b\":2}".to_vec()),
    ];
    for pieces in 1..20 {
        assert_eq!(found(lines, pieces, 100), want);
    }
}

#[test]
fn what_is_too_large_is_passed_over_and_the_rest_is_read() {
    let long = format!("[{{\"a\":\"{}\"}},{{\"b\":1}}]", "x".repeat(10_000));
    assert_eq!(found(long.as_bytes(), 64, 100), [Found::TooLarge { path: String::new() }, element("", "{\"b\":1}")]);
    let lines = format!("{{\"f\":1}}\n{}\n{{}}\n", "x".repeat(10_000));
    let want = [field("f", "1"), Found::TooLarge { path: String::new() }, Found::Line(b"{}".to_vec())];
    assert_eq!(found(lines.as_bytes(), 64, 100), want);
}

#[test]
fn what_is_no_json_is_said_once() {
    for text in ["PK\u{3}\u{4}", "<html>", "{a:1}", "[}", "\"text\""] {
        let all = found(text.as_bytes(), 2, 100);
        assert_eq!(all.last(), Some(&Found::Broken), "{text}: {all:?}");
    }
    let mut scanner = Scanner::new(100);
    assert_eq!(scanner.next(&mut &b"{\"a\":[{\"b\":"[..]), None);
    assert!(!scanner.is_whole());
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_or_hold_more(text in prop::collection::vec(prop_oneof![
        Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'), Just(b','), Just(b':'), Just(b'\n'), any::<u8>(),
    ], 0..400), pieces in 1_usize..50) {
        found(&text, pieces, 64);
    }

    #[test]
    fn elements_come_out_as_they_went_in(values in prop::collection::vec("[a-z\\\\\"{}\\[\\],: \u{e9}\u{4e00}]{0,30}", 0..20), pieces in 1_usize..50) {
        let text = serde_json::to_vec(&serde_json::json!({"a": {"list": values}})).unwrap();
        let out: Vec<String> = found(&text, pieces, 10_000).into_iter().map(|found| match found {
            Found::Element { path, json } if path == "a.list" => serde_json::from_slice(&json).unwrap(),
            other => panic!("{other:?}"),
        }).collect();
        prop_assert_eq!(out, values);
    }
}
