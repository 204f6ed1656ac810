//! Estimates of how many tokens a model makes of something, for where no model has counted.

/// About four letters of a Latin word, two of another alphabet, or one Chinese, Japanese or Korean character are a token.
pub fn estimate(text: &str) -> u64 {
    let quarters: u64 = text
        .chars()
        .map(|character| match u32::from(character) {
            0..0x250 => 1,
            0x250..0x1100 => 2,
            _ => 4,
        })
        .sum();
    quarters.div_ceil(4)
}

/// What models that see commonly make of so many pixels.
pub fn estimate_picture(width: u32, height: u32) -> u64 {
    const PIXELS_A_TOKEN: u64 = 750;
    const MOST: u64 = 1_600;
    (u64::from(width) * u64::from(height)).div_ceil(PIXELS_A_TOKEN).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabets_weigh_what_they_weigh() {
        assert_eq!(estimate(""), 0);
        assert_eq!(estimate("word"), 1);
        assert_eq!(estimate("five!"), 2);
        assert_eq!(estimate("слово"), 3);
        assert_eq!(estimate("合同条款"), 4);
        assert_eq!((estimate_picture(300, 100), estimate_picture(9_000, 9_000)), (40, 1_600));
    }
}
