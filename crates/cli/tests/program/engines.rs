//! A folder of engines beside the real program: what the API tells of it, and a model whose device fails.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use http::{Method, StatusCode};
use serde_json::json;

use crate::support::{Browser, Server, starter_model, stoa};

fn engine(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_are_shown_and_a_real_model_that_finds_none_runs_on_the_processor() {
    let directory = tempfile::tempdir().unwrap();
    let engines = directory.path().join("engines");
    fs::create_dir(&engines).unwrap();
    let card = json!({
        "name": "CUDA0", "description": "A card", "address": "0000:01:00.0", "kind": "discrete",
        "total_bytes": 8_000_000_000_u64, "free_bytes": 7_000_000_000_u64,
    });
    let list = json!({ "version": stoa_models::protocol::VERSION, "devices": [card] });
    let script = format!("if [ \"$2\" = --devices ]; then echo '{list}'; else echo 'out of memory' >&2; exit 1; fi");
    engine(&engines, "cuda", &script);
    engine(&engines, "other", "echo 'no engine at all'");
    let data = directory.path().join("data");
    let variables = [
        ("STOA_DATA_DIR", data.to_str().unwrap()),
        ("STOA_MODELS_ENGINES", engines.to_str().unwrap()),
        ("STOA_MODEL_DEVICES", "CUDA0"),
    ];
    let imported = stoa(&variables).args(["model", "import", &starter_model(), "--name", "tiny"]).output().unwrap();
    assert!(imported.status.success(), "{imported:?}");
    let server = Server::start(&variables);
    let browser = Browser::sign_in(server.address).await;

    let machine = browser.get("/api/v1/local-models/machine").await;
    let expected = json!([{
        "name": "CUDA0", "description": "A card", "kind": "discrete", "engine": "cuda", "total_bytes": 8_000_000_000_u64,
        "free_bytes": 7_000_000_000_u64, "models_bytes": 0, "bound_bytes": 7_200_000_000_u64, "verified": false,
    }]);
    assert_eq!(machine["devices"], expected);
    let reason = "it sent something unreadable instead of its devices";
    assert_eq!(machine["failed_engines"], json!([{ "name": "other", "reason": reason }]));

    browser.post("/api/v1/local-models/tiny:latest/load", json!({})).await;
    let models = browser.get("/api/v1/local-models").await;
    let activity = &models["items"][0]["activity"];
    assert_eq!(
        (&activity["state"], &activity["devices"], &activity["layers"]),
        (&json!("idle"), &json!([]), &json!(31))
    );
    let fallback = activity["fallback"].as_str().unwrap();
    assert!(fallback.starts_with("with 15 layers on devices, it ended with code 1"), "{fallback}");

    let (status, text) = Browser::nobody(server.address).raw(Method::GET, "/metrics", Vec::new()).await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "stoa_local_models_device_total_bytes{device=\"CUDA0\",engine=\"cuda\"} 8000000000",
        "stoa_local_models_device_used_bytes{device=\"CUDA0\",engine=\"cuda\"} 0",
        "stoa_local_model_device_layers{model=\"tiny:latest\"} 0",
        "stoa_local_model_device_fallbacks_total 2",
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is not in:\n{text}");
    }
}
