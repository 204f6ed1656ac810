//! Where files are kept: the folder or the bucket that the operator chose.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use stoa_egress::{Egress, EgressOptions};
use stoa_model::{Clock, InstanceId};
use stoa_objects::{Credentials, Location, Objects};
use stoa_storage::Secret;
use tokio_util::sync::CancellationToken;

use super::network;
use crate::config::Config;

pub(super) fn open(config: &Config) -> anyhow::Result<Objects> {
    let location = match &config.objects_url {
        Some(url) => url.parse().context("STOA_OBJECTS_URL")?,
        None => Location::Disk(config.data_dir.join("objects")),
    };
    match location {
        Location::Disk(folder) => Objects::on_disk(&folder).context("STOA_OBJECTS_URL"),
        Location::Bucket(bucket) => {
            let text = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
            let key = (text(&config.objects_access_key_id), text(&config.objects_secret_access_key));
            let (Some(access_key_id), Some(secret_access_key)) = key else {
                bail!(
                    "STOA_OBJECTS_URL names a bucket: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to who may use it"
                );
            };
            let session_token = text(&config.objects_session_token);
            let credentials = Credentials { access_key_id, secret_access_key, session_token };
            // A way out of its own: that the operator named this address says nothing about what others may reach.
            let options = EgressOptions { exempt: bucket.authority().into_iter().collect(), ..network::ways(config) };
            let egress = Egress::new(options).context("the way to the object store")?;
            Objects::in_bucket(&bucket, credentials, egress).context("STOA_OBJECTS_URL")
        }
    }
}

/// Says in the log at once what people would otherwise find out.
pub(super) async fn look(objects: Objects, clock: Arc<dyn Clock>, shutdown: CancellationToken) {
    let who = InstanceId::generate(clock.now()).to_string();
    match shutdown.run_until_cancelled(objects.check(&who)).await {
        None | Some(Ok(())) => {}
        Some(Err(error)) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "files cannot be kept: look at STOA_OBJECTS_URL and what it needs"
        ),
    }
}
