//! From what a decoder makes to plain colours that are no larger than a model sees.

use image::imageops::thumbnail;
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage, Rgba};

use crate::{MAX_SIDE_OUT, Pixels};

/// Over white, scaled down, and turned at last, when there is least to turn.
pub(crate) fn fitted(decoded: DynamicImage, orientation: Orientation) -> Pixels {
    let mut picture = opaque(decoded);
    let (width, height) = fitting(picture.width(), picture.height());
    if (width, height) != picture.dimensions() {
        picture = thumbnail(&picture, width, height);
    }
    let mut turned = DynamicImage::ImageRgb8(picture);
    turned.apply_orientation(orientation);
    let turned = turned.into_rgb8();
    Pixels { width: turned.width(), height: turned.height(), colours: turned.into_raw() }
}

fn opaque(decoded: DynamicImage) -> RgbImage {
    if !decoded.color().has_alpha() {
        return decoded.into_rgb8();
    }
    let picture = decoded.into_rgba8();
    let mut colours = Vec::with_capacity(picture.as_raw().len() / 4 * 3);
    for Rgba([red, green, blue, alpha]) in picture.pixels() {
        colours.extend([red, green, blue].map(|colour| over_white(*colour, *alpha)));
    }
    RgbImage::from_raw(picture.width(), picture.height(), colours).unwrap_or_default()
}

fn over_white(colour: u8, alpha: u8) -> u8 {
    let (colour, alpha) = (u32::from(colour), u32::from(alpha));
    u8::try_from((colour * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
}

/// Sides in the same ratio, none of them longer than [`MAX_SIDE_OUT`].
fn fitting(width: u32, height: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= MAX_SIDE_OUT {
        return (width, height);
    }
    let scaled = |side: u32| {
        let side = (u64::from(side) * u64::from(MAX_SIDE_OUT) + u64::from(longest) / 2) / u64::from(longest);
        u32::try_from(side).unwrap_or(MAX_SIDE_OUT).max(1)
    };
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_keep_their_ratio() {
        assert_eq!(fitting(640, 480), (640, 480));
        assert_eq!(fitting(4_096, 3_072), (2_048, 1_536));
        assert_eq!(fitting(100, 10_000), (20, 2_048));
    }

    #[test]
    fn what_is_transparent_is_white() {
        assert_eq!([over_white(9, 0), over_white(9, 255), over_white(0, 128), over_white(255, 7)], [255, 9, 127, 255]);
    }
}
