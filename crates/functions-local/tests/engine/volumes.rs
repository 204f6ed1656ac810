//! Volumes: shared as they say, and no way to anything else, from within or from without.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use stoa_functions::spec::Volume;
use stoa_functions::{
    Draft, Engine as _, EngineError, InstanceId, Isolation, Spec, StopReason, Version, VersionId, VolumeKey,
};
use stoa_functions_local::{Item, ItemKind, VolumeError, Volumes};
use stoa_model::UserId;

use crate::support::{APP, House, processes_with, somebody};

/// The first user of volumes.
const FIRST_USER: u32 = 2_000_000 + 65_536;

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

fn at(volume: &str, path: &str, read_only: bool) -> Volume {
    Volume { volume: volume.to_owned(), path: path.to_owned(), read_only }
}

impl House {
    /// A running function with these volumes.
    async fn with_volumes(&self, name: &str, volumes: Vec<(VolumeKey, Volume)>) -> (VersionId, InstanceId) {
        let (keys, mounted): (Vec<_>, Vec<_>) = volumes.into_iter().unzip();
        let files = [("app.py", APP)];
        let version = self.apply_with(name, &files, keys, |draft| {
            draft.volumes = mounted;
            draft.command.push(format!("--{name}-of-{}", std::process::id()));
        });
        let version = version.await;
        self.scale(&version, 1).await;
        let instance = self.ready(&version).await;
        (version, instance)
    }

    fn opened(&self, key: VolumeKey) -> stoa_functions_local::Volume {
        self.volumes.open(key).unwrap()
    }

    fn kinds(&self, key: VolumeKey) -> Vec<(String, ItemKind)> {
        let listing = self.opened(key).list("").unwrap();
        listing.items.into_iter().map(|Item { name, kind, .. }| (name, kind)).collect()
    }
}

fn text(volume: &stoa_functions_local::Volume, path: &str) -> Result<String, VolumeError> {
    let (mut file, _) = volume.read(path)?;
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    Ok(text)
}

fn user_of(name: &str) -> u32 {
    let processes = processes_with(&format!("--{name}-of-{}", std::process::id()));
    let [process] = processes[..] else { panic!("{processes:?}") };
    std::fs::metadata(format!("/proc/{process}")).unwrap().uid()
}

#[tokio::test]
async fn functions_of_one_owner_share_a_volume_and_read_only_is_kept_to() {
    let house = House::new().await;
    let owner = somebody();
    let (key, folder) = house.volume(owner, 64);
    let (_, writer) = house.with_volumes("writer", vec![(key, at("notes", "/data", false))]).await;
    let (_, reader) = house.with_volumes("reader", vec![(key, at("notes", "/mnt/notes", true))]).await;
    let wrote = "import os; os.makedirs('/data/a'); answer = open('/data/a/b', 'w').write('x')";
    assert_eq!(house.run(&writer, wrote).await, "1");
    assert_eq!(house.run(&reader, "answer = open('/mnt/notes/a/b').read()").await, "x");
    assert_eq!(text(&house.opened(key), "a/b").unwrap(), "x");
    for attempt in [
        "open('/mnt/notes/c', 'w')",
        "open('/mnt/notes/a/b', 'a')",
        "import os; os.unlink('/mnt/notes/a/b')",
        "import os; os.chmod('/mnt/notes/a/b', 0o777)",
        "import os; os.mkdir('/mnt/notes/d')",
        "import os; os.rename('/mnt/notes/a', '/mnt/notes/e')",
        "import os; os.utime('/mnt/notes/a/b')",
    ] {
        let got = house.run(&reader, attempt).await;
        assert!(got.contains("[Errno 30]") || got.starts_with("PermissionError"), "{attempt}: {got}");
    }
    assert_eq!(std::fs::read_to_string(folder.join("a/b")).unwrap(), "x");
    // Their namespaces are their own: neither sees the other, and each is process 2 or so.
    let seen = house.run(&reader, "import os; answer = sum(n.isdigit() for n in os.listdir('/proc'))").await;
    assert_eq!(seen, "2");
    // Though they are one user, each has its own count of processes: together, this is more than one may have.
    let many = "import threading\nstop = threading.Event()\nfor _ in range(150): threading.Thread(target=stop.wait, daemon=True).start()\n\
                answer = threading.active_count() >= 150";
    assert_eq!(house.run(&writer, many).await, "True");
    assert_eq!(house.run(&reader, many).await, "True");
    if root() {
        let (one, other) = (user_of("writer"), user_of("reader"));
        assert!(one == other && (FIRST_USER..FIRST_USER + 65_536).contains(&one), "{one} {other}");
        let status = std::fs::metadata(&folder).unwrap();
        assert_eq!((status.uid(), status.mode() & 0o777), (one, 0o700));
        let above = std::fs::metadata(folder.parent().unwrap()).unwrap();
        assert_eq!((above.uid(), above.gid(), above.mode() & 0o777), (0, one, 0o700));
    }
    let top = std::fs::metadata(house.folder.path().join("volumes")).unwrap();
    assert_eq!(top.mode() & 0o777, 0o700);
    house.end().await;
}

