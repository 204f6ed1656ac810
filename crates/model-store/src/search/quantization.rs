//! How the weights in a repository are packed, read from the names of its files: `Model-7B-Instruct-Q4_K_M.gguf`.

use std::collections::BTreeSet;

/// Small, and hardly worse than the whole: tried in this order.
const RECOMMENDED: [&str; 6] = ["Q4_K_M", "Q4_K_S", "Q4_0", "Q5_K_M", "Q8_0", "Q4_1"];

/// The kinds that `files` offer, the fewest bits first. Projectors, files in parts and files in folders are none that can
/// be pulled by their kind.
pub(super) fn of_files<'a>(files: impl Iterator<Item = &'a str>) -> Vec<String> {
    let kinds: BTreeSet<(u32, String)> = files
        .filter_map(|file| {
            let stem = file.strip_suffix(".gguf")?;
            if stem.contains('/') || stem.contains("-of-") || stem.to_ascii_lowercase().contains("mmproj") {
                return None;
            }
            let kind = stem.rsplit(['-', '.']).next()?.to_ascii_uppercase();
            Some((bits(&kind)?, kind))
        })
        .collect();
    kinds.into_iter().map(|(_, kind)| kind).collect()
}

pub(super) fn recommended(kinds: &[String]) -> Option<String> {
    let known = RECOMMENDED.iter().find_map(|wanted| kinds.iter().find(|kind| kind == wanted));
    known.or_else(|| kinds.first()).cloned()
}

/// About how many bits each weight takes; `None` for what names no kind of packing.
fn bits(kind: &str) -> Option<u32> {
    let digits = ["IQ", "TQ", "Q", "BF", "F", "MXFP"].iter().find_map(|prefix| kind.strip_prefix(prefix))?;
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = digits.split_at(length);
    let plain = rest.is_empty() || rest.strip_prefix('_').is_some_and(|rest| rest.len() <= 5);
    number.parse().ok().filter(|bits| plain && (1..=32).contains(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_say_how_they_are_packed() {
        let files = [
            "README.md",
            "Llama-3.2-3B-Instruct-Q4_K_M.gguf",
            "Llama-3.2-3B-Instruct-IQ3_M.gguf",
            "Llama-3.2-3B-Instruct-f16.gguf",
            "smollm2-135m-instruct.q8_0.gguf",
            "mmproj-model-f16.gguf",
            "Q6_K/model-Q6_K.gguf",
            "model-BF16-00001-of-00002.gguf",
            "Llama-3.2-3B.gguf",
            "model-7B.imatrix",
        ];
        let kinds = of_files(files.into_iter());
        assert_eq!(kinds, ["IQ3_M", "Q4_K_M", "Q8_0", "F16"]);
        assert_eq!(recommended(&kinds).as_deref(), Some("Q4_K_M"));
        assert_eq!(recommended(&["F16".to_owned()]).as_deref(), Some("F16"));
        assert_eq!(recommended(&[]), None);
    }
}
