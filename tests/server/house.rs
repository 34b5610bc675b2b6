//! A node's client side with the protocol of `echo.rs`, and clients of it.

use crate::PATIENCE;
use crate::echo::{Echo, Gate, Value};
use ringcached::net::{
    Clients, ClientsConfig, ConnectionFigures, Listener, Lobby, Member, Patience, Stop, Surplus,
    Tls,
};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

/// A running server; stops when it is dropped.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) lobby: Lobby,
    gate: Arc<Gate>,
    clients: Option<Clients>,
}

pub(crate) fn config() -> ClientsConfig {
    ClientsConfig {
        workers: 2,
        connections_max: 1000,
        surplus: Surplus::Refuse,
        buffers_bytes: 64 << 20,
        patience: Patience::default(),
        grace: PATIENCE,
    }
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(&config())
    }

    pub(crate) fn with(config: &ClientsConfig) -> Self {
        Self::open(config, None, Vec::new())
    }

    pub(crate) fn open(
        config: &ClientsConfig,
        tls: Option<Arc<Tls>>,
        mut listeners: Vec<Listener>,
    ) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Listener::tcp(address, 128, tls).unwrap();
        let address = listener.address().unwrap();
        listeners.push(listener);
        let lobby = Lobby::new(config.workers);
        let (value, gate) = (Value::new(), Arc::<Gate>::default());
        let passed = Arc::clone(&gate);
        let answerers = move |_| {
            let (value, gate) = (Arc::clone(&value), Arc::clone(&passed));
            move |_: &Arc<Member>| Echo::new(&value, &gate)
        };
        let clients = Clients::start(config, &lobby, listeners, answerers).unwrap();
        Self { address, lobby, gate, clients: Some(clients) }
    }

    pub(crate) fn connect(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client::new(stream)
    }

    pub(crate) fn figures(&self) -> ConnectionFigures {
        self.lobby.census.figures()
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Waits until the server has stopped by itself.
    pub(crate) fn wait(mut self) {
        self.clients.take().unwrap().wait().unwrap();
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.lobby.stopper.stop(Stop::Now);
        if let Some(clients) = self.clients.take() {
            clients.wait().unwrap();
        }
    }
}

/// A client of it.
#[derive(Debug)]
pub(crate) struct Client<S: Read>(pub(crate) BufReader<S>);

impl<S: Read + Write> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
        self.0.get_mut().flush().unwrap();
    }

    /// The next bytes, as many as the text has, are the text.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: impl AsRef<[u8]>) {
        let mut bytes = vec![0; text.as_ref().len()];
        self.0.read_exact(&mut bytes).unwrap();
        if bytes != text.as_ref() {
            assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(text.as_ref()));
        }
    }

    /// The number in the next line.
    pub(crate) fn number(&mut self) -> u64 {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().parse().unwrap()
    }

    /// Sends, and reads what is to come back.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: &str, reply: &str) {
        self.send(request);
        self.expect(reply);
    }

    /// The connection ends here, with nothing before.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end too: what was sent last had no reader any more.
        if let Err(error) = self.0.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}
