//! `stoa model show`: what a model is, as people read it.

use std::fmt::Write as _;

use anyhow::Context as _;
use serde_json::Value;
use stoa_model_store::Store;

use super::size;

/// Lines of a licence that are shown: its name is among the first.
const LICENSE_LINES: usize = 2;

pub(super) fn show(store: &Store, name: &str) -> anyhow::Result<String> {
    let details = store.details(name).with_context(|| format!("{name} cannot be shown"))?;
    let (model, gguf) = (&details.model, &details.model.gguf);
    let mut text = format!("{}\n", model.name);
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(text, "  {what:<16}{value}");
    };
    line("architecture", &gguf.architecture);
    line("parameters", &gguf.parameters.to_string());
    line("quantization", &gguf.quantization);
    line("context", &format!("{} tokens", gguf.context_length));
    if let Some(adapter) = &model.adapter {
        line("adapter", &format!("{} weights changed, {}", adapter.header.changes, size(adapter.size_bytes)));
    }
    if let Some(projector) = &model.projector {
        line("projector", &format!("{}, {}", projector.header.kind, size(projector.size_bytes)));
    }
    line("size", &size(model.total_bytes));
    line("digest", &model.manifest_digest.to_string());
    for (name, value) in &details.parameters {
        for value in value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice) {
            line("parameter", &format!("{name} {}", plain(value)));
        }
    }
    if let Some(system) = &details.system {
        line("system", system);
    }
    for license in &details.licenses {
        let beginning: Vec<&str> = license.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        line("license", &beginning.into_iter().take(LICENSE_LINES).collect::<Vec<_>>().join(", "));
    }
    Ok(text)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| format!("{text:?}"))
}
