//! What processes take of the memory: their own, and their part of what they share.

use std::fs;

use anyhow::Context as _;

/// Together, in MiB.
pub(super) fn of(processes: impl IntoIterator<Item = u32>) -> anyhow::Result<f64> {
    let mut kib = 0.0;
    for process in processes {
        let place = format!("/proc/{process}/smaps_rollup");
        let text = fs::read_to_string(&place).with_context(|| format!("{place} cannot be read"))?;
        let pss = text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB"));
        kib += pss.context("there is no Pss")?.trim().parse::<f64>()?;
    }
    Ok(kib / 1_024.0)
}

/// Those that run this file in the folder of a function's code.
pub(super) fn in_sandboxes(file: &str) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Those that end meanwhile are none.
        let (Ok(folder), Ok(line)) = (fs::read_link(entry.path().join("cwd")), fs::read(entry.path().join("cmdline")))
        else {
            continue;
        };
        if folder.ends_with("code") && line.split(|byte| *byte == 0).any(|word| word == file.as_bytes()) {
            found.push(process);
        }
    }
    Ok(found)
}