#[tokio::test]
async fn owners_are_different_users_and_each_keeps_its_own() {
    if !root() {
        // There is one user for all, and the test above is what there is to see.
        return;
    }
    let house = House::new().await;
    let (ada, charles) = (somebody(), somebody());
    let (one, _) = house.volume(ada, 64);
    let (other, _) = house.volume(charles, 64);
    let (second, folder) = house.volume(ada, 64);
    house.with_volumes("ada", vec![(one, at("a", "/data", false)), (second, at("b", "/more", false))]).await;
    house.with_volumes("charles", vec![(other, at("c", "/data", false))]).await;
    assert_ne!(user_of("ada"), user_of("charles"));
    let user = std::fs::metadata(&folder).unwrap().uid();
    house.volumes.remove(one).unwrap();
    house.volumes.remove(second).unwrap();
    let (third, folder) = house.volume(ada, 64);
    assert_eq!(std::fs::metadata(folder).unwrap().uid(), user, "an owner stays who it is");
    // What a server has left that was no root becomes the owner's as well.
    let foreign = house.folder.path().join(format!("volumes/{ada}/{}/kept", third.volume));
    std::fs::write(&foreign, "x").unwrap();
    std::os::unix::fs::chown(foreign.parent().unwrap(), Some(0), Some(0)).unwrap();
    house.opened(third);
    assert_eq!(std::fs::metadata(foreign).unwrap().uid(), user);
    let refused = Volumes::new(house.folder.path().join("volumes")).open(VolumeKey { owner: charles, ..third });
    assert!(matches!(refused, Err(VolumeError::Missing)), "nobody's volume is another's");
    house.end().await;
}

