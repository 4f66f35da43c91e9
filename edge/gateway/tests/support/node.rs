//! A control-plane node as small as can be: the real session of `tidegate-sync` behind real TLS.

use std::{
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tidegate_proto::sync::v1::{
    EdgeMessage, Hello, NodeMessage, edge_message,
    sync_service_server::{SyncService, SyncServiceServer},
};
use tidegate_sync::{
    keyset_to_wire,
    node::{Effect, Input, NodeSession, Opening, Report, check_hello},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming},
};

use super::{Outcome, author::Author};

pub(crate) const TOKEN: &str = "edge-token";

/// A running node; dropping it cuts all its streams.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) shared: Shared,
    server: JoinHandle<()>,
}

/// What the test and the streams share.
#[derive(Clone)]
pub(crate) struct Shared {
    author: Arc<Mutex<Author>>,
    reports: Arc<Mutex<Vec<Report>>>,
}

impl Node {
    /// Starts a node and writes what an edge needs to trust it into `directory`.
    pub(crate) async fn start(author: Author, directory: &Path) -> Outcome<Self> {
        let mut ca = CertificateParams::new(Vec::new())?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
        let certificate = certificate.signed_by(&key, &ca)?;
        std::fs::write(directory.join("ca.pem"), ca.pem())?;
        std::fs::write(directory.join("token"), TOKEN)?;
        std::fs::write(directory.join("trust.pin"), &author.pin)?;

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let identity = Identity::from_pem(certificate.pem(), key.serialize_pem());
        let shared = Shared {
            author: Arc::new(Mutex::new(author)),
            reports: Arc::default(),
        };
        let service = SyncServiceServer::new(shared.clone());
        let server = Server::builder()
            .tls_config(ServerTlsConfig::new().identity(identity))?
            .add_service(service)
            .serve_with_incoming(TcpIncoming::from(listener));
        let server = tokio::spawn(async move {
            let _ = server.await;
        });
        Ok(Self {
            address,
            shared,
            server,
        })
    }

    pub(crate) fn author<T>(&self, act: impl FnOnce(&mut Author) -> T) -> T {
        act(&mut self.shared.lock_author())
    }

    pub(crate) fn reports(&self) -> Vec<Report> {
        self.shared.lock_reports().clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[tonic::async_trait]
impl SyncService for Shared {
    type StreamStream = Pin<Box<dyn Stream<Item = Result<NodeMessage, Status>> + Send>>;

    async fn stream(
        &self,
        request: Request<Streaming<EdgeMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let bearer = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        if bearer != Some(&format!("Bearer {TOKEN}")) {
            return Err(Status::unauthenticated("token"));
        }
        let (outbox, messages) = mpsc::channel(64);
        let shared = self.clone();
        tokio::spawn(async move {
            let _ = shared.serve(request.into_inner(), outbox).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }
}

impl Shared {
    fn lock_author(&self) -> MutexGuard<'_, Author> {
        self.author.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_reports(&self) -> MutexGuard<'_, Vec<Report>> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn serve(
        &self,
        mut inbound: Streaming<EdgeMessage>,
        outbox: mpsc::Sender<Result<NodeMessage, Status>>,
    ) -> Outcome {
        let Some(EdgeMessage {
            kind: Some(edge_message::Kind::Hello(hello)),
        }) = inbound.message().await?
        else {
            return Err("no Hello".into());
        };
        let origin = Instant::now();
        let (mut session, mut effects) = self.open(hello)?;
        let mut sent = None;
        loop {
            let mut inputs = Vec::new();
            for effect in effects.drain(..) {
                inputs.extend(self.perform(effect, &outbox).await?);
            }
            if inputs.is_empty() {
                inputs.push(tokio::select! {
                    message = inbound.message() => match message? {
                        Some(message) => Input::Edge(message),
                        None => return Ok(()),
                    },
                    () = tokio::time::sleep(Duration::from_millis(20)) => Input::Tick,
                });
            }
            let newest = self.lock_author().newest();
            if let Some(newest) = newest
                && sent != Some(newest.position)
            {
                sent = Some(newest.position);
                inputs.push(Input::Published(newest));
            }
            let now_ms = u64::try_from(origin.elapsed().as_millis())?;
            effects = inputs
                .into_iter()
                .flat_map(|input| session.handle(input, now_ms))
                .collect();
        }
    }

    fn open(&self, hello: Hello) -> Outcome<(NodeSession, Vec<Effect>)> {
        let hello = check_hello(hello)?;
        let author = self.lock_author();
        let known = usize::try_from(hello.keyset_version)?;
        let opening = Opening {
            stream_id: "test".to_owned(),
            view_id: "DEFAULT/".to_owned(),
            held: hello.held_of("DEFAULT/"),
            newest: author.newest(),
            keysets: author
                .keysets
                .iter()
                .skip(known)
                .map(keyset_to_wire)
                .collect(),
            api_key_pepper: bytes::Bytes::from_static(b"pepper"),
            beat_ms: 500,
            seed: 1,
        };
        Ok(NodeSession::open(opening, 0))
    }

    /// Does what the session asks for, and gives what it waits for.
    async fn perform(
        &self,
        effect: Effect,
        outbox: &mpsc::Sender<Result<NodeMessage, Status>>,
    ) -> Outcome<Option<Input>> {
        match effect {
            Effect::Send(message) => outbox.send(Ok(message)).await?,
            Effect::Close(reason) => return Err(reason.into()),
            Effect::Report(report) => self.lock_reports().push(report),
            Effect::LoadDelta { from, to } => {
                let delta = self.lock_author().delta(from, to);
                return Ok(Some(Input::Delta { from, delta }));
            }
            Effect::LoadObjects { wanted, .. } => {
                let objects = self.lock_author().load(wanted);
                return Ok(Some(Input::Objects(Some(objects))));
            }
        }
        Ok(None)
    }
}
