//! Checks Amazon's signatures of requests, version 4:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use std::fmt::Write as _;

use http::{HeaderMap, Method, Uri};
use ring::{digest, hmac};

/// What of a request is signed beside its headers.
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) body: &'a [u8],
}

impl Signed<'_> {
    /// Whether the request is signed with `key`, which is `ACCESS_KEY_ID:SECRET` or `ACCESS_KEY_ID:SECRET:SESSION_TOKEN`.
    pub(crate) fn is_by(&self, headers: &HeaderMap, key: &str) -> bool {
        self.checked(headers, key).unwrap_or(false)
    }

    fn checked(&self, headers: &HeaderMap, key: &str) -> Option<bool> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut parts = key.splitn(3, ':');
        let (id, secret, token) = (parts.next()?, parts.next()?, parts.next());
        let said = text("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let field = |name: &str| said.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        let (credential, names, signature) = (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
        let scope = credential.strip_prefix(id)?.strip_prefix('/')?;
        let moment = text("x-amz-date")?;
        let [day, region, service, "aws4_request"] = scope.split('/').collect::<Vec<_>>()[..] else { return None };
        let is_signed = |name: &str| names.split(';').any(|known| known == name);
        let whole = moment.starts_with(day)
            && service == "bedrock"
            && !region.is_empty()
            && is_signed("host")
            && is_signed("x-amz-date")
            && (text("x-amz-security-token") == token && (token.is_none() || is_signed("x-amz-security-token")));
        if !whole {
            return Some(false);
        }
        let mut request = format!("{}\n{}\n{}\n", self.method, escaped(self.uri.path(), "/"), self.query());
        for name in names.split(';') {
            let _ = writeln!(request, "{name}:{}", text(name)?.trim());
        }
        let _ = write!(request, "\n{names}\n{}", hash(self.body));
        let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", hash(request.as_bytes()));
        let mut key = format!("AWS4{secret}").into_bytes();
        for step in [day, region, service, "aws4_request", &to_sign] {
            key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), step.as_bytes()).as_ref().to_vec();
        }
        Some(hex(&key) == signature)
    }

    /// Its parts in their order. Clients send them encoded as they sign them.
    fn query(&self) -> String {
        let mut parts: Vec<_> = self.uri.query().unwrap_or_default().split('&').collect();
        parts.sort_unstable();
        parts.join("&")
    }
}

/// All but letters, digits, `-._~` and `kept` as `%XX`.
fn escaped(text: &str, kept: &str) -> String {
    let mut escaped = String::new();
    for character in text.bytes() {
        if character.is_ascii_alphanumeric() || b"-._~".contains(&character) || kept.as_bytes().contains(&character) {
            escaped.push(char::from(character));
        } else {
            let _ = write!(escaped, "%{character:02X}");
        }
    }
    escaped
}

fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
