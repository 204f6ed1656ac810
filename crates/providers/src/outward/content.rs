//! What a message says, put together from its parts, and the pictures that come within a request.

use stoa_model::completion::PromptMessage;
use stoa_model::image::{Image, ImageError, MAX_IMAGES};

use super::error::ApiError;

/// Text and pictures in their order.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) text: String,
    pub(super) images: Vec<Image>,
    after_text: bool,
}

impl Content {
    pub(super) const fn is_empty(&self) -> bool {
        self.text.is_empty() && self.images.is_empty()
    }

    /// Texts that follow each other are put together line by line.
    pub(super) fn push_text(&mut self, text: &str) {
        if self.after_text {
            self.text.push('\n');
        }
        self.text.push_str(text);
        self.after_text = true;
    }

    /// A picture as an address: only `data:` is taken, for fetching what a caller names is not this server's business.
    pub(super) fn push_url(&mut self, path: &str, url: &str) -> Result<(), ApiError> {
        let data = url.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("data:")).map(|_| &url[5..]);
        let Some(data) = data else {
            let message = format!("`{path}` must be a `data:` URL: this server fetches no images.");
            return Err(ApiError::invalid("unsupported_value", path, message));
        };
        let Some((kind, data)) = data.split_once(',') else {
            return Err(ApiError::invalid("invalid_value", path, format!("`{path}` is no whole `data:` URL.")));
        };
        if !kind.rsplit(';').next().is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64")) {
            return Err(ApiError::invalid("invalid_value", path, format!("`{path}` must be in base64.")));
        }
        self.push_base64(path, data)
    }

    pub(super) fn push_base64(&mut self, path: &str, data: &str) -> Result<(), ApiError> {
        let image = Image::from_base64(data, self.text.len()).map_err(|error| refused(path, error))?;
        self.images.push(image);
        self.after_text = false;
        Ok(())
    }
}

fn refused(path: &str, error: ImageError) -> ApiError {
    ApiError::invalid("invalid_image", path, format!("`{path}` cannot be used: {error}."))
}

/// Refuses more pictures than a prompt may have.
pub(super) fn check_images(param: &str, messages: &[PromptMessage]) -> Result<(), ApiError> {
    let count: usize = messages.iter().map(|message| message.images.len()).sum();
    if count > MAX_IMAGES {
        let message = format!("`{param}` holds {count} images; {MAX_IMAGES} are the most.");
        return Err(ApiError::invalid("array_above_max_length", param, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIXEL: &str = "iVBORw0KGgphbmQgc28gb24=";

    #[test]
    fn texts_and_pictures_keep_their_order() {
        let mut content = Content::default();
        content.push_text("a");
        content.push_text("b");
        content.push_url("image", &format!("data:image/png;base64,{PIXEL}")).unwrap();
        content.push_text("c");
        content.push_url("image", &format!("DATA:;BASE64,{PIXEL}")).unwrap();
        assert_eq!(content.text, "a\nbc");
        assert_eq!(content.images.iter().map(|image| image.at).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn what_is_no_picture_within_the_request_is_refused() {
        for (url, words) in [
            ("https://example.com/cat.png", "fetches no images"),
            ("file:///etc/passwd", "fetches no images"),
            ("", "fetches no images"),
            ("data:image/png;base64", "no whole"),
            ("data:image/png,abc", "base64"),
            ("data:image/png;base64,!!", "not base64"),
            ("data:image/svg+xml;base64,PHN2Zz4=", "no known kind"),
        ] {
            let error = Content::default().push_url("image", url).unwrap_err();
            assert!(error.message.contains(words), "{url}: {}", error.message);
            assert_eq!(error.param.as_deref(), Some("image"));
        }
        let message = PromptMessage {
            images: vec![Image::from_base64(PIXEL, 0).unwrap(); MAX_IMAGES + 1],
            ..PromptMessage::default()
        };
        assert!(check_images("messages", &[message]).is_err());
    }
}
