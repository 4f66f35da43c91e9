//! Applications: the consumers of APIs.

use prost::Message as _;
use tidegate_model::{ApplicationId, Violation, document::ApplicationDocument};
use tidegate_proto::admin::v1::{
    Application, ApplyResult, CreateApplicationRequest, DeleteApplicationRequest,
    DeleteApplicationResponse, GetApplicationRequest, ListApplicationsRequest,
    ListApplicationsResponse, application_service_server, apply_result::Outcome,
};
use tidegate_state::{
    ApplicationRecord, Resource, ResourceKind, StateReader,
    op::{DeleteApplication, PutApplication},
    query,
};
use tonic::{Request, Response, Status};

use super::{
    Call, Decision, Fault, Intent, Page, Store, environment, lookup, mint,
    subscriptions::follow_application,
};

/// Most characters of a name.
const NAME_CHARS_MAX: usize = 128;
/// Most characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 4096;
/// Most characters of an OAuth client id.
const CLIENT_ID_CHARS_MAX: usize = 256;
/// Most bytes of a PEM certificate.
const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;

/// Serves `tidegate.admin.v1.ApplicationService`.
#[derive(Debug)]
pub(crate) struct ApplicationService {
    store: Store,
}

impl ApplicationService {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }
}

#[tonic::async_trait]
impl application_service_server::ApplicationService for ApplicationService {
    async fn create_application(
        &self,
        request: Request<CreateApplicationRequest>,
    ) -> Result<Response<Application>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let content = body.encode_to_vec();
        let intent = Intent::new(&call, "CreateApplication", &body.idempotency_key, &content)?;
        let environment = environment(&body.environment)?;
        let record = ApplicationRecord {
            id: mint::resource_id("application", &intent.seed()),
            name: body.name,
            description: body.description,
            client_id: body.client_id,
            client_certificate: body.client_certificate,
        };
        let violations = violations(&record);
        if !violations.is_empty() {
            return Err(Fault::Invalid(violations).into());
        }
        let (target, id) = (environment.clone(), record.id.clone());
        let decide = move |state: &dyn StateReader| {
            lookup::environment(state, &target)?;
            let mut decision = Decision::default();
            // The id follows from the idempotency key: it exists only if this very call was done.
            if query::application(state, &target, &record.id)?.is_none() {
                let (environment, record) = (target.clone(), record.clone());
                decision.relies_on(ResourceKind::Application, &target, &record.id, 0);
                decision.ops.push(
                    PutApplication {
                        environment,
                        record,
                    }
                    .into(),
                );
            }
            Ok((decision, ()))
        };
        let (committed, ()) = self.store.write(&call, &intent, decide).await?;
        let work = move |state: &dyn StateReader| {
            Ok(render(&lookup::application(state, &environment, &id)?))
        };
        Ok(Response::new(
            self.store.read_after(&call, &committed, work).await?,
        ))
    }

    async fn get_application(
        &self,
        request: Request<GetApplicationRequest>,
    ) -> Result<Response<Application>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let environment = environment(&body.environment)?;
        let work = move |state: &dyn StateReader| {
            Ok(render(&lookup::application(
                state,
                &environment,
                &body.application,
            )?))
        };
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    async fn list_applications(
        &self,
        request: Request<ListApplicationsRequest>,
    ) -> Result<Response<ListApplicationsResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let environment = environment(&body.environment)?;
        let page = Page::parse(
            body.page_size,
            &body.page_token,
            &["applications", &environment],
        )?;
        let work = move |state: &dyn StateReader| {
            let after = page.after_id()?;
            let found = query::applications(state, &environment, after.as_deref(), page.size)?;
            Ok(ListApplicationsResponse {
                applications: found.items.iter().map(render).collect(),
                next_page_token: page.next(found.next.as_deref()),
            })
        };
        Ok(Response::new(self.store.read(&call, work).await?))
    }

    async fn delete_application(
        &self,
        request: Request<DeleteApplicationRequest>,
    ) -> Result<Response<DeleteApplicationResponse>, Status> {
        let call = Call::of(&request)?;
        let body = request.into_inner();
        let content = body.encode_to_vec();
        let intent = Intent::new(&call, "DeleteApplication", &body.idempotency_key, &content)?;
        let environment = environment(&body.environment)?;
        let decide = move |state: &dyn StateReader| {
            let stored = lookup::application(state, &environment, &body.application)?;
            let id = stored.value.id;
            let mut decision = Decision::default();
            decision.relies_on(
                ResourceKind::Application,
                &environment,
                &id,
                stored.revision,
            );
            let environment = environment.clone();
            decision
                .ops
                .push(DeleteApplication { environment, id }.into());
            Ok((decision, ()))
        };
        self.store.write(&call, &intent, decide).await?;
        Ok(Response::new(DeleteApplicationResponse {}))
    }
}

