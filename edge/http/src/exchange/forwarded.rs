//! Ids and addresses that travel in header fields. Source: `gravitee-v4.md` §3.6.

use std::{
    cell::RefCell,
    net::{IpAddr, SocketAddr},
};

use http::{HeaderName, HeaderValue};
use tidegate_policy::Headers;

use crate::request_id::RequestIds;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-gravitee-request-id");
static TRANSACTION_ID: HeaderName = HeaderName::from_static("x-gravitee-transaction-id");
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Longest transaction id taken over from a client.
const TRANSACTION_ID_BYTES_MAX: usize = 256;

/// The ids of one request, as fields of both messages.
#[derive(Debug, Clone)]
pub(super) struct TransactionIds {
    pub(super) request: HeaderValue,
    pub(super) transaction: HeaderValue,
}

impl TransactionIds {
    /// A new request id, and the client's transaction id if it gave one.
    pub(super) fn of(headers: &Headers, ids: &RefCell<RequestIds>) -> Self {
        let request = ids.borrow_mut().next_value();
        let given = headers
            .find_text(&TRANSACTION_ID)
            .is_some_and(|given| !given.is_empty() && given.len() <= TRANSACTION_ID_BYTES_MAX);
        let given = given.then(|| headers.find_value(&TRANSACTION_ID)).flatten();
        let transaction = given.unwrap_or_else(|| request.clone());
        Self {
            request,
            transaction,
        }
    }

    /// Sets both fields, whatever the other side said.
    pub(super) fn write(&self, headers: &mut Headers) {
        headers.set(REQUEST_ID.clone(), self.request.clone());
        headers.set(TRANSACTION_ID.clone(), self.transaction.clone());
    }
}

/// The client's address: the first of `X-Forwarded-For` if it is one, else the connection's.
pub(super) fn client_address(headers: &Headers, connection: IpAddr) -> IpAddr {
    let first = headers
        .find_text(&FORWARDED_FOR)
        .and_then(|value| value.split(',').next())
        .map(str::trim);
    let Some(first) = first else {
        return connection;
    };
    let bare = first.trim_start_matches('[').trim_end_matches(']');
    let address = bare
        .parse()
        .or_else(|_| first.parse::<SocketAddr>().map(|known| known.ip()));
    address.unwrap_or(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_forwarded_address_is_the_client() {
        let connection: IpAddr = "10.0.0.1".parse().unwrap();
        for (value, expected) in [
            (None, "10.0.0.1"),
            (Some("192.0.2.1"), "192.0.2.1"),
            (Some("192.0.2.1:4711, 10.0.0.9"), "192.0.2.1"),
            (Some("2001:db8::1"), "2001:db8::1"),
            (Some("[2001:db8::1]:443"), "2001:db8::1"),
            (Some("unknown"), "10.0.0.1"),
        ] {
            let mut headers = Headers::default();
            if let Some(value) = value {
                headers.insert(&FORWARDED_FOR, HeaderValue::from_static(value));
            }
            let address = client_address(&headers, connection);
            assert_eq!(address, expected.parse::<IpAddr>().unwrap(), "{value:?}");
        }
    }

    #[test]
    fn a_clients_transaction_id_is_kept_and_the_request_id_never() {
        let ids = RefCell::new(RequestIds::new());
        let mut headers = Headers::default();
        headers.insert(&TRANSACTION_ID, HeaderValue::from_static("tx"));
        headers.insert(&REQUEST_ID, HeaderValue::from_static("mine"));
        let known = TransactionIds::of(&headers, &ids);
        known.write(&mut headers);
        assert_eq!(headers[&TRANSACTION_ID], "tx");
        assert_eq!(headers[&REQUEST_ID], known.request);
        assert_ne!(headers[&REQUEST_ID], "mine");
        let new = TransactionIds::of(&Headers::default(), &ids);
        assert_eq!(new.request, new.transaction);
    }
}
