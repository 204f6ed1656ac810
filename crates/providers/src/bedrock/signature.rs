//! Amazon's signatures of requests, version 4.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use std::fmt::Write as _;

use ring::{digest, hmac};
use stoa_model::Timestamp;
use url::Url;

use super::credentials::AccessKey;
use super::place::encoded;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Who signs, for which service where, and when.
pub(super) struct Signer<'a> {
    pub(super) key: &'a AccessKey<'a>,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) now: Timestamp,
}

impl Signer<'_> {
    /// The value of `x-amz-date`, which has to be among the signed headers: `20150830T123600Z`.
    pub(super) fn moment(&self) -> String {
        let written = self.now.to_string();
        let digits: String = written.chars().take(19).filter(|character| !matches!(character, '-' | ':')).collect();
        format!("{digits}Z")
    }

    /// The value of `authorization`. `headers` are those to be signed, by lower-case name, the names in their order.
    pub(super) fn authorization(&self, method: &str, url: &Url, headers: &[(&str, &str)], body: &[u8]) -> String {
        let moment = self.moment();
        let day = moment.split('T').next().unwrap_or_default();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let request = canonical(method, url, headers, &names, body);
        let to_sign = format!("{ALGORITHM}\n{moment}\n{scope}\n{}", hash(request.as_bytes()));
        let mut key = format!("AWS4{}", self.key.secret).into_bytes();
        for part in scope.split('/') {
            key = sum(&key, part);
        }
        let signature = hex(&sum(&key, &to_sign));
        format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", self.key.id)
    }
}

/// The request in the form that is signed. The path is encoded once more than it is sent.
fn canonical(method: &str, url: &Url, headers: &[(&str, &str)], names: &str, body: &[u8]) -> String {
    let path = url.path().split('/').map(encoded).collect::<Vec<_>>().join("/");
    let mut query: Vec<_> = url.query_pairs().map(|(name, value)| (encoded(&name), encoded(&value))).collect();
    query.sort();
    let query = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let mut lines = String::new();
    for (name, value) in headers {
        let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(lines, "{name}:{value}");
    }
    format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{}", hash(body))
}

fn sum(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: AccessKey<'static> =
        AccessKey { id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", session_token: None };
    /// 2015-08-30T12:36:00Z, and some milliseconds that do not count.
    const NOW: Timestamp = Timestamp::from_millis(1_440_938_160_123);

    fn authorization(service: &str, method: &str, url: &str, headers: &[(&str, &str)]) -> String {
        let signer = Signer { key: &KEY, region: "us-east-1", service, now: NOW };
        assert_eq!(signer.moment(), "20150830T123600Z");
        signer.authorization(method, &Url::parse(url).unwrap(), headers, b"")
    }

    /// Amazon's published test suite, `aws-sig-v4-test-suite`, and the example of its documentation.
    #[test]
    fn amazons_own_examples_are_signed_as_amazon_signs_them() {
        let plain = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
        for (method, path, signature) in [
            ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "GET",
                "/?Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
        ] {
            assert_eq!(
                authorization("service", method, &format!("https://example.amazonaws.com{path}"), &plain),
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                     SignedHeaders=host;x-amz-date, Signature={signature}"
                ),
                "{method} {path}"
            );
        }
        let url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08";
        let headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", "20150830T123600Z"),
        ];
        assert_eq!(
            authorization("iam", "GET", url, &headers),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    #[test]
    fn a_path_is_encoded_once_more_than_it_is_sent() {
        let url = Url::parse("https://h.test/model/a.b%3A0%2Fc/converse-stream?b=%2F&a=x%20y").unwrap();
        let request = canonical("POST", &url, &[("host", " h.test  x ")], "host", b"");
        let lines: Vec<_> = request.lines().collect();
        assert_eq!(lines[1], "/model/a.b%253A0%252Fc/converse-stream");
        assert_eq!(lines[2], "a=x%20y&b=%2F");
        assert_eq!(lines[3], "host:h.test x");
    }
}
