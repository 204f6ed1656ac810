//! A message of a prompt taken apart into text and pictures in their order, as protocols with parts want it.

use stoa_model::completion::PromptMessage;
use stoa_model::image::Image;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Text(&'a str),
    Image(&'a Image),
}

/// No text among them is empty.
pub(crate) fn of(message: &PromptMessage) -> Vec<Part<'_>> {
    let mut parts = Vec::with_capacity(message.images.len() * 2 + 1);
    let mut from = 0;
    for image in &message.images {
        let at = boundary(&message.text, image.at).max(from);
        push_text(&mut parts, &message.text[from..at]);
        parts.push(Part::Image(image));
        from = at;
    }
    push_text(&mut parts, &message.text[from..]);
    parts
}

fn push_text<'a>(parts: &mut Vec<Part<'a>>, text: &'a str) {
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
}

/// The nearest place at or before `at` where no character is cut.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_stand_where_they_belong() {
        let image = |at| Image::new(&b"\x89PNG\r\n\x1a\n"[..], at).unwrap();
        let (first, second, last) = (image(0), image(3), image(99));
        let images = vec![first.clone(), second.clone(), last.clone()];
        let message = PromptMessage { text: "aé b".to_owned(), images, ..PromptMessage::default() };
        assert_eq!(
            of(&message),
            [Part::Image(&first), Part::Text("aé"), Part::Image(&second), Part::Text(" b"), Part::Image(&last)]
        );
        let cut = PromptMessage { text: "é".to_owned(), images: vec![image(1)], ..PromptMessage::default() };
        assert_eq!(of(&cut).len(), 2);
        assert!(of(&PromptMessage::default()).is_empty());
    }
}
