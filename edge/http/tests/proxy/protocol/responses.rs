//! What reaches the client of what an endpoint answers well (RFC 9110, 9112).

use std::io::Write as _;

use super::{answer, exchange};
use crate::{definition::api, edge::Edge, upstream::Upstream};

fn edge_before(response: &'static str) -> Edge {
    let upstream = Upstream::scripted(move |_, stream| {
        let _ = stream.write_all(response.as_bytes());
        false
    });
    Edge::serving(vec![api("api", "/", &[&upstream.url()])])
}

#[test]
fn an_answer_without_content_has_none_whatever_its_fields_say() {
    for (method, response, length) in [
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            Some("5"),
        ),
        (
            "HEAD",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            None,
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", None),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n",
            None,
        ),
    ] {
        let edge = edge_before(response);
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = answer(edge.address, &request);
        assert_eq!(answer.body, "", "{method} {response}");
        if let Some(length) = length {
            assert_eq!(
                answer.header("content-length"),
                Some(length),
                "{method} {response}"
            );
        }
    }
}

#[test]
fn interim_answers_end_with_the_final_one() {
    let edge = edge_before(
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let received = exchange(
        edge.address,
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    let text = String::from_utf8_lossy(&received).into_owned();
    assert!(
        text.contains("HTTP/1.1 200 OK") && text.ends_with("ok"),
        "{text}"
    );
}

#[test]
fn bodies_of_every_framing_arrive_whole() {
    for response in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\n\r\nhello",
    ] {
        let edge = edge_before(response);
        let answer = answer(
            edge.address,
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        );
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "hello"),
            "{response}"
        );
    }
}
