//! One call to a provider: a connection of its own, bounded in time and size, and only to addresses that may be called.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, StatusCode, Uri,
    header::{ACCEPT, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, USER_AGENT},
};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tidegate_model::{asset::Feed, is_link_local};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Time for a whole call.
const CALL_TIME: Duration = Duration::from_secs(10);
/// Largest answer.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest part of what a system says about an error.
const DETAIL_CHARS_MAX: usize = 200;

/// Why a call gave no answer. Shows neither the URL nor what was sent: both may hold credentials.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the URL, method or a header is not valid")]
    Invalid,
    #[error("the name of the host does not resolve")]
    Name,
    #[error("link-local addresses are not called")]
    Forbidden,
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("the connection failed: {0}")]
    Exchange(String),
    #[error("answered with status {0}; only 200 counts")]
    Status(StatusCode),
    #[error("the answer is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge,
    #[error("no answer within {} seconds", CALL_TIME.as_secs())]
    Elapsed,
}

/// Calls providers.
#[derive(Clone)]
pub(super) struct Fetcher {
    tls: Arc<ClientConfig>,
    allows_link_local: bool,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").finish_non_exhaustive()
    }
}

impl Fetcher {
    /// Trusts the certificate authorities of the machine.
    ///
    /// # Errors
    /// Fails if the TLS library refuses its own defaults.
    pub(super) fn new(allows_link_local: bool) -> Result<Self, rustls::Error> {
        let mut roots = rustls::RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "a certificate authority of the machine cannot be read");
        }
        roots.add_parsable_certificates(found.certs);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            tls: Arc::new(tls),
            allows_link_local,
        })
    }

    /// The body of the answer. Redirects are not followed: only an answer of 200 counts.
    pub(super) async fn fetch(&self, feed: &Feed) -> Result<Bytes, FetchError> {
        let request = request(feed)?;
        match timeout(CALL_TIME, self.call(request)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(FetchError::Elapsed),
        }
    }

    async fn call(&self, request: Request<Full<Bytes>>) -> Result<Bytes, FetchError> {
        let uri = request.uri().clone();
        let is_tls = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or(FetchError::Invalid)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = self.connect(host, port).await?;
        let request = in_origin_form(request, &uri)?;
        if !is_tls {
            return exchange(stream, request).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|_invalid| FetchError::Invalid)?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await;
        exchange(
            stream.map_err(|error| FetchError::Connect(detail(&error)))?,
            request,
        )
        .await
    }

    /// Connects to an address that the name has now and that may be called.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, FetchError> {
        let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_name) => lookup_host((host, port))
                .await
                .map_err(|_unknown| FetchError::Name)?
                .collect(),
        };
        let mut failure = FetchError::Name;
        for address in addresses {
            if !self.allows_link_local && is_link_local(address.ip()) {
                failure = FetchError::Forbidden;
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = FetchError::Connect(detail(&error)),
            }
        }
        Err(failure)
    }
}

fn request(feed: &Feed) -> Result<Request<Full<Bytes>>, FetchError> {
    let invalid = |_invalid| FetchError::Invalid;
    let method =
        Method::from_bytes(feed.method.as_bytes()).map_err(|_invalid| FetchError::Invalid)?;
    let mut request = Request::builder()
        .method(method)
        .uri(feed.url.as_str())
        .body(Full::new(Bytes::from(feed.body.clone())))
        .map_err(|_invalid| FetchError::Invalid)?;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static("tidegate"));
    for (name, value) in &feed.headers {
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_invalid| FetchError::Invalid)?;
        if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&name) {
            continue;
        }
        headers.insert(name, HeaderValue::from_str(value).map_err(invalid)?);
    }
    Ok(request)
}

/// The request as an origin server expects it: the path alone, and the host as a header.
fn in_origin_form(
    mut request: Request<Full<Bytes>>,
    uri: &Uri,
) -> Result<Request<Full<Bytes>>, FetchError> {
    let authority = uri.authority().ok_or(FetchError::Invalid)?.as_str();
    // Credentials in a URL are not for the header.
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = HeaderValue::from_str(host).map_err(|_invalid| FetchError::Invalid)?;
    request.headers_mut().insert(HOST, host);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|_invalid| FetchError::Invalid)?;
    Ok(request)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Bytes, FetchError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let failed = |error: hyper::Error| FetchError::Exchange(detail(&error));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    // The connection runs beside the exchange and ends with it, whatever the answer was.
    let exchange = async move {
        let response = sender.send_request(request).await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        match body.collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(FetchError::TooLarge)
            }
            Err(error) => Err(FetchError::Exchange(detail(error.as_ref()))),
        }
    };
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        // An answer that ends with the connection is complete by then.
        _ended = connection => exchange.await,
    }
}

fn detail(error: &(dyn std::error::Error + 'static)) -> String {
    error.to_string().chars().take(DETAIL_CHARS_MAX).collect()
}