#[tokio::test]
async fn links_lead_a_function_and_its_owner_nowhere() {
    let house = House::new().await;
    let owner = somebody();
    let (key, folder) = house.volume(owner, 64);
    let (other, other_folder) = house.volume(somebody(), 64);
    std::fs::write(other_folder.join("secret"), "of another").unwrap();
    std::fs::write(house.folder.path().join("outside"), "of the host").unwrap();
    let (_, instance) = house.with_volumes("linker", vec![(key, at("v", "/data", false))]).await;
    let (_, reader) = house.with_volumes("follower", vec![(key, at("v", "/data", true))]).await;
    let code = house.folder.path().join("follower/app.py");
    let targets = [
        ("passwd", "/etc/passwd".to_owned()),
        ("shadow", "/etc/shadow".to_owned()),
        ("other", other_folder.join("secret").display().to_string()),
        ("upward", format!("../{}/secret", other.volume)),
        ("far", format!("../../{}/{}/secret", other.owner, other.volume)),
        ("outside", house.folder.path().join("outside").display().to_string()),
        ("code", code.display().to_string()),
        ("root", "/proc/1/root/etc/shadow".to_owned()),
        ("own", "file".to_owned()),
    ];
    house.run(&instance, "open('/data/file', 'w').write('mine')").await;
    for (name, target) in &targets {
        house.run(&instance, &format!("import os; os.symlink({target:?}, '/data/{name}')")).await;
    }
    house.run(&instance, "import os; os.symlink('/', '/data/folder'); os.mkdir('/data/inner')").await;
    let opened = house.opened(key);
    for (name, _) in &targets {
        assert!(matches!(opened.read(name), Err(VolumeError::NotAFile { .. })), "{name}");
        let read = house.run(&reader, &format!("answer = open('/data/{name}').read()")).await;
        match *name {
            "own" => assert_eq!(read, "mine"),
            // The sandbox's own, which names two users.
            "passwd" => assert!(read.contains("function:x:1000") && !read.contains("daemon"), "{read}"),
            _ => assert!(read.contains("Error"), "{name}: {read}"),
        }
    }
    // Nor through one on the way, in any direction.
    for path in ["folder/etc/passwd", "folder/etc", "inner/../../x", "../x"] {
        let fails = |result: Result<(), VolumeError>| {
            assert!(
                matches!(result, Err(VolumeError::NotFound { .. } | VolumeError::NotAFile { .. })),
                "{path}: {result:?}"
            );
        };
        fails(opened.read(path).map(drop));
        fails(opened.list(path).map(drop));
        fails(opened.remove(path));
        if path.starts_with("folder") {
            fails(opened.write(path).map(drop));
        }
    }
    let kinds = house.kinds(key);
    assert!(
        kinds.contains(&("folder".to_owned(), ItemKind::Link)) && kinds.contains(&("file".to_owned(), ItemKind::File))
    );
    // A link is replaced and removed itself.
    let (upload, mut file) = opened.write("outside").unwrap();
    file.write_all(b"new").unwrap();
    upload.finish().unwrap();
    assert_eq!((text(&opened, "outside").unwrap().as_str(), house.kinds(key).len()), ("new", kinds.len()));
    assert_eq!(std::fs::read_to_string(house.folder.path().join("outside")).unwrap(), "of the host");
    opened.remove("folder").unwrap();
    opened.remove("other").unwrap();
    assert!(Path::new("/etc").is_dir() && other_folder.join("secret").exists());
    let user = std::fs::metadata(&folder).unwrap().uid();
    assert_eq!(
        std::fs::metadata(folder.join("outside")).unwrap().uid(),
        user,
        "what came from outside is the function's"
    );
    house.end().await;
}

#[tokio::test]
async fn what_is_no_file_is_shown_as_that_and_not_read() {
    let house = House::new().await;
    let (key, folder) = house.volume(somebody(), 64);
    let (_, instance) = house.with_volumes("odd", vec![(key, at("v", "/data", false))]).await;
    let odd = "import os, socket; os.mkfifo('/data/pipe'); s = socket.socket(socket.AF_UNIX); s.bind('/data/socket'); os.chmod('/data/pipe', 0o777)\n\
               open(b'/data/\\xff', 'w').write('x'); os.mkdir('/data/inner')";
    assert_eq!(house.run(&instance, odd).await, "None");
    // Devices are nobody's to make, and where there is one, it is not there to be opened.
    let made =
        house.run(&instance, "import os, stat; os.mknod('/data/null', stat.S_IFCHR | 0o666, os.makedev(1, 3))").await;
    assert!(made.starts_with("PermissionError"), "{made}");
    let opened = house.opened(key);
    let named = |name: &str, kind| (name.to_owned(), kind);
    let expected = [
        named("inner", ItemKind::Folder),
        named("pipe", ItemKind::Other),
        named("socket", ItemKind::Other),
        named("\u{fffd}", ItemKind::Other),
    ];
    assert_eq!(house.kinds(key), expected);
    for path in ["pipe", "socket", "inner"] {
        assert!(matches!(opened.read(path), Err(VolumeError::NotAFile { .. })), "{path}");
    }
    assert!(matches!(opened.write("inner"), Err(VolumeError::Folder { .. })));
    assert!(matches!(opened.read("none"), Err(VolumeError::NotFound { .. })));
    assert!(matches!(opened.write("pipe/x"), Err(VolumeError::NotFound { .. })));
    if root() {
        let device = folder.join("null");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &device,
            rustix::fs::FileType::CharacterDevice,
            rustix::fs::Mode::from_raw_mode(0o666),
            rustix::fs::makedev(1, 3),
        )
        .unwrap();
        std::fs::set_permissions(&device, std::fs::Permissions::from_mode(0o666)).unwrap();
        let read = house.run(&instance, "answer = open('/data/null').read()").await;
        assert!(read.starts_with("PermissionError"), "{read}");
        assert!(matches!(opened.read("null"), Err(VolumeError::NotAFile { .. })));
    }
    house.end().await;
}

