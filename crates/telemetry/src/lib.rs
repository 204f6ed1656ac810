//! Logging: one line an event on standard error, as JSON for machines and as text for a person at a terminal; and figures
//! for Prometheus.
//!
//! `docs/LOGGING.md` says what is logged at which level, and which field names are used.

pub mod metrics;

use std::io::{self, IsTerminal};
use std::str::FromStr;

use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The filter that is used when none is set: our own events from "info", and of the libraries what needs a reader.
pub const DEFAULT_FILTER: &str = "warn,stoa=info";

/// The environment variable with the filter: a level (`debug`), or directives by target (`info,stoa_chat=trace`).
pub const FILTER_VARIABLE: &str = "STOA_LOG";

/// The environment variable with the format: `auto`, `json` or `text`.
pub const FORMAT_VARIABLE: &str = "STOA_LOG_FORMAT";

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// [`Format::Text`] at a terminal, else [`Format::Json`].
    #[default]
    Auto,
    /// One JSON object a line; the fields of the current span (such as `request_id`) under `span`.
    Json,
    /// For reading, with colours at a terminal.
    Text,
}

impl FromStr for Format {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, TelemetryError> {
        match text {
            "auto" | "" => Ok(Self::Auto),
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            other => Err(TelemetryError::Format { given: other.to_owned() }),
        }
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("{FILTER_VARIABLE} is not a log filter; use a level such as `debug`, or `info,stoa_chat=trace`")]
    Filter(#[source] ParseError),
    /// The format is not one.
    #[error("{FORMAT_VARIABLE} is `{given}`; use `auto`, `json` or `text`")]
    Format {
        /// What was given.
        given: String,
    },
    /// Logging was set up before.
    #[error("logging is set up already")]
    Twice(#[source] TryInitError),
}

/// Sets up logging for the whole process, from the values of [`FILTER_VARIABLE`] and [`FORMAT_VARIABLE`], and logs panics
/// like any other error. To be called once, before anything is logged.
pub fn start(filter: Option<&str>, format: Option<&str>) -> Result<(), TelemetryError> {
    let filter = parse_filter(filter)?;
    let format = format.map_or(Ok(Format::Auto), Format::from_str)?;
    let terminal = io::stderr().is_terminal();
    let as_text = format == Format::Text || (format == Format::Auto && terminal);
    if as_text {
        text(filter, io::stderr, terminal).try_init().map_err(TelemetryError::Twice)?;
    } else {
        json(filter, io::stderr).try_init().map_err(TelemetryError::Twice)?;
    }
    log_panics();
    Ok(())
}

fn parse_filter(given: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let given = given.map(str::trim).filter(|given| !given.is_empty()).unwrap_or(DEFAULT_FILTER);
    // A bare level means ours; a library's own debugging is asked for by its name.
    let is_level = given.parse::<tracing::Level>().is_ok();
    let directives = if is_level { format!("warn,stoa={given}") } else { given.to_owned() };
    EnvFilter::builder().parse(directives).map_err(TelemetryError::Filter)
}

fn text<W>(filter: EnvFilter, writer: W, colours: bool) -> impl Subscriber + Send + Sync
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(colours);
    tracing_subscriber::registry().with(filter).with(lines)
}

fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer);
    tracing_subscriber::registry().with(filter).with(lines)
}

/// A panic is a bug of ours, caught at a task's edge; its message must be where the operator looks.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        let backtrace = std::backtrace::Backtrace::capture().to_string();
        tracing::error!(target: "stoa::panic", %location, backtrace, "{message}");
    }));
}

#[cfg(test)]
mod tests;
