//! A picture made anew from its pixels: nothing of the file that it came in is left, no place, no camera, no second face
//! that some other program would see in the same bytes.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat};

use crate::scale::{fitted, opaque};
use crate::{Decoded, MAX_SIDE_OUT, PictureError, read, unharmed};

/// Bytes of what comes out: a third more of them as base64 is what the strictest providers take of one picture.
pub const MAX_ENCODED_BYTES: usize = 3_500_000;

/// Sides of the small rendition, for lists and messages.
pub const SMALL_SIDE: u32 = 512;

/// How good a photograph stays, tried in this order until it is small enough.
const QUALITIES: [u8; 4] = [88, 75, 60, 40];

/// A picture as it is kept and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    pub width: u32,
    pub height: u32,
    /// `image/jpeg` or `image/png`.
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// No side longer than [`MAX_SIDE_OUT`].
    pub full: Encoded,
    /// No side longer than [`SMALL_SIDE`]; absent where the picture itself is as small.
    pub small: Option<Encoded>,
}

/// Decodes the first frame of a picture and writes it anew, turned as its camera says and scaled down. Photographs stay
/// JPEG; everything else becomes PNG, with its transparency, unless that is too large.
pub fn prepare(bytes: &[u8]) -> Result<Prepared, PictureError> {
    unharmed(|| {
        let Decoded { picture, orientation, format } = read(bytes)?;
        let photograph = format == ImageFormat::Jpeg;
        let picture = fitted(picture, MAX_SIDE_OUT, orientation);
        let small = (picture.width().max(picture.height()) > SMALL_SIDE)
            .then(|| encoded(fitted(picture.clone(), SMALL_SIDE, Orientation::NoTransforms), photograph))
            .transpose()?;
        Ok(Prepared { full: encoded(picture, photograph)?, small })
    })
}

fn encoded(picture: DynamicImage, photograph: bool) -> Result<Encoded, PictureError> {
    let (width, height) = (picture.width(), picture.height());
    let unwritable = |error: image::ImageError| PictureError::Damaged { detail: error.to_string() };
    if !photograph {
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).map_err(unwritable)?;
        if bytes.len() <= MAX_ENCODED_BYTES {
            return Ok(Encoded { width, height, media_type: "image/png", bytes });
        }
    }
    let picture = opaque(picture);
    for quality in QUALITIES {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&picture).map_err(unwritable)?;
        if bytes.len() <= MAX_ENCODED_BYTES {
            return Ok(Encoded { width, height, media_type: "image/jpeg", bytes });
        }
    }
    Err(PictureError::TooCostly)
}

#[cfg(test)]
mod tests;
