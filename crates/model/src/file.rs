//! Pictures that people have uploaded.

use serde::Serialize;

use crate::{FileId, Timestamp};

/// Characters of a file's name that are kept.
pub const MAX_FILE_NAME: usize = 120;

/// A picture as it is kept: made anew from what came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct File {
    pub id: FileId,
    /// What its sender called it; never a path.
    pub name: String,
    /// `image/jpeg` or `image/png`.
    pub media_type: String,
    pub bytes: u64,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    pub created_at: Timestamp,
}

/// A name to show: the last part of what may be a path, without what cannot be seen, and not too long.
pub fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen = last.chars().filter(|letter| !letter.is_control() && !turns_text(*letter));
    seen.take(MAX_FILE_NAME).collect::<String>().trim().to_owned()
}

/// Marks that make a name read as another one.
const fn turns_text(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_end_of_a_path_and_can_be_shown() {
        assert_eq!(clean_name("../../etc/passwd"), "passwd");
        assert_eq!(clean_name(r"C:\Users\ada\cat.png"), "cat.png");
        assert_eq!(clean_name("  猫\u{0}\r\n.jpg "), "猫.jpg");
        assert_eq!(clean_name("gpj.\u{202e}exe"), "gpj.exe");
        assert_eq!(clean_name("/"), "");
        assert_eq!(clean_name(&"x".repeat(500)).len(), MAX_FILE_NAME);
    }
}
