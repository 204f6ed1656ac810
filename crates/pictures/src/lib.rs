//! Makes plain pixels of pictures that anybody may have sent, within limits that are known before a pixel is decoded, and
//! new pictures that hold those pixels and nothing else.

mod encode;
mod scale;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::error::{ImageError, LimitErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

pub use encode::{Encoded, FACE_SIDE, MAX_ENCODED_BYTES, MAX_FACE_BYTES, Prepared, SMALL_SIDE, face, prepare};

use scale::{fitted, opaque};

/// Pixels along a side, as the header says.
pub const MAX_SIDE: u32 = 16_384;

/// All pixels: an 8K screen, or most of what a camera makes.
pub const MAX_PIXELS: u64 = 7_680 * 4_320;

/// What a decoder may reserve: four bytes for each of those pixels, and some to work with.
const MAX_DECODER_BYTES: u64 = 160 << 20;

/// What decoding one picture takes at most: what the decoder holds, and the colours that are made of it.
pub const MAX_DECODING_BYTES: u64 = MAX_DECODER_BYTES + MAX_PIXELS * 3;

/// A side may be so many times as long as the other: what is beyond that is a line, and divided to nothing by models.
pub const MAX_RATIO: u32 = 100;

/// Sides of what comes out. No model sees more at once.
pub const MAX_SIDE_OUT: u32 = 2_048;

/// Colours of a picture, row by row, red, green and blue for each pixel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    pub width: u32,
    pub height: u32,
    /// `width * height * 3` of them.
    pub colours: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    #[error("it is of no kind that is known: PNG, JPEG, WebP or GIF")]
    Kind,
    #[error("it has {width} by {height} pixels; at most {MAX_SIDE} along a side are taken, and {MAX_PIXELS} in all")]
    TooLarge { width: u32, height: u32 },
    #[error("it has {width} by {height} pixels; one side may be at most {MAX_RATIO} times as long as the other")]
    TooNarrow { width: u32, height: u32 },
    #[error("it takes too much memory to decode")]
    TooCostly,
    #[error("it is damaged: {detail}")]
    Damaged { detail: String },
}

/// Decodes the first frame of a picture, turned as its camera says, over white where it is transparent, and scaled down
/// to [`MAX_SIDE_OUT`].
pub fn decode(bytes: &[u8]) -> Result<Pixels, PictureError> {
    unharmed(|| {
        let Decoded { picture, orientation, .. } = read(bytes)?;
        let fitted = fitted(DynamicImage::ImageRgb8(opaque(picture)), MAX_SIDE_OUT, orientation).into_rgb8();
        Ok(Pixels { width: fitted.width(), height: fitted.height(), colours: fitted.into_raw() })
    })
}

/// A decoder that gives up on foreign bytes by a panic has found them damaged.
fn unharmed<T>(work: impl FnOnce() -> Result<T, PictureError>) -> Result<T, PictureError> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| Err(PictureError::Damaged { detail: "its decoder gave up".to_owned() }))
}

struct Decoded {
    picture: DynamicImage,
    /// How its camera was held.
    orientation: Orientation,
    format: ImageFormat,
}

fn read(bytes: &[u8]) -> Result<Decoded, PictureError> {
    let format = image::guess_format(bytes).map_err(|_| PictureError::Kind)?;
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Gif) {
        return Err(PictureError::Kind);
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    check(width, height)?;
    if decoder.total_bytes() > MAX_DECODER_BYTES {
        return Err(PictureError::TooCostly);
    }
    // What the picture itself takes is no longer the decoder's to reserve.
    limits.reserve(decoder.total_bytes()).map_err(|_| PictureError::TooCostly)?;
    decoder.set_limits(limits).map_err(explain)?;
    // A camera's word on how it was held is worth no failure.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(explain)?;
    Ok(Decoded { picture, orientation, format })
}

fn check(width: u32, height: u32) -> Result<(), PictureError> {
    if width == 0 || height == 0 {
        return Err(PictureError::Damaged { detail: "it has no pixels".to_owned() });
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(PictureError::TooLarge { width, height });
    }
    if width.max(height) / width.min(height) > MAX_RATIO {
        return Err(PictureError::TooNarrow { width, height });
    }
    Ok(())
}

fn explain(error: ImageError) -> PictureError {
    match error {
        ImageError::Limits(limit) => match limit.kind() {
            LimitErrorKind::DimensionError => PictureError::TooLarge { width: MAX_SIDE, height: MAX_SIDE },
            _ => PictureError::TooCostly,
        },
        ImageError::Unsupported(_) => {
            PictureError::Damaged { detail: "it is of a kind that nobody decodes".to_owned() }
        }
        error => PictureError::Damaged { detail: error.to_string().chars().take(200).collect() },
    }
}

#[cfg(test)]
mod tests;
