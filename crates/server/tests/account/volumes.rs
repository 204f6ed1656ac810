//! Volumes over HTTP: made, filled, looked through and emptied by their owner, who is nobody else's administrator.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use http::Method;
use serde_json::{Value, json};
use stoa_storage::on_both_engines;

use crate::support::{Answer, Browser, House, MEMBER, OWNER, VOLUMES_PER_PERSON_MIB};

const ALL: &str = "/api/v1/function-volumes";

async fn put(browser: &mut Browser, path: &str, bytes: Vec<u8>) -> Answer {
    let request = browser.request(Method::PUT, path).body(bytes.into()).unwrap();
    browser.exchange(request).await
}

/// Where it lies.
fn folder(house: &House, volume: &Value) -> PathBuf {
    let owners: Vec<_> = std::fs::read_dir(house.files.path().join("volumes")).unwrap().map(Result::unwrap).collect();
    let id = volume["id"].as_str().unwrap();
    owners.into_iter().map(|owner| owner.path().join(id)).find(|folder| folder.exists()).unwrap()
}

on_both_engines! {
    async fn a_volume_is_filled_looked_through_and_emptied(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let made = owner.post(ALL, json!({"name": "notes", "size_mib": 64})).await.good(201).body;
        let expected = json!({"id": made["id"], "name": "notes", "description": "", "size_mib": 64,
            "created_at": made["created_at"], "functions": [], "used_bytes": 0, "entries": 0, "full": null});
        assert_eq!(made, expected);
        let notes = format!("{ALL}/notes");
        assert_eq!(owner.get(&notes).await.good(200).body, expected);

        put(&mut owner, &format!("{notes}/files?path=a/b/%E6%95%B0.txt"), b"hello".to_vec()).await.good(204);
        put(&mut owner, &format!("{notes}/files?path=top"), vec![7; 1 << 20]).await.good(204);
        let listed = owner.get(&format!("{notes}/files")).await.good(200).body;
        assert_eq!((&listed["items"][0]["kind"], &listed["items"][1]["bytes"], &listed["more"]), (&json!("folder"), &json!(1 << 20), &json!(false)), "{listed}");
        let inner = owner.get(&format!("{notes}/files?path=a/b")).await.good(200).body;
        assert_eq!((&inner["items"][0]["name"], &inner["items"][0]["bytes"]), (&json!("数.txt"), &json!(5)), "{inner}");
        let file = owner.get(&format!("{notes}/content?path=a/b/%E6%95%B0.txt")).await.good(200);
        assert_eq!((file.text.as_str(), file.headers["content-type"].to_str().unwrap()), ("hello", "application/octet-stream"));
        assert_eq!(file.headers["content-disposition"], "attachment; filename*=UTF-8''%E6%95%B0.txt");
        assert!(file.headers["content-security-policy"].to_str().unwrap().contains("sandbox"));
        let page = owner.get(ALL).await.good(200).body;
        assert_eq!(page["items"].as_array().unwrap().len(), 1);

        for path in ["", "?path=", "?path=../x", "?path=/etc/passwd", "?path=a//b", "?path=a/./b", "?path=a%00"] {
            let answer = put(&mut owner, &format!("{notes}/files{path}"), Vec::new()).await;
            assert!(matches!(answer.status.as_u16(), 400 | 422), "{path}: {}", answer.text);
            let answer = owner.get(&format!("{notes}/content{path}")).await;
            assert!(matches!(answer.status.as_u16(), 400 | 422), "{path}: {}", answer.text);
        }
        owner.get(&format!("{notes}/content?path=a")).await.is(422, "not_a_file");
        owner.get(&format!("{notes}/content?path=none")).await.is(404, "no_such_file");
        owner.get(&format!("{notes}/files?path=top")).await.is(404, "no_such_file");
        put(&mut owner, &format!("{notes}/files?path=a"), Vec::new()).await.is(422, "is_a_folder");
        owner.delete(&format!("{notes}/files?path=none")).await.is(404, "no_such_file");
        owner.delete(&format!("{notes}/files?path=a")).await.good(204);
        assert_eq!(owner.get(&format!("{notes}/files")).await.body["items"].as_array().unwrap().len(), 1);

        // What a function may have left there leads nowhere.
        let lies = folder(&house, &made);
        symlink("/etc", lies.join("etc")).unwrap();
        symlink("/etc/passwd", lies.join("passwd")).unwrap();
        for path in ["passwd", "etc/passwd", "etc"] {
            let answer = owner.get(&format!("{notes}/content?path={path}")).await;
            assert!(matches!(answer.code(), "not_a_file" | "no_such_file"), "{path}: {}", answer.text);
        }
        owner.get(&format!("{notes}/files?path=etc")).await.is(404, "no_such_file");
        owner.delete(&format!("{notes}/files?path=etc/hostname")).await.is(404, "no_such_file");
        owner.delete(&format!("{notes}/files?path=etc")).await.good(204);
        assert!(std::path::Path::new("/etc/passwd").exists());

        owner.delete(&notes).await.good(204);
        owner.get(&notes).await.is(404, "not_found");
        for _ in 0..200 {
            if !lies.exists() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(!lies.exists(), "its files go with it");
    }

    async fn a_volume_keeps_to_its_size_and_says_so(test: TestDatabase) {
        let (_house, mut owner) = House::with_owner(test).await;
        owner.post(ALL, json!({"name": "small", "size_mib": 64})).await.good(201);
        let small = format!("{ALL}/small");
        put(&mut owner, &format!("{small}/files?path=one"), vec![1; 40 << 20]).await.good(204);
        put(&mut owner, &format!("{small}/files?path=two"), vec![1; 40 << 20]).await.is(507, "volume_full");
        let names = owner.get(&format!("{small}/files")).await.body;
        assert_eq!(names["items"].as_array().unwrap().len(), 1, "nothing is left of what did not fit: {names}");
        owner.patch(&small, json!({"size_mib": 128, "description": "more room"})).await.good(200);
        put(&mut owner, &format!("{small}/files?path=two"), vec![1; 40 << 20]).await.good(204);
        let shrunk = owner.patch(&small, json!({"size_mib": 64})).await.good(200).body;
        assert!(shrunk["full"].as_str().unwrap().contains("of 64 MiB"), "{shrunk}");
        put(&mut owner, &format!("{small}/files?path=three"), vec![1]).await.is(507, "volume_full");
        owner.delete(&format!("{small}/files?path=two")).await.good(204);
        put(&mut owner, &format!("{small}/files?path=three"), vec![1]).await.good(204);
        for wrong in [json!({"name": "x", "size_mib": 63}), json!({"name": "x", "size_mib": 1_048_577}), json!({"name": "X"})] {
            owner.post(ALL, wrong.clone()).await.is(422, "invalid_fields");
        }
        owner.post(ALL, json!({"name": "small"})).await.is(409, "name_taken");
        owner.patch(&small, json!({"size_mib": 1})).await.is(422, "invalid_fields");
        owner.patch(&small, json!({"name": "other"})).await.is(400, "invalid_request");
    }

    async fn the_volumes_of_a_person_have_a_size_together(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        let most = VOLUMES_PER_PERSON_MIB;
        owner.post(ALL, json!({"name": "large", "size_mib": most - 100})).await.good(201);
        let refused = owner.post(ALL, json!({"name": "small", "size_mib": 101})).await;
        refused.is(409, "volumes_too_large");
        assert_eq!(refused.body["detail"], format!("Your volumes may have {most} MiB together."));
        owner.post(ALL, json!({"name": "small", "size_mib": 64})).await.good(201);
        owner.patch(&format!("{ALL}/small"), json!({"size_mib": 101})).await.is(409, "volumes_too_large");
        owner.patch(&format!("{ALL}/small"), json!({"size_mib": 100, "description": "to the last"})).await.good(200);
        let page = owner.get(ALL).await.good(200).body;
        assert_eq!((&page["assigned_mib"], &page["most_mib"]), (&json!(most), &json!(most)));
        // Everybody has their own.
        let (mut admin, _) = house.join(&mut owner, MEMBER, "admin").await;
        admin.post(ALL, json!({"name": "large", "size_mib": most})).await.good(201);
        owner.delete(&format!("{ALL}/large")).await.good(204);
        owner.post(ALL, json!({"name": "next", "size_mib": most - 100})).await.good(201);
    }

    async fn a_volume_that_functions_mount_stays_and_is_nobody_elses(test: TestDatabase) {
        let (house, mut owner) = House::with_owner(test).await;
        owner.post(ALL, json!({"name": "shared"})).await.good(201);
        let shared = format!("{ALL}/shared");
        put(&mut owner, &format!("{shared}/files?path=secret"), b"mine".to_vec()).await.good(204);
        let function = owner.post("/api/v1/functions", json!({"name": "f", "template": "python-agent"})).await.good(201).body;
        let path = format!("/api/v1/functions/{}", function["id"].as_str().unwrap());
        let with = |function: &Value, volumes: Value| {
            let mut settings = function["settings"].clone();
            settings["volumes"] = volumes;
            json!({"settings": settings, "revision": function["revision"]})
        };
        let mount = |volume: &str, at: &str| json!([{"volume": volume, "path": at, "read_only": false}]);
        for volumes in [mount("none", "/data"), mount("shared", "/etc/x"), mount("shared", "/tmp"), mount("../x", "/data")] {
            let answer = owner.patch(&path, with(&function, volumes.clone())).await;
            assert_eq!(answer.fields(), ["settings.volumes"], "{volumes}: {}", answer.text);
        }
        let function = owner.patch(&path, with(&function, mount("shared", "/data"))).await.good(200).body;
        owner.delete(&shared).await.is(409, "volume_in_use");
        assert_eq!(owner.get(&shared).await.body["functions"], json!(["f"]));
        owner.post(&format!("{path}/versions"), json!({})).await.good(201);
        let function = owner.patch(&path, with(&function, json!([]))).await.good(200).body;
        owner.delete(&shared).await.is(409, "volume_in_use");
        owner.post(&format!("{path}/versions"), json!({})).await.good(201);
        owner.put(&format!("{path}/aliases/live"), json!({"version": 2})).await.good(200);

        // An administrator is somebody else, whatever they know.
        let (mut admin, _) = house.join(&mut owner, MEMBER, "admin").await;
        assert_eq!(admin.get(ALL).await.good(200).body["items"], json!([]));
        for (method, path) in [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/files"), ("GET", "/content?path=secret"), ("DELETE", "/files?path=secret")] {
            let body = (method == "PATCH").then(|| json!({"size_mib": 64}));
            admin.send(method.parse().unwrap(), &format!("{shared}{path}"), body).await.is(404, "not_found");
        }
        put(&mut admin, &format!("{shared}/files?path=secret"), b"theirs".to_vec()).await.is(404, "not_found");
        let theirs = admin.post("/api/v1/functions", json!({"name": "g", "template": "python-agent"})).await.good(201).body;
        let at = format!("/api/v1/functions/{}", theirs["id"].as_str().unwrap());
        let answer = admin.patch(&at, with(&theirs, mount("shared", "/data"))).await;
        assert_eq!(answer.fields(), ["settings.volumes"], "{}", answer.text);
        // A volume of that name is their own.
        admin.post(ALL, json!({"name": "shared"})).await.good(201);
        admin.patch(&at, with(&theirs, mount("shared", "/data"))).await.good(200);
        assert_eq!(admin.get(&format!("{shared}/files")).await.good(200).body["items"], json!([]));
        assert_eq!(owner.get(&format!("{shared}/content?path=secret")).await.good(200).text, "mine");

        owner.delete(&shared).await.good(204);
        owner.put(&format!("{path}/aliases/live"), json!({"version": 1})).await.is(409, "no_such_volume");
        owner.post(&format!("{path}/aliases/live/rollback"), json!({})).await.is(409, "no_such_volume");
        owner.post(ALL, json!({"name": "shared"})).await.good(201);
        owner.post(&format!("{path}/aliases/live/rollback"), json!({})).await.good(200);
        assert_eq!(owner.get(&shared).await.body["functions"], json!(["f"]));
        let _ = function;
        // Who makes no functions makes no volumes.
        let (mut member, _) = house.join(&mut owner, "mary@example.org", "member").await;
        member.post(ALL, json!({"name": "x"})).await.is(403, "forbidden");
        assert_eq!(member.get(ALL).await.good(200).body, json!({"items": [], "may_create": false, "assigned_mib": 0, "most_mib": VOLUMES_PER_PERSON_MIB}));
        for number in 1..20 {
            owner.post(ALL, json!({"name": format!("v{number}")})).await.good(201);
        }
        owner.post(ALL, json!({"name": "one-more"})).await.is(409, "refused");
        assert_eq!(owner.get("/api/v1/me").await.body["email"], OWNER);
    }
}
