//! Assistants as a file: their profiles, and their pictures beside them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use stoa_model::assistant::AssistantProfile;

use crate::problem::Problem;

/// Assistants as a file.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssistantFile {
    /// `stoa.assistants`
    pub(super) format: String,
    /// 1
    pub(super) version: u32,
    pub(super) assistants: Vec<FiledAssistant>,
}

/// An assistant in a file: its profile, and its picture if it has one.
#[derive(Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "serde_json::Map<String, serde_json::Value>")]
pub(crate) struct FiledAssistant {
    #[serde(flatten)]
    pub(super) profile: AssistantProfile,
    /// The bytes of the picture for its face, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) picture: Option<String>,
}

// Flattened, unknown fields would be passed over.
impl TryFrom<serde_json::Map<String, serde_json::Value>> for FiledAssistant {
    type Error = serde_json::Error;

    fn try_from(mut fields: serde_json::Map<String, serde_json::Value>) -> Result<Self, Self::Error> {
        let picture = fields.remove("picture").map(serde_json::from_value::<Option<String>>).transpose()?.flatten();
        Ok(Self { profile: serde_json::from_value(serde_json::Value::Object(fields))?, picture })
    }
}

impl FiledAssistant {
    pub(super) fn new(profile: AssistantProfile, picture: Option<&[u8]>) -> Self {
        Self { profile, picture: picture.map(|bytes| STANDARD.encode(bytes)) }
    }

    /// The bytes of the picture.
    pub(super) fn picture(&self) -> Result<Option<Vec<u8>>, Problem> {
        let read = |text: &String| STANDARD.decode(text).map_err(|_| Problem::field("picture", "must be base64"));
        self.picture.as_ref().map(read).transpose()
    }
}
