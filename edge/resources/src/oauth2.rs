//! OAuth2 servers: asked over HTTP whether a token is good (RFC 7662, or in their own way).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tidegate_policies::resources::{
    AccessManagementConfig, AmVersion, CallMethod, KeycloakConfig, OAuth2ServerConfig,
};
use tidegate_policy::{
    BoxFuture, CallOptions, ConfigError, Introspection, OAuth2Provider, OutboundCall,
    ResourceError, Services,
};

const DEFAULT_USER_CLAIM: &str = "sub";

/// Longest answer in bytes.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One server with its two endpoints.
#[derive(Debug)]
pub(crate) struct OAuth2Server {
    introspection: Endpoint,
    user_info: Endpoint,
    options: Arc<CallOptions>,
    scope_separator: String,
    user_claim: String,
}

/// How one endpoint is asked.
#[derive(Debug)]
struct Endpoint {
    method: Method,
    url: Uri,
    /// Who the gateway is; its value is marked sensitive.
    client: Option<(HeaderName, HeaderValue)>,
    token: Vec<TokenPlace>,
}

/// Where the token goes.
#[derive(Debug)]
enum TokenPlace {
    Query(String),
    Header(HeaderName),
    Bearer,
    Form(String),
}

impl OAuth2Server {
    pub(crate) fn of_server(config: &OAuth2ServerConfig) -> Result<Self, ConfigError> {
        let base = config.authorization_server_url.as_deref();
        let url = |path: &str, endpoint: &Option<String>, default: &str| {
            let endpoint = text(endpoint).unwrap_or(default);
            endpoint_url(path, base.unwrap_or_default(), endpoint)
        };
        let client = if config.use_client_authorization_header == Some(false) {
            None
        } else {
            let name = text(&config.client_authorization_header_name);
            let name = header(
                "clientAuthorizationHeaderName",
                name.unwrap_or("Authorization"),
            )?;
            let scheme = text(&config.client_authorization_header_scheme).unwrap_or("Basic");
            let value = client_header(scheme, &config.client_id, config.client_secret.expose())?;
            Some((name, value))
        };
        let mut token = Vec::new();
        if config.token_is_supplied_by_query_param != Some(false) {
            let name = text(&config.token_query_param_name).unwrap_or("token");
            token.push(TokenPlace::Query(name.to_owned()));
        }
        if config.token_is_supplied_by_http_header == Some(true) {
            let name = text(&config.token_header_name).unwrap_or_default();
            token.push(TokenPlace::Header(header("tokenHeaderName", name)?));
        }
        if config.token_is_supplied_by_form_url_encoded == Some(true) {
            let name = text(&config.token_form_url_encoded_name).unwrap_or("token");
            token.push(TokenPlace::Form(name.to_owned()));
        }
        Ok(Self {
            introspection: Endpoint {
                method: method(config.introspection_endpoint_method),
                url: url(
                    "introspectionEndpoint",
                    &config.introspection_endpoint,
                    "/oauth/check_token",
                )?,
                client,
                token,
            },
            user_info: Endpoint {
                method: method(config.user_info_endpoint_method),
                url: url("userInfoEndpoint", &config.user_info_endpoint, "/userinfo")?,
                client: None,
                token: vec![TokenPlace::Bearer],
            },
            options: options(true, config.use_system_proxy == Some(true)),
            scope_separator: config.scope_separator.clone().unwrap_or(" ".to_owned()),
            user_claim: user_claim(&config.user_claim),
        })
    }

