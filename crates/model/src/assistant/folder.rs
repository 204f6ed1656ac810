//! Folders of assistants: one level, each person's own.

use serde::{Deserialize, Serialize};

use super::{InvalidProfile, MAX_NAME, line, wrong};
use crate::AssistantFolderId;

/// Folders of one person.
pub const MAX_ASSISTANT_FOLDERS: u64 = 100;

/// What can be changed about a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssistantFolderChange {
    /// 1 to 80 characters.
    pub name: Option<String>,
    /// Whether its assistants are hidden in the list.
    pub collapsed: Option<bool>,
}

/// A folder as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AssistantFolder {
    pub id: AssistantFolderId,
    pub name: String,
    pub collapsed: bool,
}

impl AssistantFolderChange {
    pub fn checked(mut self) -> Result<Self, InvalidProfile> {
        self.name = self.name.as_deref().map(folder_name).transpose()?;
        Ok(self)
    }
}

/// The name of a folder as it is kept.
pub fn folder_name(name: &str) -> Result<String, InvalidProfile> {
    let name = line("name", name, MAX_NAME)?;
    if name.is_empty() { Err(wrong("name", "a folder needs a name")) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_a_name() {
        assert_eq!(folder_name(" Work ").unwrap(), "Work");
        assert_eq!(folder_name(" ").unwrap_err().field, "name");
        assert_eq!(folder_name(&"x".repeat(81)).unwrap_err().field, "name");
        assert!(AssistantFolderChange { name: Some(String::new()), collapsed: None }.checked().is_err());
    }
}
