//! What one client may cost: sizes, counts and times, each with a default.

use std::time::Duration;

/// Limits of the downstream side, the same for every connection of a server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest message head in bytes, request line included; beyond it 431.
    pub head_bytes_max: usize,
    /// Most field lines in a head or a trailer section; beyond it 431.
    pub fields_max: usize,
    /// Longest request target in bytes; beyond it 414.
    pub target_bytes_max: usize,
    /// Largest request body in bytes; beyond it 413. `None` leaves it to the API.
    pub request_body_bytes_max: Option<u64>,
    /// Time from the first byte of a head to its end; beyond it 408.
    pub head_timeout: Duration,
    /// Longest silence between two requests of a connection; then it is closed.
    pub idle_timeout: Duration,
    /// Longest silence while a request body is awaited; beyond it 408.
    pub body_timeout: Duration,
    /// Longest time a client may refuse to take response bytes; then it is cut off.
    pub write_timeout: Duration,
    /// Longest silence of an upgraded connection, both ways; then it is closed.
    pub upgrade_idle_timeout: Duration,
    /// Time for a TLS handshake.
    pub handshake_timeout: Duration,
    /// Most open connections of one worker; more are closed at once.
    pub connections_max: usize,
    /// Most unread request body bytes read and dropped to keep a connection usable.
    pub discard_bytes_max: u64,
    /// Time that requests in flight get when the server drains.
    pub drain_timeout: Duration,
    /// Limits of HTTP/2 connections.
    pub http2: Http2Limits,
}

/// Limits of one HTTP/2 connection.
#[derive(Clone, Debug)]
pub struct Http2Limits {
    /// Most concurrent streams.
    pub streams_max: u32,
    /// Largest decoded header list in bytes.
    pub header_list_bytes_max: u32,
    /// Most streams reset by the client before the server accepted them (rapid reset, CVE-2023-44487).
    pub pending_resets_max: usize,
    /// Most streams the server reset because of the client's protocol errors (CVE-2025-8671).
    pub local_resets_max: usize,
    /// Flow-control window of one stream in bytes.
    pub stream_window_bytes: u32,
    /// Flow-control window of the connection in bytes.
    pub connection_window_bytes: u32,
    /// Most response bytes buffered for one stream.
    pub send_buffer_bytes: usize,
    /// Silence after which the peer is pinged.
    pub ping_interval: Duration,
    /// Time for the answer to a ping.
    pub ping_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            head_bytes_max: 64 * 1024,
            fields_max: 128,
            target_bytes_max: 16 * 1024,
            request_body_bytes_max: None,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            upgrade_idle_timeout: Duration::from_secs(300),
            handshake_timeout: Duration::from_secs(10),
            connections_max: 16 * 1024,
            discard_bytes_max: 64 * 1024,
            drain_timeout: Duration::from_secs(30),
            http2: Http2Limits::default(),
        }
    }
}

impl Default for Http2Limits {
    fn default() -> Http2Limits {
        Http2Limits {
            streams_max: 128,
            header_list_bytes_max: 64 * 1024,
            pending_resets_max: 20,
            local_resets_max: 64,
            stream_window_bytes: 256 * 1024,
            connection_window_bytes: 1024 * 1024,
            send_buffer_bytes: 64 * 1024,
            ping_interval: Duration::from_secs(30),
            ping_timeout: Duration::from_secs(10),
        }
    }
}
