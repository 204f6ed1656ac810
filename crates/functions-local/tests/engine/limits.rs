//! What a function can take of the machine.

use std::time::Duration;

use stoa_functions::{Engine as _, StopReason};

use crate::support::{House, groups_of, in_time, python};

/// Where instances cannot be held to limits, one that demands them is refused, and the rest of the test is for elsewhere.
async fn limited() -> Option<House> {
    let house = House::new().await;
    if house.has_limits() {
        return Some(house);
    }
    assert!(!rustix::process::geteuid().is_root(), "root may: {}", house.engine.capabilities());
    house.end().await;
    None
}

#[tokio::test]
async fn a_memory_bomb_ends_its_instance_and_nothing_else() {
    let Some(house) = limited().await else { return };
    let (_, neighbour) = house.start_app("neighbour", python).await;
    let (version, instance) = house
        .start_app("bomb", |draft| {
            draft.memory_mib = 128;
            draft.isolation.limits = true;
        })
        .await;
    house.run(&instance, "held = []\nwhile True: held.append(bytearray(1 << 20))").await;
    assert_eq!(house.stopped(&version).await, StopReason::OutOfMemory);
    assert_eq!(house.get(&neighbour, "/").await, "hello from /");
    house.end().await;
}

#[tokio::test]
async fn memory_in_files_counts_too() {
    let Some(house) = limited().await else { return };
    let (version, instance) = house
        .start_app("files", |draft| {
            draft.memory_mib = 128;
            draft.disk_mib = 1_024;
            draft.isolation.limits = true;
        })
        .await;
    house.run(&instance, "f = open('/tmp/a', 'wb')\nwhile True: f.write(bytes(1 << 20))").await;
    assert_eq!(house.stopped(&version).await, StopReason::OutOfMemory);
    house.end().await;
}

#[tokio::test]
async fn a_fork_bomb_gets_no_further_than_its_limit() {
    let house = House::with(|options| options.processes = 40).await;
    let (_, instance) = house.start_app("forks", python).await;
    let bomb = "
import os, signal
children = []
try:
    while len(children) < 500:
        child = os.fork()
        if child == 0:
            signal.pause()
            os._exit(0)
        children.append(child)
    failure = 'none'
except OSError as error:
    failure = error.strerror
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
answer = (len(children), failure)
";
    let got = house.run(&instance, bomb).await;
    let count: usize =
        got.trim_start_matches('(').split(',').next().unwrap().parse().unwrap_or_else(|_| panic!("{got}"));
    assert!(got.contains("Resource temporarily unavailable") && (10..40).contains(&count), "{got}");
    assert_eq!(house.get(&instance, "/").await, "hello from /", "and it goes on");
    house.end().await;
}

#[tokio::test]
async fn orphans_are_reaped() {
    let house = House::with(|options| options.processes = 40).await;
    let (_, instance) = house.start_app("orphans", python).await;
    // Each child leaves a grandchild behind, which ends at once. Ten times what fits.
    let leave = "
import os, time
for _ in range(400):
    for tries in range(1000):
        try:
            child = os.fork()
            break
        except BlockingIOError:
            time.sleep(0.01)
    if child == 0:
        try:
            os.fork()
        except BlockingIOError:
            pass
        os._exit(0)
    os.waitpid(child, 0)
answer = 'done'
";
    assert_eq!(house.run(&instance, leave).await, "done");
    let count = "import os; answer = len([n for n in os.listdir('/proc') if n.isdigit()])";
    for _ in 0..100 {
        if house.run(&instance, count).await == "2" {
            return house.end().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{}", house.run(&instance, count).await);
}

#[tokio::test]
async fn descriptors_end_at_their_limit() {
    let house = House::with(|options| options.open_files = 128).await;
    let (_, instance) = house.start_app("descriptors", python).await;
    let flood = "
import os
held = []
try:
    while len(held) < 10000:
        held.append(os.open('/dev/null', os.O_RDONLY))
    failure = 'none'
except OSError as error:
    failure = error.strerror
for descriptor in held:
    os.close(descriptor)
answer = (len(held), failure)
";
    let got = house.run(&instance, flood).await;
    assert!(got.contains("Too many open files"), "{got}");
    let more = house.run(&instance, "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))").await;
    assert!(more.starts_with("ValueError") || more.starts_with("PermissionError"), "{more}");
    house.end().await;
}

#[tokio::test]
async fn disks_are_full_at_their_size() {
    let house = House::new().await;
    let (_, instance) = house
        .start_app("fills", |draft| {
            draft.disk_mib = 64;
            draft.memory_mib = 512;
        })
        .await;
    // In many files, as one has a limit of its own.
    let fill = |folder: &str| {
        format!(
            "
import os
written = 0
try:
    for number in range(1000):
        with open('{folder}/' + str(number), 'wb') as file:
            written += file.write(bytes(1 << 20))
    failure = 'none'
except OSError as error:
    failure = error.strerror
for name in os.listdir('{folder}'):
    os.remove('{folder}/' + name)
answer = (written >> 20, failure)
"
        )
    };
    for folder in ["/tmp", "/dev/shm"] {
        let got = house.run(&instance, &fill(folder)).await;
        let mib: u64 =
            got.trim_start_matches('(').split(',').next().unwrap().parse().unwrap_or_else(|_| panic!("{got}"));
        assert!(got.contains("No space left") && (50..=64).contains(&mib), "{folder}: {got}");
    }
    house.end().await;
}

#[tokio::test]
async fn a_flood_of_logs_fills_nothing() {
    let house = House::with(|options| options.log_bytes = 256 * 1024).await;
    let (_, instance) = house.start_app("floods", python).await;
    let flood = "
import os
line = b'x' * 1000 + b'\\n'
for _ in range(24 * 1024):
    os.write(1, line)
answer = 'written'
";
    assert_eq!(house.run(&instance, flood).await, "written");
    let page = house.engine.logs(&instance, 0).await.unwrap();
    let kept: usize = page.lines.iter().map(|line| line.text.len()).sum();
    assert!(page.lost > 20_000 && kept <= 256 * 1024, "{} lost, {kept} kept", page.lost);
    // A line without an end takes no more.
    let endless = "import os\nfor _ in range(4 * 1024): os.write(2, b'y' * 1024)\nanswer = 'written'";
    assert_eq!(house.run(&instance, endless).await, "written");
    house.end().await;
}

#[tokio::test]
async fn soon_after_it_is_ready_it_has_its_share_of_the_processor() {
    let Some(house) = limited().await else { return };
    let (_, instance) = house.start_app("slow", |draft| draft.cpu_millis = 50).await;
    let quotas = || -> Vec<String> {
        groups_of(std::process::id())
            .iter()
            .flat_map(|group| ["cpu.cfs_quota_us", "cpu.max"].map(|file| group.join(instance.as_str()).join(file)))
            .filter_map(|file| std::fs::read_to_string(file).ok())
            .map(|quota| quota.trim().to_owned())
            .collect()
    };
    let limited = async {
        while quotas() != ["1000"] && quotas() != ["1000 20000"] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    in_time("the limit", limited).await;
    assert_eq!(house.get(&instance, "/").await, "hello from /");
    house.end().await;
    assert_eq!(groups_of(std::process::id()), Vec::<std::path::PathBuf>::new(), "and no group is left");
}
