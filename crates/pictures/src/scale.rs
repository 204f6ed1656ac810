//! From what a decoder makes to plain colours that are no larger than is wanted.

use image::imageops::thumbnail;
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage, Rgba};

/// Scaled down to `side`, and turned at last, when there is least to turn. Of eight bits a colour, with or without
/// transparency.
pub(crate) fn fitted(picture: DynamicImage, side: u32, orientation: Orientation) -> DynamicImage {
    let (width, height) = fitting(picture.width(), picture.height(), side);
    let large = (width, height) != (picture.width(), picture.height());
    let mut fitted = if picture.color().has_alpha() {
        let picture = picture.into_rgba8();
        DynamicImage::ImageRgba8(if large { thumbnail(&picture, width, height) } else { picture })
    } else {
        let picture = picture.into_rgb8();
        DynamicImage::ImageRgb8(if large { thumbnail(&picture, width, height) } else { picture })
    };
    fitted.apply_orientation(orientation);
    fitted
}

/// Over white.
pub(crate) fn opaque(decoded: DynamicImage) -> RgbImage {
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

/// Sides in the same ratio, none of them longer than `most`.
fn fitting(width: u32, height: u32, most: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= most {
        return (width, height);
    }
    let scaled = |side: u32| {
        let side = (u64::from(side) * u64::from(most) + u64::from(longest) / 2) / u64::from(longest);
        u32::try_from(side).unwrap_or(most).max(1)
    };
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_keep_their_ratio() {
        assert_eq!(fitting(640, 480, 2_048), (640, 480));
        assert_eq!(fitting(4_096, 3_072, 2_048), (2_048, 1_536));
        assert_eq!(fitting(100, 10_000, 2_048), (20, 2_048));
        assert_eq!(fitting(1, 1_000, 100), (1, 100));
    }

    #[test]
    fn what_is_transparent_is_white() {
        assert_eq!([over_white(9, 0), over_white(9, 255), over_white(0, 128), over_white(255, 7)], [255, 9, 127, 255]);
    }
}
