//! Names of models: `[host/][namespace/]model[:tag]`, as Ollama writes them.

use std::cmp::Ordering;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

const DEFAULT_HOST: &str = "registry.ollama.ai";
const DEFAULT_NAMESPACE: &str = "library";
const DEFAULT_TAG: &str = "latest";

const MAX_PART_BYTES: usize = 80;
const MAX_HOST_BYTES: usize = 350;

/// A name whose parts are all fit to be names of files: none is empty, begins with a dot or holds a slash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelName {
    host: String,
    namespace: String,
    model: String,
    tag: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no name of a model; write for example `smollm2:135m`, in letters, digits, `-`, `_` and `.`")]
pub struct NameError {
    name: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Host,
    Namespace,
    Model,
    Tag,
}

impl Kind {
    fn allows(self, part: &str) -> bool {
        let longest = if self == Self::Host { MAX_HOST_BYTES } else { MAX_PART_BYTES };
        let mut bytes = part.bytes();
        bytes.next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_')
            && part.len() <= longest
            && bytes.all(|byte| match byte {
                b'_' | b'-' => true,
                b'.' => self != Self::Namespace,
                b':' => self == Self::Host,
                byte => byte.is_ascii_alphanumeric(),
            })
    }
}

impl ModelName {
    /// `None` when a part is not allowed where it stands.
    pub(super) fn from_parts(host: &str, namespace: &str, model: &str, tag: &str) -> Option<Self> {
        let allowed = Kind::Host.allows(host)
            && Kind::Namespace.allows(namespace)
            && Kind::Model.allows(model)
            && Kind::Tag.allows(tag);
        allowed.then(|| Self {
            host: host.to_owned(),
            namespace: namespace.to_owned(),
            model: model.to_owned(),
            tag: tag.to_owned(),
        })
    }

    /// A name for a file whose owner gave none: `SmolLM2-135M-Instruct.Q4_1.gguf` becomes
    /// `smollm2-135m-instruct:q4_1`.
    pub fn from_file_name(path: &Path) -> Result<Self, NameError> {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
        let (model, tag) = stem.rsplit_once('.').unwrap_or((stem.as_str(), DEFAULT_TAG));
        Self::from_parts(DEFAULT_HOST, DEFAULT_NAMESPACE, model, tag).ok_or(NameError { name: stem })
    }

    pub(super) fn relative_path(&self) -> PathBuf {
        [&self.host, &self.namespace, &self.model, &self.tag].iter().collect()
    }

    /// Whether both mean the same model: capitals make no difference.
    pub fn is_same(&self, other: &Self) -> bool {
        self.parts().iter().zip(other.parts()).all(|(one, other)| one.eq_ignore_ascii_case(other))
    }

    /// The registry that the model comes from and goes to.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The model without its tag.
    pub fn model(&self) -> &str {
        &self.model
    }

    pub fn tag(&self) -> &str {
        &self.tag
    }

    const fn parts(&self) -> [&str; 4] {
        [self.host.as_str(), self.namespace.as_str(), self.model.as_str(), self.tag.as_str()]
    }
}

impl FromStr for ModelName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = || NameError { name: text.chars().take(100).collect() };
        // A colon before the last slash belongs to a host's port.
        let (path, tag) = match text.rsplit_once(':') {
            Some((path, tag)) if !tag.contains('/') => (path, tag),
            _ => (text, DEFAULT_TAG),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let (host, namespace, model) = match parts.as_slice() {
            [model] => (DEFAULT_HOST, DEFAULT_NAMESPACE, *model),
            [namespace, model] => (DEFAULT_HOST, *namespace, *model),
            [host, namespace, model] => (*host, *namespace, *model),
            _ => return Err(name()),
        };
        Self::from_parts(host, namespace, model, tag).ok_or_else(name)
    }
}

/// As short as it can be: what is the default is left out, but never the tag.
impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default_host = self.host == DEFAULT_HOST;
        if !default_host {
            write!(f, "{}/", self.host)?;
        }
        if !default_host || self.namespace != DEFAULT_NAMESPACE {
            write!(f, "{}/", self.namespace)?;
        }
        write!(f, "{}:{}", self.model, self.tag)
    }
}

impl PartialOrd for ModelName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ModelName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_read_and_written_in_their_shortest_form() {
        for (text, written, path) in [
            ("smollm2:135m", "smollm2:135m", "registry.ollama.ai/library/smollm2/135m"),
            ("smollm2", "smollm2:latest", "registry.ollama.ai/library/smollm2/latest"),
            ("me/smollm2", "me/smollm2:latest", "registry.ollama.ai/me/smollm2/latest"),
            ("hub.example:5000/me/m:1.0", "hub.example:5000/me/m:1.0", "hub.example:5000/me/m/1.0"),
            ("hub.example:5000/me/m", "hub.example:5000/me/m:latest", "hub.example:5000/me/m/latest"),
            ("hub.example/library/m:q4_K_M", "hub.example/library/m:q4_K_M", "hub.example/library/m/q4_K_M"),
        ] {
            let name: ModelName = text.parse().unwrap();
            assert_eq!(name.to_string(), written);
            assert_eq!(name.relative_path(), Path::new(path));
            assert_eq!(written.parse::<ModelName>().unwrap(), name);
        }
    }

    #[test]
    fn a_name_never_leads_anywhere_else() {
        let long = "a".repeat(81);
        for text in [
            "",
            ":",
            ":latest",
            "m:",
            "/m",
            "m/",
            "//m",
            "a/b/c/d",
            "..",
            "../m",
            "../../etc/passwd",
            "a/../m",
            "a/b/..",
            ".hidden",
            "m:..",
            "m:../../x",
            "m:.x",
            "-m",
            "a b",
            "m\n",
            "m\0",
            "m\\x",
            "n.s/m",
            "h/n:1/m",
            "mo\u{308}del",
            "C:\\windows",
            long.as_str(),
        ] {
            assert!(text.parse::<ModelName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_file_gives_its_model_a_name() {
        let name = |path: &str| ModelName::from_file_name(Path::new(path)).map(|name| name.to_string());
        assert_eq!(name("/x/SmolLM2-135M-Instruct.Q4_1.gguf").unwrap(), "smollm2-135m-instruct:q4_1");
        assert_eq!(name("tiny.gguf").unwrap(), "tiny:latest");
        assert!(name("my model.gguf").is_err());
        assert!(name("/").is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_read_stays_below_its_directory(text in any::<String>()) {
            if let Ok(name) = text.parse::<ModelName>() {
                let path = name.relative_path();
                let normal = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
                prop_assert!(normal && path.components().count() == 4);
            }
        }

        #[test]
        fn a_name_survives_text_and_back(text in "([a-z0-9.:]{1,9}/)?([a-z0-9_-]{1,9}/)?[a-zA-Z0-9._-]{1,9}(:[a-z0-9._-]{1,9})?") {
            if let Ok(name) = text.parse::<ModelName>() {
                prop_assert_eq!(name.to_string().parse::<ModelName>().unwrap(), name);
            }
        }
    }
}
