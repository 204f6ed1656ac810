//! Which encoding a client takes, and whether it has the file already (RFC 9110 §12.5.3 and §13.1.2).

use bytes::Bytes;
use http::header::{self, HeaderMap};

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Brotli,
    Gzip,
}

/// The smallest form that the client accepts.
pub(crate) fn choose(
    identity: Bytes,
    brotli: Option<Bytes>,
    gzip: Option<Bytes>,
    headers: &HeaderMap,
) -> (Encoding, Bytes) {
    let mut best = (Encoding::Identity, identity);
    for (encoding, name, body) in [(Encoding::Brotli, "br", brotli), (Encoding::Gzip, "gzip", gzip)] {
        if let Some(body) = body
            && body.len() < best.1.len()
            && accepts(headers, name)
        {
            best = (encoding, body);
        }
    }
    best
}

fn accepts(headers: &HeaderMap, name: &str) -> bool {
    let mut by_wildcard = false;
    for member in members(headers, &header::ACCEPT_ENCODING) {
        let (coding, parameters) = member.split_once(';').unwrap_or((member, ""));
        let coding = coding.trim();
        if coding.eq_ignore_ascii_case(name) || (name == "gzip" && coding.eq_ignore_ascii_case("x-gzip")) {
            return !is_refused(parameters);
        }
        if coding == "*" {
            by_wildcard = !is_refused(parameters);
        }
    }
    by_wildcard
}

/// A weight of zero means "not acceptable".
fn is_refused(parameters: &str) -> bool {
    parameters.split(';').any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
    })
}

/// Whether `If-None-Match` names the entity tag. The comparison is weak, as caches on the way may have weakened it.
pub(crate) fn is_known(tag: &str, headers: &HeaderMap) -> bool {
    members(headers, &header::IF_NONE_MATCH)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// The comma-separated members of all fields of one name. No entity tag of ours has a comma in it.
fn members<'headers>(
    headers: &'headers HeaderMap,
    name: &header::HeaderName,
) -> impl Iterator<Item = &'headers str> + use<'headers> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|member| !member.is_empty())
}
