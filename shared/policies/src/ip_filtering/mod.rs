//! `ip-filtering`: lets only some addresses through.

mod config;
mod rules;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::IpAddr;

use http::StatusCode;
use tidegate_expression::Template;
use tidegate_policy::{
    AsyncPolicy, CompileContext, Compiled, ConfigError, Exchange, Failure, Outcome, Phase,
    PolicyKind, Progress, Services,
};

pub use config::{IpFilteringConfig, IpVersion};

use rules::{List, Rules};

/// Header in which proxies say for whom they call.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Most addresses of one request that are looked at; more are refused.
const ADDRESSES_MAX: usize = 100;

/// The kind of policy.
#[derive(Debug)]
pub struct IpFiltering;

impl PolicyKind for IpFiltering {
    const NAME: &'static str = "ip-filtering";
    const PHASES: &'static [Phase] = &[Phase::Request];
    type Config = IpFilteringConfig;

    fn compile(config: Self::Config, _ctx: &CompileContext<'_>) -> Result<Compiled, ConfigError> {
        let source = if config.use_custom_ip_address.unwrap_or(false) {
            let text = config.custom_ip_address.as_deref().unwrap_or_default();
            Source::Custom(ConfigError::template("customIPAddress", text)?)
        } else if config.match_all_from_x_forwarded_for.unwrap_or(false) {
            Source::Forwarded
        } else {
            Source::Client
        };
        let allowed = List::compile(&config.whitelist_ips, "whitelistIps")?;
        let denied = List::compile(&config.blacklist_ips, "blacklistIps")?;
        let mut needs = allowed.needs() | denied.needs();
        if let Source::Custom(template) = &source {
            needs |= template.needs();
        }
        let policy = Filter {
            source,
            allowed,
            denied,
            version: config.lookup_ip_version.unwrap_or_default(),
            is_inclusive: config.is_inclusive_host_count.unwrap_or(false),
        };
        Ok(Compiled::asynchronous(policy, needs))
    }
}

#[derive(Debug)]
struct Filter {
    source: Source,
    allowed: List,
    denied: List,
    version: IpVersion,
    is_inclusive: bool,
}

/// Whose address is looked at.
#[derive(Debug)]
enum Source {
    Client,
    Forwarded,
    Custom(Template),
}

/// The addresses of one request, and what stood in their place.
#[derive(Default)]
struct Found {
    addresses: Vec<IpAddr>,
    unreadable: Option<String>,
}

impl Found {
    fn add(&mut self, list: &str) {
        for text in list
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            match text.parse::<IpAddr>() {
                Ok(address) if self.addresses.len() < ADDRESSES_MAX => {
                    self.addresses.push(address.to_canonical());
                }
                _ => self.unreadable = Some(text.chars().take(64).collect()),
            }
        }
    }
}

impl Filter {
    fn found(&self, exchange: &Exchange) -> Result<Found, String> {
        let request = &exchange.request;
        let mut found = Found::default();
        match &self.source {
            Source::Custom(template) => {
                let text = template
                    .evaluate_text(exchange)
                    .map_err(|error| error.to_string())?;
                found.add(text.as_deref().unwrap_or_default());
            }
            Source::Forwarded => {
                for value in request.headers.get_all(FORWARDED_FOR) {
                    found.add(&String::from_utf8_lossy(value.as_bytes()));
                }
                if found.addresses.is_empty() && found.unreadable.is_none() {
                    found.addresses.push(request.remote_address.to_canonical());
                }
            }
            Source::Client => found.addresses.push(request.remote_address.to_canonical()),
        }
        Ok(found)
    }

    /// Decides with host names looked up; a name without an address refuses.
    async fn decide(
        &self,
        found: Found,
        denied: Cow<'_, Rules>,
        allowed: Cow<'_, Rules>,
        unlisted: Vec<IpAddr>,
        services: &Services,
    ) -> Outcome {
        let first = found.addresses.first().map(IpAddr::to_string);
        let first = first.unwrap_or_default();
        match denied.addresses(&*services.names, self.version).await {
            Err(error) => return refuse(&first).caused_by(error),
            Ok(hosts) => {
                let hit = found
                    .addresses
                    .iter()
                    .find(|address| hosts.contains(address));
                if let Some(address) = hit {
                    return refuse(&address.to_string()).plain();
                }
            }
        }
        if unlisted.is_empty() {
            return Outcome::Continue;
        }
        match allowed.addresses(&*services.names, self.version).await {
            Err(error) => refuse(&first).caused_by(error),
            Ok(hosts) => match unlisted.iter().find(|address| !hosts.contains(address)) {
                Some(address) => refuse(&address.to_string()).plain(),
                None => Outcome::Continue,
            },
        }
    }
}

impl AsyncPolicy for Filter {
    fn on_request<'a>(
        &'a self,
        exchange: &'a mut Exchange,
        services: &'a Services,
    ) -> Progress<'a> {
        let gathered = self.found(exchange).and_then(|found| {
            Ok((
                found,
                self.denied.rules(exchange)?,
                self.allowed.rules(exchange)?,
            ))
        });
        let (found, denied, allowed) = match gathered {
            Ok(gathered) => gathered,
            Err(cause) => {
                let address = exchange.request.remote_address.to_string();
                return Progress::Done(refuse(&address).caused_by(cause));
            }
        };
        let is_denied = |address: &&IpAddr| denied.covers(**address, self.is_inclusive);
        if let Some(address) = found.addresses.iter().find(is_denied) {
            return Progress::Done(refuse(&address.to_string()).plain());
        }
        let has_rules = !self.allowed.is_empty() || !self.denied.is_empty();
        if has_rules && found.addresses.is_empty() {
            let text = found.unreadable.unwrap_or_default();
            return Progress::Done(refuse(&text).caused_by("no address to look at"));
        }
        let mut unlisted = Vec::new();
        if !self.allowed.is_empty() {
            if let Some(text) = &found.unreadable {
                return Progress::Done(refuse(text).caused_by("no address"));
            }
            unlisted.extend(found.addresses.iter().copied());
            unlisted.retain(|address| !allowed.covers(*address, self.is_inclusive));
        }
        if let Some(address) = unlisted.first().filter(|_| !allowed.has_hosts()) {
            return Progress::Done(refuse(&address.to_string()).plain());
        }
        if unlisted.is_empty() && !denied.has_hosts() {
            return Progress::CONTINUE;
        }
        Progress::waiting(self.decide(found, denied, allowed, unlisted, services))
    }
}

struct Refusal(Failure);

/// Answers 403; the text names the address.
fn refuse(address: &str) -> Refusal {
    Refusal(Failure::new(StatusCode::FORBIDDEN).with_message(format!(
        "Your IP ({address}) or some proxies whereby your request pass through are not allowed to \
         reach this resource."
    )))
}

impl Refusal {
    fn plain(self) -> Outcome {
        Outcome::fail(self.0)
    }

    fn caused_by(self, cause: impl std::fmt::Display) -> Outcome {
        Outcome::fail(self.0.with_cause(cause))
    }
}
