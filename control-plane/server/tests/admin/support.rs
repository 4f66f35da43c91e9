//! Starts the real program on free ports and talks to it as a client does: TLS, token, gRPC.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tidegate_proto::admin::v1::{
    ApplyRequest, SourceDocument, api_service_client::ApiServiceClient,
    application_service_client::ApplicationServiceClient,
    cluster_service_client::ClusterServiceClient,
    subscription_service_client::SubscriptionServiceClient,
    token_service_client::TokenServiceClient, watch_service_client::WatchServiceClient,
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

/// A channel whose calls carry a token.
pub(crate) type Authorised = InterceptedService<Channel, Bearer>;

/// Adds a bearer token to every call.
#[derive(Clone)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// A running control-plane node; killed when dropped.
pub(crate) struct Node {
    child: Child,
    data_dir: PathBuf,
    grpc: String,
}

impl Node {
    /// Starts a lone node and waits until it serves.
    pub(crate) fn start(data_dir: &Path) -> Result<Self> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate-control"))
            .args(["--bootstrap", "--timing", "dev", "--parent-bound"])
            .args(["--grpc", "127.0.0.1:0", "--raft", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(data_dir)
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line)
            .with_context(|| format!("the node did not become ready: {line:?}"))?;
        let grpc = ready["grpc"]
            .as_str()
            .context("no gRPC address")?
            .to_owned();
        Ok(Self {
            child,
            data_dir: data_dir.to_owned(),
            grpc,
        })
    }

    /// Asks the node to stop and says whether it ended well.
    pub(crate) fn stop(mut self) -> Result<bool> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id())?);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        Ok(self.child.wait()?.success())
    }

    /// Ends the node without any warning.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// The token that bootstrap left for the administrator.
    pub(crate) fn admin_token(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.data_dir.join("admin-token"))?
            .trim()
            .to_owned())
    }

    /// The token that bootstrap left for edges.
    pub(crate) fn edge_token(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.data_dir.join("edge-token"))?
            .trim()
            .to_owned())
    }

    /// A bare connection.
    pub(crate) async fn channel(&self) -> Result<Channel> {
        let ca = std::fs::read(self.data_dir.join("tls/ca.pem"))?;
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
        let endpoint = Endpoint::from_shared(format!("https://{}", self.grpc))?;
        Ok(endpoint
            .tls_config(tls)?
            .connect_timeout(Duration::from_secs(5))
            .connect()
            .await?)
    }

    /// All clients, calling with `token`.
    pub(crate) async fn clients(&self, token: Option<&str>) -> Result<Clients> {
        let token = token
            .map(|token| format!("Bearer {token}").parse())
            .transpose()?;
        let channel = InterceptedService::new(self.channel().await?, Bearer(token));
        Ok(Clients {
            apis: ApiServiceClient::new(channel.clone()),
            applications: ApplicationServiceClient::new(channel.clone()),
            subscriptions: SubscriptionServiceClient::new(channel.clone()),
            tokens: TokenServiceClient::new(channel.clone()),
            cluster: ClusterServiceClient::new(channel.clone()),
            watch: WatchServiceClient::new(channel),
        })
    }

    /// All clients, calling as the administrator.
    pub(crate) async fn admin(&self) -> Result<Clients> {
        self.clients(Some(&self.admin_token()?)).await
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One client per service.
pub(crate) struct Clients {
    pub(crate) apis: ApiServiceClient<Authorised>,
    pub(crate) applications: ApplicationServiceClient<Authorised>,
    pub(crate) subscriptions: SubscriptionServiceClient<Authorised>,
    pub(crate) tokens: TokenServiceClient<Authorised>,
    pub(crate) cluster: ClusterServiceClient<Authorised>,
    pub(crate) watch: WatchServiceClient<Authorised>,
}

/// A small definition in the runtime spelling.
pub(crate) fn definition(id: &str, name: &str, path: &str) -> Value {
    serde_json::json!({
        "id": id,
        "name": name,
        "apiVersion": "1.0",
        "definitionVersion": "4.0.0",
        "type": "proxy",
        "listeners": [{
            "type": "http",
            "paths": [{"path": path}],
            "entrypoints": [{"type": "http-proxy"}],
        }],
        "endpointGroups": [{
            "name": "default",
            "type": "http-proxy",
            "endpoints": [{
                "name": "one",
                "type": "http-proxy",
                "configuration": {"target": "http://127.0.0.1:9000"},
            }],
        }],
        "plans": [
            {
                "id": format!("{id}-free"), "name": "Free", "status": "published",
                "security": {"type": "key-less"},
            },
            {
                "id": format!("{id}-gold"), "name": "Gold", "status": "published",
                "security": {"type": "api-key"},
            },
        ],
        "flows": [],
    })
}

/// A request that applies documents.
pub(crate) fn apply(documents: &[&Value], deploy: bool) -> ApplyRequest {
    let documents = documents
        .iter()
        .enumerate()
        .map(|(index, document)| SourceDocument {
            name: format!("api-{index}.json"),
            content: document.to_string().into_bytes().into(),
        });
    ApplyRequest {
        documents: documents.collect(),
        deploy,
        ..ApplyRequest::default()
    }
}
