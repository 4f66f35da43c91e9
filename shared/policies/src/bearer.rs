//! Where clients put a bearer token. Source: RFC 6750 §2.1 and §2.3.

use http::header::AUTHORIZATION;
use tidegate_expression::Text;
use tidegate_policy::RequestFacts;

const SCHEME: &str = "bearer";

/// Query parameter of clients that cannot send a header.
const PARAMETER: &str = "access_token";

/// Longest token looked at, in bytes; heads of requests are bounded besides.
pub(crate) const TOKEN_BYTES_MAX: usize = 32 * 1024;

/// Returns the first bearer token of `Authorization`, else the query parameter `access_token`.
///
/// A token that is blank or too long comes back as empty text: it is a credential, one that fits nothing.
#[must_use]
pub fn bearer_token(request: &RequestFacts) -> Option<Text> {
    if let Some(token) = bearer_in_header(request) {
        return Some(token);
    }
    match request.query.values(PARAMETER).next()? {
        Some(token) if token.len() <= TOKEN_BYTES_MAX => Some(token.clone()),
        Some(_) | None => Some(Text::constant("")),
    }
}

/// Returns the first bearer token of `Authorization`, empty text for one that fits nothing.
pub(crate) fn bearer_in_header(request: &RequestFacts) -> Option<Text> {
    let mut values = request.headers.get_all(AUTHORIZATION).iter();
    values.find_map(|value| {
        let text = value.to_str().ok()?.trim_start();
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        let is_bearer = scheme.eq_ignore_ascii_case(SCHEME);
        is_bearer.then(|| Text::from(bounded(rest.trim())))
    })
}

fn bounded(token: &str) -> &str {
    if token.len() <= TOKEN_BYTES_MAX {
        token
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::exchange;

    #[test]
    fn the_first_bearer_value_counts_whatever_its_case() {
        for (headers, query, expected) in [
            (&[][..], "", None),
            (&["Bearer a.b.c"][..], "", Some("a.b.c")),
            (&["bEARER  t "][..], "", Some("t")),
            (&["Basic x", "Bearer y"][..], "access_token=z", Some("y")),
            (&["Bearer"][..], "access_token=z", Some("")),
            (&["Basic x"][..], "access_token=z", Some("z")),
            (&[][..], "access_token", Some("")),
            (&["Bearerx y"][..], "", None),
        ] {
            let mut request = exchange().request;
            for header in headers {
                request
                    .headers
                    .append(AUTHORIZATION, header.parse().unwrap());
            }
            request.query = tidegate_policy::Query::new(Some(query));
            let found = bearer_token(&request);
            assert_eq!(found.as_deref(), expected, "{headers:?} {query}");
        }
    }
}
