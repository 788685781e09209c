//! An authority that says when it would have certificates renewed: Pebble, behind a proxy that adds what it does not know
//! of RFC 9773.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use deis_test_pebble::Pebble;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

/// The authority, as long as the test runs.
pub(crate) struct Suggesting {
    /// Its directory.
    pub(crate) url: String,
    /// What vouches for it, in PEM.
    pub(crate) root: String,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    /// The certificates that it was asked of.
    asked: Vec<String>,
    /// Those that orders said to replace.
    replaced: Vec<String>,
}

/// What serves one connection.
#[derive(Clone)]
struct Proxy {
    acceptor: TlsAcceptor,
    client: reqwest::Client,
    /// Pebble.
    origin: String,
    address: SocketAddr,
    /// What it suggests.
    window: [OffsetDateTime; 2],
    log: Arc<Mutex<Log>>,
}

impl Suggesting {
    /// One before `authority` that would have all certificates renewed within `window`.
    pub(crate) async fn start(authority: &Pebble, window: [OffsetDateTime; 2]) -> Self {
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let root = reqwest::Certificate::from_pem(authority.root().as_bytes()).unwrap();
        let client = reqwest::Client::builder().http1_only().tls_certs_merge([root]).build().unwrap();
        let url = authority.url();
        let (origin, path) = url.rsplit_once('/').unwrap();
        let log = Arc::<Mutex<Log>>::default();
        let proxy = Proxy {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            client,
            origin: origin.to_owned(),
            address,
            window,
            log: Arc::clone(&log),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(proxy.clone().serve(stream));
            }
        });
        Self { url: format!("https://{address}/{path}"), root: certified.cert.pem(), log }
    }

    /// The certificates that it was asked of.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.log.lock().unwrap().asked.clone()
    }

    /// Those that orders said to replace.
    pub(crate) fn replaced(&self) -> Vec<String> {
        self.log.lock().unwrap().replaced.clone()
    }
}

impl Proxy {
    async fn serve(self, stream: TcpStream) {
        let Ok(mut stream) = self.acceptor.accept(stream).await else { return };
        let Some((method, path, kind, body)) = read(&mut stream).await else { return };
        let answer = match path.strip_prefix("/renewal/") {
            Some(id) => self.suggest(id),
            None => self.pass_on(&method, &path, &kind, body).await,
        };
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
    }

    fn suggest(&self, id: &str) -> Vec<u8> {
        self.log.lock().unwrap().asked.push(id.to_owned());
        let [start, end] = self.window.map(|moment| moment.format(&Rfc3339).unwrap());
        let body = json!({ "suggestedWindow": { "start": start, "end": end } }).to_string();
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRetry-After: 21600\r\nConnection: close";
        format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    async fn pass_on(&self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Vec<u8> {
        let replaced = replaced(&body);
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let call = self.client.request(method, format!("{}{path}", self.origin)).body(body);
        let call = call.header("Host", self.address.to_string()).header("Content-Type", kind);
        let answer = call.send().await.unwrap();
        let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\n", answer.status());
        for name in ["content-type", "location", "replay-nonce", "retry-after", "link"] {
            for value in answer.headers().get_all(name) {
                head += &format!("{name}: {}\r\n", value.to_str().unwrap());
            }
        }
        let body = self.amend(path, replaced, answer.bytes().await.unwrap().to_vec());
        [format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat()
    }

    /// Adds what Pebble does not know.
    fn amend(&self, path: &str, replaced: Option<String>, body: Vec<u8>) -> Vec<u8> {
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(&body) else { return body };
        if path == "/dir" {
            fields.insert("renewalInfo".to_owned(), format!("https://{}/renewal", self.address).into());
        }
        if let Some(replaced) = replaced.filter(|_| fields.contains_key("identifiers")) {
            self.log.lock().unwrap().replaced.push(replaced.clone());
            fields.insert("replaces".to_owned(), replaced.into());
        }
        Value::Object(fields).to_string().into_bytes()
    }
}

/// A request: its method, its target, the type of its body, and that.
async fn read(stream: &mut TlsStream<TcpStream>) -> Option<(String, String, String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let field = |name: &str| {
        let fields = head.lines().filter_map(|line| line.split_once(": "));
        let mut found = fields.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.to_owned())
    };
    let mut words = head.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut body = vec![0; field("content-length").map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some((method, path, field("content-type").unwrap_or_default(), body))
}

/// The certificate that an order says to replace.
fn replaced(body: &[u8]) -> Option<String> {
    let call: Value = serde_json::from_slice(body).ok()?;
    let payload = URL_SAFE_NO_PAD.decode(call["payload"].as_str()?).ok()?;
    let order: Value = serde_json::from_slice(&payload).ok()?;
    Some(order["replaces"].as_str()?.to_owned())
}
