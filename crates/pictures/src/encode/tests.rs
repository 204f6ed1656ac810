//! What comes out is small, plain, and holds nothing of the file that went in.

use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, Frame, ImageEncoder as _, Rgb, RgbImage, Rgba, RgbaImage};

use super::*;
use crate::{Pixels, decode};

/// Red on the left, blue on the right.
fn flag(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) })
}

fn written(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.into().write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

/// EXIF that turns the picture a quarter to the right and says where it was taken, after a fashion.
fn exif() -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([6, 0, 0, 0, 0, 0, 0, 0]);
    exif.extend(b"GPS: 48.8584 N 2.2945 E");
    exif
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[test]
fn kinds_become_two_and_keep_their_colours() {
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let full = prepare(&written(flag(8, 4), format)).unwrap().full;
        assert_eq!((full.width, full.height, full.media_type), (8, 4, "image/png"), "{format:?}");
        assert_eq!(decode(&full.bytes).unwrap().colours, flag(8, 4).into_raw(), "{format:?}");
    }
    let prepared = prepare(&written(flag(64, 64), ImageFormat::Jpeg)).unwrap();
    assert_eq!((prepared.full.media_type, prepared.small), ("image/jpeg", None));
    let Pixels { colours, .. } = decode(&prepared.full.bytes).unwrap();
    assert!(colours[0] > 240 && colours[2] < 20, "{:?}", &colours[..3]);
}

#[test]
fn nothing_of_the_camera_is_left_but_how_it_was_held() {
    for format in ["jpeg", "png"] {
        let mut bytes = Vec::new();
        if format == "jpeg" {
            let mut encoder = JpegEncoder::new(&mut bytes);
            encoder.set_exif_metadata(exif()).unwrap();
            encoder.write_image(flag(64, 32).as_raw(), 64, 32, ExtendedColorType::Rgb8).unwrap();
        } else {
            let mut encoder = PngEncoder::new(&mut bytes);
            encoder.set_exif_metadata(exif()).unwrap();
            encoder.write_image(flag(64, 32).as_raw(), 64, 32, ExtendedColorType::Rgb8).unwrap();
        }
        assert!(contains(&bytes, b"GPS: 48"));
        let full = prepare(&bytes).unwrap().full;
        assert_eq!((full.width, full.height), (32, 64), "{format}");
        assert!(!contains(&full.bytes, b"GPS") && !contains(&full.bytes, b"Exif") && !contains(&full.bytes, b"eXIf"));
        let colours = decode(&full.bytes).unwrap().colours;
        let last = &colours[colours.len() - 3..];
        assert!(colours[0] > 200 && last[2] > 200, "{format}: red above, blue below");
    }
}

#[test]
fn a_second_face_of_the_same_bytes_is_gone() {
    let mut bytes = written(flag(16, 16), ImageFormat::Png);
    bytes.extend(b"<script>alert(1)</script>PK\x03\x04");
    let mut gif = written(flag(16, 16), ImageFormat::Gif);
    gif.extend(b"<html><body onload=alert(1)>");
    for (bytes, mark) in [(bytes, &b"<script>"[..]), (gif, b"onload")] {
        assert!(contains(&bytes, mark));
        assert!(!contains(&prepare(&bytes).unwrap().full.bytes, mark));
    }
}

#[test]
fn what_is_large_has_a_small_rendition_and_stays_within_its_bytes() {
    let prepared = prepare(&written(flag(3_000, 1_500), ImageFormat::Png)).unwrap();
    assert_eq!((prepared.full.width, prepared.full.height), (2_048, 1_024));
    let small = prepared.small.unwrap();
    assert_eq!((small.width, small.height, small.media_type), (512, 256, "image/png"));
    // Noise, which nothing makes smaller.
    let mut state = 7_u32;
    let noise = RgbImage::from_fn(2_048, 2_048, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [one, two, three, _] = state.to_be_bytes();
        Rgb([one, two, three])
    });
    let full = prepare(&written(noise, ImageFormat::Png)).unwrap().full;
    assert_eq!(full.media_type, "image/jpeg");
    assert!(full.bytes.len() <= MAX_ENCODED_BYTES, "{}", full.bytes.len());
}

