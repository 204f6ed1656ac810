//! The bounds of a spec.

use std::ops::RangeInclusive;
use std::path::Path;

use stoa_model::function::label;

use super::network::is_host;
use super::{Binding, Draft, Hook, HostPattern, Network, PROXY_VARIABLES, PatternError};

const CPU_MILLIS: RangeInclusive<u32> = 50..=16_000;
const CPU_STEP: u32 = 50;
const MEMORY_MIB: RangeInclusive<u32> = 128..=32_768;
const MEMORY_STEP: u32 = 64;
const DISK_MIB: RangeInclusive<u32> = 64..=10_240;
const CONCURRENCY: RangeInclusive<u32> = 1..=1_000;
const MOST_INSTANCES: u32 = 1_000;
const MOST_PREPARED: u32 = 8;
const MAX_ARGUMENTS: usize = 64;
const MAX_ARGUMENT_BYTES: usize = 4_096;
const MAX_VARIABLES: usize = 256;
const MAX_ENVIRONMENT_BYTES: usize = 128 * 1024;
const MAX_VOLUMES: usize = 8;
const MAX_VOLUME_PATH: usize = 200;
const MAX_ALLOWED: usize = 256;
const MAX_BINDINGS: usize = 16;
const MAX_BINDING_NAME: usize = 32;
/// A day.
const MAX_MS: u64 = 86_400_000;
const MAX_GRACE_MS: u64 = 600_000;

/// What the engine says to functions.
const RESERVED: [&str; 2] = ["FC_SERVER_PORT", "PORT"];

/// Top folders in which the sandbox has its own, or in which programs expect what a volume would stand in front of. `/mnt` and
/// `/media` are for volumes within them.
const TAKEN: [&str; 25] = [
    "bin",
    "boot",
    "cache",
    "code",
    "dev",
    "etc",
    "home",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "lost+found",
    "nix",
    "opt",
    "out",
    "proc",
    "root",
    "run",
    "sbin",
    "scratch",
    "snap",
    "sys",
    "tmp",
    "usr",
    "var",
];
const ONLY_WITHIN: [&str; 2] = ["media", "mnt"];

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error("`{field}` is {value}; it goes from {least} to {most}{}", step_words(*step))]
    Range { field: &'static str, value: u64, least: u64, most: u64, step: u64 },
    #[error(
        "the command of `{field}` has 1 to {MAX_ARGUMENTS} words of at most {MAX_ARGUMENT_BYTES} bytes, without NUL"
    )]
    Command { field: &'static str },
    #[error("there are more instances at least than at most")]
    Instances,
    #[error("only what is run by `python3 FILE`, `python3 -m MODULE` or `node FILE` can be prepared")]
    Prepared,
    #[error("`{name}` cannot be the name of a variable: letters, digits and _, no digit first")]
    VariableName { name: String },
    #[error("`{name}` is set by the engine")]
    VariableReserved { name: String },
    #[error("the value of `{name}` has a NUL in it")]
    VariableValue { name: String },
    #[error("the environment has more than {MAX_VARIABLES} variables or {MAX_ENVIRONMENT_BYTES} bytes")]
    EnvironmentSize,
    #[error("the health check needs a path that begins with /, of at most 1,024 printable characters")]
    HealthPath,
    #[error("there are more than {MAX_VOLUMES} volumes")]
    Volumes,
    #[error("`{volume}` cannot be the name of a volume")]
    VolumeName { volume: String },
    #[error(
        "`{path}` cannot be where a volume is: such as /data or /mnt/photos, with letters, digits, `.`, `_` and `-`, and not \
         in or over what the sandbox has itself"
    )]
    VolumePath { path: String },
    #[error("two volumes are at `{path}`, or one within the other")]
    VolumeTwice { path: String },
    #[error("a function with volumes is not prepared")]
    VolumePrepared,
    #[error("the volume `{volume}` is there twice")]
    VolumeAgain { volume: String },
    #[error(
        "instances with volumes share a user with others of the same owner, so a user of its own cannot be demanded"
    )]
    VolumeUser,
    #[error("an instance would be stopped before it is frozen")]
    Idle,
    #[error("there are more than {MAX_ALLOWED} allowed hosts")]
    AllowedCount,
    #[error("`{host}` cannot be allowed: {PatternError}")]
    Allowed { host: String },
    #[error("there are more than {MAX_BINDINGS} bindings")]
    Bindings,
    #[error(
        "`{name}` cannot be the name of a binding: small letters, digits, - and _, a letter first, at most \
         {MAX_BINDING_NAME}"
    )]
    BindingName { name: String },
    #[error("the host of the binding `{name}` is no name or address of a host")]
    BindingHost { name: String },
    #[error("two bindings are called `{name}`, or so in the environment")]
    BindingTwice { name: String },
    #[error("the binding `{name}` has the port {port} in the function, which another binding or the function has")]
    BindingPort { name: String, port: u16 },
}

