//! What the discovered endpoints of a group have in common, compiled once; the rest is where they are.

use http::{HeaderName, HeaderValue};

use super::Instance;
use crate::{
    endpoint::{BuildError, CompiledEndpoint},
    forward::TargetPath,
    health::{CheckTemplate, CheckedHealth},
    traffic::Traffic,
    upstream::{TargetError, TargetOptions, TlsOptions, UpstreamTarget},
};

/// Makes endpoints of instances.
#[derive(Debug)]
pub(crate) struct Blueprint {
    /// Place of the service in the definition, for errors.
    pub(crate) place: String,
    /// Everything but host, port and TLS.
    pub(crate) options: TargetOptions,
    /// TLS of those that speak it.
    pub(crate) tls: TlsOptions,
    /// Whether they do, unless the source says so.
    pub(crate) secured: bool,
    /// Base path, unless the source says so.
    pub(crate) path: Box<str>,
    /// Name in `Host` and in certificates.
    pub(crate) host: Option<Box<str>>,
    pub(crate) headers: Box<[(HeaderName, HeaderValue)]>,
    pub(crate) passes_accept_encoding: bool,
    pub(crate) check: Option<CheckTemplate>,
}

impl Blueprint {
    /// # Errors
    /// The instance is nothing that can be called.
    pub(super) fn endpoint(
        &self,
        instance: &Instance,
        name: Box<str>,
    ) -> Result<CompiledEndpoint, BuildError> {
        let called = self.host.as_ref().or(instance.name.as_ref());
        let mut options = TargetOptions {
            host: instance.host.to_string(),
            port: instance.port,
            called: called.map(ToString::to_string),
            ..self.options.clone()
        };
        if instance.secured.unwrap_or(self.secured) {
            options.tls = Some(self.tls.clone());
        }
        let failed = |source: TargetError| BuildError::Target {
            path: self.place.clone(),
            source,
        };
        let target = UpstreamTarget::intern(options).map_err(failed)?;
        let path = TargetPath::new(instance.path.as_deref().unwrap_or(&self.path), None);
        let check = self.check.as_ref();
        let check = check.map(|check| check.for_endpoint(&target, &path));
        Ok(CompiledEndpoint {
            name,
            health: check
                .transpose()?
                .map(|check| CheckedHealth::new(check).into()),
            target,
            path,
            headers: self.headers.clone(),
            passes_accept_encoding: self.passes_accept_encoding,
            traffic: Traffic::default(),
        })
    }
}
