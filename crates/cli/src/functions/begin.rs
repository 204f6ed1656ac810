//! `stoa function new`: a folder with a template in it, to be changed and deployed.

use std::path::Path;

use anyhow::{Context as _, bail};
use stoa_functions_service::{TEMPLATES, template};

use super::folder::SETTINGS;

pub(super) fn begin(folder: &Path, id: &str) -> anyhow::Result<String> {
    let Some(template) = template(id) else {
        let all: Vec<_> = TEMPLATES.iter().map(|template| template.id).collect();
        bail!("there is no template `{id}`; there are {}", all.join(", "));
    };
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let mut there = std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    if there.next().is_some() {
        bail!("{} is not empty", folder.display());
    }
    let settings = toml::to_string(&template.settings()).context("the settings cannot be written as TOML")?;
    let write = |name: &str, text: &[u8]| {
        let place = folder.join(name);
        std::fs::write(&place, text).with_context(|| format!("{} cannot be written", place.display()))
    };
    write(SETTINGS, settings.as_bytes())?;
    let (name, text) = template.file();
    write(name, text.as_bytes())?;
    let folder = folder.display();
    Ok(format!("{folder}/{name} is the place to change. Then: stoa function deploy {folder}\n"))
}
