//! A raw HTTP/1.1 client: sends exactly the bytes a test wants and shows exactly what came back.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, bail};

/// Longest time a read or write may take.
const IO_TIMEOUT: Duration = Duration::from_secs(20);

/// A response as it came over the wire.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, transfer coding removed.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// Fails if it is none.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }
}

/// One client connection.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Fails if nobody listens.
    pub fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, IO_TIMEOUT)
            .with_context(|| format!("connect to {address}"))?;
        stream.set_read_timeout(Some(IO_TIMEOUT))?;
        stream.set_write_timeout(Some(IO_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            reader: BufReader::new(stream),
        })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// Fails if the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.reader.get_mut().write_all(bytes)?)
    }

    /// Reads one response to a request with this method.
    ///
    /// # Errors
    /// Fails if the connection ends early or speaks no HTTP/1.1.
    pub fn receive(&mut self, method: &str) -> anyhow::Result<Response> {
        let (status, headers) = self.head()?;
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        if method == "HEAD" || status == 204 || status == 304 || status / 100 == 1 {
            return Ok(response);
        }
        response.body = if response.header("transfer-encoding") == Some("chunked") {
            self.chunks()?
        } else if let Some(length) = response.header("content-length") {
            let mut body = vec![0; length.parse()?];
            self.reader.read_exact(&mut body)?;
            body
        } else {
            let mut body = Vec::new();
            self.reader.read_to_end(&mut body)?;
            body
        };
        Ok(response)
    }

    /// Reads a response head only.
    ///
    /// # Errors
    /// As [`Connection::receive`].
    pub fn head(&mut self) -> anyhow::Result<(u16, Vec<(String, String)>)> {
        let line = self.line()?;
        let status = line
            .strip_prefix("HTTP/1.")
            .and_then(|rest| rest.get(2..5)?.parse().ok())
            .with_context(|| format!("no status line: {line:?}"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let (name, value) = line.split_once(':').context("a header has a colon")?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads exactly `count` bytes.
    ///
    /// # Errors
    /// Fails if the connection ends before.
    pub fn bytes(&mut self, count: usize) -> anyhow::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads one line without its end.
    ///
    /// # Errors
    /// Fails if the connection ends before.
    pub fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            bail!("the connection ended");
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// True once the other side has closed without sending more.
    ///
    /// # Errors
    /// Fails if reading fails otherwise.
    pub fn is_closed(&mut self) -> anyhow::Result<bool> {
        Ok(self.reader.fill_buf()?.is_empty())
    }

    fn chunks(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or(""), 16)
                .with_context(|| format!("no chunk size: {line:?}"))?;
            body.extend(self.bytes(size)?);
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            self.line()?;
        }
    }
}

/// Sends one request on a connection of its own.
///
/// # Errors
/// Fails if the exchange does not complete.
pub fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> anyhow::Result<Response> {
    let mut head = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"))
    {
        head.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut connection = Connection::open(address)?;
    connection.send(head.as_bytes())?;
    connection.send(body)?;
    connection.receive(method)
}

/// Sends a plain GET.
///
/// # Errors
/// As [`request`].
pub fn get(address: SocketAddr, target: &str) -> anyhow::Result<Response> {
    request(address, "GET", target, &[], b"")
}

/// Sends a GET with headers.
///
/// # Errors
/// As [`request`].
pub fn get_with(
    address: SocketAddr,
    target: &str,
    headers: &[(&str, &str)],
) -> anyhow::Result<Response> {
    request(address, "GET", target, headers, b"")
}