#[tokio::test]
async fn hard_links_and_set_user_bits_lead_nowhere() {
    let house = House::new().await;
    let (key, folder) = house.volume(somebody(), 64);
    let mount = vec![(key, at("v", "/data", false))];
    let (_, instance) = house.with_volumes("linked", mount).await;
    for target in ["/code/app.py", "/etc/passwd", "/usr/bin/python3", "/proc/self/exe"] {
        let linked = house.run(&instance, &format!("import os; os.link({target:?}, '/data/x')")).await;
        assert!(linked.contains("[Errno 18]") || linked.starts_with("PermissionError"), "{target}: {linked}");
    }
    let own = "import os, shutil, subprocess; shutil.copy('/usr/bin/id', '/data/id'); os.chmod('/data/id', 0o6755); os.link('/data/id', '/data/same')\n\
               answer = subprocess.run(['/data/id', '-u'], capture_output=True, text=True).stdout.strip()";
    assert_eq!(house.run(&instance, own).await, "1000");
    let mounted =
        house.run(&instance, "answer = [line for line in open('/proc/self/mountinfo') if ' /data ' in line][0]").await;
    assert!(mounted.contains("nosuid") && mounted.contains("nodev"), "{mounted}");
    // A program that an owner's other user left there does not make anybody of whoever runs it.
    if root() {
        std::os::unix::fs::chown(folder.join("same"), Some(0), Some(0)).unwrap();
        std::fs::set_permissions(folder.join("same"), std::fs::Permissions::from_mode(0o6755)).unwrap();
        let ran = "import subprocess; answer = subprocess.run(['/data/same', '-u'], capture_output=True, text=True).stdout.strip()";
        assert_eq!(house.run(&instance, ran).await, "1000");
    }
    house.end().await;
}

/// While an instance starts over and over, a function that has the volume puts links in the place of all that it may.
#[tokio::test]
async fn what_is_exchanged_while_it_is_mounted_changes_nothing() {
    let house = House::new().await;
    let (key, folder) = house.volume(somebody(), 64);
    let (_, attacker) = house.with_volumes("attacker", vec![(key, at("v", "/data", false))]).await;
    // It cannot take away the folder itself, nor anything above it.
    for attempt in [
        "os.rmdir('/data')",
        "os.rename('/data', '/tmp/data')",
        "os.symlink('/etc', '/data/../x')",
        "os.rename('/data', '/x')",
    ] {
        let got = house.run(&attacker, &format!("import os; {attempt}")).await;
        assert!(got.contains("Error"), "{attempt}: {got}");
    }
    let swap = "import os, threading\n\
                def swap():\n\
                \x20   while not os.path.exists('/data/stop'):\n\
                \x20       for make in (lambda: os.mkdir('/data/x'), lambda: os.symlink('/', '/data/x')):\n\
                \x20           try: make()\n\
                \x20           except OSError: pass\n\
                \x20           for end in (os.rmdir, os.unlink):\n\
                \x20               try: end('/data/x')\n\
                \x20               except OSError: pass\n\
                threading.Thread(target=swap, daemon=True).start()";
    house.run(&attacker, swap).await;
    let opened = house.opened(key);
    let stop = Arc::new(AtomicBool::new(false));
    let (watched, outside) = (
        Arc::clone(&stop),
        std::thread::spawn({
            let (opened, stop) = (house.opened(key), Arc::clone(&stop));
            move || {
                let mut tried = 0u32;
                while !stop.load(Ordering::Relaxed) {
                    // It is there or it is not; the host's `etc` never is.
                    assert!(opened.list("x/etc").is_err() && opened.read("x/etc/passwd").is_err());
                    assert!(opened.remove("x/etc/hostname").is_err());
                    tried += 1;
                }
                tried
            }
        }),
    );
    for round in 0..3 {
        let (_, instance) = house.with_volumes(&format!("round-{round}"), vec![(key, at("v", "/data", true))]).await;
        let seen = house
            .run(&instance, "import os; answer = os.path.samefile('/data', '/') or os.path.exists('/data/etc/shadow')")
            .await;
        assert_eq!(seen, "False");
    }
    watched.store(true, Ordering::Relaxed);
    assert!(outside.join().unwrap() > 10);
    std::fs::write(folder.join("stop"), "").unwrap();
    drop(opened);
    assert!(Path::new("/etc/passwd").exists());
    house.end().await;
}

