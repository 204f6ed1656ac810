//! `stoa model create`: a model from a Modelfile.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use serde_json::{Map, Value};
use stoa_model::json::Json;
use stoa_model_store::store::{NewModel, StoredMessage};
use stoa_model_store::{ModelName, Store};
use stoa_models::modelfile::{MAX_MODELFILE_BYTES, Modelfile};
use stoa_models::options::ModelOptions;

use super::progress;

pub(super) fn create(store: &Store, name: &str, file: &Path) -> anyhow::Result<String> {
    let name: ModelName = name.parse().with_context(|| format!("`{name}` is no name for a model"))?;
    let modelfile = read(file).with_context(|| format!("{} cannot be used", file.display()))?;
    let mut new = understood(&modelfile)?;
    // A file is named as seen from the Modelfile.
    let files: Vec<PathBuf> = modelfile.from.iter().map(|from| beside(file, from)).collect();
    let mut report = progress();
    // Before the weights get the name.
    if let Some(adapter) = modelfile.adapters.first() {
        let adapter = beside(file, adapter);
        let digest = store.import_adapter(&adapter, &mut report);
        new.adapters.push(digest.with_context(|| format!("{} cannot be imported", adapter.display()))?);
    }
    match (modelfile.from.as_slice(), files.as_slice()) {
        (_, [weights, projector]) if weights.is_file() && projector.is_file() => {
            store
                .import_with_projector(weights, projector, &name, &mut report)
                .with_context(|| format!("{} and {} cannot be imported", weights.display(), projector.display()))?;
            new.from = Some(name.clone());
        }
        (_, [weights]) if weights.is_file() => {
            store
                .import(weights, &name, &mut report)
                .with_context(|| format!("{} cannot be imported", weights.display()))?;
            new.from = Some(name.clone());
        }
        ([from], [weights]) => {
            let parent: ModelName = from.parse().with_context(|| format!("`{from}` is neither a file nor a model"))?;
            store.find(from).with_context(|| format!("there is neither a file {} nor a model", weights.display()))?;
            new.from = Some(parent);
        }
        _ => bail!("several `FROM` must be two files: the weights of a model and its projector"),
    }
    let made = store.create(&name, &new, &mut |_| {}).with_context(|| format!("{name} cannot be made"))?;
    Ok(format!("created {}\n", made.name))
}

fn read(file: &Path) -> anyhow::Result<Modelfile> {
    let length = std::fs::metadata(file)?.len();
    if length > MAX_MODELFILE_BYTES as u64 {
        bail!("it has {length} bytes, more than {MAX_MODELFILE_BYTES}");
    }
    Ok(Modelfile::parse(&std::fs::read_to_string(file)?)?)
}

fn beside(file: &Path, from: &str) -> PathBuf {
    file.parent().unwrap_or_else(|| Path::new(".")).join(from)
}

/// All but what it is made from.
fn understood(file: &Modelfile) -> anyhow::Result<NewModel> {
    if file.adapters.len() > 1 {
        bail!("a model has one `ADAPTER` here, not several");
    }
    let parameters = parameters(&file.parameters);
    let options = Json::parse(&Value::Object(parameters.clone()).to_string()).map_err(|error| anyhow!("{error}"))?;
    ModelOptions::parse(&options).context("a `PARAMETER` cannot be used")?;
    Ok(NewModel {
        template: file.template.clone(),
        system: file.system.clone(),
        licenses: file.licenses.clone(),
        parameters,
        messages: file
            .messages
            .iter()
            .map(|(role, content)| StoredMessage { role: role.as_str().to_owned(), content: content.clone() })
            .collect(),
        ..NewModel::default()
    })
}

/// Numbers and truth values as such; stop strings, of which there may be several, as a list.
fn parameters(lines: &[(String, String)]) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, text) in lines {
        if name == "stop" {
            let stops = all.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
            if let Some(stops) = stops.as_array_mut() {
                stops.push(Value::from(text.clone()));
            }
        } else {
            let value = serde_json::from_str(text).ok().filter(|value: &Value| value.is_number() || value.is_boolean());
            all.insert(name.clone(), value.unwrap_or_else(|| Value::from(text.clone())));
        }
    }
    all
}
