//! How much of everything a definition may hold. Far above real definitions, low enough that no definition can
//! exhaust a program that reads it.

/// Names of things, in characters.
pub(crate) const NAME: usize = 512;
/// Short texts: versions, ids, hosts, headers, methods.
pub(crate) const SHORT_TEXT: usize = 1024;
/// URLs, paths, patterns.
pub(crate) const URL: usize = 8 * 1024;
/// Descriptions, expressions, template bodies.
pub(crate) const LONG_TEXT: usize = 256 * 1024;
/// Sharding tags of an API or a plan.
pub(crate) const TAGS: usize = 64;
/// Properties of an API.
pub(crate) const PROPERTIES: usize = 10_000;
/// Resources of an API.
pub(crate) const RESOURCES: usize = 200;
/// Listeners of an API; there is at most one of each type.
pub(crate) const LISTENERS: usize = 8;
/// Paths or hosts of a listener.
pub(crate) const PATHS: usize = 1000;
/// Entrypoints of a listener.
pub(crate) const ENTRYPOINTS: usize = 16;
/// Path mappings, origins, headers and methods of a listener.
pub(crate) const LISTENER_ITEMS: usize = 500;
/// Endpoint groups of an API.
pub(crate) const ENDPOINT_GROUPS: usize = 200;
/// Endpoints of a group.
pub(crate) const ENDPOINTS: usize = 1000;
/// Headers an endpoint sets.
pub(crate) const ENDPOINT_HEADERS: usize = 200;
/// Plans of an API.
pub(crate) const PLANS: usize = 200;
/// Flows of an API or a plan.
pub(crate) const FLOWS: usize = 2000;
/// Selectors of a flow; there is at most one of each type.
pub(crate) const SELECTORS: usize = 8;
/// Methods, operations or entrypoints of a selector.
pub(crate) const SELECTOR_ITEMS: usize = 64;
/// Steps of one phase of a flow.
pub(crate) const STEPS: usize = 200;
/// Error keys with a response template.
pub(crate) const TEMPLATE_KEYS: usize = 200;
/// Media types of an error key, headers of a template.
pub(crate) const TEMPLATE_ITEMS: usize = 100;
