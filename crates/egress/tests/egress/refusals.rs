//! What must not be reached is not reached, however it is spelled and whatever DNS says.

use std::sync::Arc;

use stoa_egress::{AddressKind, Allowances, Authority, Egress, EgressError, EgressOptions, kind_of};

use crate::support::{FakeDns, Server, egress, get, quick, text};

async fn refusal(egress: &Egress, url: &str) -> (String, AddressKind) {
    match egress.send(get(url), quick()).await {
        Err(EgressError::Refused { authority, kind, .. }) => (authority, kind),
        Err(other) => panic!("{url}: {other}"),
        Ok(answer) => panic!("{url} answered {}", answer.status()),
    }
}

#[tokio::test]
async fn no_spelling_of_this_machine_gets_a_connection() {
    let server = Server::http(|_| text("inside")).await;
    let egress = egress(FakeDns::default(), []);
    let port = server.port();
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "127.127.127.127",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[::ffff:7f00:1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[::ffff:0:7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "%31%32%37.0.0.1",
        "①②⑦.0.0.1",
        "127。0。0。1",
    ] {
        let (_, kind) = refusal(&egress, &format!("http://{host}:{port}/")).await;
        assert!(matches!(kind, AddressKind::Loopback | AddressKind::Unspecified), "{host}: {kind}");
    }
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn no_spelling_of_a_metadata_service_gets_a_connection() {
    let egress = egress(FakeDns::default(), []);
    for host in [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0xa9.0xfe.0xa9.0xfe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "[::ffff:a9fe:a9fe]",
        "[::ffff:169.254.169.254]",
        "[::a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::]",
        "[fe80::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
    ] {
        let (authority, kind) = refusal(&egress, &format!("http://{host}/latest/meta-data/")).await;
        assert!(authority.ends_with(":80"), "{authority}");
        assert!(matches!(kind, AddressKind::LinkLocal | AddressKind::Metadata), "{host}: {kind}");
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_by_its_own_name() {
    let server = Server::http(|_| text("inside")).await;
    let dns = FakeDns::default()
        .with("inside.test", &[&["127.0.0.1"]])
        .with("mapped.test", &[&["::ffff:127.0.0.1"]])
        .with("half.test", &[&["93.184.216.34", "10.0.0.7"]]);
    let egress = egress(dns, []);
    let port = server.port();
    for name in ["inside.test", "mapped.test", "half.test"] {
        let (authority, _) = refusal(&egress, &format!("http://{name}:{port}/")).await;
        assert_eq!(authority, format!("{name}:{port}"));
    }
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn a_refused_address_opens_when_an_administrator_allows_it_and_closes_again() {
    let server = Server::http(|_| text("inside")).await;
    let dns = FakeDns::default().with("inside.test", &[&["127.0.0.1"]]);
    let egress = egress(dns, []);
    let url = format!("http://inside.test:{}/", server.port());
    let (authority, _) = refusal(&egress, &url).await;

    egress.allowances().replace([authority.parse::<Authority>().unwrap()]);
    let answer = egress.send(get(&url), quick()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), "inside");

    // The connection is kept, but the right to use it is gone.
    egress.allowances().replace([]);
    refusal(&egress, &url).await;
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn an_allowance_is_for_one_port_and_one_spelling() {
    let server = Server::http(|_| text("inside")).await;
    let other = Server::http(|_| text("other")).await;
    let dns = FakeDns::default().with("inside.test", &[&["127.0.0.1"]]);
    let egress = egress(dns, [server.authority()]);
    assert!(egress.send(get(&server.url("/")), quick()).await.is_ok());
    refusal(&egress, &other.url("/")).await;
    refusal(&egress, &format!("http://inside.test:{}/", server.port())).await;
    assert_eq!(other.accepted(), 0);
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_checked_at_each_connection() {
    let server = Server::canned("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
    // The first answer would pass a check made beside the connection; the second is where it would then connect.
    let dns = FakeDns::default().with("rebind.test", &[&["127.0.0.2"], &["169.254.169.254"]]);
    let allowed: Authority = format!("rebind.test:{}", server.port()).parse().unwrap();
    let egress = egress(dns, [allowed]);
    let url = format!("http://rebind.test:{}/", server.port());
    // 127.0.0.2 is checked, allowed and dialled: nobody listens there.
    assert!(matches!(egress.send(get(&url), quick()).await, Err(EgressError::Connect { .. })));
    let (authority, kind) = refusal(&egress, &url).await;
    assert_eq!(
        (authority.as_str(), kind),
        (format!("169.254.169.254:{}", server.port()).as_str(), AddressKind::LinkLocal)
    );
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn one_look_up_decides_both_the_check_and_the_connection() {
    let server = Server::http(|_| text("checked")).await;
    // Were the name looked up a second time for the connection, it would lead elsewhere.
    let dns = Arc::new(FakeDns::default().with("rebind.test", &[&["127.0.0.1"], &["127.0.0.9"]]));
    let allowed: Authority = format!("rebind.test:{}", server.port()).parse().unwrap();
    let options = EgressOptions {
        allowances: Arc::new(Allowances::new([allowed])),
        resolver: Arc::<FakeDns>::clone(&dns),
        ..EgressOptions::default()
    };
    let egress = Egress::new(options).unwrap();
    let answer = egress.send(get(&format!("http://rebind.test:{}/", server.port())), quick()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap(), "checked");
    assert_eq!(dns.lookups.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_operators_own_endpoints_are_exempt() {
    let server = Server::http(|_| text("inside")).await;
    let options = EgressOptions { exempt: vec![server.authority()], ..EgressOptions::default() };
    let egress = Egress::new(options).unwrap();
    assert!(egress.send(get(&server.url("/")), quick()).await.is_ok());
}

#[tokio::test]
async fn a_name_without_address_is_told_apart() {
    let egress = egress(FakeDns::default().with("empty.test", &[&[]]), []);
    assert!(matches!(egress.send(get("http://empty.test/"), quick()).await, Err(EgressError::NoAddress { .. })));
    assert!(matches!(egress.send(get("http://missing.test/"), quick()).await, Err(EgressError::Resolve { .. })));
}

#[tokio::test]
async fn the_systems_resolver_knows_this_machine() {
    let egress = Egress::new(EgressOptions::default()).unwrap();
    let (authority, kind) = refusal(&egress, "http://LOCALHOST.:4321/").await;
    assert_eq!((authority.as_str(), kind), ("localhost:4321", AddressKind::Loopback));
    assert!(kind_of("127.0.0.1".parse().unwrap()).is_some());
}
