//! `stoa model`: bring models in, list them, take them away, and run them on a server that is up.

mod create;
mod server;
mod show;

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::Subcommand;
use futures_util::StreamExt as _;
use stoa_model_store::registry::Events;
use stoa_model_store::store::Progress;
use stoa_model_store::{ModelName, PullEvent, PushEvent, Registries, Store, StoredModel};
use tokio_util::task::TaskTracker;

use crate::config::{Config, registry_options};
use crate::serve::network::configured;

#[derive(Subcommand)]
pub(crate) enum ModelCommand {
    /// Copies a GGUF file into the store.
    Import {
        file: PathBuf,
        /// The eye of a model that sees images: a GGUF file, often called `mmproj`.
        #[arg(long)]
        projector: Option<PathBuf>,
        /// What it is called from then on, such as `smollm2:135m`. The file's name when absent.
        #[arg(long)]
        name: Option<String>,
    },
    /// Brings a model from its registry, or goes on with a pull that was cut off.
    Pull { name: String },
    /// Sends a model to the registry that its name says.
    Push { name: String },
    /// Lists the models of the store.
    List,
    /// Says what a model is.
    Show { name: String },
    /// Makes a model from another one, or from a file, by a Modelfile.
    Create {
        name: String,
        /// The Modelfile.
        #[arg(short, long, default_value = "Modelfile")]
        file: PathBuf,
    },
    /// Removes a model, and its file when no other model uses it.
    #[command(alias = "rm")]
    Delete { name: String },
    /// Lists the models that the running server has loaded.
    Ps {
        #[command(flatten)]
        door: server::Door,
    },
    /// Has the running server unload a model once nothing runs on it.
    Stop {
        name: String,
        #[command(flatten)]
        door: server::Door,
    },
    /// Asks a model of the running server: the prompt, what comes on standard input, or in turns at a terminal.
    Run {
        name: String,
        prompt: Option<String>,
        #[command(flatten)]
        door: server::Door,
    },
}

/// Runs the command and returns what it prints.
pub(crate) fn run(command: ModelCommand, config: &Config) -> anyhow::Result<String> {
    let open = || {
        Store::open(&config.models_dir)
            .with_context(|| format!("the model store {} cannot be opened", config.models_dir.display()))
    };
    match command {
        ModelCommand::Import { file, projector, name } => {
            let name = match name {
                Some(name) => name,
                None => name_of(&file).context("the file has no name to call the model by; give one with --name")?,
            };
            let name: ModelName = name.parse().with_context(|| format!("`{name}` is no name for a model"))?;
            let mut report = progress();
            let store = open()?;
            let imported = match &projector {
                None => store.import(&file, &name, &mut report),
                Some(projector) => store.import_with_projector(&file, projector, &name, &mut report),
            };
            let model = imported.with_context(|| format!("{} cannot be imported", file.display()))?;
            Ok(format!("imported {} ({})\n", model.name, size(model.size_bytes)))
        }
        ModelCommand::Pull { name } => transfer(&name, open()?, config, |registries, name| {
            registries.pull(name).map(|event| event.map(|event| shown(event.status(), pulled(&event)))).boxed()
        }),
        ModelCommand::Push { name } => transfer(&name, open()?, config, |registries, name| {
            registries.push(name).map(|event| event.map(|event| shown(event.status(), pushed(&event)))).boxed()
        }),
        ModelCommand::List => {
            let models = open()?.list().context("the models cannot be listed")?;
            Ok(if models.is_empty() {
                "There are no models yet. Bring one in with `stoa model pull NAME` or `stoa model import FILE.gguf`.\n"
                    .to_owned()
            } else {
                table(&models)
            })
        }
        ModelCommand::Show { name } => show::show(&open()?, &name),
        ModelCommand::Create { name, file } => create::create(&open()?, &name, &file),
        ModelCommand::Ps { door } => server::ps(&door, config),
        ModelCommand::Stop { name, door } => server::stop(&name, &door, config),
        ModelCommand::Run { name, prompt, door } => server::run(&name, prompt, &door, config),
        ModelCommand::Delete { name } => {
            open()?.remove(&name).with_context(|| format!("{name} cannot be removed"))?;
            Ok(format!("removed {name}\n"))
        }
    }
}

/// Moves a model and tells a person at a terminal how far it is. Ctrl-C ends it; a pull goes on from there another time.
fn transfer(
    name: &str,
    store: Store,
    config: &Config,
    begin: impl FnOnce(&Registries, &ModelName) -> Events<String>,
) -> anyhow::Result<String> {
    let name: ModelName = name.parse().with_context(|| format!("`{name}` is no name for a model"))?;
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
    runtime.block_on(async {
        let egress = configured(config)?;
        let options = registry_options(&config.model_registries, config.model_registries_file.as_deref())
            .context("STOA_MODEL_REGISTRIES_FILE")?;
        let registries = Registries::new(egress, Arc::new(store), options, TaskTracker::new());
        let mut events = begin(&registries, &name);
        let mut last = String::new();
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = tokio::signal::ctrl_c() => {
                    registries.shutdown().await;
                    bail!("interrupted");
                }
            };
            let Some(event) = event else { break };
            let line = event.map_err(|error| anyhow!("{}", stoa_egress::describe(&*error)))?;
            if std::io::stderr().is_terminal() && line != last {
                let _ = write!(std::io::stderr(), "\r\x1b[K{line}");
                last = line;
            }
        }
        if !last.is_empty() {
            let _ = writeln!(std::io::stderr());
        }
        Ok(format!("{name}: done\n"))
    })
}

fn shown(status: String, (completed, total): (u64, u64)) -> String {
    if total == 0 { status } else { format!("{status} {} of {}", size(completed), size(total)) }
}

const fn pulled(event: &PullEvent) -> (u64, u64) {
    match event {
        PullEvent::Pulling { model_completed, model_total, .. } => (*model_completed, *model_total),
        _ => (0, 0),
    }
}

const fn pushed(event: &PushEvent) -> (u64, u64) {
    match event {
        PushEvent::Pushing { completed, total, .. } => (*completed, *total),
        _ => (0, 0),
    }
}

/// Tells a person at a terminal how far the copy is; nobody else.
fn progress() -> impl FnMut(Progress) {
    let mut last = None;
    move |progress: Progress| {
        let percent = progress.done_bytes.saturating_mul(100) / progress.total_bytes.max(1);
        if std::io::stderr().is_terminal() && last != Some(percent) {
            last = Some(percent);
            let end = if percent >= 100 { "\n" } else { "" };
            let _ = write!(std::io::stderr(), "\rcopying… {percent} %{end}");
        }
    }
}

fn name_of(file: &std::path::Path) -> Option<String> {
    let stem = file.file_stem()?.to_str()?;
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    Some(name.to_ascii_lowercase())
}

fn table(models: &[StoredModel]) -> String {
    let names: Vec<String> = models.iter().map(|model| model.name.to_string()).collect();
    let width = names.iter().map(String::len).max().unwrap_or_default().max("NAME".len());
    let mut text = format!("{:width$}  SIZE\n", "NAME");
    for (name, model) in names.iter().zip(models) {
        let _ = writeln!(text, "{name:width$}  {}", size(model.size_bytes));
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "a size for people, to one decimal")]
fn size(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 1_024.0 { format!("{mib:.1} MiB") } else { format!("{:.1} GiB", mib / 1_024.0) }
}
