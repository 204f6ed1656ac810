//! Any bytes as a picture: refused, or all its pixels, never worse.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(pixels) = stoa_pictures::decode(bytes) {
        assert!(pixels.width > 0 && pixels.height > 0);
        assert!(pixels.width.max(pixels.height) <= stoa_pictures::MAX_SIDE_OUT);
        assert_eq!(pixels.colours.len() as u64, u64::from(pixels.width) * u64::from(pixels.height) * 3);
    }
});