fn step_words(step: u64) -> String {
    if step > 1 { format!(" in steps of {step}") } else { String::new() }
}

pub(super) fn check(draft: &Draft) -> Result<(), SpecError> {
    command("command", &draft.command)?;
    for (field, hook) in [("initializer", &draft.initializer), ("pre_stop", &draft.pre_stop)] {
        if let Some(Hook { command: line, timeout_ms }) = hook {
            command(field, line)?;
            range(field, *timeout_ms, &(1..=MAX_GRACE_MS), 1)?;
        }
    }
    range("port", draft.port.into(), &(1_024..=65_535), 1)?;
    stepped("cpu_millis", draft.cpu_millis, CPU_MILLIS, CPU_STEP)?;
    stepped("memory_mib", draft.memory_mib, MEMORY_MIB, MEMORY_STEP)?;
    stepped("disk_mib", draft.disk_mib, DISK_MIB, 1)?;
    stepped("concurrency", draft.concurrency, CONCURRENCY, 1)?;
    stepped("instances.maximum", draft.instances.maximum, 1..=MOST_INSTANCES, 1)?;
    if draft.instances.minimum > draft.instances.maximum {
        return Err(SpecError::Instances);
    }
    stepped("prepared", draft.prepared, 0..=MOST_PREPARED, 1)?;
    if draft.prepared > 0 && draft.script().is_none() {
        return Err(SpecError::Prepared);
    }
    times(draft)?;
    environment(draft)?;
    if let Some(health) = &draft.health {
        let printable = health.path.bytes().all(|byte| byte.is_ascii_graphic());
        if !health.path.starts_with('/') || health.path.len() > 1_024 || !printable {
            return Err(SpecError::HealthPath);
        }
        stepped("health.period_seconds", health.period_seconds, 1..=120, 1)?;
        stepped("health.timeout_seconds", health.timeout_seconds, 1..=3, 1)?;
        stepped("health.failures", health.failures, 1..=120, 1)?;
    }
    volumes(draft)?;
    network(draft)?;
    Ok(())
}

fn times(draft: &Draft) -> Result<(), SpecError> {
    let times = [
        ("timeouts.start_ms", draft.timeouts.start_ms, 100..=MAX_MS),
        ("timeouts.response_ms", draft.timeouts.response_ms, 1..=MAX_MS),
        ("timeouts.silence_ms", draft.timeouts.silence_ms, 1..=MAX_MS),
        ("timeouts.total_ms", draft.timeouts.total_ms.unwrap_or(1), 1..=MAX_MS),
        ("stop_grace_ms", draft.stop_grace_ms, 0..=MAX_GRACE_MS),
        ("idle.freeze_ms", draft.idle.freeze_ms, 0..=MAX_MS),
        ("idle.stop_ms", draft.idle.stop_ms, 0..=MAX_MS),
    ];
    for (field, value, bounds) in times {
        range(field, value, &bounds, 1)?;
    }
    if draft.idle.stop_ms < draft.idle.freeze_ms { Err(SpecError::Idle) } else { Ok(()) }
}

fn stepped(field: &'static str, value: u32, bounds: RangeInclusive<u32>, step: u32) -> Result<(), SpecError> {
    range(field, value.into(), &(u64::from(*bounds.start())..=u64::from(*bounds.end())), step.into())
}

fn range(field: &'static str, value: u64, bounds: &RangeInclusive<u64>, step: u64) -> Result<(), SpecError> {
    if bounds.contains(&value) && value.is_multiple_of(step) {
        return Ok(());
    }
    Err(SpecError::Range { field, value, least: *bounds.start(), most: *bounds.end(), step })
}

fn command(field: &'static str, line: &[String]) -> Result<(), SpecError> {
    let word = |word: &String| word.len() <= MAX_ARGUMENT_BYTES && !word.contains('\0');
    let first = line.first().is_some_and(|program| !program.is_empty());
    if first && line.len() <= MAX_ARGUMENTS && line.iter().all(word) {
        Ok(())
    } else {
        Err(SpecError::Command { field })
    }
}

