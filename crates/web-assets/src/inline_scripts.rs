//! Finding the inline scripts of a page, for a policy that allows exactly these.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// `'sha256-…'` of each `<script>` element without `src`, in the page's order.
pub(crate) fn hashes(page: &str) -> Vec<String> {
    // The parser of a browser turns line ends into LF before it sees a script (HTML standard §13.2.3.5).
    let page = page.replace("\r\n", "\n").replace('\r', "\n");
    let lower = page.to_ascii_lowercase();
    let mut found = Vec::new();
    let mut position = 0;
    while let Some(start) = find(&lower, "<script", position) {
        let Some(open_end) = find(&lower, ">", start) else { break };
        let content = open_end + 1;
        let Some(close) = find(&lower, "</script", content) else { break };
        position = close;
        let attributes = lower.get(start..open_end).unwrap_or_default();
        if !attributes.split_ascii_whitespace().any(|attribute| attribute.starts_with("src=")) {
            let script = page.get(content..close).unwrap_or_default();
            found.push(format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script.as_bytes()))));
        }
    }
    found
}

fn find(text: &str, pattern: &str, from: usize) -> Option<usize> {
    text.get(from..)?.find(pattern).map(|offset| from + offset)
}

#[cfg(test)]
mod tests {
    use super::hashes;

    #[test]
    fn hashes_are_those_that_a_browser_computes() {
        // The example of CSP level 2, §4.2.5, without its line ends.
        assert_eq!(
            hashes("<script>alert('Hello, world.');</script>"),
            ["'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"]
        );
    }

    #[test]
    fn only_inline_scripts_count_and_line_ends_are_those_of_the_parser() {
        let page = "<SCRIPT src=\"/a.js\"></SCRIPT><script type=\"module\">\r\nrun();\r\n</script><p>text</p><script>x</script>";
        let same = "<script>\nrun();\n</script><script>x</script>";
        assert_eq!(hashes(page), hashes(same));
        assert_eq!(hashes(page).len(), 2);
        assert_eq!(hashes("<p>no script</p>"), Vec::<String>::new());
        assert_eq!(hashes("<script>never closed"), Vec::<String>::new());
    }
}