    pub(crate) fn of_domain(config: &AccessManagementConfig) -> Result<Self, ConfigError> {
        let base = format!(
            "{}/{}",
            config.server_url.trim().trim_end_matches('/'),
            config.security_domain.trim().trim_matches('/')
        );
        let (introspection, user_info) = match config.version.unwrap_or_default() {
            AmVersion::V1 => ("/oauth/check_token", "/userinfo"),
            AmVersion::V2 | AmVersion::V3 => ("/oauth/introspect", "/oidc/userinfo"),
        };
        let secret = config.client_secret.expose();
        let client = client_header("Basic", &config.client_id, secret)?;
        Ok(Self {
            introspection: by_form(endpoint_url("serverURL", &base, introspection)?, client),
            user_info: by_bearer(endpoint_url("serverURL", &base, user_info)?),
            options: options(true, false),
            scope_separator: " ".to_owned(),
            user_claim: user_claim(&config.user_claim),
        })
    }

    pub(crate) fn of_realm(config: &KeycloakConfig) -> Result<Self, ConfigError> {
        let path = "keycloakConfiguration";
        let realm = config
            .realm()
            .ok_or_else(|| ConfigError::new(path, "something else", "an adapter configuration"))?;
        let base = format!(
            "{}/realms/{}/protocol/openid-connect",
            realm.auth_server_url.trim().trim_end_matches('/'),
            utf8_percent_encode(&realm.realm, NON_ALPHANUMERIC)
        );
        let secret = realm.credentials.secret.expose();
        let client = client_header("Basic", &realm.resource, secret)?;
        Ok(Self {
            introspection: by_form(endpoint_url(path, &base, "/token/introspect")?, client),
            user_info: by_bearer(endpoint_url(path, &base, "/userinfo")?),
            options: options(config.trust_all != Some(true), false),
            scope_separator: " ".to_owned(),
            user_claim: user_claim(&config.user_claim),
        })
    }

    async fn ask(
        &self,
        endpoint: &Endpoint,
        token: &str,
        services: &Services,
    ) -> Result<http::Response<Bytes>, ResourceError> {
        let call = OutboundCall {
            request: endpoint.request(token)?,
            options: Arc::clone(&self.options),
        };
        let answer = services.http.send(call).await;
        let answer = answer.map_err(|error| ResourceError::Unavailable(error.to_string()))?;
        if answer.status().is_server_error() {
            let status = format!("status {}", answer.status());
            return Err(ResourceError::Unavailable(status));
        }
        Ok(answer)
    }
}

impl Endpoint {
    fn request(&self, token: &str) -> Result<Request<Bytes>, ResourceError> {
        let encoded = utf8_percent_encode(token, NON_ALPHANUMERIC).to_string();
        let unusable = |_| ResourceError::Unexpected("the token cannot be sent".to_owned());
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.url.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, JSON);
        if let Some((name, value)) = &self.client {
            headers.insert(name.clone(), value.clone());
        }
        for place in &self.token {
            match place {
                TokenPlace::Query(name) => {
                    let separator = if self.url.query().is_some() { '&' } else { '?' };
                    let url = format!("{}{separator}{name}={encoded}", self.url);
                    *request.uri_mut() = url.parse().map_err(|_invalid| {
                        ResourceError::Unexpected("the token cannot be sent".to_owned())
                    })?;
                }
                TokenPlace::Header(name) => {
                    let value = HeaderValue::from_str(token).map_err(unusable)?;
                    request.headers_mut().insert(name.clone(), value);
                }
                TokenPlace::Bearer => {
                    let value = format!("Bearer {token}");
                    let value = HeaderValue::from_str(&value).map_err(unusable)?;
                    request.headers_mut().insert(AUTHORIZATION, value);
                }
                TokenPlace::Form(name) => {
                    *request.body_mut() = Bytes::from(format!("{name}={encoded}"));
                    request.headers_mut().insert(CONTENT_TYPE, FORM);
                }
            }
        }
        Ok(request)
    }
}

