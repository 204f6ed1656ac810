//! A picture in a prompt.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes of one picture as it comes.
pub const MAX_IMAGE_BYTES: usize = 10 * 1024 * 1024;
/// Pictures of one prompt.
pub const MAX_IMAGES: usize = 32;

/// What a picture is, by its first bytes. What its sender calls it counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageKind {
    Png,
    Jpeg,
    Webp,
    Gif,
}

impl ImageKind {
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            _ => None,
        }
    }

    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("an image is too large: {bytes} bytes, and {MAX_IMAGE_BYTES} are allowed")]
    TooLarge { bytes: usize },
    #[error("an image is of no known kind: send PNG, JPEG, WebP or GIF")]
    UnknownKind,
    #[error("an image is not base64")]
    NotBase64,
}

/// A picture and its place in its message. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    kind: ImageKind,
    bytes: Arc<[u8]>,
    /// The byte of the message's text that it stands before.
    pub at: usize,
}

impl Image {
    pub fn new(bytes: impl Into<Arc<[u8]>>, at: usize) -> Result<Self, ImageError> {
        let bytes = bytes.into();
        if bytes.len() > MAX_IMAGE_BYTES {
            return Err(ImageError::TooLarge { bytes: bytes.len() });
        }
        let kind = ImageKind::of(&bytes).ok_or(ImageError::UnknownKind)?;
        Ok(Self { kind, bytes, at })
    }

    pub fn from_base64(text: &str, at: usize) -> Result<Self, ImageError> {
        // Refused before it is decoded: three bytes are four letters.
        let bytes = text.len() / 4 * 3;
        if bytes > MAX_IMAGE_BYTES + 3 {
            return Err(ImageError::TooLarge { bytes });
        }
        Self::new(STANDARD.decode(text.trim()).map_err(|_| ImageError::NotBase64)?, at)
    }

    pub const fn kind(&self) -> ImageKind {
        self.kind
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.bytes)
    }

    /// As a `data:` address.
    pub fn to_data_url(&self) -> String {
        format!("data:{};base64,{}", self.kind.media_type(), self.to_base64())
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({}, {} bytes, at {})", self.kind.media_type(), self.bytes.len(), self.at)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    data: String,
    at: usize,
}

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Written { data: self.to_base64(), at: self.at }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { data, at } = Written::deserialize(deserializer)?;
        Self::from_base64(&data, at).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\nand so on";

    #[test]
    fn kind_is_what_the_bytes_say() {
        assert_eq!(ImageKind::of(PIXEL), Some(ImageKind::Png));
        assert_eq!(ImageKind::of(b"\xff\xd8\xff\xe0"), Some(ImageKind::Jpeg));
        assert_eq!(ImageKind::of(b"GIF89a"), Some(ImageKind::Gif));
        assert_eq!(ImageKind::of(b"RIFF\0\0\0\0WEBPVP8 "), Some(ImageKind::Webp));
        assert_eq!(ImageKind::of(b"<svg xmlns='http://www.w3.org/2000/svg'>"), None);
        assert_eq!(ImageKind::of(b""), None);
    }

    #[test]
    fn what_is_no_image_or_too_large_is_refused() {
        assert_eq!(Image::from_base64("!!", 0), Err(ImageError::NotBase64));
        assert_eq!(Image::from_base64("aGVsbG8=", 0), Err(ImageError::UnknownKind));
        let mut large = PIXEL.to_vec();
        large.resize(MAX_IMAGE_BYTES + 1, 0);
        assert_eq!(Image::new(large, 0), Err(ImageError::TooLarge { bytes: MAX_IMAGE_BYTES + 1 }));
        let long = "A".repeat(MAX_IMAGE_BYTES * 2);
        assert!(matches!(Image::from_base64(&long, 0), Err(ImageError::TooLarge { .. })));
    }

    #[test]
    fn comes_back_as_it_was_written_and_shows_no_bytes() {
        let image = Image::new(PIXEL, 7).unwrap();
        let json = serde_json::to_string(&image).unwrap();
        assert_eq!(serde_json::from_str::<Image>(&json).unwrap(), image);
        assert_eq!(format!("{image:?}"), "Image(image/png, 17 bytes, at 7)");
        assert!(image.to_data_url().starts_with("data:image/png;base64,iVBORw0KGgp"));
    }
}
