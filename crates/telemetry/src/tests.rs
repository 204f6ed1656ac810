//! What lines look like, and which events pass.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::subscriber::with_default;

use crate::{Format, TelemetryError, json, parse_filter, text};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn logged(filter: Option<&str>) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    with_default(json(parse_filter(filter).unwrap(), move || writer.clone()), || {
        let span = tracing::info_span!(target: "stoa_server", "request", request_id = "r-1");
        let _inside = span.enter();
        tracing::info!(target: "stoa_server", status = 200, "answered");
        tracing::debug!(target: "stoa_server", "details");
        tracing::info!(target: "hyper", "chatter");
        tracing::warn!(target: "hyper", "trouble");
    });
    lines.text()
}

#[test]
fn a_line_is_an_object_with_the_request_it_belongs_to() {
    let lines = logged(None);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["message"], "answered");
    assert_eq!(first["status"], 200);
    assert_eq!(first["level"], "INFO");
    assert_eq!(first["target"], "stoa_server");
    assert_eq!(first["span"]["request_id"], "r-1");
    assert!(first["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn libraries_are_heard_from_warnings_on() {
    let lines = logged(None);
    assert!(lines.contains("trouble") && !lines.contains("chatter") && !lines.contains("details"));
}

#[test]
fn a_bare_level_is_ours_and_directives_are_taken_as_they_are() {
    let lines = logged(Some("debug"));
    assert!(lines.contains("details") && !lines.contains("chatter"));
    let lines = logged(Some("error,hyper=info"));
    assert!(lines.contains("chatter") && !lines.contains("answered"));
    assert!(!logged(Some(" ")).contains("details"));
}

#[test]
fn text_is_one_line_without_colours_away_from_a_terminal() {
    let lines = Lines::default();
    let writer = lines.clone();
    with_default(text(parse_filter(None).unwrap(), move || writer.clone(), false), || {
        tracing::info!(target: "stoa", port = 3210, "listening");
    });
    let line = lines.text();
    assert!(line.contains("INFO stoa: listening port=3210\n"), "{line}");
}

#[test]
fn wrong_settings_are_named() {
    assert!(matches!(parse_filter(Some("stoa=loud")), Err(TelemetryError::Filter(_))));
    let error = "xml".parse::<Format>().unwrap_err();
    assert_eq!(error.to_string(), "STOA_LOG_FORMAT is `xml`; use `auto`, `json` or `text`");
}
