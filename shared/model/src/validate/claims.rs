//! Conflicts of listeners: inside an API, and with the other APIs of its environment.

use crate::{
    api::{Api, Listener},
    read::Findings,
};

/// A place in the name space of an environment that an API listens on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerClaim {
    /// The API that listens.
    pub api_id: String,
    /// Its name, for messages.
    pub api_name: String,
    /// The host in lower case; `None` for HTTP paths on every host.
    pub host: Option<String>,
    /// The path with a slash at both ends; empty for TCP and Kafka, where the host alone is claimed.
    pub path: String,
}

impl ListenerClaim {
    /// True if two claims cannot both be served: the same host (or both without), and one path leads to the other.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        if self.host != other.host || self.path.is_empty() != other.path.is_empty() {
            return false;
        }
        self.path.starts_with(&other.path) || other.path.starts_with(&self.path)
    }
}

/// Everything an API listens on.
#[must_use]
pub fn listener_claims(api: &Api) -> Vec<ListenerClaim> {
    claims_with_paths(api)
        .into_iter()
        .map(|(_, claim)| claim)
        .collect()
}

/// The claims with the document path of each. Positions count what could be read, which is all when nothing was
/// reported before.
fn claims_with_paths(api: &Api) -> Vec<(String, ListenerClaim)> {
    let claim = |host: Option<&str>, path: &str| ListenerClaim {
        api_id: api.id.as_str().to_owned(),
        api_name: api.name.clone(),
        host: host.map(str::to_lowercase),
        path: path.to_owned(),
    };
    let mut claims = Vec::new();
    for (index, listener) in api.listeners.iter().enumerate() {
        let at = format!("listeners[{index}]");
        match listener {
            Listener::Http(http) => {
                claims.extend(http.paths.iter().enumerate().map(|(i, path)| {
                    (
                        format!("{at}.paths[{i}].path"),
                        claim(path.host.as_deref(), &path.path),
                    )
                }))
            }
            Listener::Tcp(tcp) => claims.extend(
                tcp.hosts
                    .iter()
                    .enumerate()
                    .map(|(i, host)| (format!("{at}.hosts[{i}]"), claim(Some(host), ""))),
            ),
            Listener::Kafka(kafka) => {
                claims.push((format!("{at}.host"), claim(Some(&kafka.host), "")));
            }
            Listener::Subscription(_) => {}
        }
    }
    claims
}

pub(super) fn check(api: &Api, others: &[ListenerClaim], findings: &Findings) {
    let own = claims_with_paths(api);
    let mut seen = std::collections::HashSet::new();
    for (path, claim) in &own {
        if !seen.insert((&claim.host, &claim.path)) {
            findings.report_text(
                path,
                &named(claim),
                "a path or host that the API does not list twice",
            );
        }
        let taken = others
            .iter()
            .find(|other| other.api_id != claim.api_id && other.conflicts_with(claim));
        if let Some(other) = taken {
            let expected = format!(
                "a path or host no other API uses: {} already exists in {:?} ({})",
                named(other),
                other.api_name,
                other.api_id
            );
            findings.report_text(path, &named(claim), expected);
        }
    }
}

fn named(claim: &ListenerClaim) -> String {
    format!(
        "{}{}",
        claim.host.as_deref().unwrap_or_default(),
        claim.path
    )
}
