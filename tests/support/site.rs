//! A web server on loopback that answers each request with the bytes that the test says, and
//! remembers what it was asked.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// What is sent back.
pub(crate) enum Reply {
    /// These bytes, then the connection ends.
    Bytes(String),
    /// Nothing, for as long as the client waits.
    Hang,
}

/// The server. Dropping it ends it.
pub(crate) struct Site {
    /// `http://IP:PORT`.
    pub(crate) url: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _server: JoinSet<()>,
}

impl Site {
    /// A server on 127.0.0.1 that answers a request's head as `answer` says.
    pub(crate) async fn answering(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::at(Ipv4Addr::LOCALHOST.into(), answer).await
    }

    /// The same on this address.
    pub(crate) async fn at(
        ip: IpAddr,
        answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let log = asked.clone();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, log.clone(), answer.clone()));
            }
        });
        Self { url: format!("http://{address}"), address, asked, _server: server }
    }

    /// The heads of the requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    log: Arc<Mutex<Vec<String>>>,
    answer: Arc<impl Fn(&str) -> Reply + Send + Sync + 'static>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_gone) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    log.lock().unwrap().push(head.clone());
    match answer(&head) {
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(bytes.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Reply::Hang => {
            // Until the client hangs up.
            let _ = stream.read_u8().await;
        }
    }
}

/// 200 with this body and these further header lines, each with its `\r\n`.
pub(crate) fn ok(body: &str, headers: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{headers}\r\n{body}"))
}

/// A status without a body, with these header lines.
pub(crate) fn status(status: u16, headers: &str) -> Reply {
    Reply::Bytes(format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n{headers}\r\n"))
}
