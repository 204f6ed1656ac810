//! What an administrator and the machine set for registries.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::sleep;

use super::{Access, RegistryError};

const MIB: u64 = 1024 * 1024;

#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// The registries that may be used, as models' names begin with them (`hub.example:5000`). `None` for all.
    pub allowed: Option<HashSet<String>>,
    /// Settings of single registries, by the same names in small letters.
    pub access: HashMap<String, Access>,
    /// The largest model, all of its layers together.
    pub max_model_bytes: u64,
    /// How long a part of a blob is: a 64th of the whole, within these bounds.
    pub part_bytes: RangeInclusive<u64>,
    /// Connections that bring parts, of all pulls together.
    pub connections: usize,
    /// How long nothing may come before a connection is given up for another.
    pub stall: Duration,
    /// How often in a row a part is tried without a single byte coming.
    pub tries: u32,
    /// The pause before the second try; it doubles up to half a minute.
    pub pause: Duration,
    /// How often it is made durable how far a blob has come.
    pub save_every: Duration,
    /// How often progress is told.
    pub report_every: Duration,
    /// How often it is looked whether another process has ended what it was at.
    pub look_every: Duration,
    /// Bytes that are sent at a time in a push.
    pub upload_bytes: u64,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            allowed: None,
            access: HashMap::new(),
            max_model_bytes: 2 * 1024 * 1024 * MIB,
            part_bytes: 16 * MIB..=256 * MIB,
            connections: 8,
            stall: Duration::from_secs(30),
            tries: 6,
            pause: Duration::from_secs(1),
            save_every: Duration::from_secs(2),
            report_every: Duration::from_millis(60),
            look_every: Duration::from_millis(200),
            upload_bytes: 16 * MIB,
        }
    }
}

impl RegistryOptions {
    /// What is set for the registry at `host`, whose letters are small.
    pub(super) fn access(&self, host: &str) -> Option<&Access> {
        self.access.get(host)
    }

    pub(super) fn part_bytes(&self, size_bytes: u64) -> u64 {
        let (least, most) = (*self.part_bytes.start(), *self.part_bytes.end());
        (size_bytes / 64).min(most).max(least)
    }

    /// How long to wait after so many tries in vain.
    pub(super) fn pause_after(&self, tries: u32) -> Duration {
        const LONGEST: Duration = Duration::from_secs(30);
        let doubled = self.pause.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)));
        // Clients that were cut off together do not come back together.
        doubled.min(LONGEST).mul_f64(rand::random_range(0.5..1.0))
    }
}

/// Asks a registry that stumbles again, but not for so long that whoever waits does not learn that it is not there.
pub(super) async fn patiently<T, F>(options: &RegistryOptions, attempt: impl Fn() -> F) -> Result<T, RegistryError>
where
    F: Future<Output = Result<T, RegistryError>>,
{
    for tries in 1..3 {
        match attempt().await {
            Err(error) if error.may_pass() => sleep(options.pause_after(tries)).await,
            ended => return ended,
        }
    }
    attempt().await
}
