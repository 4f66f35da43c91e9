//! `auth-provider-ldap-resource`: an LDAP directory (RFC 4511).
//!
//! A user is searched with the resource's own account, then logged in with the password shown. A login changes who a
//! connection belongs to, so that a check has its connection alone; afterwards it is kept for a while for the next
//! check of the same worker, which begins by logging in anew.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use ldap3::{
    Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, SearchOptions,
    ldap_escape,
};
use tidegate_expression::Value;
use tidegate_model::Secret;
use tidegate_policies::resources::LdapUsersConfig;
use tidegate_policy::{AuthenticationProvider, BoxFuture, Identity, ResourceError, Services};

use crate::directory::is_worth_asking;

const DEFAULT_FILTER: &str = "uid={0}";
const DEFAULT_TIMEOUT_MS: u64 = 5000;

/// Longest timeout that can be configured.
const TIMEOUT_MS_MAX: u64 = 60_000;

/// Most connections kept for later checks.
const IDLE_MAX: usize = 16;

/// How long a connection is kept; servers and what is between close silent ones.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// Result code of a login with a wrong password (RFC 4511 §A.2).
const INVALID_CREDENTIALS: u32 = 49;

/// One directory.
#[derive(Debug)]
pub(crate) struct LdapUsers {
    url: String,
    base: String,
    filter: String,
    /// Who searches, with the password.
    searcher: Option<(String, Secret<String>)>,
    attributes: Vec<String>,
    timeout: Duration,
    idle: Mutex<Vec<Idle>>,
}

/// A connection that is not in use.
struct Idle {
    ldap: Ldap,
    /// Its driver runs on the worker that made it; for others each message would wake two threads.
    worker: ThreadId,
    since: Instant,
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Idle(..)")
    }
}

impl LdapUsers {
    pub(crate) fn new(config: &LdapUsersConfig) -> Self {
        let named = |text: &Option<String>| {
            let text = text.as_deref().map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let base = config.context_source_base.trim();
        let filter = named(&config.user_search_filter).unwrap_or(DEFAULT_FILTER.to_owned());
        let timeout = config.connect_timeout.unwrap_or(DEFAULT_TIMEOUT_MS);
        Self {
            url: config.context_source_url.trim().to_owned(),
            base: match named(&config.user_search_base) {
                Some(below) if base.is_empty() => below,
                Some(below) => format!("{below},{base}"),
                None => base.to_owned(),
            },
            filter: if filter.starts_with('(') {
                filter
            } else {
                format!("({filter})")
            },
            searcher: named(&config.context_source_username)
                .map(|name| (name, config.context_source_password.clone())),
            attributes: config.attributes.clone(),
            timeout: Duration::from_millis(timeout.clamp(1, TIMEOUT_MS_MAX)),
            idle: Mutex::default(),
        }
    }

    /// Takes a connection of this worker, the one used last.
    fn take_idle(&self) -> Option<Ldap> {
        let worker = thread::current().id();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(|kept| kept.since.elapsed() < IDLE_TIME && !kept.ldap.is_closed());
        let found = idle.iter().rposition(|kept| kept.worker == worker)?;
        Some(idle.remove(found).ldap)
    }

    /// Keeps a connection for the next check.
    fn give_back(&self, ldap: Ldap) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= IDLE_MAX {
            // The one that waited longest is the first to be closed by the server.
            idle.remove(0);
        }
        idle.push(Idle {
            ldap,
            worker: thread::current().id(),
            since: Instant::now(),
        });
    }

    async fn check(&self, user: &str, password: &str) -> Result<Option<Identity>, LdapError> {
        while let Some(mut ldap) = self.take_idle() {
            let checked = self.check_over(&mut ldap, user, password).await;
            match &checked {
                // It was closed in the meantime: that says nothing about the directory.
                Err(
                    LdapError::Io { .. }
                    | LdapError::OpSend { .. }
                    | LdapError::ResultRecv { .. }
                    | LdapError::IdScrubSend { .. }
                    | LdapError::EndOfStream,
                ) => continue,
                Ok(_) | Err(LdapError::LdapResult { .. }) => self.give_back(ldap),
                Err(_) => {}
            }
            return checked;
        }
        let settings = LdapConnSettings::new().set_conn_timeout(self.timeout);
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &self.url).await?;
        ldap3::drive!(connection);
        let checked = self.check_over(&mut ldap, user, password).await;
        if matches!(checked, Ok(_) | Err(LdapError::LdapResult { .. })) {
            self.give_back(ldap);
        }
        checked
    }

    async fn check_over(
        &self,
        ldap: &mut Ldap,
        user: &str,
        password: &str,
    ) -> Result<Option<Identity>, LdapError> {
        let (name, secret) = match &self.searcher {
            Some((name, secret)) => (name.as_str(), secret.expose().as_str()),
            // Nobody, whoever logged in last (RFC 4513 §5.1.1).
            None => ("", ""),
        };
        let asked = ldap.with_timeout(self.timeout);
        asked.simple_bind(name, secret).await?.success()?;
        let filter = self.filter.replace("{0}", &ldap_escape(user));
        let asked = ldap
            .with_timeout(self.timeout)
            // Two tell that the name is not unique.
            .with_search_options(SearchOptions::new().sizelimit(2));
        let (found, _) = asked
            .search(&self.base, Scope::Subtree, &filter, &self.attributes)
            .await?
            .success()?;
        let mut found = found.into_iter();
        let (Some(entry), None) = (found.next(), found.next()) else {
            return Ok(None);
        };
        let entry = SearchEntry::construct(entry);
        let asked = ldap.with_timeout(self.timeout);
        let logged_in = asked.simple_bind(&entry.dn, password).await?;
        if logged_in.rc == INVALID_CREDENTIALS {
            return Ok(None);
        }
        logged_in.success()?;
        Ok(Some(Identity {
            user: user.to_owned(),
            attributes: attributes(entry),
        }))
    }
}

/// One value is text, several are a list.
fn attributes(entry: SearchEntry) -> BTreeMap<String, Value> {
    let named = entry.attrs.into_iter().map(|(name, values)| {
        let value = match values.as_slice() {
            [one] => Value::from(one.as_str()),
            several => Value::list(several.iter().map(|value| Value::from(value.as_str()))),
        };
        (name, value)
    });
    named.collect()
}

impl AuthenticationProvider for LdapUsers {
    fn authenticate<'a>(
        &'a self,
        user: &'a str,
        password: &'a str,
        _services: &'a Services,
    ) -> BoxFuture<'a, Result<Option<Identity>, ResourceError>> {
        Box::pin(async move {
            if !is_worth_asking(user, password) {
                return Ok(None);
            }
            let checked = self.check(user, password).await;
            checked.map_err(|error| ResourceError::Unavailable(error.to_string()))
        })
    }
}