/// Decides what an application document becomes: an update of the application with its id or name,
/// or a new one, with `new_id` unless it brings an id.
pub(super) fn apply(
    state: &dyn StateReader,
    decision: &mut Decision,
    environment: &str,
    document: &ApplicationDocument,
    new_id: &str,
) -> Result<Result<ApplyResult, Vec<Violation>>, Fault> {
    if let Some(Err(error)) = document.id.as_deref().map(ApplicationId::parse) {
        let id = document.id.as_deref().unwrap_or_default();
        return Ok(Err(vec![Violation::new("id", id, error.to_string())]));
    }
    let stored = match &document.id {
        Some(id) => query::application(state, environment, id)?,
        None if document.name.chars().any(char::is_control) => None,
        None => query::application_by_name(state, environment, &document.name)?,
    };
    let id = match (&stored, &document.id) {
        (Some(stored), _) => stored.value.id.clone(),
        (None, Some(id)) => id.clone(),
        (None, None) => new_id.to_owned(),
    };
    let record = ApplicationRecord {
        id: id.clone(),
        name: document.name.clone(),
        description: document.description.clone(),
        client_id: document.client_id.clone().unwrap_or_default(),
        client_certificate: document.client_certificate.clone().unwrap_or_default(),
    };
    let violations = violations(&record);
    if !violations.is_empty() {
        return Ok(Err(violations));
    }
    let outcome = match &stored {
        None => Outcome::Created,
        Some(stored) if stored.value == record => Outcome::Unchanged,
        Some(_) => Outcome::Updated,
    };
    if outcome != Outcome::Unchanged {
        let revision = stored.as_ref().map_or(0, |stored| stored.revision);
        decision.relies_on(ResourceKind::Application, environment, &id, revision);
        let put = PutApplication {
            environment: environment.to_owned(),
            record: record.clone(),
        };
        decision.ops.push(put.into());
        // What edges know of the application stands in its subscriptions.
        let is_other = |known: &ApplicationRecord| {
            known.client_id != record.client_id
                || known.client_certificate != record.client_certificate
        };
        if stored
            .as_ref()
            .is_some_and(|stored| is_other(&stored.value))
        {
            follow_application(state, decision, environment, &record)?;
        }
    }
    Ok(Ok(ApplyResult {
        kind: "Application".to_owned(),
        id,
        name: document.name.clone(),
        outcome: outcome.into(),
        etag: stored.map(|stored| stored.etag()).unwrap_or_default(),
        ..ApplyResult::default()
    }))
}

fn violations(record: &ApplicationRecord) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (field, value, min, max) in [
        ("name", &record.name, 1, NAME_CHARS_MAX),
        ("description", &record.description, 0, DESCRIPTION_CHARS_MAX),
        ("client_id", &record.client_id, 0, CLIENT_ID_CHARS_MAX),
    ] {
        if let Err(Fault::Invalid(found)) = super::bounded(field, value, min, max) {
            violations.extend(found);
        }
    }
    let certificate = record.client_certificate.as_bytes();
    let expected = if certificate.len() > CERTIFICATE_BYTES_MAX {
        Some("at most 64 KiB")
    } else if certificate.is_empty() || is_certificate(certificate) {
        None
    } else {
        Some("an X.509 certificate in PEM form")
    };
    if let Some(expected) = expected {
        violations.push(Violation::new("client_certificate", "", expected));
    }
    violations
}

fn is_certificate(pem: &[u8]) -> bool {
    x509_parser::pem::parse_x509_pem(pem).is_ok_and(|(_, pem)| pem.parse_x509().is_ok())
}

fn render(application: &Resource<ApplicationRecord>) -> Application {
    let record = &application.value;
    Application {
        id: record.id.clone(),
        name: record.name.clone(),
        description: record.description.clone(),
        client_id: record.client_id.clone(),
        client_certificate: record.client_certificate.clone(),
        etag: application.etag(),
        created_ms: application.created_ms,
        updated_ms: application.updated_ms,
    }
}
