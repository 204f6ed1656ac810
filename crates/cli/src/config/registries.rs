//! Who Stoa is to the registries of models: a file with a table for each, since names of hosts are no names of variables.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use stoa_egress::Authority;
use stoa_model_store::RegistryOptions;
use stoa_model_store::registry::{Access, Credentials, KeyError, SigningKey};

#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistriesError {
    #[error("the file {} cannot be read", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Of the error only what names no value is told: one of them may be a password.
    #[error("the file {} is wrong in line {line}: {what}", .path.display())]
    Wrong { path: PathBuf, line: usize, what: String },
    #[error("{host}: {what}")]
    Registry { host: String, what: &'static str },
    #[error("{host}: the key {} cannot be used", .path.display())]
    Key {
        host: String,
        path: PathBuf,
        #[source]
        source: KeyError,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Registry {
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
    #[serde(default)]
    password_file: Option<PathBuf>,
    #[serde(default)]
    key_file: Option<PathBuf>,
    #[serde(default)]
    token_host: Option<String>,
    #[serde(default)]
    insecure: bool,
}

/// `allowed` are the only registries that may be used, when there are any.
pub(crate) fn registry_options(allowed: &[String], file: Option<&Path>) -> Result<RegistryOptions, RegistriesError> {
    let allowed = (!allowed.is_empty()).then(|| allowed.iter().cloned().collect());
    let access = file.map(read).transpose()?.unwrap_or_default();
    Ok(RegistryOptions { allowed, access, ..RegistryOptions::default() })
}

fn read(path: &Path) -> Result<HashMap<String, Access>, RegistriesError> {
    let text = text_of(path)?;
    let registries: HashMap<String, Registry> = toml::from_str(&text).map_err(|error| {
        let begun = error.span().map_or(0, |span| span.start);
        let line = text.get(..begun).unwrap_or_default().matches('\n').count() + 1;
        // Of a wrong type the message shows the value.
        let shows = error.message().starts_with("invalid");
        let what = if shows { "a value is of the wrong kind" } else { error.message() }.to_owned();
        RegistriesError::Wrong { path: path.to_owned(), line, what }
    })?;
    registries
        .into_iter()
        .map(|(host, registry)| {
            let host = host.to_ascii_lowercase();
            let access = registry.access(&host)?;
            Ok((host, access))
        })
        .collect()
}

fn text_of(path: &Path) -> Result<String, RegistriesError> {
    std::fs::read_to_string(path).map_err(|source| RegistriesError::Unreadable { path: path.to_owned(), source })
}

impl Registry {
    fn access(self, host: &str) -> Result<Access, RegistriesError> {
        let wrong = |what| RegistriesError::Registry { host: host.to_owned(), what };
        let password = match (self.password, self.password_file) {
            (Some(_), Some(_)) => return Err(wrong("give `password` or `password_file`, not both")),
            (Some(password), None) => Some(password),
            (None, Some(path)) => Some(text_of(&path)?.trim_end_matches(['\r', '\n']).to_owned()),
            (None, None) => None,
        };
        let credentials = match (self.username, password, self.key_file) {
            (None, None, None) => None,
            (Some(username), Some(password), None) => Some(Credentials::Password { username, password }),
            (None, None, Some(path)) => {
                let key = SigningKey::parse(&text_of(&path)?);
                let key = key.map_err(|source| RegistriesError::Key { host: host.to_owned(), path, source })?;
                Some(Credentials::Key(key))
            }
            _ => return Err(wrong("give `username` with a password, or `key_file` alone")),
        };
        let token_host: Option<Authority> = match self.token_host.as_deref().map(str::parse) {
            None => None,
            Some(Ok(authority)) => Some(authority),
            Some(Err(_)) => return Err(wrong("`token_host` must be a host and a port, such as auth.example.com:443")),
        };
        Ok(Access { credentials, insecure: self.insecure, token_host })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Result<RegistryOptions, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        registry_options(&[], Some(file.path())).map_err(|error| error.to_string())
    }

    #[test]
    fn each_registry_has_its_own_way_in() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "from a file\n").unwrap();
        let options = options(&format!(
            "[\"Hub.example:5000\"]\nusername = \"robot\"\npassword_file = {secret:?}\ntoken_host = \"auth.example:443\"\n\
             [\"10.0.0.9:5000\"]\ninsecure = true\n"
        ))
        .unwrap();
        let hub = &options.access["hub.example:5000"];
        let Some(Credentials::Password { username, password }) = &hub.credentials else { panic!("{hub:?}") };
        assert_eq!((username.as_str(), password.as_str(), hub.insecure), ("robot", "from a file", false));
        assert_eq!(hub.token_host.as_ref().unwrap().to_string(), "auth.example:443");
        let plain = &options.access["10.0.0.9:5000"];
        assert!(plain.insecure && plain.credentials.is_none());
    }

    #[test]
    fn what_is_wrong_is_named_without_a_password() {
        for (text, words) in [
            ("[hub]\nusername = \"a\"\n", "give `username` with a password"),
            ("[hub]\npassword = \"hunter2\"\n", "give `username` with a password"),
            ("[hub]\nusername = \"a\"\npassword = \"hunter2\"\npassword_file = \"/x\"\n", "not both"),
            ("[hub]\npasword = \"hunter2\"\n", "wrong in line 2: unknown field `pasword`"),
            ("[hub]\npassword = \"hunter2\n", "wrong in line 2"),
            ("[hub]\npassword = [\"hunter2\"]\n", "wrong in line 2: a value is of the wrong kind"),
            ("[hub]\ntoken_host = \"a b\"\n", "`token_host` must be"),
            ("[hub]\nkey_file = \"/dev/null\"\n", "the key /dev/null cannot be used"),
            ("[hub]\nkey_file = \"/nowhere\"\n", "/nowhere cannot be read"),
        ] {
            let error = options(text).unwrap_err();
            assert!(error.contains(words) && !error.contains("hunter2"), "{text}: {error}");
        }
    }

    #[test]
    fn without_a_list_all_registries_are_allowed() {
        assert!(registry_options(&[], None).unwrap().allowed.is_none());
        let allowed = registry_options(&["hub.example".to_owned()], None).unwrap().allowed.unwrap();
        assert_eq!(Vec::from_iter(allowed), ["hub.example"]);
    }
}
