//! What the mock says.

const LOREM: &[&str] = &[
    "Lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet,",
    "consectetur",
    "adipiscing",
    "elit,",
    "sed",
    "do",
    "eiusmod",
    "tempor",
    "incididunt",
    "ut",
    "labore",
    "et",
    "dolore",
    "magna",
    "aliqua.",
    "Ut",
    "enim",
    "ad",
    "minim",
    "veniam,",
    "quis",
    "nostrud",
    "exercitation",
    "ullamco",
    "laboris",
    "nisi",
    "ut",
    "aliquip",
    "ex",
    "ea",
    "commodo",
    "consequat.",
    "Duis",
    "aute",
    "irure",
    "dolor",
    "in",
    "reprehenderit",
    "in",
    "voluptate",
    "velit",
    "esse",
    "cillum",
    "dolore",
    "eu",
    "fugiat",
    "nulla",
    "pariatur.",
    "Excepteur",
    "sint",
    "occaecat",
    "cupidatat",
    "non",
    "proident,",
    "sunt",
    "in",
    "culpa",
    "qui",
    "officia",
    "deserunt",
    "mollit",
    "anim",
    "id",
    "est",
    "laborum.",
];

/// The word at `index` of a text without end.
pub(crate) fn lorem(index: u64) -> &'static str {
    let length = LOREM.len() as u64;
    LOREM[usize::try_from(index % length).unwrap_or(0)]
}

/// A text cut after each run of blanks, so that its pieces put together are the text.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for character in text.chars() {
        if !character.is_whitespace() && word.ends_with(char::is_whitespace) {
            words.push(std::mem::take(&mut word));
        }
        word.push(character);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

pub(crate) const MARKDOWN: &str = r#"# A short tour

Some **bold**, some *italic*, some `code`, a [link](https://example.com/) and a ~~mistake~~.

## Lists

1. First
2. Second
   - nested
   - [x] done
   - [ ] open

## A table

| Model | Context | Price |
|:------|--------:|:-----:|
| small |   8,192 |  low  |
| large | 131,072 | high  |

## Code

```rust
fn main() {
    let greeting = "Hello, world";
    println!("{greeting}");
}
```

```python
def fibonacci(n: int) -> int:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
```

## Mathematics

Inline $e^{i\pi} + 1 = 0$, and on its own:

$$
\int_{-\infty}^{\infty} e^{-x^2}\,dx = \sqrt{\pi}
$$

> A quotation, with 中文 and an emoji 🎉.

<script>alert("this must never run")</script>
<img src=x onerror="alert('nor this')">

---

averyveryveryveryveryveryveryveryveryveryveryveryveryveryveryveryveryveryveryveryveryveryverylongwordwithoutanybreak

The end.
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_put_together_are_the_text() {
        for text in ["", " ", "one", " two  words ", MARKDOWN, "多 字\n\n节"] {
            assert_eq!(words(text).concat(), text);
        }
    }
}
