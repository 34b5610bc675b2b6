//! How fast bytes go from one process to another on this machine: by one stream of bare
//! quinn, by TLS over TCP, and by TCP alone. What nodes bring each other in bulk is held
//! against it (`benches/elastic.py`).
//!
//! The receiver is this program once more. Both ends have a runtime of one thread, as a
//! node's links have; quinn's own settings are left as they are, but for the buffers of
//! the socket, which are those of a node. The bytes are records of 1 KiB, written many at
//! a time and thrown away by the receiver. `--json` says it for scripts, `--only NAME,...`
//! measures some.

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Endpoint, EndpointConfig, ServerConfig, TokioRuntime};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustix::time::{ClockId, clock_gettime};
use socket2::{Domain, Socket, Type};
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{self, RootCertStore};
use tokio_rustls::{TlsAcceptor, TlsConnector};

type Failed = Box<dyn Error>;

const RECORD_BYTES: usize = 1 << 10;
const WRITE_BYTES: usize = 256 << 10;
const READ_BYTES: usize = 64 << 10;
const SOCKET_BYTES: usize = 4 << 20;
const NAME: &str = "receiver";
const RECEIVE: &str = "--receive";

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Quic,
    Tls,
    Tcp,
}

impl Way {
    const ALL: [Self; 3] = [Self::Quic, Self::Tls, Self::Tcp];

    fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tls => "tls",
            Self::Tcp => "tcp",
        }
    }

    fn said(self) -> &'static str {
        match self {
            Self::Quic => "a bare QUIC stream",
            Self::Tls => "TLS over TCP",
            Self::Tcp => "TCP",
        }
    }

    fn named(name: &str) -> Result<Self, Failed> {
        let way = Self::ALL.into_iter().find(|way| way.name() == name);
        way.ok_or_else(|| format!("no way {name}; there are quic, tls, tcp").into())
    }
}

/// What moving some bytes took.
struct Figures {
    bytes: u64,
    took: Duration,
    /// Of the processor, of both processes.
    sender: Duration,
    receiver: Duration,
}

impl Figures {
    fn bytes_per_s(&self) -> f64 {
        self.bytes as f64 / self.took.as_secs_f64()
    }

    fn cpu_us_per_gib(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e6 * f64::from(1 << 30) / self.bytes as f64
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "bytes": self.bytes,
            "seconds": self.took.as_secs_f64(),
            "bytes_per_s": self.bytes_per_s(),
            "sender_cpu_us_per_gib": self.cpu_us_per_gib(self.sender),
            "receiver_cpu_us_per_gib": self.cpu_us_per_gib(self.receiver),
        })
    }
}

/// So many bytes are moved, after a tenth of as many that are not counted.
fn all_bytes(args: &[String]) -> u64 {
    // As `cargo test --benches` and `cargo bench -- --test` have it.
    let is_bench =
        args.iter().any(|arg| arg == "--bench") && !args.iter().any(|arg| arg == "--test");
    if is_bench { 1 << 30 } else { 4 << 20 }
}

