//! What the tests with golden files share.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails by panicking")]
#![allow(dead_code, clippy::allow_attributes, reason = "not every test uses all of it")]

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stoa_mock_openai::event_stream;
use stoa_model::completion::{CompletionError, CompletionEvent};
use stoa_model::provider::ProviderKind;
use stoa_providers::Reading;
use stoa_providers::outward::ApiError;

pub(crate) fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| ["sse", "json", "ndjson", "events"].iter().any(|known| extension == *known))
        })
        .collect();
    files.sort();
    files
}

/// The messages of an event stream that the lines of a golden file stand for: what each is, its name, and what it holds.
pub(crate) fn framed(lines: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for line in std::str::from_utf8(lines).unwrap().lines().filter(|line| !line.is_empty()) {
        let mut words = line.splitn(3, ' ');
        let (kind, name, said) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        stream.extend(match kind {
            "event" => event_stream::event(name, said.as_bytes()),
            "exception" => event_stream::exception(name, said.as_bytes()),
            _ => event_stream::frame(&[(":message-type", kind), (":error-code", name), (":error-message", said)], b""),
        });
    }
    stream
}

pub(crate) fn snapshot(folder: &str, name: &str, content: &str) {
    insta::with_settings!({
        snapshot_path => format!("../golden/{folder}"),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, { insta::assert_snapshot!(name, content) });
}

pub(crate) fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

pub(crate) fn render(events: &[CompletionEvent], result: &Result<(), CompletionError>) -> String {
    let mut text = String::new();
    for event in events {
        match event {
            CompletionEvent::Delta { part, text: delta } => writeln!(text, "{part:?} {delta:?}"),
            CompletionEvent::ToolCall(call) => writeln!(text, "{call:?}"),
            CompletionEvent::Local(local) => writeln!(text, "{local:?}"),
            CompletionEvent::Usage(usage) => writeln!(text, "{}", serde_json::to_string(usage).unwrap()),
            CompletionEvent::Finish(reason) => writeln!(text, "Finish {reason:?}"),
        }
        .unwrap();
    }
    if let Err(error) = result {
        writeln!(text, "{error:?}\n{error}").unwrap();
    }
    text
}

/// Everything that an answer says, fed in pieces of `size` bytes.
pub(crate) fn replay(
    kind: ProviderKind,
    answer: &[u8],
    size: usize,
) -> (Vec<CompletionEvent>, Result<(), CompletionError>) {
    let (mut reading, mut out) = (Reading::new(kind, true), VecDeque::new());
    let mut run = || {
        for piece in answer.chunks(size) {
            reading.push(piece, &mut out)?;
        }
        reading.end(&mut out)
    };
    let result = run();
    (out.into(), result)
}

/// Reads the requests of a golden file and keeps what each is taken for, or why it is refused.
pub(crate) fn requests<T: std::fmt::Debug>(folder: &str, parse: impl Fn(&[u8]) -> Result<T, ApiError>) {
    for path in files(folder).iter().filter(|path| path.extension().unwrap() == "json") {
        let cases: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert!(cases["source"].is_string(), "{} names no source", path.display());
        let mut text = String::new();
        for case in cases["cases"].as_array().unwrap() {
            let request = serde_json::to_vec(&case["request"]).unwrap();
            writeln!(text, "# {}", case["title"].as_str().unwrap()).unwrap();
            match parse(&request) {
                Ok(request) => writeln!(text, "{request:#?}\n").unwrap(),
                Err(error) => {
                    let body = String::from_utf8(error.to_json()).unwrap();
                    writeln!(text, "{} {body}\n", error.status.as_u16()).unwrap();
                }
            }
        }
        snapshot(folder, &name(path), &text);
    }
}
