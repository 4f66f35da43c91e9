//! Listener claims as stored text, and which stored claims a draft could collide with.
//!
//! Two claims collide when their hosts are equal and one path is a prefix of the other
//! (`gravitee-v4.md` §3.2). Stored claims sort by text, so the few candidates are found by their
//! place in that order and the number of APIs does not matter.

use tidegate_model::validate::ListenerClaim;
use tidegate_state::{StateReader, query};

use crate::admin::Fault;

/// Claims read below one path: one is enough to refuse a draft, a few make a better message.
const DESCENDANTS_MAX: usize = 8;
/// Claims read at once.
const PAGE: usize = 64;

/// Begins the stored form of a claim that is a host alone (TCP and Kafka: matched by SNI).
const HOST_ONLY: &str = "tls://";

/// The stored form, which always ends in a slash: host (may be empty), then the path.
pub(super) fn text(claim: &ListenerClaim) -> String {
    let host = claim.host.as_deref().unwrap_or_default();
    if claim.path.is_empty() {
        format!("{HOST_ONLY}{host}/")
    } else {
        format!("{host}{}", claim.path)
    }
}

/// All claims of other APIs that `claims` of the API `api_id` could collide with.
pub(super) fn rivals(
    state: &dyn StateReader,
    environment: &str,
    api_id: &str,
    claims: &[ListenerClaim],
) -> Result<Vec<ListenerClaim>, Fault> {
    let mut rivals = Vec::new();
    for claim in claims {
        let wanted = text(claim);
        let mut holders = at_or_below(state, environment, &wanted, api_id)?;
        for ancestor in ancestors(claim) {
            holders.extend(exactly(state, environment, &ancestor)?);
        }
        for (found, holder) in holders {
            if holder == api_id {
                continue;
            }
            let name = query::api(state, environment, &holder)?.map(|api| api.value.name);
            rivals.push(parse(&found, holder, name.unwrap_or_default()));
        }
    }
    rivals.sort_by(|a, b| (&a.api_id, &a.host, &a.path).cmp(&(&b.api_id, &b.host, &b.path)));
    rivals.dedup_by(|a, b| (&a.api_id, &a.host, &a.path) == (&b.api_id, &b.host, &b.path));
    Ok(rivals)
}

fn parse(text: &str, api_id: String, api_name: String) -> ListenerClaim {
    if let Some(host) = text.strip_prefix(HOST_ONLY) {
        let host = Some(host.trim_end_matches('/').to_owned());
        return ListenerClaim {
            api_id,
            api_name,
            host,
            path: String::new(),
        };
    }
    let (host, path) = text.split_at(text.find('/').unwrap_or(text.len()));
    let host = (!host.is_empty()).then(|| host.to_owned());
    ListenerClaim {
        api_id,
        api_name,
        host,
        path: path.to_owned(),
    }
}

/// Stored forms of all paths above the claim: `/` and `/a/` for `/a/b/`.
fn ancestors(claim: &ListenerClaim) -> Vec<String> {
    let host = claim.host.as_deref().unwrap_or_default();
    let path = &claim.path;
    let ends = path
        .match_indices('/')
        .map(|(at, _)| at + 1)
        .filter(|end| *end < path.len());
    ends.map(|end| format!("{host}{}", &path[..end])).collect()
}

fn exactly(
    state: &dyn StateReader,
    environment: &str,
    wanted: &str,
) -> Result<Option<(String, String)>, Fault> {
    let page = query::claims(state, environment, Some(&right_before(wanted)), 1)?;
    Ok(page
        .items
        .into_iter()
        .next()
        .filter(|(claim, _)| claim == wanted))
}

/// The first few claims at or below `wanted` that other APIs hold.
fn at_or_below(
    state: &dyn StateReader,
    environment: &str,
    wanted: &str,
    api_id: &str,
) -> Result<Vec<(String, String)>, Fault> {
    let mut found = Vec::new();
    let mut cursor = Some(right_before(wanted));
    while let Some(after) = cursor.take() {
        let page = query::claims(state, environment, Some(&after), PAGE)?;
        let below = page
            .items
            .iter()
            .take_while(|(claim, _)| claim.starts_with(wanted))
            .count();
        let ended = below < page.items.len();
        let others = page
            .items
            .into_iter()
            .take(below)
            .filter(|(_, holder)| holder != api_id);
        found.extend(others.take(DESCENDANTS_MAX - found.len()));
        cursor = page
            .next
            .filter(|_| !ended && found.len() < DESCENDANTS_MAX);
    }
    Ok(found)
}

/// A text that no claim has and that sorts right before `wanted`, which ends in a slash: the dot is
/// the character before the slash.
fn right_before(wanted: &str) -> String {
    format!(
        "{}.{}",
        wanted.strip_suffix('/').unwrap_or(wanted),
        char::MAX
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(host: Option<&str>, path: &str) -> ListenerClaim {
        ListenerClaim {
            api_id: "a".to_owned(),
            api_name: "A".to_owned(),
            host: host.map(str::to_owned),
            path: path.to_owned(),
        }
    }

    #[test]
    fn the_stored_form_reads_back() {
        for (host, path) in [
            (None, "/"),
            (None, "/a/b/"),
            (Some("x.example"), "/a/"),
            (Some("x.example:8443"), ""),
        ] {
            let claim = claim(host, path);
            let again = parse(&text(&claim), "a".to_owned(), "A".to_owned());
            assert_eq!((again.host.as_deref(), again.path.as_str()), (host, path));
        }
    }

    #[test]
    fn lists_start_right_before_a_path_and_after_its_siblings() {
        for sibling in ["/a-b/", "/a.b/", "/a!/"] {
            assert!(sibling < right_before("/a/").as_str(), "{sibling}");
        }
        for below in ["/a/", "/a/-/", "/a/b/"] {
            assert!(below > right_before("/a/").as_str(), "{below}");
        }
    }

    #[test]
    fn ancestors_are_the_strictly_shorter_paths() {
        assert_eq!(ancestors(&claim(None, "/a/b/")), ["/", "/a/"]);
        assert_eq!(ancestors(&claim(Some("h"), "/a/")), ["h/"]);
        assert!(ancestors(&claim(None, "/")).is_empty());
    }
}
