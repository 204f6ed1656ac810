//! Finds the end of a JSON array or object that comes in pieces, each byte once.

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl Scan {
    /// Goes on over `bytes`; the number of them up to and with the end, if that is among them.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Option<usize> {
        for (index, byte) in bytes.iter().enumerate() {
            if self.in_text {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_text = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(index + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_behind_what_looks_like_it() {
        for (text, end) in [
            ("{} x", Some(2)),
            (r#"{"a":"}\"]\\"}"#, Some(14)),
            (r#"[{"a":[1]}],"#, Some(11)),
            (r#"{"a":"#, None),
            (r#"{"a}"#, None),
        ] {
            for cut in 1..5 {
                let mut scan = Scan::default();
                let mut before = 0;
                let found = text.as_bytes().chunks(cut).find_map(|chunk| {
                    let found = scan.push(chunk).map(|end| before + end);
                    before += chunk.len();
                    found
                });
                assert_eq!(found, end, "{text} in pieces of {cut}");
            }
        }
    }
}
