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

/// Sides of a face.
pub const FACE_SIDE: u32 = 192;

/// Bytes of a face: many of them are shown, and taken along, at once.
pub const MAX_FACE_BYTES: usize = 64 * 1024;

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
            .then(|| {
                let small = fitted(picture.clone(), SMALL_SIDE, Orientation::NoTransforms);
                encoded(small, photograph, MAX_ENCODED_BYTES)
            })
            .transpose()?;
        Ok(Prepared { full: encoded(picture, photograph, MAX_ENCODED_BYTES)?, small })
    })
}

/// The middle of a picture as a square of at most [`FACE_SIDE`], written anew in at most [`MAX_FACE_BYTES`].
pub fn face(bytes: &[u8]) -> Result<Encoded, PictureError> {
    unharmed(|| {
        let Decoded { picture, orientation, format } = read(bytes)?;
        let turned = fitted(picture, MAX_SIDE_OUT, orientation);
        let (width, height) = (turned.width(), turned.height());
        let side = width.min(height);
        let middle = turned.crop_imm((width - side) / 2, (height - side) / 2, side, side);
        encoded(fitted(middle, FACE_SIDE, Orientation::NoTransforms), format == ImageFormat::Jpeg, MAX_FACE_BYTES)
    })
}

fn encoded(picture: DynamicImage, photograph: bool, most: usize) -> Result<Encoded, PictureError> {
    let (width, height) = (picture.width(), picture.height());
    let unwritable = |error: image::ImageError| PictureError::Damaged { detail: error.to_string() };
    if !photograph {
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).map_err(unwritable)?;
        if bytes.len() <= most {
            return Ok(Encoded { width, height, media_type: "image/png", bytes });
        }
    }
    let picture = opaque(picture);
    for quality in QUALITIES {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, quality).encode_image(&picture).map_err(unwritable)?;
        if bytes.len() <= most {
            return Ok(Encoded { width, height, media_type: "image/jpeg", bytes });
        }
    }
    Err(PictureError::TooCostly)
}

#[cfg(test)]
mod tests;
