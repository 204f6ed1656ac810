//! The ways out: what is on the list is reached, and nothing else.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stoa_egress::{Allowances, Authority, Egress, EgressOptions, Resolve, Resolving};
use stoa_functions::spec::{Binding, Network};
use stoa_functions::{Draft, Engine as _, InstanceId};
use stoa_functions_local::{Options, Outward};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::support::{House, in_time, python};

/// A listener of the host, outside all sandboxes.
pub(crate) struct Outside {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    connections: TaskTracker,
}

impl Outside {
    pub(crate) async fn serving<F: Future<Output = ()> + Send + 'static>(
        serve: impl Fn(TcpStream) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (accepted, connections) = (Arc::new(AtomicUsize::new(0)), TaskTracker::new());
        let outside = Self { address: listener.local_addr().unwrap(), accepted: Arc::clone(&accepted), connections };
        let connections = outside.connections.clone();
        outside.connections.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(stream));
            }
        });
        outside
    }

    /// Answers one request with its own head and body.
    pub(crate) async fn mirror() -> Self {
        Self::serving(|mut stream| async move {
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            loop {
                let read = stream.read(&mut piece).await.unwrap_or(0);
                request.extend_from_slice(&piece[..read]);
                let text = String::from_utf8_lossy(&request);
                let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    !head.to_ascii_lowercase().contains("chunked") || body.ends_with("0\r\n\r\n")
                });
                if read == 0 || whole {
                    break;
                }
            }
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", request.len());
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&request).await;
        })
        .await
    }

    async fn echo() -> Self {
        Self::serving(|mut stream| async move {
            let (mut from, mut to) = stream.split();
            let _ = tokio::io::copy(&mut from, &mut to).await;
        })
        .await
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Those that are still open.
    fn open(&self) -> usize {
        self.connections.len() - 1
    }
}

#[derive(Clone, Default)]
pub(crate) struct Names(HashMap<String, IpAddr>);

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        let found = self.0.get(host).map(|address| vec![*address]);
        Box::pin(async move { found.ok_or_else(|| std::io::ErrorKind::NotFound.into()) })
    }
}

/// The way out with these names, where the administrator allowed these places.
pub(crate) fn egress(names: &[(&str, &str)], allowed: &[&str]) -> impl FnOnce(&mut Options) + use<> {
    let names = names.iter().map(|(name, address)| ((*name).to_owned(), address.parse().unwrap())).collect();
    let allowed = allowed.iter().map(|allowed| allowed.parse::<Authority>().unwrap());
    let egress = Egress::new(EgressOptions {
        allowances: Arc::new(Allowances::new(allowed)),
        resolver: Arc::new(Names(names)),
        ..EgressOptions::default()
    });
    let egress = egress.unwrap();
    move |options| options.way_out = Some(Arc::new(egress))
}

fn proxy(allowed: &[&str]) -> impl FnOnce(&mut Draft) + use<> {
    let allowed = allowed.iter().map(|host| (*host).to_owned()).collect();
    move |draft| draft.network = Network::Proxy { allowed }
}

pub(crate) fn binding(name: &str, host: &str, port: u16, local_port: u16) -> Binding {
    Binding { name: name.to_owned(), host: host.to_owned(), port, local_port }
}

/// What the proxy says to these bytes.
async fn raw(house: &House, instance: &InstanceId, request: &str) -> String {
    let request = serde_json::to_string(request).unwrap();
    let code = format!(
        "
import os, socket
from urllib.parse import urlsplit
proxy = urlsplit(os.environ['http_proxy'])
connection = socket.create_connection((proxy.hostname, proxy.port), 10)
connection.sendall({request}.encode('latin-1'))
answer = b''
def is_whole():
    head, blank, body = answer.partition(b'\\r\\n\\r\\n')
    lengths = [int(line.split(b':')[1]) for line in head.lower().split(b'\\r\\n') if line.startswith(b'content-length:')]
    return bool(blank and lengths) and len(body) >= lengths[0]
try:
    while not is_whole() and (piece := connection.recv(65536)):
        answer += piece
except ConnectionResetError:
    pass
answer = answer.decode()
"
    );
    house.run(instance, &code).await
}

