//! Where the files come from: the program itself, or a folder.

use std::fs;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;

use crate::entity_tag;

include!(concat!(env!("OUT_DIR"), "/source.rs"));

/// A file and its encodings.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) tag: String,
    pub(crate) identity: Bytes,
    pub(crate) brotli: Option<Bytes>,
    pub(crate) gzip: Option<Bytes>,
}

/// A file inside the program.
#[derive(Debug)]
pub(crate) struct Embedded {
    path: &'static str,
    tag: &'static str,
    identity: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// One of the three, fixed when the program is built.
#[derive(Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "a build has one of the three"))]
pub(crate) enum Source {
    /// Sorted by path.
    Embedded(&'static [Embedded]),
    /// Read anew at every request, so that a web build shows without a restart.
    Directory(&'static str),
    /// Nothing was built, and the builder agreed to that.
    Placeholder,
}

impl Source {
    /// `name` is a path relative to the web build, with slashes.
    pub(crate) fn file(&self, name: &str) -> Option<File> {
        match self {
            Self::Embedded(files) => {
                let position = files.binary_search_by(|file| file.path.cmp(name)).ok()?;
                let file = files.get(position)?;
                Some(File {
                    tag: file.tag.to_owned(),
                    identity: Bytes::from_static(file.identity),
                    brotli: file.brotli.map(Bytes::from_static),
                    gzip: file.gzip.map(Bytes::from_static),
                })
            }
            Self::Directory(directory) => read(Path::new(directory), name),
            Self::Placeholder => None,
        }
    }
}

/// Reads a file of a folder; `name` may not lead out of it.
pub(crate) fn read(directory: &Path, name: &str) -> Option<File> {
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || name.contains(['\\', '\0']) || !plain {
        return None;
    }
    let path = directory.join(name);
    let identity = contents(&path)?;
    let smaller = |suffix: &str| {
        contents(&PathBuf::from(format!("{}.{suffix}", path.display())))
            .filter(|encoded| encoded.len() < identity.len())
    };
    Some(File { tag: entity_tag::of(&identity), brotli: smaller("br"), gzip: smaller("gz"), identity })
}

fn contents(path: &Path) -> Option<Bytes> {
    path.is_file().then(|| fs::read(path).ok().map(Bytes::from)).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Embedded, Source};

    #[test]
    fn embedded_files_are_found_by_their_whole_path() {
        const fn embedded(path: &'static str, brotli: Option<&'static [u8]>) -> Embedded {
            Embedded { path, tag: "0123", identity: b"content", brotli, gzip: None }
        }
        static FILES: [Embedded; 3] =
            [embedded("assets/a.js", Some(b"br")), embedded("assets/a.js.map", None), embedded("index.html", None)];
        let source = Source::Embedded(&FILES);
        assert_eq!(source.file("assets/a.js").unwrap().brotli.as_deref(), Some(&b"br"[..]));
        assert_eq!(source.file("index.html").unwrap().identity, "content");
        assert!(source.file("assets/a").is_none() && source.file("").is_none() && source.file("zzz").is_none());
    }

    #[test]
    fn without_the_web_application_there_are_no_files() {
        assert!(Source::Placeholder.file("index.html").is_none());
        assert!(Source::Directory("/nonexistent").file("index.html").is_none());
    }
}
