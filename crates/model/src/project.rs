//! Projects: folders of conversations with instructions for all of them.

use serde::{Deserialize, Serialize};

use crate::assistant::{InvalidProfile, MAX_NAME, MAX_ROLE_BYTES, is_colour, line, text, wrong};
use crate::{ProjectId, Timestamp};

/// An emoji may be made of many code points.
const MAX_ICON: usize = 24;

/// What its maker writes of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectProfile {
    /// 1 to 80 characters.
    pub name: String,
    /// An emoji; empty for a folder.
    #[serde(default)]
    pub icon: String,
    /// The colour of the icon, as `#rrggbb`; empty for that of the page.
    #[serde(default)]
    pub colour: String,
    /// What the model is told in every conversation of the project, before what the conversation or its assistant says; at
    /// most 64 KiB.
    #[serde(default)]
    pub instructions: String,
    /// `slug/name`: with which new conversations begin, unless their assistant has a model. Absent for the one in use.
    #[serde(default)]
    #[schema(required)]
    pub model: Option<String>,
}

/// A project as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Project {
    pub id: ProjectId,
    #[serde(flatten)]
    pub profile: ProjectProfile,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl ProjectProfile {
    /// The profile as it is kept: trimmed where blanks mean nothing.
    pub fn checked(mut self) -> Result<Self, InvalidProfile> {
        self.name = line("name", &self.name, MAX_NAME)?;
        if self.name.is_empty() {
            return Err(wrong("name", "a project needs a name"));
        }
        self.icon = line("icon", &self.icon, MAX_ICON)?;
        if !(self.colour.is_empty() || is_colour(&self.colour)) {
            return Err(wrong("colour", "must be a colour such as #1f6feb"));
        }
        self.instructions = text("instructions", &self.instructions, MAX_ROLE_BYTES)?;
        if let Some(model) = self.model.take() {
            let model = line("model", &model, 400)?;
            self.model = Some(model).filter(|model| !model.is_empty());
        }
        Ok(self)
    }
}

/// What the model is told to be: the instructions of the project, and after them the role of the conversation or, where it
/// has none, of its assistant.
pub fn told(instructions: &str, role: &str) -> String {
    match instructions.trim() {
        "" => role.to_owned(),
        instructions if role.is_empty() => instructions.to_owned(),
        instructions => format!("{instructions}\n\n{role}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_a_name_and_bounds() {
        let profile = |change: fn(&mut ProjectProfile)| {
            let mut profile = ProjectProfile { name: " Thesis ".to_owned(), ..ProjectProfile::default() };
            change(&mut profile);
            profile.checked()
        };
        assert_eq!(profile(|_| ()).unwrap().name, "Thesis");
        assert_eq!(profile(|profile| profile.model = Some(" ".to_owned())).unwrap().model, None);
        let wrong: [fn(&mut ProjectProfile); 5] = [
            |profile| profile.name = " ".to_owned(),
            |profile| profile.name = "x".repeat(81),
            |profile| profile.icon = "x".repeat(25),
            |profile| profile.colour = "red; x: url(y)".to_owned(),
            |profile| profile.instructions = "x".repeat(MAX_ROLE_BYTES + 1),
        ];
        let fields = wrong.map(|change| profile(change).unwrap_err().field);
        assert_eq!(fields, ["name", "name", "icon", "colour", "instructions"]);
    }

    #[test]
    fn the_project_speaks_before_the_role() {
        assert_eq!(told("Be brief.", "You are a poet."), "Be brief.\n\nYou are a poet.");
        assert_eq!(told(" ", "You are a poet."), "You are a poet.");
        assert_eq!(told("Be brief.", ""), "Be brief.");
        assert_eq!(told("", ""), "");
    }
}
