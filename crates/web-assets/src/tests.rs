//! Files, encodings, caching and the ways out of the folder.

use std::fs;

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::source::{File, read};
use crate::{answer, index, lookup};

fn file() -> File {
    File {
        tag: "0123".to_owned(),
        identity: Bytes::from_static(b"a long script"),
        brotli: Some(Bytes::from_static(b"short")),
        gzip: Some(Bytes::from_static(b"shorter?")),
    }
}

fn with(name: HeaderName, value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
}

fn encoding_for(accepted: &'static str) -> Option<String> {
    let asset = answer("assets/immutable/a.js", file(), &with(header::ACCEPT_ENCODING, accepted));
    assert_eq!(asset.headers[header::CONTENT_LENGTH], asset.body.len().to_string());
    assert_eq!(asset.headers[header::VARY], "accept-encoding");
    asset.headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn the_smallest_accepted_encoding_is_sent() {
    assert_eq!(encoding_for("gzip, deflate, br, zstd").as_deref(), Some("br"));
    assert_eq!(encoding_for("gzip").as_deref(), Some("gzip"));
    assert_eq!(encoding_for("br;q=0, gzip;q=0.5").as_deref(), Some("gzip"));
    assert_eq!(encoding_for("*").as_deref(), Some("br"));
    assert_eq!(encoding_for("*, br;q=0").as_deref(), Some("gzip"));
    assert_eq!(encoding_for("identity"), None);
    assert_eq!(encoding_for("brx"), None);
    assert_eq!(encoding_for(""), None);
}

#[test]
fn a_known_file_is_not_sent_again() {
    let whole = answer("assets/immutable/a.js", file(), &HeaderMap::new());
    assert_eq!(whole.headers[header::ETAG], "\"0123\"");
    for known in ["\"0123\"", "W/\"0123\"", "\"other\", \"0123\"", "*"] {
        let asset = answer("assets/immutable/a.js", file(), &with(header::IF_NONE_MATCH, known));
        assert_eq!(asset.status, StatusCode::NOT_MODIFIED, "{known}");
        assert!(asset.body.is_empty());
        assert!(asset.headers.contains_key(header::ETAG) && asset.headers.contains_key(header::CACHE_CONTROL));
    }
    // Another encoding is another representation.
    let other = answer("assets/immutable/a.js", file(), &with(header::IF_NONE_MATCH, "\"0123-br\""));
    assert_eq!(other.status, StatusCode::OK);
}

#[test]
fn hashed_files_are_kept_for_ever_and_the_rest_is_asked_about() {
    let caching = |name| answer(name, file(), &HeaderMap::new()).headers[header::CACHE_CONTROL].clone();
    assert_eq!(caching("assets/immutable/entry/start.js"), "public, max-age=31536000, immutable");
    assert_eq!(caching("index.html"), "no-cache");
    assert_eq!(caching("favicon.svg"), "no-cache");
    assert_eq!(caching("assets/version.json"), "no-cache");
}

#[test]
fn scripts_and_styles_have_the_types_that_browsers_demand() {
    let kind = |name| answer(name, file(), &HeaderMap::new()).headers[header::CONTENT_TYPE].clone();
    assert_eq!(kind("a.js"), "text/javascript; charset=utf-8");
    assert_eq!(kind("a.css"), "text/css; charset=utf-8");
    assert_eq!(kind("index.html"), "text/html; charset=utf-8");
    assert_eq!(kind("a.woff2"), "font/woff2");
    assert_eq!(kind("no-ending"), "application/octet-stream");
}

#[test]
fn a_missing_file_of_the_build_is_404_and_never_the_page() {
    for path in ["/assets/immutable/gone.js", "/assets/", "/assets/../index.html", "/assets/index.html"] {
        let asset = lookup(path, &HeaderMap::new()).unwrap();
        assert_eq!(asset.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(asset.headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    }
}

#[test]
fn an_address_inside_the_application_is_not_a_file() {
    for path in ["/", "/chat/0190", "/settings", "//", "relative", "/..", "/%2e%2e/Cargo.toml"] {
        assert!(lookup(path, &HeaderMap::new()).is_none(), "{path}");
    }
    let page = index(&HeaderMap::new());
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.headers[header::CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-cache");
}

#[test]
fn a_name_never_leads_out_of_the_folder() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("build");
    fs::create_dir_all(folder.join("assets")).unwrap();
    fs::write(outer.path().join("secret"), "secret").unwrap();
    fs::write(folder.join("assets/a.js"), "script that is long enough").unwrap();
    fs::write(folder.join("assets/a.js.br"), "small").unwrap();
    let absolute = outer.path().join("secret").display().to_string();
    for name in ["../secret", "assets/../../secret", "./../secret", &absolute, "..\\secret", "", "assets", "a\0b"] {
        assert!(read(&folder, name).is_none(), "{name}");
    }
    let file = read(&folder, "assets/a.js").unwrap();
    assert_eq!((file.brotli.as_deref(), file.gzip), (Some(&b"small"[..]), None));
}