fn main() -> Result<(), Failed> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1);
    if let Some(way) = after(RECEIVE) {
        return runtime()?.block_on(receive(Way::named(way)?));
    }
    let ways = match after("--only") {
        Some(names) => names.split(',').map(Way::named).collect::<Result<_, _>>()?,
        None => Way::ALL.to_vec(),
    };
    let mut all = serde_json::Map::new();
    let is_json = args.iter().any(|arg| arg == "--json");
    for way in ways {
        let figures = measure(way, all_bytes(&args))?;
        all.insert(way.name().to_owned(), figures.json());
        let (rate, sender) = (figures.bytes_per_s(), figures.cpu_us_per_gib(figures.sender));
        let receiver = figures.cpu_us_per_gib(figures.receiver);
        if !is_json {
            println!(
                "{:18} {:8.0} MB/s; us of CPU a GiB: {:.0}, {sender:.0} of the sender and \
                 {receiver:.0} of the receiver",
                way.said(),
                rate / 1e6,
                sender + receiver,
            );
        }
    }
    if is_json {
        println!("{}", serde_json::Value::from(all));
    }
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn measure(way: Way, bytes: u64) -> Result<Figures, Failed> {
    let receiver = Receiver::start(way)?;
    let trusted = CertificateDer::from(receiver.certificate.clone());
    runtime()?.block_on(async {
        match way {
            Way::Quic => {
                let endpoint = endpoint(None)?;
                let connecting = endpoint.connect_with(quic_client(trusted)?, receiver.at, NAME)?;
                let (send, recv) = connecting.await?.open_bi().await?;
                send_all(tokio::io::join(recv, send), bytes).await
            }
            Way::Tls => {
                let connector = TlsConnector::from(Arc::new(client(trusted)?));
                let stream = TcpStream::connect(receiver.at).await?;
                send_all(connector.connect(ServerName::try_from(NAME)?, stream).await?, bytes).await
            }
            Way::Tcp => send_all(TcpStream::connect(receiver.at).await?, bytes).await,
        }
    })
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Says how many bytes come first and how many then, and sends them. After each part the
/// other end says how long it has had the processor for it.
async fn send_all(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    bytes: u64,
) -> Result<Figures, Failed> {
    let record: Vec<u8> = (0..RECORD_BYTES).map(|byte| byte as u8).collect();
    let chunk = record.repeat(WRITE_BYTES / RECORD_BYTES);
    let mut figures = Err("nothing was sent".into());
    for part in [bytes / 10, bytes] {
        let (mut left, cpu_before, began) = (part, cpu(), Instant::now());
        stream.write_all(&part.to_le_bytes()).await?;
        while left > 0 {
            let now = left.min(chunk.len() as u64);
            stream.write_all(&chunk[..now as usize]).await?;
            left -= now;
        }
        stream.flush().await?;
        let mut receiver = [0; 8];
        stream.read_exact(&mut receiver).await?;
        let (took, sender) = (began.elapsed(), cpu().saturating_sub(cpu_before));
        let receiver = Duration::from_nanos(u64::from_le_bytes(receiver));
        figures = Ok(Figures { bytes: part, took, sender, receiver });
    }
    figures
}

/// Takes all that comes.
async fn take_all(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Failed> {
    let mut room = vec![0; READ_BYTES];
    loop {
        let mut bytes = [0; 8];
        if stream.read_exact(&mut bytes).await.is_err() {
            // The sender is done.
            return Ok(());
        }
        let mut left = u64::from_le_bytes(bytes);
        let before = cpu();
        while left > 0 {
            let most = left.min(READ_BYTES as u64) as usize;
            match stream.read(&mut room[..most]).await? {
                0 => return Err("the sender is gone".into()),
                came => left -= came as u64,
            }
        }
        let took_ns = cpu().saturating_sub(before).as_nanos() as u64;
        stream.write_all(&took_ns.to_le_bytes()).await?;
        stream.flush().await?;
    }
}

/// The other process, which is ended when nothing more is to be sent, and ends by itself when
/// this one does.
struct Receiver {
    process: Child,
    at: SocketAddr,
    certificate: Vec<u8>,
    _lives: Option<ChildStdin>,
}

impl Receiver {
    fn start(way: Way) -> Result<Self, Failed> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([RECEIVE, way.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = String::new();
        let out = process.stdout.take().ok_or("it has no stdout")?;
        BufReader::new(out).read_line(&mut said)?;
        let (at, bytes) = said.trim().split_once(' ').ok_or("the receiver does not start")?;
        let certificate: Vec<u8> = serde_json::from_str(bytes)?;
        let lives = process.stdin.take();
        Ok(Self { process, at: at.parse()?, certificate, _lives: lives })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn receive(way: Way) -> Result<(), Failed> {
    std::thread::spawn(|| {
        // Nothing comes; it ends with whoever started this.
        let _ = std::io::stdin().read_line(&mut String::new());
        std::process::exit(1);
    });
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([NAME.to_owned()])?;
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let certificate = cert.der().clone();
    let server = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())?;
    let ready = |at: SocketAddr| -> Result<(), Failed> {
        let bytes = serde_json::to_string(certificate.as_ref())?;
        Ok(writeln!(std::io::stdout(), "{at} {bytes}")?)
    };
    if way == Way::Quic {
        let server = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server)?));
        let endpoint = endpoint(Some(server))?;
        ready(endpoint.local_addr()?)?;
        let connection = endpoint.accept().await.ok_or("nobody comes")?.await?;
        let (send, recv) = connection.accept_bi().await?;
        return take_all(tokio::io::join(recv, send)).await;
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    ready(listener.local_addr()?)?;
    let (stream, _) = tokio::net::TcpListener::from_std(listener)?.accept().await?;
    match way {
        Way::Tls => take_all(TlsAcceptor::from(Arc::new(server)).accept(stream).await?).await,
        _ => take_all(stream).await,
    }
}

fn endpoint(server: Option<ServerConfig>) -> Result<Endpoint, Failed> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_recv_buffer_size(SOCKET_BYTES)?;
    socket.set_send_buffer_size(SOCKET_BYTES)?;
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>()?.into())?;
    let socket = UdpSocket::from(socket);
    Ok(Endpoint::new(EndpointConfig::default(), server, socket, Arc::new(TokioRuntime))?)
}

fn client(trusted: CertificateDer<'_>) -> Result<rustls::ClientConfig, Failed> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.into_owned())?;
    let client = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()));
    Ok(client
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn quic_client(trusted: CertificateDer<'_>) -> Result<ClientConfig, Failed> {
    Ok(ClientConfig::new(Arc::new(QuicClientConfig::try_from(client(trusted)?)?)))
}
