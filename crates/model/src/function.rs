//! Functions: what people write of them, the paths of their files, and which version answers for an alias.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::assistant::{InvalidProfile, line, text, wrong};
use crate::provider::split_model_id;
use crate::{FunctionId, FunctionTimerId, ProviderId, Timestamp, UserId};

/// Functions of one person.
pub const MAX_FUNCTIONS: u64 = 200;
/// Files of one function.
pub const MAX_CODE_FILES: usize = 1_000;
/// Bytes of all of them together; they are kept as one blob.
pub const MAX_CODE_BYTES: usize = 24 * 1024 * 1024;
/// Aliases of one function.
pub const MAX_ALIASES: usize = 20;
/// Secrets of one function.
pub const MAX_SECRETS: usize = 50;
/// Bytes of one secret.
pub const MAX_SECRET_BYTES: usize = 32 * 1024;
/// Timers of one function.
pub const MAX_TIMERS: u64 = 20;
/// Models that a function may be held to.
pub const MAX_FUNCTION_MODELS: usize = 100;
/// What the hosts end in by which this server itself reaches functions. `internal` is reserved for such use, so that no
/// public host is hidden.
pub const HOST_SUFFIX: &str = ".functions.internal";
/// Tells a function that is called as a model how many functions have called one another before it.
pub const DEPTH_HEADER: &str = "x-stoa-depth";
/// Tells whose account such a call is on.
pub const CALLER_HEADER: &str = "x-stoa-caller";
/// Tells a function what a token says of whoever calls: JSON in base64url.
pub const CLAIMS_HEADER: &str = "x-stoa-claims";
/// Functions that call one another as models: so many, and no more.
pub const MAX_CALL_DEPTH: u8 = 8;
/// The alias that the first version gets.
pub const LIVE: &str = "live";

const MAX_TITLE: usize = 80;
const MAX_DESCRIPTION: usize = 1_000;
const MAX_NOTE: usize = 1_000;
const MAX_PATH_BYTES: usize = 240;
const MAX_DEPTH: usize = 12;
const MAX_LABEL: usize = 40;
const MAX_MODEL_BYTES: usize = 300;
const MAX_CLAIMS: usize = 20;
const MAX_CLAIM_NAME: usize = 100;
/// Characters of a value, and of an issuer and an audience.
const MAX_CLAIM_VALUE: usize = 500;
const MAX_KEYS_URL: usize = 2_000;
const MAX_KEYS_BYTES: usize = 32 * 1024;

/// What a function is written in, as far as the server does something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    Python,
    Node,
    /// Any program.
    Other,
}

impl Language {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Other => "other",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Python, Self::Node, Self::Other].into_iter().find(|language| language.as_str() == text)
    }
}

/// Who may call a function by its address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HttpAccess {
    /// Nobody: it is reached from inside alone, as a model or by a timer.
    #[default]
    Off,
    /// Whoever shows an API key that may run models.
    Key,
    /// Whoever shows a token of an issuer that the function trusts.
    Jwt,
    /// Everybody.
    Public,
}

impl HttpAccess {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Key => "key",
            Self::Jwt => "jwt",
            Self::Public => "public",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Off, Self::Key, Self::Jwt, Self::Public].into_iter().find(|access| access.as_str() == text)
    }
}

/// How a function is reached at `/fn/{name}/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpTrigger {
    pub access: HttpAccess,
    /// The alias that answers.
    pub alias: String,
    /// Needed where access is by such tokens, and kept where it is not.
    #[serde(default)]
    pub jwt: Option<JwtRules>,
    /// Whether other functions of its owner may call it as well, at `http://stoa.internal/fn/{name}/`.
    #[serde(default)]
    pub inside: bool,
}

impl HttpTrigger {
    pub fn checked(self) -> Result<Self, InvalidProfile> {
        if self.access == HttpAccess::Jwt && self.jwt.is_none() {
            return Err(wrong("jwt", "say whose tokens are taken"));
        }
        let jwt = self.jwt.map(JwtRules::checked).transpose()?;
        Ok(Self { alias: label("alias", &self.alias)?, jwt, ..self })
    }
}

/// Which tokens (JWT) let somebody call a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JwtRules {
    /// Exactly what a token says in `iss`.
    pub issuer: String,
    /// What stands in `aud`.
    pub audience: String,
    pub keys: JwtKeys,
    /// Further claims, each with this value or with it in its list. At most 20.
    #[serde(default)]
    pub claims: BTreeMap<String, String>,
}

/// The public keys that tokens are signed with (a JWK set).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JwtKeys {
    /// Where the issuer publishes them.
    Url(String),
    /// They themselves, at most 32 KiB of JSON.
    #[schema(value_type = Object)]
    Set(serde_json::Value),
}

