//! A client that sends bytes as they are: repeated lines, any case, no UTF-8.

use std::{io, net::SocketAddr};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// An HTTP/1.1 request.
#[derive(Clone)]
pub(crate) struct Request {
    method: String,
    path: Vec<u8>,
    host: Vec<u8>,
    lines: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            path: path.as_bytes().to_vec(),
            host: b"localhost".to_vec(),
            lines: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        self.method = method.to_owned();
        self
    }

    /// With this `Host`.
    pub(crate) fn host(mut self, host: &str) -> Self {
        self.host = host.as_bytes().to_vec();
        self
    }

    /// With these bytes after the path.
    pub(crate) fn path_suffix(mut self, bytes: &[u8]) -> Self {
        self.path.extend_from_slice(bytes);
        self
    }

    /// With one more header line.
    pub(crate) fn line(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.lines.push((name.as_bytes().to_vec(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn lines<'a>(self, lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        lines.into_iter().fold(self, |request, (name, value)| request.line(name, value))
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.line("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} ", self.method).into_bytes();
        bytes.extend_from_slice(&self.path);
        bytes.extend_from_slice(b" HTTP/1.1\r\nhost: ");
        bytes.extend_from_slice(&self.host);
        bytes.extend_from_slice(b"\r\nconnection: close\r\n");
        if !self.body.is_empty() {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        for (name, value) in &self.lines {
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends it and reads the whole answer.
    pub(crate) async fn send(&self, to: SocketAddr) -> io::Result<Reply> {
        let mut stream = TcpStream::connect(to).await?;
        // Envoy may answer and close before it has read all of a large request.
        let _ = stream.write_all(&self.bytes()).await;
        let mut bytes = Vec::new();
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            bytes.extend_from_slice(&buffer[..read]);
            // Envoy closes a second after some refusals.
            if let Some(reply) = Reply::parse(&bytes).filter(Reply::is_whole) {
                return Ok(reply);
            }
        }
        Reply::parse(&bytes)
            .ok_or_else(|| io::Error::other(format!("no answer in {} bytes", bytes.len())))
    }
}

/// What the client got.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers = lines.map(header).collect::<Option<_>>()?;
        Some(Self { status, headers, body: body.to_owned() })
    }

    /// Whether the body is as long as the answer said.
    fn is_whole(&self) -> bool {
        self.header("content-length").parse().is_ok_and(|length: usize| self.body.len() >= length)
    }

    /// The lines of this name, joined by `|`; `""` if there is none.
    pub(crate) fn header(&self, name: &str) -> String {
        let lines = self.headers.iter().filter(|(n, _)| n == name);
        lines.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("|")
    }

    /// Whether it is the upstream's.
    pub(crate) fn is_from_upstream(&self) -> bool {
        self.upstream().is_some()
    }

    /// The lines of this name that the upstream saw, joined by `|`; `""` if there was none.
    #[track_caller]
    pub(crate) fn seen(&self, name: &str) -> String {
        let echo = self.upstream().unwrap_or_else(|| panic!("not from the upstream: {self:?}"));
        let lines = echo["headers"][name].as_array().cloned().unwrap_or_default();
        lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("|")
    }

    /// The path and query that the upstream saw.
    #[track_caller]
    pub(crate) fn path_seen(&self) -> String {
        let echo = self.upstream().unwrap_or_else(|| panic!("not from the upstream: {self:?}"));
        echo["path"].as_str().unwrap().to_owned()
    }

    /// The names of the headers that the upstream saw.
    #[track_caller]
    pub(crate) fn names_seen(&self) -> Vec<String> {
        let echo = self.upstream().unwrap_or_else(|| panic!("not from the upstream: {self:?}"));
        echo["headers"].as_object().unwrap().keys().cloned().collect()
    }

    fn upstream(&self) -> Option<Value> {
        let echo: Value = serde_json::from_str(&self.body).ok()?;
        echo.get("headers").is_some().then_some(echo)
    }
}
