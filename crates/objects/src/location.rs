//! Where blobs are kept, as `STOA_OBJECTS_URL` says it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use stoa_egress::{Authority, Target};
use url::Url;

use crate::LocationError;

/// Amazon's own place for what names none.
const REGION: &str = "us-east-1";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder.
    Disk(PathBuf),
    Bucket(Bucket),
}

/// A bucket of an S3-compatible store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub name: String,
    pub region: String,
    /// The service; Amazon's of that region where none is named.
    pub(crate) endpoint: Url,
    /// The bucket is the first part of the path, not of the host's name.
    pub path_style: bool,
}

/// Who Stoa is to the store.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

/// Without the secrets.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let url = Url::parse(text)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(LocationError::Secrets);
        }
        match url.scheme() {
            "file" => {
                let bare = url.query().is_none() && url.fragment().is_none();
                url.to_file_path().ok().filter(|_| bare).map(Self::Disk).ok_or(LocationError::Path)
            }
            "s3" => Bucket::of(&url).map(Self::Bucket),
            _ => Err(LocationError::Scheme),
        }
    }
}

impl Bucket {
    fn of(url: &Url) -> Result<Self, LocationError> {
        let name = url.host_str().unwrap_or_default().to_owned();
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'_');
        let whole = matches!(url.path(), "" | "/") && url.port().is_none() && url.fragment().is_none();
        if name.len() < 3 || name.len() > 63 || !name.bytes().all(named) || !whole {
            return Err(LocationError::Bucket);
        }
        let (mut endpoint, mut region, mut path_style) = (None, None, None);
        for (option, value) in url.query_pairs() {
            let place = match &*option {
                "endpoint" => &mut endpoint,
                "region" => &mut region,
                "path_style" => &mut path_style,
                _ => return Err(LocationError::Option(option.into_owned())),
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(LocationError::Twice(option.into_owned()));
            }
        }
        let region = region.unwrap_or_else(|| REGION.to_owned());
        // Whoever has a service of their own seldom has names for its buckets.
        let path_style = match path_style.as_deref() {
            None => endpoint.is_some(),
            Some("true") => true,
            Some("false") => false,
            Some(_) => return Err(LocationError::PathStyle),
        };
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let endpoint = Url::parse(&endpoint).map_err(|_| LocationError::Endpoint)?;
        let bucket = Self { name, region, endpoint, path_style };
        let bare = bucket.endpoint.path() == "/" && bucket.endpoint.query().is_none();
        if bare && bucket.target().is_some() { Ok(bucket) } else { Err(LocationError::Endpoint) }
    }

    /// The `host:port` that requests for this bucket go to.
    pub fn authority(&self) -> Option<Authority> {
        self.target().map(|target| target.authority())
    }

    /// The URL that names of blobs are put behind.
    pub(crate) fn base(&self) -> String {
        self.target().map_or_else(String::new, |target| target.as_url().as_str().trim_end_matches('/').to_owned())
    }

    fn target(&self) -> Option<Target> {
        let mut url = self.endpoint.clone();
        if !self.path_style {
            let host = format!("{}.{}", self.name, url.host_str()?);
            url.set_host(Some(&host)).ok()?;
        }
        Target::from_url(url).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(text: &str) -> Bucket {
        match text.parse() {
            Ok(Location::Bucket(bucket)) => bucket,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_folder_is_an_absolute_path() {
        assert_eq!("file:///srv/my%20files".parse(), Ok(Location::Disk("/srv/my files".into())));
        for wrong in ["file://host/path", "file:///path?x=1", "file:///path#x"] {
            assert_eq!(wrong.parse::<Location>(), Err(LocationError::Path), "{wrong}");
        }
    }

    #[test]
    fn a_bucket_is_reached_where_it_says() {
        let own = bucket("s3://stoa?endpoint=http://10.0.0.7:9000&region=eu-west-1");
        assert_eq!(
            (own.base().as_str(), own.region.as_str(), own.path_style),
            ("http://10.0.0.7:9000", "eu-west-1", true)
        );
        assert_eq!(own.authority().unwrap().to_string(), "10.0.0.7:9000");
        let amazons = bucket("s3://stoa-files?region=eu-central-1");
        assert_eq!(amazons.base(), "https://stoa-files.s3.eu-central-1.amazonaws.com");
        assert_eq!(amazons.authority().unwrap().to_string(), "stoa-files.s3.eu-central-1.amazonaws.com:443");
        let named = bucket("s3://stoa?endpoint=https%3A%2F%2Fs3.example.com&path_style=false");
        assert_eq!(named.base(), "https://stoa.s3.example.com");
    }

    #[test]
    fn what_is_no_place_is_refused_with_what_is_wrong() {
        let refused = |text: &str| text.parse::<Location>().unwrap_err();
        assert!(matches!(refused("/srv/objects"), LocationError::NoUrl(_)));
        assert_eq!(refused("gs://bucket"), LocationError::Scheme);
        assert_eq!(refused("s3://key:secret@bucket"), LocationError::Secrets);
        for wrong in ["s3://", "s3://ab", "s3://bucket/folder", "s3://bucket:80", "s3://Büro"] {
            assert_eq!(refused(wrong), LocationError::Bucket, "{wrong}");
        }
        assert_eq!(refused("s3://bucket?regoin=x"), LocationError::Option("regoin".to_owned()));
        assert_eq!(refused("s3://bucket?region=x&region=y"), LocationError::Twice("region".to_owned()));
        assert_eq!(refused("s3://bucket?path_style=yes"), LocationError::PathStyle);
        for wrong in ["ftp://x", "http://x/y", "x", "http://user:word@x"] {
            assert_eq!(refused(&format!("s3://bucket?endpoint={wrong}")), LocationError::Endpoint, "{wrong}");
        }
    }

    #[test]
    fn credentials_are_not_shown() {
        let credentials = Credentials {
            access_key_id: "AK".to_owned(),
            secret_access_key: "hidden".to_owned(),
            session_token: Some("hidden".to_owned()),
        };
        assert!(!format!("{credentials:?}").contains("hidden"));
    }
}
