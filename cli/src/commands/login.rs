//! `login` and `whoami`.

use tidegate_proto::admin::v1::{WhoAmIRequest, token_service_client::TokenServiceClient};

use crate::{args::Global, connection, failure::Failure, output, render};

/// Checks the credentials against the cluster, then remembers them.
pub(super) async fn login(global: &Global) -> Result<(), Failure> {
    let login = connection::resolve(global)?;
    let mut tokens = TokenServiceClient::new(connection::connect(global).await?);
    let identity = tokens.who_am_i(WhoAmIRequest {}).await?.into_inner();
    let path = connection::remember(&login)?;
    output::remark(&format!(
        "logged in as {}, remembered in {}",
        identity.name,
        path.display()
    ));
    Ok(())
}

pub(super) async fn whoami(global: &Global) -> Result<(), Failure> {
    let mut tokens = TokenServiceClient::new(connection::connect(global).await?);
    let identity = tokens.who_am_i(WhoAmIRequest {}).await?.into_inner();
    output::one(global.output, &render::identity(&identity))
}