impl OAuth2Provider for OAuth2Server {
    fn introspect<'a>(
        &'a self,
        token: &'a str,
        services: &'a Services,
    ) -> BoxFuture<'a, Result<Introspection, ResourceError>> {
        Box::pin(async move {
            let answer = self.ask(&self.introspection, token, services).await?;
            if !answer.status().is_success() {
                // Older servers refuse the question about a bad token.
                return Ok(Introspection {
                    is_active: false,
                    payload: serde_json::Value::Null,
                });
            }
            let payload = json_object(answer.body())?;
            let is_active = payload
                .get("active")
                .is_none_or(|active| active.as_bool() == Some(true));
            Ok(Introspection { is_active, payload })
        })
    }

    fn user_info<'a>(
        &'a self,
        token: &'a str,
        services: &'a Services,
    ) -> BoxFuture<'a, Result<serde_json::Value, ResourceError>> {
        Box::pin(async move {
            let answer = self.ask(&self.user_info, token, services).await?;
            if !answer.status().is_success() {
                let status = format!("status {}", answer.status());
                return Err(ResourceError::Unexpected(status));
            }
            json_object(answer.body())
        })
    }

    fn scope_separator(&self) -> &str {
        &self.scope_separator
    }

    fn user_claim(&self) -> &str {
        &self.user_claim
    }
}

fn json_object(content: &[u8]) -> Result<serde_json::Value, ResourceError> {
    match serde_json::from_slice(content) {
        Ok(object @ serde_json::Value::Object(_)) => Ok(object),
        Ok(_) | Err(_) => Err(ResourceError::Unexpected("no JSON object".to_owned())),
    }
}

fn by_form(url: Uri, client: HeaderValue) -> Endpoint {
    Endpoint {
        method: Method::POST,
        url,
        client: Some((AUTHORIZATION, client)),
        token: vec![TokenPlace::Form("token".to_owned())],
    }
}

fn by_bearer(url: Uri) -> Endpoint {
    Endpoint {
        method: Method::GET,
        url,
        client: None,
        token: vec![TokenPlace::Bearer],
    }
}

fn options(verify_peer: bool, use_system_proxy: bool) -> Arc<CallOptions> {
    Arc::new(CallOptions {
        use_system_proxy,
        connect_timeout: Duration::from_secs(2),
        timeout: Duration::from_secs(5),
        response_bytes_max: ANSWER_BYTES_MAX,
        verify_peer,
        ..CallOptions::default()
    })
}

fn client_header(scheme: &str, id: &str, secret: &str) -> Result<HeaderValue, ConfigError> {
    let value = format!("{scheme} {}", STANDARD.encode(format!("{id}:{secret}")));
    let mut value = HeaderValue::from_str(&value).map_err(|_invalid| {
        let path = "clientAuthorizationHeaderScheme";
        ConfigError::new(
            path,
            format!("{scheme:?}"),
            "text without control characters",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn endpoint_url(path: &str, base: &str, endpoint: &str) -> Result<Uri, ConfigError> {
    let url = if endpoint.contains("://") {
        endpoint.to_owned()
    } else {
        let base = base.trim().trim_end_matches('/');
        format!("{base}/{}", endpoint.trim_start_matches('/'))
    };
    let parsed: Option<Uri> = url.parse().ok();
    parsed
        .filter(|url| url.scheme().is_some() && url.host().is_some())
        .ok_or_else(|| ConfigError::new(path, format!("{url:?}"), "an absolute URL"))
}

fn header(path: &str, name: &str) -> Result<HeaderName, ConfigError> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_invalid| ConfigError::new(path, format!("{name:?}"), "a header name"))
}

fn method(configured: Option<CallMethod>) -> Method {
    match configured.unwrap_or_default() {
        CallMethod::Get => Method::GET,
        CallMethod::Post => Method::POST,
        CallMethod::Put => Method::PUT,
    }
}

fn text(configured: &Option<String>) -> Option<&str> {
    let text = configured.as_deref().map(str::trim);
    text.filter(|text| !text.is_empty())
}

fn user_claim(configured: &Option<String>) -> String {
    text(configured).unwrap_or(DEFAULT_USER_CLAIM).to_owned()
}
