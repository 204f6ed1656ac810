//! Pulls one model into a store, for tests that kill it: `stoa-test-pull DIRECTORY NAME PART_BYTES`.

use std::error::Error;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use stoa_egress::{Allowances, Egress, EgressOptions};
use stoa_model_store::registry::{PullEvent, Registries, RegistryOptions};
use stoa_model_store::{ModelName, Store};
use tokio_util::task::TaskTracker;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, name, part_bytes] = arguments.as_slice() else {
        return Err("give a directory, a name and the length of a part".into());
    };
    let name: ModelName = name.parse()?;
    let part_bytes: u64 = part_bytes.parse()?;
    let allowances = Arc::new(Allowances::new([name.host().parse()?]));
    let egress = Egress::new(EgressOptions { allowances, ..EgressOptions::default() })?;
    let options = RegistryOptions {
        part_bytes: part_bytes..=part_bytes,
        pause: Duration::from_millis(1),
        save_every: Duration::from_millis(20),
        look_every: Duration::from_millis(20),
        ..RegistryOptions::default()
    };
    let registries = Registries::new(egress, Arc::new(Store::open(directory)?), options, TaskTracker::new());
    let mut events = registries.pull(&name);
    while let Some(event) = events.next().await {
        let event = event?;
        let mut output = std::io::stdout().lock();
        match &event {
            PullEvent::Pulling { completed, total, .. } => writeln!(output, "{} {completed}/{total}", event.status())?,
            _ => writeln!(output, "{}", event.status())?,
        }
        output.flush()?;
    }
    Ok(())
}