impl JwtRules {
    /// Whether the keys are ones is for whoever checks signatures to say.
    fn checked(self) -> Result<Self, InvalidProfile> {
        let named = |field, text: &str, most| {
            let text = line(field, text, most)?;
            if text.is_empty() { Err(wrong(field, "is needed")) } else { Ok(text) }
        };
        let keys = match self.keys {
            JwtKeys::Url(url) => {
                let url = line("jwt.keys", &url, MAX_KEYS_URL)?;
                if !["https://", "http://"].iter().any(|scheme| url.starts_with(scheme)) {
                    return Err(wrong("jwt.keys", "an address that begins with https://"));
                }
                JwtKeys::Url(url)
            }
            JwtKeys::Set(set) if set.to_string().len() <= MAX_KEYS_BYTES => JwtKeys::Set(set),
            JwtKeys::Set(_) => return Err(wrong("jwt.keys", format!("at most {MAX_KEYS_BYTES} bytes"))),
        };
        if self.claims.len() > MAX_CLAIMS {
            return Err(wrong("jwt.claims", format!("at most {MAX_CLAIMS}")));
        }
        for (name, value) in &self.claims {
            named("jwt.claims", name, MAX_CLAIM_NAME)?;
            line("jwt.claims", value, MAX_CLAIM_VALUE)?;
        }
        Ok(Self {
            issuer: named("jwt.issuer", &self.issuer, MAX_CLAIM_VALUE)?,
            audience: named("jwt.audience", &self.audience, MAX_CLAIM_VALUE)?,
            keys,
            claims: self.claims,
        })
    }
}

/// Which models a function may call at the server's own address, on its owner's account and without a key of theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelAccess {
    /// It has no token.
    #[default]
    Off,
    /// All that its owner may run.
    All,
    /// Those of these that its owner may run, as `slug/name`.
    Only(Vec<String>),
}

impl ModelAccess {
    /// Each model once, and in order.
    pub fn checked(self) -> Result<Self, InvalidProfile> {
        let Self::Only(mut models) = self else { return Ok(self) };
        if models.is_empty() || models.len() > MAX_FUNCTION_MODELS {
            return Err(wrong("models", format!("1 to {MAX_FUNCTION_MODELS} models")));
        }
        if let Some(odd) = models.iter().find(|id| id.len() > MAX_MODEL_BYTES || split_model_id(id).is_none()) {
            return Err(wrong("models", format!("`{}` is no id of a model", odd.escape_debug())));
        }
        models.sort();
        models.dedup();
        Ok(Self::Only(models))
    }

    pub fn admits(&self, model: &str) -> bool {
        match self {
            Self::Off => false,
            Self::All => true,
            Self::Only(models) => models.iter().any(|one| one == model),
        }
    }
}

/// What somebody says of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionProfile {
    /// At most 80 characters; the name where it is empty.
    #[serde(default)]
    pub title: String,
    /// At most 1,000 characters.
    #[serde(default)]
    pub description: String,
}

impl FunctionProfile {
    pub fn checked(self) -> Result<Self, InvalidProfile> {
        Ok(Self {
            title: line("title", &self.title, MAX_TITLE)?,
            description: text("description", &self.description, MAX_DESCRIPTION)?,
        })
    }
}

/// A file of a function's code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CodeFile {
    pub path: String,
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub digest: String,
    pub executable: bool,
    /// Whether it is UTF-8, and can be written in the browser.
    pub text: bool,
}

/// Which version answers, and which one a part of the callers get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasRoute {
    pub version: u32,
    #[serde(default)]
    #[schema(required)]
    pub canary: Option<Canary>,
}

/// A version that is tried on some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    pub version: u32,
    /// 1 to 99.
    pub percent: u8,
}

/// By what callers stay with the version that they got first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sticky {
    /// The value of this header.
    Header(String),
    /// The value of this cookie.
    Cookie(String),
}

/// A name that stands for a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FunctionAlias {
    pub name: String,
    #[serde(flatten)]
    pub route: AliasRoute,
    #[schema(required)]
    pub sticky: Option<Sticky>,
    /// What a roll-back goes back to.
    #[schema(required)]
    pub previous: Option<AliasRoute>,
    pub updated_at: Timestamp,
}

/// What somebody wants of an alias.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasChange {
    pub version: u32,
    #[serde(default)]
    pub canary: Option<Canary>,
    #[serde(default)]
    pub sticky: Option<Sticky>,
}