#[tokio::test]
async fn whoever_fills_a_volume_is_ended_and_nobody_starts_to_write_until_there_is_room() {
    let house = House::new().await;
    let owner = somebody();
    let (key, _) = house.volume(owner, 64);
    let (small, _) = house.volume(owner, 64);
    let (version, filler) = house.with_volumes("filler", vec![(key, at("v", "/data", false))]).await;
    let (_, beside) = house.with_volumes("beside", vec![(small, at("w", "/data", false))]).await;
    let (_, reader) = house.with_volumes("looker", vec![(key, at("v", "/data", true))]).await;
    let half = "import os; os.mkdir('/data/d'); open('/data/d/a', 'wb').write(bytes(40 << 20))";
    assert_eq!(house.run(&filler, half).await, "None");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(house.view(&version, &filler).state == stoa_functions::State::Ready, "there is room");
    let fill =
        "import threading; threading.Thread(target=lambda: open('/data/d/b', 'wb').write(bytes(40 << 20))).start()";
    house.run(&filler, fill).await;
    let reason = house.stopped(&version).await;
    let StopReason::VolumeFull { volume, detail } = &reason else { panic!("{reason}") };
    assert!(volume == "v" && detail.ends_with("of 64 MiB"), "{reason}");
    let log = house.log(&filler).await;
    assert!(log.contains("stoa: it is ended, as its volume `v` is full"), "{log}");
    // Those who only read it, or write elsewhere, go on.
    assert_eq!(house.run(&reader, "import os; answer = os.path.getsize('/data/d/a')").await, (40 << 20).to_string());
    assert_eq!(house.run(&beside, "answer = open('/data/x', 'w').write('x')").await, "1");
    let again =
        house.apply_with("again", &[("app.py", APP)], vec![key], |draft| draft.volumes = vec![at("v", "/data", false)]);
    let again = again.await;
    house.scale(&again, 1).await;
    assert!(matches!(house.stopped(&again).await, StopReason::VolumeFull { .. }));
    // Its owner makes room.
    house.opened(key).remove("d").unwrap();
    house.volumes.changed(key.volume);
    house.with_volumes("after", vec![(key, at("v", "/data", false))]).await;
    assert_eq!(house.volumes.measure(key).await.unwrap().bytes, 0);
    house.end().await;
}

#[tokio::test]
async fn a_file_without_a_name_counts_as_well() {
    let house = House::new().await;
    if !house.has_limits() {
        // Without control groups nobody knows which processes are an instance's.
        return;
    }
    let (key, folder) = house.volume(somebody(), 64);
    let (version, instance) = house.with_volumes("nameless", vec![(key, at("v", "/data", false))]).await;
    let hide = "import os, threading\n\
                kept = open('/data/x', 'wb'); os.unlink('/data/x')\n\
                threading.Thread(target=lambda: (kept.write(bytes(80 << 20)), kept.flush(), threading.Event().wait())).start()";
    house.run(&instance, hide).await;
    let StopReason::VolumeFull { detail, .. } = house.stopped(&version).await else { panic!("it went on") };
    assert!(detail.contains("no name any more"), "{detail}");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    house.with_volumes("anew", vec![(key, at("v", "/data", false))]).await;
    house.end().await;
}

#[tokio::test]
async fn what_cannot_be_counted_counts_as_full_and_can_be_removed() {
    let house = House::new().await;
    let (key, _) = house.volume(somebody(), 64);
    let (version, instance) = house.with_volumes("deep", vec![(key, at("v", "/data", false))]).await;
    let deep = "import os, threading\n\
                def dig():\n\
                \x20   os.chdir('/data')\n\
                \x20   for _ in range(2000):\n\
                \x20       os.mkdir('d'); os.chdir('d')\n\
                threading.Thread(target=dig).start()";
    house.run(&instance, deep).await;
    let StopReason::VolumeFull { detail, .. } = house.stopped(&version).await else { panic!("it went on") };
    assert!(detail.contains("deep"), "{detail}");
    house.opened(key).remove("d").unwrap();
    assert_eq!(house.kinds(key), []);
    house.volumes.remove(key).unwrap();
    assert!(matches!(house.volumes.open(key), Err(VolumeError::Missing)));
    house.volumes.remove(key).unwrap();
    house.end().await;
}

