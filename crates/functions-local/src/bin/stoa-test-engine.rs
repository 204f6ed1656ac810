//! An engine with some instances, for tests that kill it: `stoa-test-engine FOLDER INIT CODE`. Says `ready` when one runs,
//! one is frozen and an interpreter waits, and then waits itself.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use stoa_functions::{Draft, Engine as _, Isolation, Scale, Spec, State, Version, VersionId};
use stoa_functions_local::{LocalEngine, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let mut argument = || arguments.next().ok_or("stoa-test-engine FOLDER INIT CODE");
    let options = Options { waiting: 1, ..Options::new(argument()?, argument()?) };
    let code = argument()?;
    let engine = LocalEngine::start(options, Arc::new(stoa_model::SystemClock)).await?;
    let command = ["python3", "app.py"].map(str::to_owned).to_vec();
    let spec = Arc::new(Spec::try_from(Draft { command, isolation: Isolation::NAMESPACES, ..Draft::default() })?);
    let id = VersionId::new("killed")?;
    engine.apply(Version { id: id.clone(), spec, code, volumes: Vec::new() }).await?;
    engine.scale(&id, Scale { instances: 2, leaving: Vec::new() }).await?;
    let mut seen = engine.instances(&id)?;
    let ready = seen.wait_for(|all| all.len() == 2 && all.iter().all(|one| one.state == State::Ready)).await?;
    let frozen = ready.first().map(|instance| instance.id.clone()).ok_or("no instance")?;
    drop(ready);
    engine.freeze(&frozen).await?;
    while engine.waiting() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    writeln!(std::io::stdout(), "ready")?;
    std::future::pending::<()>().await;
    Ok(())
}