#[tokio::test]
async fn a_function_fetches_what_is_on_its_list_plainly_and_through_a_tunnel() {
    let web = Outside::mirror().await;
    let port = web.port();
    let place = format!("web.test:{port}");
    let house = House::with(egress(&[("web.test", "127.0.0.1")], &[&place])).await;
    let (_, instance) = house.start_app("fetches", proxy(&[&place])).await;
    let plain = format!(
        "
import urllib.request
request = urllib.request.Request('http://{place}/a/b?c=d', headers={{'X-Own': 'kept', 'Proxy-Authorization': 'none'}})
answer = urllib.request.urlopen(request, timeout=10).read().decode()
"
    );
    let got = house.run(&instance, &plain).await.to_ascii_lowercase();
    assert!(got.starts_with("get /a/b?c=d http/1.1\r\n"), "{got}");
    assert!(got.contains(&format!("\r\nhost: {place}\r\n")) && got.contains("\r\nx-own: kept\r\n"), "{got}");
    assert!(!got.contains("proxy-") && !got.contains("\r\nconnection:"), "{got}");

    let posted = format!(
        "
import http.client, os
proxy = os.environ['HTTP_PROXY'].removeprefix('http://')
connection = http.client.HTTPConnection(proxy, timeout=10)
connection.request('POST', 'http://{place}/post', body=iter([b'one', b'two']), encode_chunked=True, headers={{'Transfer-Encoding': 'chunked', 'Host': 'evil.test'}})
answer = connection.getresponse().read().decode()
"
    );
    let got = house.run(&instance, &posted).await;
    assert!(got.contains("one") && got.contains("two") && got.starts_with("POST /post "), "{got}");
    assert!(!got.contains("evil.test"), "{got}");

    let tunnelled = format!(
        "
import http.client, os
proxy = os.environ['https_proxy'].removeprefix('http://')
connection = http.client.HTTPConnection(proxy, timeout=10)
connection.set_tunnel('web.test', {port})
connection.request('GET', '/within')
answer = connection.getresponse().read().decode()
"
    );
    let got = house.run(&instance, &tunnelled).await;
    assert!(got.starts_with("GET /within HTTP/1.1\r\n"), "{got}");
    assert_eq!(web.accepted(), 3);
    assert_eq!(house.log(&instance).await, "");
    house.end().await;
}