fn environment(draft: &Draft) -> Result<(), SpecError> {
    let bytes: usize = draft.environment.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    if draft.environment.len() > MAX_VARIABLES || bytes > MAX_ENVIRONMENT_BYTES {
        return Err(SpecError::EnvironmentSize);
    }
    for (name, value) in &draft.environment {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(word) || name.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(SpecError::VariableName { name: name.clone() });
        }
        let proxied = draft.network != Network::None && PROXY_VARIABLES.contains(&name.as_str());
        let bound = || draft.bindings.iter().flat_map(Binding::variables).any(|(taken, _)| taken == *name);
        if RESERVED.contains(&name.as_str()) || proxied || bound() {
            return Err(SpecError::VariableReserved { name: name.clone() });
        }
        if value.contains('\0') {
            return Err(SpecError::VariableValue { name: name.clone() });
        }
    }
    Ok(())
}

fn network(draft: &Draft) -> Result<(), SpecError> {
    if let Network::Proxy { allowed } = &draft.network {
        if allowed.len() > MAX_ALLOWED {
            return Err(SpecError::AllowedCount);
        }
        if let Some(host) = allowed.iter().find(|host| host.parse::<HostPattern>().is_err()) {
            return Err(SpecError::Allowed { host: host.clone() });
        }
    }
    if draft.bindings.len() > MAX_BINDINGS {
        return Err(SpecError::Bindings);
    }
    for (place, binding) in draft.bindings.iter().enumerate() {
        let name = &binding.name;
        let usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        let named = name.len() <= MAX_BINDING_NAME && name.starts_with(|first: char| first.is_ascii_lowercase());
        if !named || !name.bytes().all(usual) {
            return Err(SpecError::BindingName { name: name.clone() });
        }
        if !is_host(&binding.host) {
            return Err(SpecError::BindingHost { name: name.clone() });
        }
        range("bindings.port", binding.port.into(), &(1..=65_535), 1)?;
        range("bindings.local_port", binding.local_port.into(), &(1_024..=65_535), 1)?;
        let variables = binding.variables();
        let taken = variables.iter().any(|(variable, _)| RESERVED.contains(&variable.as_str()));
        let mut others = draft.bindings.iter().take(place);
        if taken || others.clone().any(|other| other.variables()[0].0 == variables[0].0) {
            return Err(SpecError::BindingTwice { name: name.clone() });
        }
        if binding.local_port == draft.port || others.any(|other| other.local_port == binding.local_port) {
            return Err(SpecError::BindingPort { name: name.clone(), port: binding.local_port });
        }
    }
    Ok(())
}

fn volumes(draft: &Draft) -> Result<(), SpecError> {
    if draft.volumes.len() > MAX_VOLUMES {
        return Err(SpecError::Volumes);
    }
    if draft.isolation.own_user && !draft.volumes.is_empty() {
        return Err(SpecError::VolumeUser);
    }
    if draft.prepared > 0 && !draft.volumes.is_empty() {
        return Err(SpecError::VolumePrepared);
    }
    for (place, volume) in draft.volumes.iter().enumerate() {
        if label("volume", &volume.volume).is_err() {
            return Err(SpecError::VolumeName { volume: volume.volume.clone() });
        }
        if !is_place(&volume.path) {
            return Err(SpecError::VolumePath { path: volume.path.clone() });
        }
        let path = Path::new(&volume.path);
        let mut others = draft.volumes.iter().take(place);
        if others.clone().any(|other| path.starts_with(&other.path) || Path::new(&other.path).starts_with(path)) {
            return Err(SpecError::VolumeTwice { path: volume.path.clone() });
        }
        if others.any(|other| other.volume == volume.volume) {
            return Err(SpecError::VolumeAgain { volume: volume.volume.clone() });
        }
    }
    Ok(())
}

/// Whether a volume may be there. What is not known to be free is refused.
fn is_place(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/').filter(|_| path.len() <= MAX_VOLUME_PATH) else { return false };
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    // A name that begins with a dot is `.` or `..`, or the sandbox's own.
    let name = |name: &str| !name.is_empty() && !name.starts_with('.') && name.bytes().all(usual);
    let (top, deeper) = rest.split_once('/').map_or((rest, false), |(top, _)| (top, true));
    rest.split('/').all(name) && !TAKEN.contains(&top) && (deeper || !ONLY_WITHIN.contains(&top))
}

#[cfg(test)]
mod tests {
    use super::super::{Spec, Volume};
    use super::*;

    fn draft() -> Draft {
        Draft { command: vec!["python3".to_owned(), "app.py".to_owned()], ..Draft::default() }
    }

    fn refused(change: impl FnOnce(&mut Draft)) -> SpecError {
        let mut draft = draft();
        change(&mut draft);
        Spec::try_from(draft).unwrap_err()
    }

