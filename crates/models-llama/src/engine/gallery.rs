//! The images of a prompt: where they stand in what a template makes of it, and from bytes to what the eye can look at.

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use stoa_models::protocol::{Placed, Refusal};
use stoa_models::template::TemplateInput;
use stoa_pictures::Pixels;

use super::eye::{Eye, Part, Piece};
use super::prepare::Watch;

/// What is written at the place of each image while a template makes a prompt. Nobody can write such a mark, since nobody
/// knows it: it is made for one prompt, of 128 bits that are not told.
pub(super) struct Marks {
    marks: Vec<String>,
}

impl Marks {
    fn new(count: usize) -> Self {
        // Hashes of nothing, under keys that come from the system's own source of randomness.
        let random = || RandomState::new().build_hasher().finish();
        let secret = format!("{:016x}{:016x}", random(), random());
        Self { marks: (0..count).map(|number| format!("<image-{secret}-{number:02}>")).collect() }
    }

    /// Writes them at their places.
    pub(super) fn set(&self, input: TemplateInput, places: &[Placed]) -> Result<TemplateInput, Refusal> {
        let marks = places.iter().copied().zip(self.marks.iter().map(String::as_str));
        let refused = |detail: &str| Refusal::Sampling { detail: detail.to_owned() };
        if places.len() != self.marks.len() {
            return Err(refused("images and their places do not belong together"));
        }
        input.marked(marks.collect::<Vec<_>>().into_iter()).ok_or_else(|| refused("an image stands nowhere"))
    }

    /// The text of a prompt alone.
    pub(super) fn without(&self, text: &str) -> Result<String, Refusal> {
        Ok(self.split(text)?.0.concat())
    }

    /// What stands before, between and behind the images, and which image follows each piece but the last.
    fn split<'t>(&self, text: &'t str) -> Result<(Vec<&'t str>, Vec<usize>), Refusal> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        for (number, mark) in self.marks.iter().enumerate() {
            let mut places = text.match_indices(mark.as_str());
            match (places.next(), places.next()) {
                (Some((place, _)), None) => found.push((place, number)),
                (None, _) => return Err(Refusal::Template { detail: format!("it leaves out image {}", number + 1) }),
                _ => return Err(Refusal::Template { detail: format!("it shows image {} twice", number + 1) }),
            }
        }
        found.sort_unstable();
        let (mut texts, mut order, mut end) = (Vec::new(), Vec::new(), 0);
        for (place, number) in found {
            texts.push(&text[end..place]);
            order.push(number);
            end = place + self.marks[number].len();
        }
        texts.push(&text[end..]);
        Ok((texts, order))
    }
}

/// Where images become something to compute.
pub(super) struct Gallery<'engine> {
    pub(super) eye: Option<&'engine Eye<'engine>>,
    /// Of all prompts, one image at a time is decoded: each may take much memory for a moment.
    pub(super) decoding: Mutex<()>,
}

impl Gallery<'_> {
    pub(super) fn marks(&self, places: &[Placed]) -> Result<Marks, Refusal> {
        if places.is_empty() || self.eye.is_some() { Ok(Marks::new(places.len())) } else { Err(Refusal::NoEye) }
    }

    /// Takes a prompt with marks apart; `None` when nobody wants it any more.
    pub(super) fn show(
        &self,
        text: &str,
        marks: &Marks,
        images: &[Vec<u8>],
        watch: &Watch<'_>,
    ) -> Result<Option<Vec<Piece>>, Refusal> {
        let eye = self.eye.ok_or(Refusal::NoEye)?;
        let (texts, order) = marks.split(text)?;
        if images.len() != order.len() {
            return Err(Refusal::Sampling { detail: "images and their places do not belong together".to_owned() });
        }
        let mut decoded = Vec::with_capacity(images.len());
        for (index, image) in images.iter().enumerate() {
            if watch.cancelled.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let pixels = self.decode(image).map_err(|detail| Refusal::Image { index: index as u64, detail })?;
            decoded.push((pixels, name(image)));
            watch.vitals.step();
        }
        let mut parts = Vec::with_capacity(texts.len() + order.len());
        let mut shown = order.iter();
        for text in texts {
            parts.push(Part::Text(text));
            parts.extend(
                shown.next().and_then(|number| decoded.get(*number)).map(|(pixels, name)| Part::Image(pixels, name)),
            );
        }
        let pieces = eye.take_apart(&parts).map_err(|detail| match order.as_slice() {
            [only] => Refusal::Image { index: *only as u64, detail },
            _ => Refusal::Sampling { detail },
        });
        watch.vitals.step();
        pieces.map(Some)
    }

    fn decode(&self, image: &[u8]) -> Result<Pixels, String> {
        let _turn = self.decoding.lock().unwrap_or_else(PoisonError::into_inner);
        stoa_pictures::decode(image).map_err(|error| error.to_string())
    }
}

/// The sum of an image's bytes.
fn name(image: &[u8]) -> String {
    Sha256::digest(image).iter().fold(String::with_capacity(64), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_wherever_a_template_puts_them() {
        let marks = Marks::new(2);
        let [one, two] = [&marks.marks[0], &marks.marks[1]];
        let text = format!("a{two}b{one}");
        assert_eq!(marks.split(&text), Ok((vec!["a", "b", ""], vec![1, 0])));
        assert!(matches!(marks.split(&format!("a{one}")), Err(Refusal::Template { .. })));
        assert!(matches!(marks.split(&format!("{one}{two}{one}")), Err(Refusal::Template { .. })));
        assert_ne!(Marks::new(1).marks, Marks::new(1).marks, "nobody knows the next");
    }

    #[test]
    fn images_are_named_by_their_content() {
        assert_eq!(name(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
