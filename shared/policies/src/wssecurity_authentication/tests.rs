//! Messages whose users are known, and those that are refused.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tidegate_policy::{
    AuthenticationProvider, BoxFuture, Exchange, Identity, Phase, Resource, ResourceError,
    Resources, Services,
};

use super::UNAUTHORIZED;
use crate::testing::{example, exchange, failure, refusal, run};

const NAME: &str = "policy-wssecurity-authentication";

/// Knows `ann` with the password `s&cret`.
#[derive(Debug)]
struct Users;

impl AuthenticationProvider for Users {
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<Option<Identity>, ResourceError>> {
        let found = (user == "ann" && password == "s&cret").then(|| Identity {
            user: user.to_owned(),
            attributes: [("mail".to_owned(), "ann@example.org".into())].into(),
        });
        Box::pin(std::future::ready(Ok(found)))
    }
}

fn message(token: &str) -> String {
    format!(
        "<?xml version='1.0'?><s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'>\
         <s:Header><w:Security xmlns:w='urn:w'>{token}</w:Security></s:Header><s:Body/></s:Envelope>"
    )
}

fn with(body: String) -> Exchange {
    let mut exchange = exchange();
    let mut resources = Resources::default();
    resources.insert("users", Resource::Authentication(Arc::new(Users)));
    let mut api = (*exchange.api).clone();
    api.resources = Arc::new(resources);
    exchange.api = Arc::new(api);
    exchange.request.content.set(Bytes::from(body));
    exchange
}

#[test]
fn the_example_of_the_readme_lets_known_users_through() {
    let configuration = example(include_str!("README.md"));
    for token in [
        "<w:UsernameToken><w:Username> ann </w:Username><w:Password>s&amp;cret</w:Password></w:UsernameToken>",
        "<UsernameToken><Password Type='urn:x#PasswordText'><![CDATA[s&cret]]></Password><Nonce/><Username>ann</Username></UsernameToken>",
    ] {
        let body = message(token);
        let mut exchange = with(body.clone());
        let outcome = run(NAME, &configuration, Phase::Request, &mut exchange);
        assert!(outcome.is_continue(), "{outcome:?}");
        assert_eq!(exchange.attribute("user").as_text(), Some("ann"));
        assert_eq!(
            exchange.attribute("user.mail").as_text(),
            Some("ann@example.org")
        );
        assert_eq!(
            exchange.request.content.bytes().unwrap(),
            &Bytes::from(body)
        );
    }
}

#[test]
fn everything_else_is_unauthorized() {
    let good = "<Username>ann</Username><Password>s&amp;cret</Password>";
    let token = |inner: &str| message(&format!("<UsernameToken>{inner}</UsernameToken>"));
    let deep = format!("<a>{}", "<a>".repeat(200));
    for body in [
        String::new(),
        "{}".to_owned(),
        message(""),
        token("<Username>ann</Username>"),
        token("<Username>ann</Username><Password>guess</Password>"),
        token("<Username/><Password>s&amp;cret</Password>"),
        token(
            "<Username>ann</Username><Password Type='urn:x#PasswordDigest'>s&amp;cret</Password>",
        ),
        token(&format!("{good}<Username>eve</Username>")),
        token("<Username>ann</Username><Password>&x;</Password>"),
        format!("<UsernameToken>{good}</UsernameToken>"),
        format!(
            "<Envelope><Body><Security><UsernameToken>{good}</UsernameToken></Security></Body></Envelope>"
        ),
        format!("<!DOCTYPE a [<!ENTITY x 'y'>]>{}", token(good)),
        deep,
    ] {
        let configuration = json!({"authenticationProviders": ["users"]});
        let outcome = run(
            NAME,
            &configuration,
            Phase::Request,
            &mut with(body.clone()),
        );
        assert!(!outcome.is_continue(), "{body}");
        let failure = failure(outcome);
        assert_eq!(failure.status, 401, "{body}");
        assert_eq!(failure.key.as_deref(), Some(UNAUTHORIZED));
    }
}

#[test]
fn providers_must_be_named_and_known() {
    assert_eq!(refusal(NAME, &json!({})).path, "authenticationProviders");
    let configuration = json!({"authenticationProviders": ["others"]});
    let body = message(
        "<UsernameToken><Username>ann</Username><Password>s&amp;cret</Password></UsernameToken>",
    );
    let outcome = run(NAME, &configuration, Phase::Request, &mut with(body));
    assert_eq!(failure(outcome).status, 401);
}
