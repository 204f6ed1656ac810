//! `stoa model` at a terminal: on the store itself, and with a server that runs it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use stoa_model_store::gguf::fixture::good;

use crate::support::{Server, stoa};

fn model(data: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = stoa(&[("STOA_DATA_DIR", data.to_str().unwrap())]);
    command.envs(variables.iter().copied()).arg("model").args(arguments).stdin(Stdio::null());
    command
}

#[track_caller]
fn good_output(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn models_are_made_shown_and_deleted_without_a_server() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let run = |arguments: &[&str]| model(&data, &[], arguments).output().unwrap();
    let modelfile = directory.path().join("Modelfile");
    let path = modelfile.to_str().unwrap();
    std::fs::write(directory.path().join("tiny.gguf"), good().bytes()).unwrap();

    std::fs::write(
        &modelfile,
        "FROM ./tiny.gguf\nPARAMETER temperature 0.5\nPARAMETER stop END\nSYSTEM \"\"\"Be brief.\"\"\"\n",
    )
    .unwrap();
    assert_eq!(good_output(&run(&["create", "brief:1b", "-f", path])), "created brief:1b\n");
    let shown = good_output(&run(&["show", "brief:1b"]));
    for part in ["architecture", "temperature 0.5", "stop \"END\"", "Be brief."] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    std::fs::write(&modelfile, "FROM brief:1b\nSYSTEM Be long.\n").unwrap();
    good_output(&run(&["create", "long:1b", "-f", path]));
    let shown = good_output(&run(&["show", "long:1b"]));
    assert!(shown.contains("Be long.") && shown.contains("temperature 0.5") && !shown.contains("Be brief."), "{shown}");

    good_output(&run(&["delete", "brief:1b"]));
    let list = good_output(&run(&["list"]));
    assert!(list.contains("long:1b") && !list.contains("brief:1b"), "{list}");
    good_output(&run(&["rm", "long:1b"]));
    assert!(good_output(&run(&["list"])).contains("stoa model pull NAME"));
    assert!(refused(&run(&["show", "long:1b"])).contains("there is no model `long:1b`"));

    for (text, reason) in [
        ("FROM nothing\n", "there is neither a file"),
        ("SYSTEM x\n", "`FROM` is missing"),
        ("FROM a\nFROM b\n", "several `FROM`"),
        ("FROM a\nPARAMETER temperature hot\n", "a `PARAMETER` cannot be used"),
        ("FROM a\nADAPTER ./b\nADAPTER ./c\n", "one `ADAPTER`"),
        ("FROM tiny.gguf\nADAPTER ./none.gguf\n", "none.gguf cannot be imported"),
    ] {
        std::fs::write(&modelfile, text).unwrap();
        let said = refused(&run(&["create", "bad:1b", "-f", path]));
        assert!(said.contains(reason), "{text}: {said}");
    }
    assert!(good_output(&run(&["list"])).contains("no models yet"), "nothing was made");
}

#[test]
fn without_a_server_it_is_said_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [&["ps"][..], &["stop", "tiny"], &["run", "tiny", "Hello"]] {
        let said =
            refused(&model(directory.path(), &[("STOA_OLLAMA_LISTEN", "127.0.0.1:9")], arguments).output().unwrap());
        assert!(said.contains("no server answers at 127.0.0.1:9; start one with `stoa serve`"), "{said}");
        let said = refused(&model(directory.path(), &[("STOA_OLLAMA_LISTEN", "off")], arguments).output().unwrap());
        assert!(said.contains("set STOA_OLLAMA_LISTEN to an address"), "{said}");
    }
    let said = refused(&model(directory.path(), &[], &["run", "tiny"]).output().unwrap());
    assert!(said.contains("there is no prompt"), "{said}");
}

#[test]
fn real_model_is_run_listed_and_stopped() {
    let file = std::env::var("STOA_TEST_MODEL").expect("STOA_TEST_MODEL names a model; `./x test` fetches one");
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let variables = [("STOA_DATA_DIR", data.to_str().unwrap()), ("STOA_OLLAMA_LISTEN", free.as_str())];
    good_output(&model(data, &[], &["import", &file, "--name", "smollm2:135m"]).output().unwrap());
    // By itself a small model may go on to the end of its context.
    std::fs::write(data.join("Modelfile"), "FROM smollm2:135m\nPARAMETER num_predict 24\n").unwrap();
    let file = data.join("Modelfile");
    good_output(&model(data, &[], &["create", "brief:1", "-f", file.to_str().unwrap()]).output().unwrap());
    let _server = Server::start(&variables);
    let run = |arguments: &[&str]| model(data, &variables, arguments).output().unwrap();

    assert_eq!(good_output(&run(&["ps"])), "No model is loaded.\n");
    assert!(good_output(&run(&["run", "brief:1", "Say hello."])).trim().len() > 1);
    let loaded = good_output(&run(&["ps"]));
    assert!(loaded.contains("brief:1") || loaded.contains("smollm2:135m"), "{loaded}");

    let mut piped = model(data, &variables, &["run", "brief:1"]);
    let mut child = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"Say hello.").unwrap();
    assert!(good_output(&child.wait_with_output().unwrap()).trim().len() > 1);

    good_output(&run(&["stop", "brief:1"]));
    let gone = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        good_output(&run(&["ps"])) == "No model is loaded.\n"
    });
    assert!(gone, "it is still loaded");
    let said = refused(&run(&["run", "none:1b", "Hello"]));
    assert!(said.contains("model 'none:1b' not found"), "{said}");
}