#[tokio::test]
async fn what_is_not_on_the_list_or_not_public_is_refused_and_the_log_says_so() {
    let web = Outside::mirror().await;
    let port = web.port();
    let names = [("web.test", "127.0.0.1"), ("inside.test", "10.0.0.1"), ("meta.test", "169.254.169.254")];
    // The administrator allowed a name of this machine, which the list of the function does not have.
    let house = House::with(egress(&names, &[&format!("unlisted.test:{port}")])).await;
    let all = format!("*.test:{port}");
    let addresses = ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1"];
    let mut allowed: Vec<String> = addresses.iter().map(|address| format!("{address}:{port}")).collect();
    allowed.extend([all, "localhost".to_owned(), "listed.example".to_owned()]);
    let allowed: Vec<_> = allowed.iter().map(String::as_str).collect();
    let (_, instance) = house.start_app("refused", proxy(&allowed)).await;
    let places = [
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "10.0.0.1",
        "web.test",
        "WEB.test.",
        "inside.test",
        "meta.test",
    ];
    let mut lines = 0;
    for host in places {
        for request in [
            format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"),
            format!("GET http://{host}:{port}/ HTTP/1.1\r\nHost: public.example\r\nConnection: close\r\n\r\n"),
        ] {
            let got = raw(&house, &instance, &request).await;
            assert!(got.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{request}: {got}");
            assert!(got.contains("which is not allowed") || got.contains("not among the hosts"), "{request}: {got}");
            lines += 1;
            if lines % 6 == 0 {
                // No more than is written into the log in a second.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    for unlisted in
        ["unlisted.example:443".to_owned(), "listed.example:22".to_owned(), format!("listed.example:{port}")]
    {
        let got = raw(&house, &instance, &format!("CONNECT {unlisted} HTTP/1.1\r\nHost: {unlisted}\r\n\r\n")).await;
        assert!(got.starts_with("HTTP/1.1 403 ") && got.contains("not among the hosts"), "{unlisted}: {got}");
    }
    // On the list, and nowhere to be found.
    let got = raw(&house, &instance, "CONNECT listed.example:443 HTTP/1.1\r\nHost: listed.example:443\r\n\r\n").await;
    assert!(got.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{got}");
    assert_eq!(web.accepted(), 0);
    let log = house.log(&instance).await;
    for line in [
        format!("stoa: connection to 10.0.0.1:{port} refused: 10.0.0.1:{port} leads to the private address 10.0.0.1"),
        format!("stoa: connection to inside.test:{port} refused: inside.test:{port} leads to the private address"),
        format!("stoa: connection to meta.test:{port} refused: meta.test:{port} leads to the link-local address"),
        format!("stoa: connection to 127.0.0.1:{port} refused"),
        "stoa: connection to unlisted.example:443 refused: it is not among the hosts that the function may reach"
            .into(),
        "stoa: connection to listed.example:443 refused: the name listed.example cannot be resolved".to_owned(),
    ] {
        assert!(log.contains(&line), "{line} in {log}");
    }
    house.end().await;
}

#[tokio::test]
async fn beside_the_proxy_there_is_no_way() {
    let web = Outside::mirror().await;
    let place = format!("web.test:{}", web.port());
    let house = House::with(egress(&[("web.test", "127.0.0.1")], &[&place])).await;
    let (_, neighbour) = house.start_app("neighbour", proxy(&[&place])).await;
    let (_, instance) = house
        .start_app("direct", |draft| {
            proxy(&["*", "*:9000", &place])(draft);
            draft.port = 9_001;
        })
        .await;
    let connect = |to: &str| format!("import socket\nsocket.create_connection({to}, 3).close()\nanswer = 'connected'");
    for to in [
        format!("('127.0.0.1', {})", web.port()),
        "('127.0.0.1', 9000)".to_owned(),
        "('169.254.169.254', 80)".to_owned(),
        "('10.0.0.1', 80)".to_owned(),
        "('1.1.1.1', 53)".to_owned(),
        "('2606:4700:4700::1111', 53)".to_owned(),
    ] {
        let got = house.run(&instance, &connect(&to)).await;
        assert!(got.contains("refused") || got.contains("unreachable") || got.contains("assign"), "{to}: {got}");
    }
    let got = house.run(&instance, "import socket\nsocket.getaddrinfo('web.test', 80)").await;
    assert!(got.starts_with("gaierror"), "{got}");
    let got = raw(&house, &instance, "CONNECT 127.0.0.1:9000 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(got.starts_with("HTTP/1.1 403 "), "another function is no place to go: {got}");
    assert_eq!(house.get(&neighbour, "/").await, "hello from /");
    assert_eq!(web.accepted(), 0);
    house.end().await;
}

#[tokio::test]
async fn what_is_no_request_to_a_proxy_is_answered_so() {
    let house = House::with(egress(&[], &[])).await;
    let (_, instance) = house.start_app("malformed", proxy(&["*"])).await;
    let long = format!("GET http://a.test/ HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(128 * 1024));
    let many = format!("GET http://a.test/ HTTP/1.1\r\n{}\r\n", "X: 1\r\n".repeat(200));
    for request in [
        "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT a.test HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT a.test: HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT a.test:99999 HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT user@a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "CONNECT http://a.test:443/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET https://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http://user:secret@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET http:///nowhere HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "POST http://a.test/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET http://a.test/ HTTP/1.1\r\nX\x01Y: 1\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        "nonsense\r\n\r\n",
        &long,
        &many,
    ] {
        let got = raw(&house, &instance, request).await;
        let start: String = request.chars().take(60).collect();
        assert!(got.starts_with("HTTP/1.1 400 ") || got.starts_with("HTTP/1.1 431 "), "{start:?}: {got:?}");
    }
    assert_eq!(house.get(&instance, "/").await, "hello from /", "and it goes on");
    house.end().await;
}

#[tokio::test]
async fn a_binding_carries_bytes_to_its_place_and_to_no_other() {
    let database = Outside::echo().await;
    let place = format!("db.test:{}", database.port());
    let names = [("db.test", "127.0.0.1"), ("private.test", "10.0.0.1")];
    let house = House::with(egress(&names, &[&place])).await;
    let (_, instance) = house
        .start_app("bound", |draft| {
            draft.bindings = vec![
                binding("orders-db", "db.test", database.port(), 15_432),
                binding("private", "private.test", 5432, 15_433),
            ];
        })
        .await;
    let talk = "
import os, socket, threading
sent = os.urandom(4 << 20)
connection = socket.create_connection((os.environ['ORDERS_DB_HOST'], int(os.environ['ORDERS_DB_PORT'])), 10)
def send():
    connection.sendall(sent)
    connection.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
got = b''
while piece := connection.recv(1 << 20): got += piece
answer = (len(got), got == sent)
";
    assert_eq!(house.run(&instance, talk).await, "(4194304, True)");
    let private = "
import socket
connection = socket.create_connection(('127.0.0.1', 15433), 10)
try:
    answer = connection.recv(1)
except ConnectionResetError:
    answer = b''
";
    assert_eq!(house.run(&instance, private).await, "b''");
    let log = house.log(&instance).await;
    let expected = "stoa: no connection of the binding private to private.test:5432: private.test:5432 leads to the private address 10.0.0.1, which is not allowed; an administrator of this server may allow it";
    assert!(log.contains(expected), "{log}");
    let proxies = "import os; answer = [name for name in os.environ if 'proxy' in name.lower()]";
    assert_eq!(house.run(&instance, proxies).await, "[]", "there is none where none was asked for");
    assert_eq!(database.accepted(), 1);
    house.end().await;
    in_time("the end of its connections", async {
        while database.open() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_flood_of_connections_is_cut_and_what_stands_still_is_closed() {
    let echo = Outside::echo().await;
    let place = echo.address.to_string();
    let out = egress(&[], &[&place]);
    let house = House::with(|options| {
        out(options);
        options.outward = Outward { connections: 8, idle: Duration::from_secs(8), ..Outward::default() };
    })
    .await;
    let (version, instance) = house
        .start_app("floods", |draft| draft.bindings = vec![binding("echo", "127.0.0.1", echo.port(), 7_007)])
        .await;
    let flood = "
import builtins, socket
builtins.held = []
served = 0
for number in range(200):
    try:
        connection = socket.create_connection(('127.0.0.1', 7007), 10)
        connection.sendall(b'x')
        served += connection.recv(1) == b'x'
    except (ConnectionResetError, BrokenPipeError):
        pass
    builtins.held.append(connection)
answer = served
";
    assert_eq!(house.run(&instance, flood).await, "8");
    assert_eq!((echo.accepted(), echo.open()), (8, 8));
    assert!(house.log(&instance).await.contains("stoa: a connection was closed: 8 are open"));
    // What is held goes on after it stood still itself.
    house.engine.freeze(&instance).await.unwrap();
    house.engine.thaw(&instance).await.unwrap();
    let again = "
import builtins
builtins.held[0].sendall(b'again')
answer = builtins.held[0].recv(5)
";
    assert_eq!(house.run(&instance, again).await, "b'again'");
    in_time("idle connections", async {
        while echo.open() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let fresh = "
import socket
connection = socket.create_connection(('127.0.0.1', 7007), 10)
connection.sendall(b'new')
answer = connection.recv(3)
";
    assert_eq!(house.run(&instance, fresh).await, "b'new'");
    house.engine.delete(&version).await.unwrap();
    in_time("the end of what it had open", async {
        while echo.open() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    house.end().await;
}

#[tokio::test]
async fn a_claimed_interpreter_has_its_ways_and_another_has_none() {
    let web = Outside::mirror().await;
    let place = format!("web.test:{}", web.port());
    let out = egress(&[("web.test", "127.0.0.1")], &[&place]);
    let house = House::with(|options| {
        out(options);
        options.waiting = 1;
    })
    .await;
    in_time("the pool", async {
        while house.engine.waiting() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let (version, instance) = house.start_app("claimed", proxy(&[&place])).await;
    assert!(house.view(&version, &instance).cold_start.from_pool);
    let fetch = format!("import urllib.request\nanswer = urllib.request.urlopen('http://{place}/', timeout=10).status");
    assert_eq!(house.run(&instance, &fetch).await, "200");
    let (_, closed) = house.start_app("closed", python).await;
    let got = house.run(&closed, "import socket\nsocket.create_connection(('127.0.0.1', 3128), 3)").await;
    assert!(got.starts_with("ConnectionRefusedError"), "{got}");
    house.end().await;
}