impl AliasChange {
    pub fn checked(self) -> Result<Self, InvalidProfile> {
        if let Some(canary) = self.canary {
            if !(1..=99).contains(&canary.percent) {
                return Err(wrong("canary", "1 to 99 percent"));
            }
            if canary.version == self.version {
                return Err(wrong("canary", "is the same version"));
            }
        }
        if let Some(Sticky::Header(name) | Sticky::Cookie(name)) = &self.sticky {
            let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if name.is_empty() || name.len() > MAX_LABEL || !name.chars().all(fits) {
                return Err(wrong("sticky", "1 to 40 letters, digits, - and _"));
            }
        }
        Ok(self)
    }
}

impl AliasRoute {
    /// The version for a caller whose place is `place`, from 0 to 1.
    pub fn choose(&self, place: f64) -> u32 {
        match self.canary {
            Some(canary) if place * 100.0 < f64::from(canary.percent) => canary.version,
            _ => self.version,
        }
    }
}

/// A version that never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FunctionVersion {
    pub number: u32,
    /// Of code and settings together, SHA-256.
    pub digest: String,
    pub note: String,
    pub created_at: Timestamp,
    #[schema(required)]
    pub created_by: Option<FunctionAuthor>,
    pub files: Vec<CodeFile>,
    /// As they were when it was published.
    #[schema(value_type = Object)]
    pub settings: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FunctionAuthor {
    pub id: UserId,
    pub name: String,
}

/// That a function is a model of the chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FunctionModel {
    pub provider_id: ProviderId,
    /// `slug/name`, the first one that its provider offers.
    #[schema(required)]
    pub model: Option<String>,
    pub alias: String,
}

/// A function as its owner sees it.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Function {
    pub id: FunctionId,
    /// In its address; nobody else's is called so.
    pub name: String,
    #[serde(flatten)]
    pub profile: FunctionProfile,
    pub language: Language,
    #[schema(required)]
    pub template: Option<String>,
    /// Grows with every change of code or settings.
    pub revision: i64,
    /// What versions are made with from now on.
    #[schema(value_type = Object)]
    pub settings: serde_json::Value,
    pub files: Vec<CodeFile>,
    /// Their names.
    pub secrets: Vec<String>,
    pub http: HttpTrigger,
    /// Holds for all versions, at once.
    pub models: ModelAccess,
    pub aliases: Vec<FunctionAlias>,
    #[schema(required)]
    pub latest_version: Option<u32>,
    /// Whether code or settings differ from the latest version's.
    pub changed: bool,
    #[schema(required)]
    pub model: Option<FunctionModel>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A call at times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TimerProfile {
    /// Five fields, such as `0 7 * * mon-fri`.
    pub cron: String,
    /// Such as `Europe/Berlin`.
    pub time_zone: String,
    pub alias: String,
    /// Begins with `/`.
    pub path: String,
    /// Sent by POST, as JSON where it is JSON.
    #[serde(default)]
    pub body: String,
    pub enabled: bool,
}

/// A timer and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FunctionTimer {
    pub id: FunctionTimerId,
    #[serde(flatten)]
    pub profile: TimerProfile,
    #[schema(required)]
    pub next_at: Option<Timestamp>,
    #[schema(required)]
    pub last: Option<TimerRun>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TimerRun {
    pub at: Timestamp,
    /// Of the answer; none where there was no answer.
    #[schema(required)]
    pub status: Option<u16>,
    /// Why there was none.
    #[schema(required)]
    pub problem: Option<String>,
}

/// The name of a function or an alias: a DNS label (RFC 1123) that begins with a letter.
pub fn label(field: &'static str, name: &str) -> Result<String, InvalidProfile> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = name.len() <= MAX_LABEL
        && name.bytes().all(inner)
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-');
    if fits { Ok(name.to_owned()) } else { Err(wrong(field, "1 to 40 of a-z, 0-9 and -, beginning with a letter")) }
}

/// The name of a variable of the environment.
pub fn variable(field: &'static str, name: &str) -> Result<String, InvalidProfile> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let valid = !name.is_empty()
        && name.len() <= 100
        && name.chars().all(fits)
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if valid {
        Ok(name.to_owned())
    } else {
        Err(wrong(field, "1 to 100 letters, digits and _, not beginning with a digit"))
    }
}

/// What a version is remembered by.
pub fn note(note: &str) -> Result<String, InvalidProfile> {
    text("note", note, MAX_NOTE)
}

