//! Interpreters that wait in their sandboxes for what they shall run.

use std::sync::Arc;

use stoa_functions::Version;
use stoa_functions::spec::Runtime;
use stoa_functions_init::protocol::Claim;

use crate::host::Host;
use crate::instance::environment;
use crate::sandbox::{MakeError, Sandbox};
use crate::ways::Wanted;

/// Waits for a line of JSON with what to run, and becomes that.
const PYTHON: &str = include_str!("interpreter/wait.py");
const NODE: &str = include_str!("interpreter/wait.js");

/// Reads the packages of the code that is there already.
const PYTHON_PREPARES: &str = include_str!("interpreter/prepare.py");
const NODE_PREPARES: &str = include_str!("interpreter/prepare.js");

/// One that knows nothing yet.
pub(crate) fn waiting(runtime: Runtime) -> Vec<String> {
    let words = match runtime {
        Runtime::Python => ["python3", "-c", PYTHON],
        Runtime::Node => ["node", "-e", NODE],
    };
    words.map(str::to_owned).to_vec()
}

/// One that reads what the code will want, and runs nothing of the code itself, before it waits.
pub(crate) fn prepared(runtime: Runtime, arguments: &[String]) -> Vec<String> {
    let words = match runtime {
        Runtime::Python => ["python3".to_owned(), "-c".to_owned(), format!("{PYTHON_PREPARES}\n{PYTHON}")],
        Runtime::Node => {
            let text = format!("(async () => {{\n{NODE_PREPARES}\n}})().then(() => {{\n{NODE}\n}});");
            ["node".to_owned(), "-e".to_owned(), text]
        }
    };
    words.into_iter().chain(arguments.iter().cloned()).collect()
}

/// Has one that waits run the version, whose code it sees.
pub(crate) async fn claim(
    host: &Arc<Host>,
    sandbox: Sandbox,
    version: &Version,
    arguments: &[String],
) -> Option<Sandbox> {
    let spec = &version.spec;
    let claim = Claim {
        arguments: arguments.to_vec(),
        environment: environment(host, version),
        port: spec.port,
        doors: Wanted::by_spec(spec).ports(),
    };
    match sandbox.claim(&claim, spec.memory_bytes()).await {
        Ok(()) => Some(sandbox),
        Err(error) => {
            untaken(&sandbox, &error).await;
            None
        }
    }
}

/// The version starts as if none had waited.
pub(crate) async fn untaken(sandbox: &Sandbox, error: &MakeError) {
    tracing::debug!(error = error as &dyn std::error::Error, "a waiting interpreter was not taken");
    sandbox.end().await;
}
