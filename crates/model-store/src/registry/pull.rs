//! One pull from its first request to the last blob that the model's name no longer needs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::{MissedTickBehavior, interval};

use super::download::Download;
use super::options::patiently;
use super::repository::{Fetched, Repository, Rights};
use super::watch::Report;
use super::{Inner, PullEvent, RegistryError};
use crate::store::blocking;
use crate::store::partial::Partial;
use crate::store::{Digest, Layer, Manifest, ModelName};

pub(super) async fn run(inner: &Inner, name: &ModelName, report: &Report<PullEvent>) -> Result<(), RegistryError> {
    report.say(PullEvent::PullingManifest);
    let repository = inner.repository(name, Rights::Pull)?;
    let fetched = patiently(&inner.options, || repository.manifest()).await?;
    let layers = distinct(&fetched.manifest, &repository)?;
    let size_bytes = layers.iter().fold(0_u64, |total, layer| total.saturating_add(layer.size));
    let limit_bytes = inner.options.max_model_bytes;
    if size_bytes > limit_bytes {
        return Err(RegistryError::TooLarge { size_bytes, limit_bytes });
    }
    check_space(inner, &layers).await?;
    let (store, claimant, wanted) = (Arc::clone(&inner.store), name.clone(), layers.clone());
    let claim = blocking(move || {
        let digests: Vec<&Digest> = wanted.iter().map(|layer| &layer.digest).collect();
        store.claim_for_pull(&claimant, &digests)
    });
    let claim = claim.await?;
    let mut brought_bytes = 0;
    for layer in &layers {
        bring(inner, &repository, layer, Portion { before: brought_bytes, total: size_bytes }, report).await?;
        brought_bytes += layer.size;
    }
    // Each blob was summed up as it came.
    report.say(PullEvent::VerifyingDigest);
    if let Err(error) = check_weights(inner, &fetched.manifest).await {
        let store = Arc::clone(&inner.store);
        // All is what it says it is, only of no use: nobody will go on with this pull.
        let discarded = blocking(move || {
            claim.settle();
            store.discard(&layers.into_iter().map(|layer| layer.digest).collect::<Vec<_>>())
        });
        discarded.await?;
        return Err(error);
    }

    report.say(PullEvent::WritingManifest);
    let (store, name) = (Arc::clone(&inner.store), name.clone());
    let Fetched { manifest, text } = fetched;
    let replaced = blocking(move || {
        let replaced = store.adopt(&name, &text, &manifest)?;
        claim.settle();
        store.settle_earlier_pulls(&name)?;
        Ok(replaced)
    });
    let replaced = replaced.await?;
    if !replaced.is_empty() {
        report.say(PullEvent::RemovingUnusedLayers);
        let store = Arc::clone(&inner.store);
        blocking(move || store.discard(&replaced)).await?;
    }
    tracing::info!(model = %repository.name(), "a model was pulled");
    report.say(PullEvent::Success);
    Ok(())
}

/// Every blob once, in the manifest's order.
fn distinct(manifest: &Manifest, repository: &Repository) -> Result<Vec<Layer>, RegistryError> {
    let mut sizes = HashMap::new();
    let mut layers = Vec::new();
    for layer in manifest.blobs() {
        match sizes.insert(&layer.digest, layer.size) {
            None => layers.push(layer.clone()),
            Some(size) if size == layer.size => {}
            Some(_) => {
                let detail = format!("it gives two lengths for {}", layer.digest);
                return Err(RegistryError::Manifest { host: repository.host().to_owned(), detail });
            }
        }
    }
    Ok(layers)
}

/// Better to say it now than after an hour.
async fn check_space(inner: &Inner, layers: &[Layer]) -> Result<(), RegistryError> {
    let (store, layers) = (Arc::clone(&inner.store), layers.to_vec());
    let space = blocking(move || {
        let missing = layers.iter().filter(|layer| store.blob_size(&layer.digest) != Some(layer.size));
        let needed = missing.fold(0_u64, |needed, layer| {
            let there = Partial::completed_elsewhere(&store, &layer.digest, layer.size);
            needed.saturating_add(layer.size.saturating_sub(there))
        });
        Ok((needed, store.free_bytes()?))
    });
    let (needed_bytes, free_bytes) = space.await?;
    if needed_bytes > free_bytes { Err(RegistryError::NoSpace { needed_bytes, free_bytes }) } else { Ok(()) }
}

/// Where in the whole model a blob stands, in bytes.
#[derive(Clone, Copy)]
struct Portion {
    before: u64,
    total: u64,
}

async fn bring(
    inner: &Inner,
    repository: &Repository,
    layer: &Layer,
    portion: Portion,
    report: &Report<PullEvent>,
) -> Result<(), RegistryError> {
    let (store, wanted) = (Arc::clone(&inner.store), layer.clone());
    let there = blocking(move || Ok(store.blob_size(&wanted.digest) == Some(wanted.size))).await?;
    let completed = AtomicU64::new(if there { layer.size } else { 0 });
    let progress = || {
        let completed = completed.load(Ordering::Relaxed).min(layer.size);
        PullEvent::Pulling {
            digest: layer.digest.clone(),
            total: layer.size,
            completed,
            model_total: portion.total,
            model_completed: portion.before + completed,
        }
    };
    report.say(progress());
    let download = Download {
        repository,
        store: &inner.store,
        options: &inner.options,
        connections: &inner.connections,
        layer,
        completed: &completed,
    };
    let mut bringing = Box::pin(download.run());
    let mut ticks = interval(inner.options.report_every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            brought = &mut bringing => {
                brought?;
                report.update(progress());
                return Ok(());
            }
            _ = ticks.tick() => report.update(progress()),
        }
    }
}

/// What llama.cpp must never see never becomes a model.
async fn check_weights(inner: &Inner, manifest: &Manifest) -> Result<(), RegistryError> {
    let (store, layers) = (Arc::clone(&inner.store), manifest.layers.clone());
    let checked = blocking(move || {
        for layer in &layers {
            if let Some(role @ ("model" | "projector" | "adapter")) = layer.role() {
                store.check_weights(&layer.digest, role)?;
            }
        }
        Ok(())
    });
    Ok(checked.await?)
}
