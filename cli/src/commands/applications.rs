//! `app create|list|delete`, and reading applications.

use tidegate_proto::admin::v1::{
    Application, CreateApplicationRequest, DeleteApplicationRequest, GetApplicationRequest,
    ListApplicationsRequest, application_service_client::ApplicationServiceClient,
};

use super::idempotency_key;
use crate::{
    args::{ApplicationCommand, Global},
    connection::{self, Cluster},
    failure::Failure,
    output, render,
};

/// Applications asked for per page.
const PAGE_SIZE: u32 = 500;

async fn client(global: &Global) -> Result<ApplicationServiceClient<Cluster>, Failure> {
    Ok(ApplicationServiceClient::new(
        connection::connect(global).await?,
    ))
}

pub(super) async fn run(global: &Global, command: ApplicationCommand) -> Result<(), Failure> {
    match command {
        ApplicationCommand::Create {
            name,
            description,
            client_id,
            client_certificate,
        } => {
            let certificate = match client_certificate {
                None => String::new(),
                Some(path) => std::fs::read_to_string(&path).map_err(|error| {
                    Failure::refused(format!("cannot read {}: {error}", path.display()))
                })?,
            };
            let request = CreateApplicationRequest {
                environment: global.environment.clone(),
                name,
                description,
                client_id,
                client_certificate: certificate,
                idempotency_key: idempotency_key(),
            };
            let created = client(global)
                .await?
                .create_application(request)
                .await?
                .into_inner();
            output::one(global.output, &render::application(&created))
        }
        ApplicationCommand::List => list(global).await,
        ApplicationCommand::Delete { name } => delete(global, name).await,
    }
}

pub(super) async fn list(global: &Global) -> Result<(), Failure> {
    let rows = all(global).await?.iter().map(render::application).collect();
    output::list(global.output, render::APPLICATION_COLUMNS, rows)
}

pub(super) async fn find(global: &Global, application: String) -> Result<Application, Failure> {
    let request = GetApplicationRequest {
        environment: global.environment.clone(),
        application,
    };
    Ok(client(global)
        .await?
        .get_application(request)
        .await?
        .into_inner())
}

pub(super) async fn delete(global: &Global, application: String) -> Result<(), Failure> {
    let request = DeleteApplicationRequest {
        environment: global.environment.clone(),
        application,
        idempotency_key: idempotency_key(),
    };
    client(global).await?.delete_application(request).await?;
    Ok(())
}

async fn all(global: &Global) -> Result<Vec<Application>, Failure> {
    let mut client = client(global).await?;
    let mut applications = Vec::new();
    let mut page_token = String::new();
    loop {
        let environment = global.environment.clone();
        let request = ListApplicationsRequest {
            environment,
            page_size: PAGE_SIZE,
            page_token,
        };
        let page = client.list_applications(request).await?.into_inner();
        applications.extend(page.applications);
        if page.next_page_token.is_empty() {
            return Ok(applications);
        }
        page_token = page.next_page_token;
    }
}
