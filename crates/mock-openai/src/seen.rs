//! The pictures of a message, in whichever protocol it comes: an echo says what it saw.

use serde_json::Value;

/// The kinds of all pictures in `message`, in their order.
pub(crate) fn kinds(message: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(message, &mut found);
    found
}

fn look(value: &Value, found: &mut Vec<String>) {
    match value {
        // OpenAI's two protocols.
        Value::String(text) => {
            if let Some((kind, _)) = text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
                found.push(kind.to_owned());
            }
        }
        Value::Array(values) => values.iter().for_each(|value| look(value, found)),
        Value::Object(fields) => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            // Anthropic, Gemini and Bedrock.
            let kind = text("media_type").or_else(|| text("mimeType"));
            if let (Some(kind), Some(_)) = (kind, text("data")) {
                found.push(kind.to_owned());
            } else if let (Some(format), Some(_)) = (text("format"), value.pointer("/source/bytes")) {
                found.push(format!("image/{format}"));
            } else if let Some(images) = fields.get("images").and_then(Value::as_array) {
                // Ollama tells no kind.
                found.extend(images.iter().map(|_| "image".to_owned()));
            } else {
                fields.values().for_each(|value| look(value, found));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pictures_are_seen_in_every_protocol() {
        let url = "data:image/png;base64,AAAA";
        for message in [
            json!({"content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": url}}]}),
            json!({"content": [{"type": "input_image", "image_url": url}]}),
            json!({"content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A"}}]}),
            json!({"parts": [{"text": "hi"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}),
            json!({"content": [{"image": {"format": "png", "source": {"bytes": "AAAA"}}}]}),
        ] {
            assert_eq!(kinds(&message), ["image/png"], "{message}");
        }
        assert_eq!(kinds(&json!({"content": "hi", "images": ["AAAA", "BBBB"]})), ["image", "image"]);
        assert_eq!(kinds(&json!({"content": "hi"})), Vec::<String>::new());
    }
}