    #[test]
    fn the_smallest_and_the_largest_are_in_order() {
        for (cpu_millis, memory_mib) in [(50, 128), (16_000, 32_768), (150, 192)] {
            assert!(Spec::try_from(Draft { cpu_millis, memory_mib, ..draft() }).is_ok());
        }
    }

    #[test]
    fn what_lies_outside_or_between_steps_is_refused_by_name() {
        for (field, error) in [
            ("cpu_millis", refused(|draft| draft.cpu_millis = 0)),
            ("cpu_millis", refused(|draft| draft.cpu_millis = 51)),
            ("cpu_millis", refused(|draft| draft.cpu_millis = 16_050)),
            ("memory_mib", refused(|draft| draft.memory_mib = 64)),
            ("memory_mib", refused(|draft| draft.memory_mib = 130)),
            ("memory_mib", refused(|draft| draft.memory_mib = 32_832)),
            ("port", refused(|draft| draft.port = 80)),
            ("concurrency", refused(|draft| draft.concurrency = 0)),
            ("instances.maximum", refused(|draft| draft.instances.maximum = 0)),
            ("timeouts.start_ms", refused(|draft| draft.timeouts.start_ms = 0)),
        ] {
            assert!(matches!(error, SpecError::Range { field: named, .. } if named == field), "{field}: {error}");
        }
    }

    #[test]
    fn the_environment_is_names_and_values() {
        let with = |name: &str, value: &str| refused(|draft| drop(draft.environment.insert(name.into(), value.into())));
        assert!(matches!(with("1A", ""), SpecError::VariableName { .. }));
        assert!(matches!(with("A=B", ""), SpecError::VariableName { .. }));
        assert!(matches!(with("PORT", "1"), SpecError::VariableReserved { .. }));
        assert!(matches!(with("A", "\0"), SpecError::VariableValue { .. }));
        assert_eq!(with("A", &"x".repeat(MAX_ENVIRONMENT_BYTES)), SpecError::EnvironmentSize);
    }

    #[test]
    fn a_volume_hides_nothing_and_no_other() {
        let with = |volumes: &[(&str, &str)]| {
            let volume = |(volume, path): &(&str, &str)| Volume {
                volume: (*volume).into(),
                path: (*path).into(),
                read_only: true,
            };
            let volumes = volumes.iter().map(volume).collect();
            Spec::try_from(Draft { volumes, ..draft() }).map(drop)
        };
        assert_eq!(with(&[("a", "/data"), ("b", "/mnt/a"), ("c", "/mnt/b"), ("d", "/srv/x/y")]), Ok(()));
        for path in [
            "data",
            "",
            "/",
            "/data/../etc",
            "/etc/ssl",
            "/code",
            "/tmp",
            "/tmp/a",
            "/proc",
            "/a//b",
            "/a/./b",
            "/a/",
            "/.init",
            "/a/.b",
            "/mnt",
            "/media",
            "/usr/data",
            "/var/data",
            "/home/me",
            "/root",
            "/run/x",
            "/lib64",
            "/a b",
            "/a\n",
            "/数据",
            &format!("/{}", "a".repeat(200)),
        ] {
            assert!(matches!(with(&[("v", path)]), Err(SpecError::VolumePath { .. })), "{path}");
        }
        for (one, other) in [("/data", "/data/a"), ("/data/a", "/data"), ("/data", "/data")] {
            assert!(matches!(with(&[("a", one), ("b", other)]), Err(SpecError::VolumeTwice { .. })), "{one} {other}");
        }
        assert_eq!(with(&[("a", "/data"), ("b", "/data2")]), Ok(()), "a longer name is not within");
        assert!(matches!(with(&[("a", "/x"), ("a", "/y")]), Err(SpecError::VolumeAgain { .. })));
        for name in ["", "../a", "A", "a/b"] {
            assert!(matches!(with(&[(name, "/data")]), Err(SpecError::VolumeName { .. })), "{name}");
        }
        let nine: Vec<_> = (0..9).map(|number| (format!("v{number}"), format!("/v{number}"))).collect();
        let nine: Vec<_> = nine.iter().map(|(name, path)| (name.as_str(), path.as_str())).collect();
        assert_eq!((with(&nine), with(&nine[1..])), (Err(SpecError::Volumes), Ok(())));
        let alone = refused(|draft| {
            draft.volumes = vec![Volume { volume: "v".into(), path: "/data".into(), read_only: true }];
            draft.isolation.own_user = true;
        });
        assert_eq!(alone, SpecError::VolumeUser);
        let prepared = refused(|draft| {
            draft.volumes = vec![Volume { volume: "v".into(), path: "/data".into(), read_only: true }];
            draft.prepared = 1;
        });
        assert_eq!(prepared, SpecError::VolumePrepared);
    }

