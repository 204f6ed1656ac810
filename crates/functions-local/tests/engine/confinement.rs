//! What a function cannot do, beside what it can.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use stoa_functions::{Draft, Engine as _, EngineError, Isolation, Spec, Version, VersionId};

use crate::support::{APP, House, processes_with, python};
use crate::ways::binding;

const CALLS: &str = include_str!("calls.py");

const EPERM: i32 = 1;
const ENOSYS: i32 = 38;

fn attempts(text: &str) -> BTreeMap<String, i32> {
    let pair = |line: &str| line.split_once('=').map(|(name, number)| (name.to_owned(), number.parse().unwrap()));
    text.lines().map(|line| pair(line).unwrap_or_else(|| panic!("{text}"))).collect()
}

#[tokio::test]
#[cfg(target_arch = "x86_64")]
async fn system_calls_that_work_outside_are_refused_inside() {
    let outside = Command::new("/usr/bin/python3").arg("-c").arg(format!("{CALLS}\nprint(answer)")).output().unwrap();
    let outside = attempts(&String::from_utf8(outside.stdout).unwrap());
    let house = House::new().await;
    let (_, instance) = house.start_app("calls", python).await;
    let inside = attempts(&house.run(&instance, CALLS).await);
    assert!(inside.len() >= 48, "everything has been tried: {inside:?}");
    let root = rustix::process::geteuid().is_root();
    for (name, number) in &inside {
        let expected = if ["clone3", "x32"].contains(&name.as_str()) { ENOSYS } else { EPERM };
        assert_eq!(*number, expected, "{name}");
        // An ordinary user may not do some of it anyhow.
        if root && name != "x32" {
            assert_ne!(outside[name], expected, "{name} is refused outside as well, which tells nothing");
        }
    }
    house.end().await;
}

#[tokio::test]
async fn it_is_nobody_with_no_privileges_behind_a_filter() {
    let house = House::new().await;
    let (_, instance) = house.start_app("nobody", python).await;
    let status = house.run(&instance, "answer = open('/proc/self/status').read()").await;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{status}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(field("Uid:"), "1000 1000 1000 1000");
    assert_eq!((field("Seccomp:"), field("NoNewPrivs:")), ("2".to_owned(), "1".to_owned()));
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(field(set), "0000000000000000", "{set}");
    }
    house.end().await;
}

