//! Lists of addresses, ranges and host names.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use tidegate_expression::{Needs, Scope, Template};
use tidegate_policy::{CallError, ConfigError, NameResolver};

use super::config::IpVersion;

/// Most entries of one list after its expressions were evaluated.
const ENTRIES_MAX: usize = 10_000;

/// Most host names of one list: each costs a lookup.
const HOSTS_MAX: usize = 100;

/// Longest host name (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Entries ready to compare.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    networks: Vec<IpNet>,
    hosts: Vec<String>,
}

/// A list of the configuration.
#[derive(Debug)]
pub(super) struct List {
    fixed: Rules,
    computed: Vec<Template>,
}

impl List {
    pub(super) fn compile(entries: &[String], path: &str) -> Result<Self, ConfigError> {
        let mut list = Self {
            fixed: Rules::default(),
            computed: Vec::new(),
        };
        for (index, entry) in entries.iter().enumerate() {
            let place = format!("{path}[{index}]");
            let template = ConfigError::template(place.as_str(), entry)?;
            match template.as_literal() {
                Some(text) => list
                    .fixed
                    .add(text)
                    .map_err(|expected| ConfigError::new(place, format!("{text:?}"), expected))?,
                None => list.computed.push(template),
            }
        }
        Ok(list)
    }

    pub(super) fn needs(&self) -> Needs {
        self.computed
            .iter()
            .fold(Needs::NONE, |needs, template| needs | template.needs())
    }

    /// Tells whether the configuration has no entry.
    pub(super) fn is_empty(&self) -> bool {
        self.fixed.networks.is_empty() && self.fixed.hosts.is_empty() && self.computed.is_empty()
    }

    /// Evaluates the expressions of the list.
    pub(super) fn rules(&self, scope: &dyn Scope) -> Result<Cow<'_, Rules>, String> {
        if self.computed.is_empty() {
            return Ok(Cow::Borrowed(&self.fixed));
        }
        let mut rules = self.fixed.clone();
        for template in &self.computed {
            let text = template
                .evaluate_text(scope)
                .map_err(|error| error.to_string())?;
            rules.add(text.as_deref().unwrap_or_default())?;
        }
        Ok(Cow::Owned(rules))
    }
}

impl Rules {
    /// Adds the entries between commas.
    fn add(&mut self, text: &str) -> Result<(), String> {
        for entry in text.split(',').map(str::trim) {
            if entry.is_empty() {
                continue;
            }
            if let Ok(address) = entry.parse::<IpAddr>() {
                self.networks.push(IpNet::from(address.to_canonical()));
            } else if let Ok(network) = entry.parse::<IpNet>() {
                self.networks.push(network);
            } else if is_host(entry) {
                self.hosts.push(entry.to_owned());
            } else {
                return Err("an address, a range such as 10.0.0.0/8, or a host name".to_owned());
            }
        }
        if self.networks.len() > ENTRIES_MAX || self.hosts.len() > HOSTS_MAX {
            return Err(format!(
                "at most {ENTRIES_MAX} addresses and {HOSTS_MAX} host names"
            ));
        }
        Ok(())
    }

    pub(super) fn has_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// Tells whether an address stands in the list, host names aside.
    pub(super) fn covers(&self, address: IpAddr, is_inclusive: bool) -> bool {
        self.networks.iter().any(|network| {
            network.contains(&address) && (is_inclusive || !is_edge(network, address))
        })
    }

    /// Looks up the host names of the list.
    pub(super) async fn addresses(
        &self,
        names: &dyn NameResolver,
        version: IpVersion,
    ) -> Result<Vec<IpAddr>, CallError> {
        let mut found = Vec::new();
        for host in &self.hosts {
            let addresses = names.resolve(host).await?.into_iter();
            found.extend(
                addresses
                    .map(|address| address.to_canonical())
                    .filter(|address| match version {
                        IpVersion::Ipv4 => address.is_ipv4(),
                        IpVersion::Ipv6 => address.is_ipv6(),
                        IpVersion::All => true,
                    }),
            );
        }
        Ok(found)
    }
}

/// The network and the broadcast address of an IPv4 range; ranges of one or two addresses have none
/// (RFC 3021).
fn is_edge(network: &IpNet, address: IpAddr) -> bool {
    let IpNet::V4(network) = network else {
        return false;
    };
    network.prefix_len() <= 30
        && (address == IpAddr::V4(network.network()) || address == IpAddr::V4(network.broadcast()))
}

fn is_host(text: &str) -> bool {
    text.len() <= HOST_BYTES_MAX
        // A last label of digits is a mistyped address.
        && !text.rsplit('.').next().unwrap_or_default().bytes().all(|byte| byte.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}