#[tokio::test]
async fn a_volume_that_is_not_there_or_not_the_owners_is_refused() {
    let house = House::new().await;
    let (owner, other) = (somebody(), somebody());
    let (key, _) = house.volume(owner, 64);
    let (theirs, _) = house.volume(other, 64);
    let apply = async |keys: Vec<VolumeKey>, mounted: Vec<Volume>| {
        let draft = Draft {
            command: vec!["python3".to_owned()],
            isolation: Isolation::NAMESPACES,
            volumes: mounted,
            ..Draft::default()
        };
        let spec = Arc::new(Spec::try_from(draft).unwrap());
        let id = VersionId::new("refused").unwrap();
        house.engine.apply(Version { id, spec, code: house.folder.path().to_owned(), volumes: keys }).await
    };
    let unsupported =
        |result: Result<(), EngineError>| assert!(matches!(result, Err(EngineError::Unsupported { .. })), "{result:?}");
    unsupported(apply(vec![], vec![at("v", "/data", true)]).await);
    unsupported(apply(vec![key, theirs], vec![at("v", "/data", true), at("w", "/more", true)]).await);
    for read_only in [true, false] {
        let (gone, _) = house.volume(owner, 64);
        house.volumes.remove(gone).unwrap();
        let name = if read_only { "gone-read" } else { "gone-write" };
        let version = house.apply_with(name, &[("app.py", APP)], vec![gone], |draft| {
            draft.volumes = vec![at("v", "/data", read_only)];
        });
        let version = version.await;
        house.scale(&version, 1).await;
        assert_eq!(house.stopped(&version).await, StopReason::VolumeMissing { volume: "v".to_owned() });
    }
    // Another's volume under this owner's name is none.
    let stolen = VolumeKey { owner: UserId::from(owner.as_uuid()), volume: theirs.volume };
    assert!(matches!(house.volumes.open(stolen), Err(VolumeError::Missing)));
    house.end().await;
}

#[tokio::test]
async fn what_comes_from_outside_appears_whole_and_is_the_functions() {
    let house = House::new().await;
    let (key, folder) = house.volume(somebody(), 64);
    let (_, instance) = house.with_volumes("taker", vec![(key, at("v", "/data", false))]).await;
    let opened = house.opened(key);
    let (upload, mut file) = opened.write("in/deep/数据.txt").unwrap();
    file.write_all(b"half").unwrap();
    let there = "import os; answer = sorted(n for n in os.listdir('/data/in/deep') if not n.startswith('.'))";
    assert_eq!(house.run(&instance, there).await, "[]");
    drop((upload, file));
    assert_eq!(std::fs::read_dir(folder.join("in/deep")).unwrap().count(), 0, "what is not finished goes");
    let (upload, mut file) = opened.write("in/deep/数据.txt").unwrap();
    file.write_all("whole".as_bytes()).unwrap();
    upload.finish().unwrap();
    assert_eq!(house.run(&instance, "answer = open('/data/in/deep/数据.txt', 'r+').read()").await, "whole");
    assert_eq!(
        house
            .run(&instance, "import os; os.mkdir('/data/in/more'); answer = os.unlink('/data/in/deep/数据.txt')")
            .await,
        "None"
    );
    // A folder in the place of what is being written.
    let (upload, _file) = opened.write("name").unwrap();
    house.run(&instance, "import os; os.mkdir('/data/name')").await;
    assert!(matches!(upload.finish(), Err(VolumeError::Folder { .. })));
    assert_eq!(house.kinds(key).len(), 2, "in and name");
    // Many names are shown in part.
    for number in 0..1_005 {
        std::fs::write(folder.join("in").join(format!("{number:04}")), "").unwrap();
    }
    let listing = opened.list("in").unwrap();
    assert_eq!((listing.items.len(), listing.more, listing.items[0].name.as_str()), (1_000, true, "deep"));
    symlink("/etc/passwd", folder.join("link")).unwrap();
    let _listener = UnixListener::bind(folder.join("s")).unwrap();
    assert!(matches!(opened.read("s"), Err(VolumeError::NotAFile { .. })));
    house.end().await;
}
