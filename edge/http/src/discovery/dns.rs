//! DNS: records are asked for again when their time to live is over.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use futures::future::LocalBoxFuture;
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    lookup::Lookup,
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{RData, RecordType},
    },
};
use tidegate_model::api::DnsRecords;

use super::{DiscoveryError, INSTANCES_MAX, Instance, Provider};

/// Time for one question, all attempts included.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for one attempt at one name server; the next one is asked then.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// Shortest time between two questions: a time to live of 0 must not flood a name server.
const FRESH_MIN: Duration = Duration::from_secs(1);

/// Longest time: a server that was given a long time to live by mistake can be corrected within an hour.
const FRESH_MAX: Duration = Duration::from_secs(3600);

/// How long a name without records is taken to have none.
const FRESH_NOTHING: Duration = Duration::from_secs(5);

/// Names of SRV records whose addresses are asked for; further ones are left out.
const NAMES_MAX: usize = 256;

/// Records of a name.
#[derive(Debug, Clone)]
pub(crate) struct DnsSource {
    /// Fully qualified, so that no search list is tried.
    pub(super) name: Box<str>,
    pub(super) records: DnsRecords,
    pub(super) port: Option<u16>,
    /// Empty takes the system's.
    pub(super) servers: Box<[SocketAddr]>,
}

/// Follows a name.
pub(super) struct Dns {
    source: DnsSource,
    resolver: Option<TokioResolver>,
    /// When the answer before is over.
    expires: Option<Instant>,
}

/// Records of one question, and how long they hold.
#[derive(Debug, Default)]
struct Answer {
    records: Vec<RData>,
    fresh: Option<Duration>,
}

impl Dns {
    pub(super) fn new(source: DnsSource) -> Self {
        Self {
            source,
            resolver: None,
            expires: None,
        }
    }

    async fn ask(&mut self) -> Result<Vec<Instance>, DiscoveryError> {
        if let Some(expires) = self.expires {
            tokio::time::sleep_until(expires.into()).await;
        }
        self.expires = None;
        let resolver = match self.resolver.take() {
            Some(resolver) => resolver,
            None => resolver(&self.source.servers)?,
        };
        let found = find(&resolver, &self.source).await;
        if found.is_ok() {
            self.resolver = Some(resolver);
        }
        // After a failure the system's settings are read again: they change when a machine moves.
        let (instances, fresh) = found?;
        self.expires = Some(Instant::now() + fresh.clamp(FRESH_MIN, FRESH_MAX));
        Ok(instances)
    }
}

impl Provider for Dns {
    fn next(&mut self) -> LocalBoxFuture<'_, Result<Vec<Instance>, DiscoveryError>> {
        Box::pin(self.ask())
    }
}

fn resolver(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let mut builder = if servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = servers.iter().map(|server| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            let connections = connections.map(|mut connection| {
                connection.port = server.port();
                connection
            });
            NameServerConfig::new(server.ip(), true, connections.into())
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    // We ask when an answer is over; another cache would only hand out what is left of it.
    options.cache_size = 0;
    options.timeout = ATTEMPT_TIMEOUT;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build()
}

async fn find(
    resolver: &TokioResolver,
    source: &DnsSource,
) -> Result<(Vec<Instance>, Duration), DiscoveryError> {
    if source.records == DnsRecords::Srv {
        return find_services(resolver, &source.name).await;
    }
    let answer = addresses(resolver, &source.name, source.records).await?;
    let port = source.port.unwrap_or_default();
    let name = source.name.trim_end_matches('.');
    let found = answer.records.iter().filter_map(|record| {
        let address = address(record)?;
        Some(Instance {
            name: Some(name.into()),
            ..Instance::new(&format!("{address}-{port}"), &address.to_string(), port)
        })
    });
    Ok((found.collect(), answer.fresh.unwrap_or(FRESH_NOTHING)))
}

async fn addresses(
    resolver: &TokioResolver,
    name: &str,
    records: DnsRecords,
) -> Result<Answer, DiscoveryError> {
    let kinds: &[RecordType] = match records {
        DnsRecords::A => &[RecordType::A],
        DnsRecords::Aaaa => &[RecordType::AAAA],
        DnsRecords::Addresses | DnsRecords::Srv => &[RecordType::A, RecordType::AAAA],
    };
    let mut all = Answer::default();
    for kind in kinds {
        let Answer { records, fresh } = question(resolver, name, *kind).await?;
        all.records.extend(records);
        all.fresh = match (all.fresh, fresh) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    Ok(all)
}

/// SRV records and the addresses of the names in them. The lowest priority is the primary one.
async fn find_services(
    resolver: &TokioResolver,
    name: &str,
) -> Result<(Vec<Instance>, Duration), DiscoveryError> {
    let answer = question(resolver, name, RecordType::SRV).await?;
    let mut fresh = answer.fresh.unwrap_or(FRESH_NOTHING);
    let services: Vec<_> = answer
        .records
        .iter()
        .filter_map(|record| match record {
            // A single dot says that the service is decidedly not there (RFC 2782).
            RData::SRV(service) if !service.target.is_root() => Some(service),
            _ => None,
        })
        .take(NAMES_MAX)
        .collect();
    let lowest = services.iter().map(|service| service.priority).min();
    let mut found = Vec::new();
    for service in services {
        let target = service.target.to_ascii();
        let addresses = addresses(resolver, &target, DnsRecords::Addresses).await?;
        fresh = fresh.min(addresses.fresh.unwrap_or(FRESH_NOTHING));
        let (name, port) = (target.trim_end_matches('.'), service.port);
        for address in addresses.records.iter().filter_map(address) {
            let id = format!("{name}-{port}-{address}");
            found.push(Instance {
                name: Some(name.into()),
                weight: service.weight.into(),
                priority: service.priority - lowest.unwrap_or_default(),
                ..Instance::new(&id, &address.to_string(), port)
            });
        }
        if found.len() > INSTANCES_MAX {
            break;
        }
    }
    Ok((found, fresh))
}

fn address(record: &RData) -> Option<IpAddr> {
    match record {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    }
}

/// Asks once. A name that does not exist, or has no such records, has an empty answer: that is how name
/// servers say that nothing is there.
async fn question(
    resolver: &TokioResolver,
    name: &str,
    kind: RecordType,
) -> Result<Answer, DiscoveryError> {
    let asked = tokio::time::timeout(QUESTION_TIMEOUT, resolver.lookup(name, kind));
    let lookup = match asked.await {
        Err(_elapsed) => return Err(DiscoveryError::Timeout),
        Ok(Ok(lookup)) => lookup,
        Ok(Err(error)) if says_nothing(&error) => return Ok(Answer::default()),
        Ok(Err(error)) => return Err(error.into()),
    };
    Ok(Answer {
        fresh: Some(time_left(&lookup)),
        records: lookup
            .answers()
            .iter()
            .map(|record| record.data.clone())
            .collect(),
    })
}

fn says_nothing(error: &NetError) -> bool {
    let NetError::Dns(DnsError::NoRecordsFound(nothing)) = error else {
        return false;
    };
    matches!(
        nothing.response_code,
        ResponseCode::NXDomain | ResponseCode::NoError
    )
}

fn time_left(lookup: &Lookup) -> Duration {
    lookup
        .valid_until()
        .saturating_duration_since(Instant::now())
}
