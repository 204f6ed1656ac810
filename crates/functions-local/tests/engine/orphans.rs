//! When the engine's process dies, everything ends, and the next one clears what is left.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use stoa_functions_local::{LocalEngine, Options, StartError};
use stoa_model::SystemClock;

use crate::support::{APP, House, INIT, groups_of};

/// Numbers of all processes below one, with when they began.
fn below(parent: u32) -> BTreeMap<u32, String> {
    let mut parents = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(number) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        if let Some((above, began)) = stat(number) {
            parents.insert(number, (above, began));
        }
    }
    let mut found = BTreeMap::new();
    loop {
        let known = found.len();
        for (number, (above, began)) in &parents {
            if *above == parent || found.contains_key(above) {
                found.insert(*number, began.clone());
            }
        }
        if found.len() == known {
            return found;
        }
    }
}

fn stat(number: u32) -> Option<(u32, String)> {
    let text = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    let fields: Vec<_> = text.rsplit_once(") ")?.1.split(' ').collect();
    // What is dead and only not yet buried is gone.
    (fields[0] != "Z").then(|| (fields[1].parse().unwrap_or(0), fields[19].to_owned()))
}

#[tokio::test]
async fn killing_the_engine_leaves_no_process_and_the_next_one_clears_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let code = folder.path().join("code");
    std::fs::create_dir(&code).unwrap();
    std::fs::write(code.join("app.py"), APP).unwrap();
    let engine_folder = folder.path().join("engine");
    let mut engine = Command::new(env!("CARGO_BIN_EXE_stoa-test-engine"))
        .args([engine_folder.as_os_str(), INIT.as_ref(), code.as_os_str()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(engine.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let processes = below(engine.id());
    // Two instances, one of them frozen, and two interpreters that wait: each with a monitor, a first process and itself.
    assert!(processes.len() >= 12, "{processes:?}");
    let instances = std::fs::read_dir(engine_folder.join("instances")).unwrap().count();
    assert!(instances > 0);

    engine.kill().unwrap();
    engine.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let left: Vec<_> = processes
            .iter()
            .filter(|(number, began)| stat(**number).is_some_and(|(_, now)| now == **began))
            .map(|(number, _)| *number)
            .collect();
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < until, "left over: {left:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let groups = groups_of(engine.id());
    let next =
        LocalEngine::start(Options::new(engine_folder.clone(), INIT.into()), Arc::new(SystemClock)).await.unwrap();
    if rustix::process::geteuid().is_root() {
        assert!(!groups.is_empty(), "there was something to clear");
    }
    assert_eq!(groups_of(engine.id()), Vec::<std::path::PathBuf>::new());
    assert_eq!(std::fs::read_dir(engine_folder.join("instances")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(engine_folder.join("processes")).unwrap().count(), 0);
    next.shut_down().await;
}

#[tokio::test]
async fn a_folder_has_one_engine() {
    let house = House::new().await;
    let options = Options::new(house.folder.path().join("engine"), INIT.into());
    let second = LocalEngine::start(options, Arc::new(SystemClock)).await;
    assert!(matches!(second, Err(StartError::FolderTaken)));
    house.end().await;
}

#[tokio::test]
async fn without_bubblewrap_nothing_runs_and_it_says_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { bwrap: "/nowhere/bwrap".into(), ..Options::new(folder.path().join("engine"), INIT.into()) };
    let Err(error) = LocalEngine::start(options, Arc::new(SystemClock)).await else { panic!("it started") };
    assert!(error.to_string().contains("apt-get install bubblewrap"), "{error}");
}