/// On the host.
fn user_of(mark: &str) -> u32 {
    let processes = processes_with(mark);
    let [process] = processes[..] else { panic!("{processes:?}") };
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_instance_is_a_user_of_its_own_where_that_can_be() {
    let house = House::new().await;
    let own = house.engine.capabilities().isolation.own_user;
    let mark = |name: &str| format!("--{name}-of-{}", std::process::id());
    for name in ["one", "other"] {
        house
            .start_app(name, |draft| {
                draft.command.push(mark(name));
                draft.isolation.own_user = own;
            })
            .await;
    }
    let (one, other) = (user_of(&mark("one")), user_of(&mark("other")));
    let server = rustix::process::geteuid();
    assert_eq!(own, server.is_root());
    if own {
        assert!(one != other && one >= 2_000_000 && other >= 2_000_000, "{one} {other}");
    } else {
        assert_eq!((one, other), (server.as_raw(), server.as_raw()));
    }
    house.end().await;
}

#[tokio::test]
async fn it_has_inherited_nothing() {
    let house = House::new().await;
    let (_, instance) = house.start_app("descriptors", python).await;
    let look = "import subprocess\nanswer = subprocess.run(['ls', '-l', '/proc/self/fd'], capture_output=True, text=True, close_fds=False).stdout";
    let seen = house.run(&instance, look).await;
    // Three of its own, and that by which `ls` reads the folder.
    let numbers: Vec<_> = seen.lines().filter_map(|line| line.split(' ').rev().nth(2)).collect();
    assert_eq!(numbers.len(), 4, "{seen}");
    assert!(seen.contains("0 -> /dev/null"), "{seen}");
    house.end().await;
}

#[tokio::test]
async fn it_sees_its_own_processes_only() {
    let house = House::new().await;
    let (_, instance) = house.start_app("processes", python).await;
    let (_, other) = house.start_app("neighbour", python).await;
    let seen =
        house.run(&instance, "import os; answer = sorted(int(n) for n in os.listdir('/proc') if n.isdigit())").await;
    let numbers: Vec<u32> = seen.trim_matches(['[', ']']).split(", ").map(|n| n.parse().unwrap()).collect();
    assert!(numbers.len() == 2 && numbers[0] == 1, "{seen}");
    for what in ["environ", "mem", "maps", "fd", "root/etc", "cwd"] {
        let code = format!(
            "import os\npath = '/proc/1/{what}'\nanswer = os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read(1)"
        );
        let got = house.run(&instance, &code).await;
        assert!(got.starts_with("PermissionError") || got.starts_with("FileNotFoundError"), "{what}: {got}");
    }
    let killed = house.run(&instance, "import os, signal\nos.kill(1, signal.SIGKILL)\nanswer = 'sent'").await;
    assert!(killed == "sent" || killed.starts_with("PermissionError"), "{killed}");
    assert_eq!(house.get(&instance, "/").await, "hello from /", "the first process does not die of it");
    assert_eq!(house.get(&other, "/").await, "hello from /");
    house.end().await;
}

#[tokio::test]
async fn it_reads_its_own_code_and_nothing_of_others() {
    let house = House::new().await;
    let secret = house.folder.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (_, other) = house.start_app("other", python).await;
    let version = house.apply("links", &[("app.py", APP), ("own.txt", "own")], python).await;
    symlink(&secret, house.folder.path().join("links/out")).unwrap();
    symlink("../../../../../../../../etc/shadow", house.folder.path().join("links/shadow")).unwrap();
    house.scale(&version, 1).await;
    let instance = house.ready(&version).await;
    let open = |path: &str| format!("answer = open({path:?}).read()");
    assert_eq!(house.run(&instance, &open("own.txt")).await, "own");
    let engine = house.folder.path().join("engine");
    let others = [
        house.folder.path().join("other/app.py"),
        engine.join("lock"),
        engine.clone(),
        secret.clone(),
        "/code/out".into(),
        "/code/shadow".into(),
        "/etc/shadow".into(),
        std::env::home_dir().unwrap().join(".bashrc"),
        "/var/log".into(),
        "/sys/class".into(),
        "/run".into(),
    ];
    for path in &others {
        let got = house.run(&instance, &open(path.to_str().unwrap())).await;
        assert!(got.starts_with("FileNotFoundError") || got.starts_with("PermissionError"), "{path:?}: {got}");
    }
    assert_eq!(house.get(&other, "/").await, "hello from /");
    house.end().await;
}

#[tokio::test]
async fn it_writes_to_its_temporary_files_and_nowhere_else() {
    let house = House::new().await;
    let (_, instance) = house.start_app("writes", python).await;
    let write = |path: &str| format!("open({path:?}, 'w').write('x'); answer = 'written'");
    for path in ["/tmp/a", "/dev/shm/a", "/dev/null"] {
        assert_eq!(house.run(&instance, &write(path)).await, "written", "{path}");
    }
    for path in [
        "/code/app.py",
        "/code/new",
        "/new",
        "/usr/new",
        "/usr/bin/python3",
        "/etc/passwd",
        "/etc/new",
        "/dev/new",
        "/.init",
        "/proc/self/comm",
        "/proc/sys/kernel/hostname",
    ] {
        let got = house.run(&instance, &write(path)).await;
        assert!(got.starts_with("PermissionError") || got.starts_with("OSError: [Errno 30]"), "{path}: {got}");
    }
    assert_eq!(std::fs::read_to_string(house.folder.path().join("writes/app.py")).unwrap(), APP);
    house.end().await;
}

#[tokio::test]
async fn it_reaches_no_network_but_its_own() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let abstract_name = format!("stoa-test-{}", std::process::id());
    let address =
        <std::os::unix::net::SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(&abstract_name);
    let local = std::os::unix::net::UnixListener::bind_addr(&address.unwrap()).unwrap();
    let house = House::new().await;
    let (_, instance) = house.start_app("network", python).await;
    let connect = |to: &str| format!("import socket\nsocket.create_connection({to}, 3).close()\nanswer = 'connected'");
    let host = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let host = host.connect("192.0.2.1:9").ok().and_then(|()| host.local_addr().ok()).map(|own| own.ip().to_string());
    let mut places = vec![
        format!("('127.0.0.1', {port})"),
        "('169.254.169.254', 80)".to_owned(),
        "('10.0.0.1', 80)".to_owned(),
        "('172.17.0.1', 80)".to_owned(),
        "('192.168.0.1', 80)".to_owned(),
        "('1.1.1.1', 53)".to_owned(),
    ];
    places.extend(host.map(|host| format!("('{host}', {port})")));
    for place in places {
        let got = house.run(&instance, &connect(&place)).await;
        assert!(got.contains("refused") || got.contains("unreachable"), "{place}: {got}");
    }
    let code =
        format!("import socket\nsocket.socket(socket.AF_UNIX).connect('\\0{abstract_name}')\nanswer = 'connected'");
    let got = house.run(&instance, &code).await;
    assert!(got.starts_with("ConnectionRefusedError") || got.starts_with("PermissionError"), "{got}");
    // It would have been heard.
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    std::os::unix::net::UnixStream::connect_addr(&local.local_addr().unwrap()).unwrap();
    assert_eq!(house.run(&instance, &connect("('127.0.0.1', 9000)")).await, "connected", "itself");
    let interfaces = house.run(&instance, "answer = len(open('/proc/net/dev').readlines())").await;
    assert_eq!(interfaces, "3", "two lines of titles, and loopback");
    house.end().await;
}

#[tokio::test]
async fn what_the_host_does_not_give_is_refused_and_never_left_out() {
    let house = House::with(|options| options.control_groups = false).await;
    let version = |draft: Draft, code: &std::path::Path| Version {
        id: VersionId::new("refused").unwrap(),
        spec: std::sync::Arc::new(Spec::try_from(draft).unwrap()),
        code: code.to_owned(),
        volumes: Vec::new(),
    };
    let code = house.code("code", &[]);
    let draft = || Draft { command: vec!["python3".to_owned()], isolation: Isolation::NAMESPACES, ..Draft::default() };
    let refused = house.engine.apply(version(Draft { isolation: Isolation::FULL, ..draft() }, &code)).await;
    assert!(matches!(refused, Err(EngineError::Isolation { missing }) if missing.contains(&"limits")));
    let proxied = stoa_functions::spec::Network::Proxy { allowed: vec!["example.org".to_owned()] };
    let refused = house.engine.apply(version(Draft { network: proxied, ..draft() }, &code)).await;
    assert!(matches!(refused, Err(EngineError::Unsupported { .. })));
    let bindings = vec![binding("db", "db.test", 1, 1_024)];
    let refused = house.engine.apply(version(Draft { bindings, ..draft() }, &code)).await;
    assert!(matches!(refused, Err(EngineError::Unsupported { what: "a way out" })));
    let link = house.folder.path().join("link");
    symlink("/etc", &link).unwrap();
    let refused = house.engine.apply(version(draft(), &link)).await;
    assert!(matches!(refused, Err(EngineError::Folder(_))), "a link is no folder");
    house.engine.apply(version(draft(), &code)).await.unwrap();
    house.end().await;
}