/// The path of a file within its function: relative, and going nowhere else on any system.
pub fn code_path(path: &str) -> Result<String, InvalidProfile> {
    let bad = |part: &str| part.is_empty() || part == "." || part == "..";
    let odd = |c: char| c.is_control() || matches!(c, '\\' | ':');
    let valid = !path.is_empty()
        && path.len() <= MAX_PATH_BYTES
        && !path.chars().any(odd)
        && !path.split('/').any(bad)
        && path.split('/').count() <= MAX_DEPTH;
    if valid {
        Ok(path.to_owned())
    } else {
        Err(wrong("path", format!("`{}` is no path of a file", path.escape_debug())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_of_somebody_for_somebody_with_keys() {
        let rules = || JwtRules {
            issuer: "https://id.test".to_owned(),
            audience: "stoa".to_owned(),
            keys: JwtKeys::Url("https://id.test/keys".to_owned()),
            claims: BTreeMap::new(),
        };
        let checked = |access, jwt| HttpTrigger { access, alias: "live".to_owned(), jwt, inside: false }.checked();
        let refused = |rules| checked(HttpAccess::Jwt, Some(rules)).unwrap_err().field;
        assert!(checked(HttpAccess::Jwt, Some(rules())).is_ok() && checked(HttpAccess::Key, None).is_ok());
        assert_eq!(checked(HttpAccess::Jwt, None).unwrap_err().field, "jwt");
        assert_eq!(refused(JwtRules { issuer: " ".to_owned(), ..rules() }), "jwt.issuer");
        assert_eq!(refused(JwtRules { audience: "x".repeat(501), ..rules() }), "jwt.audience");
        for url in ["", "file:///etc/passwd", "id.test", &format!("https://{}", "x".repeat(2_000))] {
            assert_eq!(refused(JwtRules { keys: JwtKeys::Url(url.to_owned()), ..rules() }), "jwt.keys");
        }
        let large = serde_json::Value::String("x".repeat(MAX_KEYS_BYTES));
        assert_eq!(refused(JwtRules { keys: JwtKeys::Set(large), ..rules() }), "jwt.keys");
        let many = (0..=MAX_CLAIMS).map(|number| (number.to_string(), String::new())).collect();
        for claims in [many, BTreeMap::from([(String::new(), String::new())])] {
            assert_eq!(refused(JwtRules { claims, ..rules() }), "jwt.claims");
        }
    }

    #[test]
    fn models_are_named_by_their_ids_and_nothing_else_is_admitted() {
        let only = |models: &[&str]| ModelAccess::Only(models.iter().map(|id| (*id).to_owned()).collect());
        let two = only(&["b/two", "a/one", "b/two"]).checked().unwrap();
        assert_eq!(two, only(&["a/one", "b/two"]));
        assert!(two.admits("a/one") && !two.admits("a/one2") && !two.admits("a/") && !two.admits("A/one"));
        assert!(ModelAccess::All.admits("a/one") && !ModelAccess::Off.admits("a/one"));
        for models in [&[][..], &["one"], &["/one"], &["a/"], &[""], &["a/one"; MAX_FUNCTION_MODELS + 1]] {
            assert!(only(models).checked().is_err(), "{models:?}");
        }
        assert!(only(&[&format!("a/{}", "x".repeat(MAX_MODEL_BYTES))]).checked().is_err());
    }

    #[test]
    fn names_are_labels_and_paths_stay_inside() {
        assert!(label("name", "my-agent-2").is_ok());
        for name in ["", "2nd", "-a", "a-", "A", "a_b", "a.b", &"a".repeat(41)] {
            assert_eq!(label("name", name).unwrap_err().field, "name", "{name}");
        }
        for path in ["app.py", "src/a b.js", "数据.json", ".env", "a/.hidden/b"] {
            assert!(code_path(path).is_ok(), "{path}");
        }
        for path in ["", "/etc/passwd", "../a", "a/../b", "a//b", "a/", "./a", "a\\b", "c:/a", "a\0b", "a\nb"] {
            assert!(code_path(path).is_err(), "{path:?}");
        }
        assert!(code_path(&["a"; 13].join("/")).is_err());
    }

    #[test]
    fn a_canary_gets_its_part_and_nothing_else() {
        let route = AliasRoute { version: 1, canary: Some(Canary { version: 2, percent: 10 }) };
        assert_eq!([0.0, 0.099, 0.1, 0.999].map(|place| route.choose(place)), [2, 2, 1, 1]);
        assert_eq!(AliasRoute { version: 1, canary: None }.choose(0.0), 1);
        let change =
            |version, percent| AliasChange { version: 1, canary: Some(Canary { version, percent }), sticky: None };
        assert!(change(2, 99).checked().is_ok());
        for change in [change(1, 10), change(2, 0), change(2, 100)] {
            assert_eq!(change.checked().unwrap_err().field, "canary");
        }
        let sticky = AliasChange { version: 1, canary: None, sticky: Some(Sticky::Header("a b".to_owned())) };
        assert_eq!(sticky.checked().unwrap_err().field, "sticky");
    }
}
