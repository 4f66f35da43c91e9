//! One stream to one node: TLS against the pinned certificate authority, bearer token, keepalive.

use std::{io, path::PathBuf, time::Duration};

use tidegate_proto::sync::v1::{EdgeMessage, NodeMessage, sync_service_client::SyncServiceClient};
use tidegate_sync::limits::MESSAGE_BYTES_MAX;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, ClientTlsConfig, Endpoint},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time a node has to answer the call with its headers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP/2 pings notice a dead connection below the beats of the protocol.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Messages on their way to the node; all of them are small.
const OUTBOX_MESSAGES: usize = 64;

/// Why there is no stream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("cannot read {path}")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the token file holds no token")]
    Token,
    #[error("cannot connect")]
    Transport(#[from] tonic::transport::Error),
    #[error("the node refuses the stream: {0}")]
    Refused(#[from] Box<Status>),
    #[error("the node does not answer")]
    Timeout,
}

/// Where the credentials are. Files are read at every attempt, so that they can be rotated.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) ca: PathBuf,
    pub(crate) token_file: PathBuf,
}

/// An open stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) outbox: mpsc::Sender<EdgeMessage>,
    pub(crate) inbound: Streaming<NodeMessage>,
}

/// Opens a stream and puts `first` onto it.
pub(crate) async fn open(
    url: &str,
    credentials: &Credentials,
    first: EdgeMessage,
) -> Result<Stream, ConnectError> {
    let ca = read(&credentials.ca).await?;
    let token = read(&credentials.token_file).await?;
    let bearer: MetadataValue<Ascii> = format!("Bearer {}", String::from_utf8_lossy(&token).trim())
        .parse()
        .map_err(|_not_ascii| ConnectError::Token)?;
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
    let channel = Endpoint::from_shared(url.to_owned())?
        .tls_config(tls)?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .connect()
        .await?;
    let (outbox, messages) = mpsc::channel(OUTBOX_MESSAGES);
    // The channel is empty and open: the first message always fits.
    outbox
        .try_send(first)
        .map_err(|_full| ConnectError::Timeout)?;
    let mut request = Request::new(ReceiverStream::new(messages));
    request.metadata_mut().insert("authorization", bearer);
    let mut client = SyncServiceClient::new(channel)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let answer = tokio::time::timeout(ANSWER_TIMEOUT, client.stream(request)).await;
    let response = answer
        .map_err(|_elapsed| ConnectError::Timeout)?
        .map_err(Box::new)?;
    Ok(Stream {
        outbox,
        inbound: response.into_inner(),
    })
}

async fn read(path: &PathBuf) -> Result<Vec<u8>, ConnectError> {
    tokio::fs::read(path)
        .await
        .map_err(|source| ConnectError::File {
            path: path.clone(),
            source,
        })
}