#[test]
fn glass_stays_glass_and_sixteen_bits_become_eight() {
    let glass = RgbaImage::from_fn(600, 10, |x, _| Rgba([10, 20, 30, if x < 300 { 0 } else { 255 }]));
    let prepared = prepare(&written(glass, ImageFormat::Png)).unwrap();
    for picture in [prepared.full, prepared.small.unwrap()] {
        let pixels = image::load_from_memory(&picture.bytes).unwrap().into_rgba8();
        assert_eq!((pixels.get_pixel(0, 0)[3], pixels.get_pixel(picture.width - 1, 0)[3]), (0, 255));
    }
    let deep = image::ImageBuffer::from_pixel(3, 3, Rgb([u16::MAX, 0, 0x8000]));
    let full = prepare(&written(DynamicImage::ImageRgb16(deep), ImageFormat::Png)).unwrap().full;
    let pixels = image::load_from_memory(&full.bytes).unwrap();
    assert_eq!(pixels.color(), image::ColorType::Rgb8);
    assert_eq!(pixels.into_rgb8().get_pixel(1, 1), &Rgb([255, 0, 128]));
}

#[test]
fn of_a_moving_picture_one_frame_stays() {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    let frame = |shade: u8| Frame::new(RgbaImage::from_pixel(6, 6, Rgba([shade, 0, 0, 255])));
    encoder.encode_frames((0..50).map(|number| frame(250 - 5 * number))).unwrap();
    drop(encoder);
    let full = prepare(&bytes).unwrap().full;
    assert_eq!(full.media_type, "image/png");
    assert_eq!(decode(&full.bytes).unwrap().colours[..3], [250, 0, 0]);
}

/// A photograph for printers: four inks a pixel, as Adobe writes them (16 by 16, all cyan).
#[test]
fn inks_become_colours() {
    let full = prepare(include_bytes!("cmyk.jpg")).unwrap().full;
    let pixels = image::load_from_memory(&full.bytes).unwrap();
    assert_eq!(pixels.color(), image::ColorType::Rgb8);
    let Rgb([red, green, blue]) = *pixels.into_rgb8().get_pixel(8, 8);
    assert!(red < 60 && green > 120 && blue > 150, "{red} {green} {blue}");
}

#[test]
fn what_is_no_picture_is_refused_as_before() {
    assert_eq!(prepare(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), Err(PictureError::Kind));
    assert_eq!(prepare(b"<?xml version='1.0'?><svg/>"), Err(PictureError::Kind));
    assert_eq!(prepare(b""), Err(PictureError::Kind));
    assert_eq!(prepare(b"%PDF-1.7"), Err(PictureError::Kind));
    let whole = written(flag(40, 40), ImageFormat::Png);
    assert!(matches!(prepare(&whole[..whole.len() / 2]), Err(PictureError::Damaged { .. })));
}

#[test]
fn a_face_is_the_middle_as_a_small_square() {
    let picture =
        RgbImage::from_fn(900, 300, |x, _| if (300..600).contains(&x) { Rgb([9, 8, 7]) } else { Rgb([255, 0, 0]) });
    let made = face(&written(picture, ImageFormat::Png)).unwrap();
    assert_eq!((made.width, made.height, made.media_type), (FACE_SIDE, FACE_SIDE, "image/png"));
    assert!(decode(&made.bytes).unwrap().colours.chunks(3).all(|colour| colour == [9, 8, 7]));
    let small = face(&written(flag(8, 4), ImageFormat::Png)).unwrap();
    assert_eq!((small.width, small.height), (4, 4), "none is made larger");
    assert_eq!(face(b"no picture"), Err(PictureError::Kind));
}

#[test]
fn a_face_is_small_however_it_looks() {
    let mut seed = 1_u32;
    let mut noise = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u8::try_from(seed >> 24).unwrap()
    };
    let picture = RgbImage::from_fn(FACE_SIDE, FACE_SIDE, |_, _| Rgb([noise(), noise(), noise()]));
    let made = face(&written(picture, ImageFormat::Png)).unwrap();
    assert!(made.bytes.len() <= MAX_FACE_BYTES, "{} bytes", made.bytes.len());
    assert_eq!(made.media_type, "image/jpeg");
}
