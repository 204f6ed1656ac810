//! Pictures of every kind, whole, spoilt, and made to do harm.

use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, Frame, ImageEncoder, Rgb, RgbImage, Rgba, RgbaImage};
use proptest::prelude::*;

use super::*;

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.into().write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

/// Red on the left, blue on the right.
fn flag(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) })
}

/// The header of a PNG that says that it is so large, with a right sum behind it, and nothing else.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 2, 0, 0, 0]);
    let mut sum = u32::MAX;
    for byte in &bytes[12..] {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    bytes.extend((!sum).to_be_bytes());
    bytes.extend(b"\0\0\0\0IDAT");
    bytes.extend([0x35, 0xaf, 0x06, 0x1e]);
    bytes
}

#[test]
fn every_kind_shows_the_same() {
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let pixels = decode(&encoded(flag(8, 4), format)).unwrap();
        assert_eq!((pixels.width, pixels.height), (8, 4), "{format:?}");
        assert_eq!(pixels.colours, flag(8, 4).into_raw(), "{format:?}");
    }
    let pixels = decode(&encoded(flag(16, 16), ImageFormat::Jpeg)).unwrap();
    assert!(pixels.colours[0] > 240 && pixels.colours[2] < 20, "{:?}", &pixels.colours[..3]);
}

#[test]
fn what_is_transparent_is_white_and_grey_has_colours() {
    let glass = RgbaImage::from_pixel(2, 1, Rgba([10, 20, 30, 0]));
    assert_eq!(decode(&encoded(glass, ImageFormat::Png)).unwrap().colours, [255; 6]);
    let grey = image::GrayImage::from_pixel(1, 1, image::Luma([7]));
    assert_eq!(decode(&encoded(grey, ImageFormat::Png)).unwrap().colours, [7; 3]);
    let deep = image::ImageBuffer::from_pixel(1, 1, Rgb([u16::MAX, 0, 0]));
    let pixels = decode(&encoded(DynamicImage::ImageRgb16(deep), ImageFormat::Png)).unwrap();
    assert_eq!(pixels.colours, [255, 0, 0]);
}

#[test]
fn a_picture_is_turned_as_its_camera_says() {
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    // A quarter to the right.
    exif.extend([6, 0, 0, 0, 0, 0, 0, 0]);
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(flag(4, 2).as_raw(), 4, 2, ExtendedColorType::Rgb8).unwrap();
    let pixels = decode(&bytes).unwrap();
    assert_eq!((pixels.width, pixels.height), (2, 4));
    assert_eq!((&pixels.colours[..3], &pixels.colours[21..]), (&[255, 0, 0][..], &[0, 0, 255][..]));
}

#[test]
fn of_a_moving_picture_the_first_frame_is_seen() {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    let frame = |shade: u8| Frame::new(RgbaImage::from_pixel(6, 6, Rgba([shade, 0, 0, 255])));
    encoder.encode_frames((0..50).map(|number| frame(250 - 5 * number))).unwrap();
    drop(encoder);
    assert_eq!(decode(&bytes).unwrap().colours[..3], [250, 0, 0]);
}

#[test]
fn what_is_too_large_is_refused_by_its_header() {
    for (width, height) in [(u32::MAX >> 1, u32::MAX >> 1), (60_000, 60_000), (16_385, 400), (16_000, 16_000)] {
        let error = decode(&bomb(width, height)).unwrap_err();
        assert!(matches!(error, PictureError::TooLarge { .. }), "{width}x{height}: {error:?}");
    }
    assert_eq!(decode(&bomb(1, 200)), Err(PictureError::TooNarrow { width: 1, height: 200 }));
    assert!(matches!(decode(&bomb(0, 4)), Err(PictureError::Damaged { .. })));
    // As large as may be, in 16 bits: too much memory.
    let mut deep = bomb(7_680, 4_320);
    deep[24..26].copy_from_slice(&[16, 6]);
    assert!(decode(&deep).is_err());
}

#[test]
fn what_is_large_comes_out_smaller() {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 30).encode_image(&flag(5_000, 2_500)).unwrap();
    let pixels = decode(&bytes).unwrap();
    assert_eq!((pixels.width, pixels.height, pixels.colours.len()), (2_048, 1_024, 2_048 * 1_024 * 3));
    let tiny = decode(&encoded(flag(1, 1), ImageFormat::Png)).unwrap();
    assert_eq!((tiny.width, tiny.height), (1, 1));
}

#[test]
fn what_is_no_picture_or_only_a_part_of_one_is_refused() {
    assert_eq!(decode(b"<svg/>"), Err(PictureError::Kind));
    assert_eq!(decode(b""), Err(PictureError::Kind));
    assert_eq!(decode(b"BM this would be a bitmap"), Err(PictureError::Kind));
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let whole = encoded(flag(40, 40), format);
        let cut = decode(&whole[..whole.len() / 2]);
        assert!(matches!(cut, Err(PictureError::Damaged { .. })), "{format:?}: {cut:?}");
    }
    let whole = encoded(flag(40, 40), ImageFormat::Jpeg);
    assert!(matches!(decode(&whole[..100]), Err(PictureError::Damaged { .. })));
    // One kind that says that it is another.
    let mut lying = encoded(flag(4, 4), ImageFormat::Jpeg);
    lying.splice(..4, *b"\x89PNG\r\n\x1a\n");
    assert!(matches!(decode(&lying), Err(PictureError::Damaged { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_spoilt_picture_is_refused_or_has_all_its_pixels(
        format in prop::sample::select(vec![ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = encoded(flag(24, 16), format);
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Ok(pixels) = decode(&bytes) {
            let count = usize::try_from(u64::from(pixels.width) * u64::from(pixels.height) * 3).unwrap();
            prop_assert_eq!(pixels.colours.len(), count);
            prop_assert!(count > 0 && pixels.width.max(pixels.height) <= MAX_SIDE_OUT);
        }
    }
}
