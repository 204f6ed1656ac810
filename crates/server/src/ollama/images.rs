//! Images of a request as Ollama's clients send them: base64, and nothing around it.

use stoa_model::image::{Image, ImageError, MAX_IMAGES};
use stoa_model::json::Json;

use super::error::Refusal;

/// Reads the images of one message. They stand before its text.
pub(super) fn read(images: Option<Vec<Json>>) -> Result<Vec<Image>, Refusal> {
    let images = images.unwrap_or_default();
    if images.len() > MAX_IMAGES {
        return Err(Refusal::invalid(format!("at most {MAX_IMAGES} images are taken")));
    }
    images.iter().map(image).collect()
}

fn image(image: &Json) -> Result<Image, Refusal> {
    let Json::Text(text) = image else {
        return Err(Refusal::invalid(format!("an image must be base64 in a text, not {}", image.kind())));
    };
    if text.trim_start().starts_with("data:") {
        return Err(Refusal::invalid("an image must be base64 alone: leave out the `data:` and all up to the comma"));
    }
    Image::from_base64(text, 0).map_err(|error: ImageError| Refusal::invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_base64_of_a_known_kind_is_an_image() {
        let told = |image: Json| read(Some(vec![image])).map_err(|refusal| String::from_utf8(refusal.line()).unwrap());
        let text = |text: &str| Json::Text(text.to_owned());
        assert_eq!(told(text("iVBORw0KGgo=")).unwrap()[0].kind().media_type(), "image/png");
        for (image, words) in [
            (text("data:image/png;base64,iVBORw0KGgo="), "leave out the `data:`"),
            (text("%%"), "not base64"),
            (text("aGVsbG8="), "no known kind"),
            (Json::Null, "must be base64"),
        ] {
            let refusal = told(image).unwrap_err();
            assert!(refusal.contains(words), "{refusal}");
        }
        assert!(read(Some(vec![text("iVBORw0KGgo="); MAX_IMAGES + 1])).is_err());
        assert_eq!(read(None).unwrap(), []);
    }
}
