//! Jobs end as they should, and leave nothing but what they were to.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stoa_functions::spec::Network;
use stoa_functions::{EngineError, Isolation};
use stoa_functions_local::{
    EntryKind, Job, JobFiles, JobHandle, JobLimits, JobOutcome, JobState, Tree, TreeError, TreeLimits,
};

use crate::support::{House, in_time};
use crate::ways::{Outside, egress};

impl House {
    /// An empty folder of the host.
    pub(crate) fn empty(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    fn job(&self, name: &str, script: &str) -> Job {
        Job {
            name: name.to_owned(),
            command: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            files: JobFiles::These([("given.txt".to_owned(), b"given".to_vec())].into()),
            output: self.empty(name),
            cache: None,
            environment: BTreeMap::new(),
            network: Network::None,
            limits: JobLimits {
                memory_bytes: 256 << 20,
                disk_bytes: 32 << 20,
                deadline: Duration::from_secs(30),
                ..JobLimits::default()
            },
            isolation: Isolation { landlock: true, ..Isolation::NAMESPACES },
        }
    }

    fn begin(&self, job: Job) -> JobHandle {
        self.engine.run_job(job).unwrap_or_else(|error| panic!("{error}"))
    }
}

pub(crate) async fn outcome(job: &JobHandle) -> JobOutcome {
    in_time("a job", job.outcome()).await
}

pub(crate) fn text(job: &JobHandle) -> String {
    job.logs(0).lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
}

pub(crate) const PLENTY: TreeLimits = TreeLimits { entries: 10_000, bytes: 64 << 20 };

pub(crate) fn read(folder: &Path, path: &str) -> String {
    std::io::read_to_string(Tree::read(folder, PLENTY).unwrap().open(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_job_reads_what_it_was_given_and_leaves_its_output() {
    let house = House::new().await;
    let mut job = house.job(
        "made",
        "set -e; echo begun; cat /code/given.txt > /out/copy; mkdir -p /out/bin; printf '#!/bin/sh\\n' > /out/bin/run; chmod +x /out/bin/run; \
         ln -s ../copy /out/bin/link; touch /tmp/t /scratch/t; echo \"$OWN\" > /out/own; pwd; env | sort; echo ended >&2",
    );
    job.environment.insert("OWN".to_owned(), "mine".to_owned());
    let output = job.output.clone();
    let job = house.begin(job);
    assert_eq!(outcome(&job).await, JobOutcome::Done, "{}", text(&job));
    assert_eq!(*job.state().borrow(), JobState::Over { outcome: JobOutcome::Done });
    let said = text(&job);
    assert!(said.starts_with("begun\n/out\n") && said.contains("\nended\n"), "{said}");
    assert!(said.contains("HOME=/scratch\n") && said.contains("TMPDIR=/scratch\n"), "{said}");
    assert!(!said.contains("CARGO") && !said.contains("USER="), "nothing of the host's environment: {said}");
    assert_eq!((read(&output, "copy"), read(&output, "own")), ("given".to_owned(), "mine\n".to_owned()));
    let tree = Tree::read(&output, PLENTY).unwrap();
    let kind = |path: &str| tree.entries().iter().find(|entry| entry.path == path).unwrap().kind.clone();
    assert_eq!(kind("bin/run"), EntryKind::File { bytes: 10, executable: true });
    assert_eq!(kind("bin/link"), EntryKind::Link { target: "../copy".to_owned() });
    house.end().await;
}

#[tokio::test]
async fn a_job_is_as_locked_in_as_a_function() {
    let house = House::new().await;
    let secret = house.folder.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let script = format!(
        "exec 2>&1; cat {} && echo read; echo x > /code/new && echo wrote; echo x > /usr/new && echo wrote; echo x > /new && echo wrote
         unshare -U true && echo unshared; ls /proc | grep -c '^[0-9]'; cat /proc/1/environ && echo looked
         python3 -c 'import socket; socket.create_connection((\"1.1.1.1\", 53), 3)' && echo connected; grep -E 'Seccomp:|NoNewPrivs:|CapEff:' /proc/self/status",
        secret.display()
    );
    let job = house.begin(house.job("locked", &script));
    assert_eq!(outcome(&job).await, JobOutcome::Done, "{}", text(&job));
    let said = text(&job);
    for wrong in ["\nread", "\nwrote", "\nunshared", "\nlooked", "\nconnected"] {
        assert!(!said.contains(wrong), "{wrong} in {said}");
    }
    assert!(said.contains("Seccomp:\t2") && said.contains("NoNewPrivs:\t1"), "{said}");
    assert!(said.contains("CapEff:\t0000000000000000") && said.contains("unreachable"), "{said}");
    house.end().await;
}

#[tokio::test]
async fn what_fails_takes_too_long_or_is_cancelled_says_so() {
    let house = House::new().await;
    let failed = house.begin(house.job("failed", "echo no luck >&2; exit 3"));
    assert_eq!(outcome(&failed).await, JobOutcome::Failed { status: "status 3".to_owned() });
    assert_eq!(text(&failed), "no luck\n");
    let mut missing = house.job("missing", "");
    missing.command = vec!["/usr/bin/no-such-program".to_owned()];
    assert!(
        matches!(outcome(&house.begin(missing)).await, JobOutcome::Failed { status } if status.contains("error 2"))
    );

    let mut slow = house.job("slow", "echo waiting; sleep 600 & sleep 600");
    slow.limits.deadline = Duration::from_secs(5);
    let slow = house.begin(slow);
    assert_eq!(outcome(&slow).await, JobOutcome::Deadline);
    assert_eq!(text(&slow), "waiting\n");

    let cancelled = house.begin(house.job("cancelled", "echo waiting; sleep 600"));
    in_time("its first line", async {
        while text(&cancelled).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(*cancelled.state().borrow(), JobState::Running);
    cancelled.cancel();
    assert_eq!(outcome(&cancelled).await, JobOutcome::Cancelled);

    let ended = house.begin(house.job("ended", "sleep 600"));
    house.end().await;
    assert_eq!(outcome(&ended).await, JobOutcome::Cancelled);
}

#[tokio::test]
async fn what_needs_more_memory_or_disk_than_it_has_ends() {
    let house = House::new().await;
    if house.has_limits() {
        let mut hungry =
            house.job("hungry", "exec python3 -c 'held = []\nwhile True: held.append(bytearray(1 << 20))'");
        hungry.isolation.limits = true;
        assert_eq!(outcome(&house.begin(hungry)).await, JobOutcome::OutOfMemory);
    }
    let writes = "import itertools\nfor n in itertools.count(): open(f'{place}/{n}', 'wb').write(bytes(1 << 20))";
    for place in ["/out", "/scratch", "/cache"] {
        let mut full = house.job(&format!("full-{}", &place[1..]), "");
        full.cache = Some(house.empty(&format!("cache-{}", &place[1..])));
        full.command = vec!["python3".to_owned(), "-c".to_owned(), format!("place = '{place}'\n{writes}")];
        // Written slowly enough for the disk of the test not to be what gives out.
        full.limits.cpu_millis = 200;
        let full = house.begin(full);
        assert!(matches!(outcome(&full).await, JobOutcome::OutOfDisk { .. }), "{place}: {}", text(&full));
    }
    let mut one = house.job("one", "head -c 64M /dev/zero > /out/large");
    one.limits.cpu_millis = 200;
    let one = outcome(&house.begin(one)).await;
    // By the limit on one file, or by that on all.
    assert!(matches!(one, JobOutcome::Failed { .. } | JobOutcome::OutOfDisk { .. }), "{one:?}");
    let mut many = house.job("many", "seq 2000 | sed 's/^/\\/out\\//' | xargs touch");
    many.limits.files = 1_000;
    let many = outcome(&house.begin(many)).await;
    assert!(matches!(&many, JobOutcome::OutOfDisk { detail } if detail.contains("1000 files")), "{many:?}");
    house.end().await;
}

#[tokio::test]
async fn a_cache_is_one_jobs_at_a_time_and_its_files_are_the_next_ones() {
    let house = House::with(|options| options.jobs_at_once = 2).await;
    let cache = house.empty("cache");
    symlink("/etc", cache.join("out")).unwrap();
    let with_cache = |name: &str, script: &str| Job { cache: Some(cache.clone()), ..house.job(name, script) };
    let first = house.begin(with_cache(
        "first",
        "umask 077; mkdir /cache/in; echo kept > /cache/in/file; until [ -e /cache/go ]; do sleep 0.05; done",
    ));
    let second =
        house.begin(with_cache("second", "cat /cache/in/file; echo more >> /cache/in/file; ls /cache/out/shadow"));
    let other = house.begin(house.job("other", "echo at once"));
    assert_eq!(outcome(&other).await, JobOutcome::Done);
    assert_eq!(*second.state().borrow(), JobState::Waiting);
    std::fs::write(cache.join("go"), "").unwrap();
    assert_eq!(outcome(&first).await, JobOutcome::Done, "{}", text(&first));
    assert!(matches!(outcome(&second).await, JobOutcome::Failed { .. }), "no shadow");
    assert!(text(&second).starts_with("kept\n"), "{}", text(&second));
    assert!(text(&second).contains("/cache/out/shadow"), "{}", text(&second));
    assert_eq!(std::fs::read_to_string(cache.join("in/file")).unwrap(), "kept\nmore\n");
    // One that is larger than a job may write is emptied.
    let mut third = with_cache("third", "ls -A /cache");
    third.limits.files = 2;
    let third = house.begin(third);
    assert_eq!(outcome(&third).await, JobOutcome::Done);
    assert_eq!(text(&third), "");
    house.end().await;
}

#[tokio::test]
async fn output_that_leads_out_is_not_read() {
    let house = House::new().await;
    for (name, script) in [
        ("absolute", "ln -s /etc/passwd /out/link"),
        ("above", "mkdir /out/a; ln -s ../../../../../etc/passwd /out/a/link"),
        ("pipe", "mkfifo /out/pipe"),
    ] {
        let job = house.job(name, script);
        let output = job.output.clone();
        assert_eq!(outcome(&house.begin(job)).await, JobOutcome::Done);
        let read = Tree::read(&output, PLENTY).map(drop);
        assert!(matches!(read, Err(TreeError::Link { .. } | TreeError::Kind { .. })), "{name}: {read:?}");
    }
    house.end().await;
}

#[tokio::test]
async fn a_job_goes_out_by_its_list_and_only_where_there_is_a_way() {
    let web = Outside::mirror().await;
    let place = format!("web.test:{}", web.port());
    let house = House::with(egress(&[("web.test", "127.0.0.1")], &[&place])).await;
    let fetch = |place: &str| {
        format!(
            "exec python3 -c 'import urllib.request; print(urllib.request.urlopen(\"http://{place}/\", timeout=10).status)'"
        )
    };
    let network = || Network::Proxy { allowed: vec![place.clone()] };
    let listed = house.begin(Job { network: network(), ..house.job("listed", &fetch(&place)) });
    assert_eq!(outcome(&listed).await, JobOutcome::Done, "{}", text(&listed));
    let unlisted = house.begin(Job { network: network(), ..house.job("unlisted", &fetch("other.test")) });
    assert!(matches!(outcome(&unlisted).await, JobOutcome::Failed { .. }));
    assert!(text(&unlisted).contains("stoa: connection to other.test:80 refused"), "{}", text(&unlisted));
    let refused =
        house.engine.run_job(Job { network: Network::Proxy { allowed: vec!["a/b".into()] }, ..house.job("bad", "") });
    assert!(matches!(refused, Err(EngineError::Unsupported { .. })));
    house.end().await;
    let house = House::with(|options| options.control_groups = false).await;
    let refused = house.engine.run_job(Job { network: network(), ..house.job("nowhere", "") });
    assert!(matches!(refused, Err(EngineError::Unsupported { .. })));
    let refused = house.engine.run_job(Job { isolation: Isolation::FULL, ..house.job("less", "") });
    assert!(matches!(refused, Err(EngineError::Isolation { .. })));
    house.end().await;
}