    #[test]
    fn hosts_are_patterns_and_bindings_have_names_hosts_and_ports_of_their_own() {
        let allowed = |hosts: &[&str]| {
            let allowed = hosts.iter().map(|host| (*host).to_owned()).collect();
            Spec::try_from(Draft { network: Network::Proxy { allowed }, ..draft() }).map(drop)
        };
        assert_eq!(allowed(&["example.org", "*.example.org:8443"]), Ok(()));
        assert_eq!(allowed(&["a", "http://a"]), Err(SpecError::Allowed { host: "http://a".into() }));
        assert_eq!(allowed(&["a"; MAX_ALLOWED + 1]), Err(SpecError::AllowedCount));
        let bound = |bindings: &[(&str, &str, u16, u16)]| {
            let binding = |(name, host, port, local_port): &(&str, &str, u16, u16)| Binding {
                name: (*name).to_owned(),
                host: (*host).to_owned(),
                port: *port,
                local_port: *local_port,
            };
            Spec::try_from(Draft { bindings: bindings.iter().map(binding).collect(), ..draft() }).map(drop)
        };
        assert_eq!(bound(&[("db", "db.test", 5432, 5432), ("cache", "10.0.0.1", 1, 1024)]), Ok(()));
        for name in ["", "Db", "1db", "d b", &"d".repeat(33)] {
            assert!(matches!(bound(&[(name, "a", 1, 1024)]), Err(SpecError::BindingName { .. })), "{name}");
        }
        for host in ["", "*", "*.a", "a:1", "127.1", "::1"] {
            assert!(matches!(bound(&[("db", host, 1, 1024)]), Err(SpecError::BindingHost { .. })), "{host}");
        }
        assert!(matches!(bound(&[("db", "a", 0, 1024)]), Err(SpecError::Range { field: "bindings.port", .. })));
        assert!(matches!(bound(&[("db", "a", 1, 80)]), Err(SpecError::Range { field: "bindings.local_port", .. })));
        assert!(matches!(bound(&[("db", "a", 1, 9000)]), Err(SpecError::BindingPort { port: 9000, .. })));
        assert!(matches!(bound(&[("a", "a", 1, 1024), ("b", "a", 1, 1024)]), Err(SpecError::BindingPort { .. })));
        for (one, other) in [("a-b", "a_b"), ("db", "db")] {
            assert!(matches!(
                bound(&[(one, "a", 1, 1024), (other, "a", 1, 1025)]),
                Err(SpecError::BindingTwice { .. })
            ));
        }
        assert!(matches!(bound(&[("fc_server", "a", 1, 1024)]), Err(SpecError::BindingTwice { .. })));
        assert_eq!(bound(&vec![("a", "a", 1, 1024); MAX_BINDINGS + 1]), Err(SpecError::Bindings));
    }

    #[test]
    fn what_the_engine_says_of_ways_out_cannot_be_said_otherwise() {
        let set = |name: &str, network: Network, bindings: Vec<Binding>| {
            let environment = [(name.to_owned(), "mine".to_owned())].into();
            Spec::try_from(Draft { environment, network, bindings, ..draft() }).map(drop)
        };
        let proxy = || Network::Proxy { allowed: Vec::new() };
        let db = || vec![Binding { name: "db".into(), host: "a".into(), port: 1, local_port: 1024 }];
        for (name, network, bindings) in [("https_proxy", proxy(), Vec::new()), ("DB_PORT", Network::None, db())] {
            assert_eq!(set(name, Network::None, Vec::new()), Ok(()));
            let refused = SpecError::VariableReserved { name: name.to_owned() };
            assert_eq!(set(name, network, bindings), Err(refused));
        }
    }

    #[test]
    fn commands_are_words() {
        assert_eq!(refused(|draft| draft.command.clear()), SpecError::Command { field: "command" });
        assert_eq!(refused(|draft| draft.command[0].clear()), SpecError::Command { field: "command" });
        assert_eq!(refused(|draft| draft.command[1].push('\0')), SpecError::Command { field: "command" });
        assert_eq!(refused(|draft| draft.idle.stop_ms = 1), SpecError::Idle);
    }

    #[test]
    fn it_is_written_and_read_back_and_unknown_fields_are_refused() {
        let spec = Spec::try_from(draft()).unwrap();
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), spec);
        assert!(serde_json::from_str::<Spec>(r#"{"command":["a"],"cpu":1}"#).is_err());
        assert!(serde_json::from_str::<Spec>(r#"{"command":["a"],"cpu_millis":1}"#).is_err());
    }
}
