//! `stoa function deploy`

use std::path::Path;

use anyhow::bail;
use http::Method;
use serde_json::{Value, json};

use super::folder;
use super::server::{Server, path_of};

pub(super) async fn deploy(
    server: &Server,
    folder: &Path,
    name: &str,
    note: &str,
    alias: &str,
    canary: Option<u8>,
) -> anyhow::Result<String> {
    let sent = folder::read(folder)?;
    let function = server.find(name).await?;
    let function = match (function, &sent.settings) {
        (Some(function), None) => function,
        (Some(function), Some(settings)) => {
            let change = json!({ "settings": settings, "revision": function["revision"] });
            server.json(Method::PATCH, &path_of(&function)?, &change).await?
        }
        (None, Some(settings)) => {
            server.json(Method::POST, "/api/v1/functions", &json!({ "name": name, "settings": settings })).await?
        }
        (None, None) => bail!(
            "there is no function `{name}` yet, and {} does not say what runs it: write for example `command = \
             [\"python3\", \"app.py\"]` into it",
            folder.join(folder::SETTINGS).display()
        ),
    };
    let path = path_of(&function)?;
    let archive = format!("{path}/code/archive?revision={}", function["revision"]);
    let (files, bytes) = (sent.files, sent.zip.len());
    server.send(Method::POST, &archive, Some(("application/zip", sent.zip))).await?;
    let version = server.json(Method::POST, &format!("{path}/versions"), &json!({ "note": note })).await?;
    let number = version["number"].clone();
    let live = server.json(Method::GET, &path, &Value::Null).await?;
    let before = live["aliases"].as_array().into_iter().flatten().find(|known| known["name"] == alias);
    let route = match (canary, before) {
        (Some(percent), Some(before)) if before["version"] != number => {
            let canary = json!({ "version": number, "percent": percent });
            json!({ "version": before["version"], "canary": canary, "sticky": before["sticky"] })
        }
        (_, before) => {
            json!({ "version": number, "sticky": before.map_or(Value::Null, |before| before["sticky"].clone()) })
        }
    };
    let given = server.json(Method::PUT, &format!("{path}/aliases/{alias}"), &route).await?;
    let share = match &given["canary"] {
        Value::Null => format!("answers for `{alias}`"),
        canary => format!("answers {} % of the calls of `{alias}`", canary["percent"]),
    };
    Ok(format!("{name}: {files} files ({bytes} bytes packed) are version {number}, which {share}\n"))
}
