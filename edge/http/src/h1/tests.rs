//! What heads and chunked bodies are accepted, refused, and how they are read.

use bytes::{Bytes, BytesMut};
use http::Method;
use proptest::prelude::*;

use super::fields::list;
use super::{
    ChunkDecoder, ChunkError, Decoded, Framing, HeadError, HeadLimits, HeadScan, RequestHead,
    parse_request, parse_response,
};

fn read_request(text: impl AsRef<[u8]>) -> Result<RequestHead, HeadError> {
    let limits = HeadLimits::default();
    let text = text.as_ref();
    let end = HeadScan::default()
        .find_end(text, limits.head_bytes_max)?
        .expect("complete head");
    parse_request(&Bytes::copy_from_slice(&text[..end]), &limits)
}

#[track_caller]
fn refuse(text: &str, expected: HeadError) {
    assert_eq!(
        read_request(text).map(|head| head.headers.into_map()),
        Err(expected),
        "{text:?}"
    );
}

/// A request with one field line more than it needs.
fn with(line: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n")
}

#[test]
fn what_parsers_disagree_on_is_refused() {
    use HeadError as E;
    let cases = [
        // Length told twice or unclearly.
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            E::AmbiguousLength,
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            E::AmbiguousLength,
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 0",
            E::AmbiguousLength,
        ),
        ("Content-Length: 5\r\nContent-Length: 6", E::ContentLength),
        ("Content-Length: 5\r\nContent-Length: 5", E::ContentLength),
        ("Content-Length: 5, 5", E::ContentLength),
        ("Content-Length: 5,", E::ContentLength),
        ("Content-Length: +5", E::ContentLength),
        ("Content-Length: -5", E::ContentLength),
        ("Content-Length: 0x5", E::ContentLength),
        ("Content-Length: 5.0", E::ContentLength),
        ("Content-Length: 5 5", E::ContentLength),
        ("Content-Length: ", E::ContentLength),
        ("Content-Length: 99999999999999999999", E::ContentLength),
        ("Content-Length: 9999999999999999999", E::ContentLength),
        ("Content-Length: \u{b2}", E::ContentLength),
        // Transfer codings other than exactly one `chunked`.
        ("Transfer-Encoding: gzip, chunked", E::TransferEncoding),
        ("Transfer-Encoding: chunked, chunked", E::TransferEncoding),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            E::TransferEncoding,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            E::TransferEncoding,
        ),
        ("Transfer-Encoding: identity", E::TransferEncoding),
        ("Transfer-Encoding: xchunked", E::TransferEncoding),
        ("Transfer-Encoding: \"chunked\"", E::TransferEncoding),
        ("Transfer-Encoding: chunked;q=1", E::TransferEncoding),
        ("Transfer-Encoding: \u{b}chunked", E::FieldValue),
        ("Transfer-Encoding:", E::TransferEncoding),
        // Names and lines.
        ("Transfer-Encoding : chunked", E::FieldName),
        ("Content-Length : 5", E::FieldName),
        (" Content-Length: 5", E::FoldedLine),
        ("X: a\r\n b", E::FoldedLine),
        ("X: a\r\n\tb", E::FoldedLine),
        ("X", E::FieldName),
        (": x", E::FieldName),
        ("X\u{0}: a", E::FieldName),
        ("X Y: a", E::FieldName),
        ("X(: a", E::FieldName),
        ("\u{e9}: a", E::FieldName),
        // Values.
        ("X: a\u{0}b", E::FieldValue),
        ("X: a\u{1}b", E::FieldValue),
        ("X: a\u{7f}b", E::FieldValue),
        ("X: a\rb", E::BareCarriageReturn),
        ("X: a\r", E::BareCarriageReturn),
        ("\rX: a", E::BareCarriageReturn),
        ("X: a\nTransfer-Encoding: chunked", E::BareLineFeed),
        ("X: a\n\nGET / HTTP/1.1", E::BareLineFeed),
        // Hosts.
        ("Host: b", E::Host),
        ("Expect: 200-ok", E::Expectation),
        ("Connection: a b", E::FieldValue),
    ];
    assert!(cases.len() >= 40);
    for (line, expected) in cases {
        refuse(&with(line), expected);
    }
}

#[test]
fn request_lines_are_read_strictly() {
    use HeadError as E;
    let host = "\r\nHost: a\r\n\r\n";
    let cases = [
        ("GET /", E::FirstLine),
        ("GET", E::FirstLine),
        ("", E::FirstLine),
        ("GET  / HTTP/1.1", E::Target),
        ("GET / HTTP/1.1 ", E::FirstLine),
        (" GET / HTTP/1.1", E::Method),
        ("GET\t/ HTTP/1.1", E::FirstLine),
        ("GET /a b HTTP/1.1", E::FirstLine),
        ("GET / http/1.1", E::FirstLine),
        ("GET / HTTP/1.10", E::FirstLine),
        ("GET / HTTP/2.0", E::Version),
        ("GET / HTTP/1.2", E::Version),
        ("GET / HTTP/0.9", E::Version),
        ("G@T / HTTP/1.1", E::Method),
        ("GET /\u{7f} HTTP/1.1", E::Target),
        ("GET /\u{e9} HTTP/1.1", E::Target),
        ("GET /a#b HTTP/1.1", E::Target),
        ("GET /a\\b HTTP/1.1", E::Target),
        ("GET /<a> HTTP/1.1", E::Target),
        ("GET a/b HTTP/1.1", E::Target),
        ("GET * HTTP/1.1", E::Target),
        ("GET ftp://a/ HTTP/1.1", E::Target),
        ("GET http:// HTTP/1.1", E::Host),
        ("GET http://user@a/ HTTP/1.1", E::Host),
        ("GET http://a:b/ HTTP/1.1", E::Host),
        ("CONNECT a:443 HTTP/1.1", E::Connect),
        ("GET /\rX HTTP/1.1", E::BareCarriageReturn),
    ];
    for (line, expected) in cases {
        if line.is_empty() {
            continue;
        }
        refuse(&format!("{line}{host}"), expected);
    }
    let long = format!("GET /{} HTTP/1.1{host}", "a".repeat(16 * 1024));
    refuse(&long, E::TargetTooLong);
}

#[test]
fn hosts_are_checked() {
    let check = |host: &str, expected: bool| {
        let head = read_request(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(head.is_ok(), expected, "{host:?}");
    };
    for host in [
        "a",
        "a.test:80",
        "127.0.0.1",
        "[::1]",
        "[::1]:8080",
        "a_b.test",
        "a:",
    ] {
        check(host, true);
    }
    for host in [
        "", "a b", "a/b", "a@b", "a:b", "a:123456", "[::1", "[x]", "a,b\"", "a\u{e9}",
    ] {
        check(host, false);
    }
    refuse("GET / HTTP/1.1\r\n\r\n", HeadError::Host);
    assert!(read_request("GET / HTTP/1.0\r\n\r\n").is_ok());
}

#[test]
fn an_absolute_target_replaces_the_host() {
    let check = |target: &str, uri: &str, host: &str| {
        let head = read_request(format!("GET {target} HTTP/1.1\r\nHost: other\r\n\r\n")).unwrap();
        assert_eq!(head.uri.to_string(), uri);
        assert_eq!(head.headers["host"], host);
    };
    check("http://a.test/p?q", "/p?q", "a.test");
    check("HTTP://a.test:81", "/", "a.test:81");
    check("https://a.test?q", "/?q", "a.test");
    check("/p", "/p", "other");
}

#[test]
fn framing_and_persistence_follow_the_fields() {
    let check = |text: &str, framing: Framing, keep_alive: bool| {
        let head = read_request(text).unwrap();
        assert_eq!(
            (head.framing, head.keep_alive),
            (framing, keep_alive),
            "{text:?}"
        );
    };
    check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Framing::Empty, true);
    check(&with("Content-Length: 5"), Framing::Length(5), true);
    check(&with("Content-Length: 0005"), Framing::Length(5), true);
    check(&with("Content-Length: 0"), Framing::Empty, true);
    check(&with("transfer-encoding: Chunked"), Framing::Chunked, true);
    check(&with("Connection: x, CLOSE"), Framing::Empty, false);
    check("GET / HTTP/1.0\r\n\r\n", Framing::Empty, false);
    check(
        "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
        Framing::Empty,
        true,
    );
    refuse(
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        HeadError::TransferEncoding,
    );
}

#[test]
fn hop_by_hop_fields_do_not_reach_the_handler() {
    let head = read_request(with(
        "Connection: x-mine, host, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: gzip\r\n\
         Proxy-Connection: close\r\nUpgrade: websocket\r\nX-Other: 2",
    ))
    .unwrap();
    let mut names: Vec<_> = head
        .headers
        .keys()
        .map(|name| name.as_str().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["host", "x-other"]);
    let upgrade = read_request(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
    )
    .unwrap();
    let h2c = read_request(with(
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ",
    ))
    .unwrap();
    assert_eq!(
        h2c.headers.len(),
        1,
        "an upgrade to h2c would tunnel past the gateway"
    );
    assert_eq!(upgrade.headers["connection"], "upgrade");
    assert_eq!(upgrade.headers["upgrade"], "websocket");
    assert_eq!(
        read_request(with("TE: trailers, gzip")).unwrap().headers["te"],
        "trailers"
    );
}

#[test]
fn limits_hold_to_the_byte() {
    let limits = HeadLimits::default();
    let fields = |count: usize| {
        let lines: String = (0..count - 1).map(|n| format!("x{n}: 1\r\n")).collect();
        format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
    };
    assert!(read_request(fields(limits.fields_max)).is_ok());
    refuse(&fields(limits.fields_max + 1), HeadError::TooManyFields);
    let endless = vec![b'a'; limits.head_bytes_max];
    let scanned = HeadScan::default().find_end(&endless, limits.head_bytes_max);
    assert_eq!(scanned, Err(HeadError::TooLarge));
    let almost = HeadScan::default().find_end(&endless[1..], limits.head_bytes_max);
    assert_eq!(almost, Ok(None));
}

#[test]
fn responses_are_read_as_strictly_as_requests() {
    let limits = HeadLimits::default();
    let check = |text: &str, method: Method, expected: Result<Framing, HeadError>| {
        let head = parse_response(&Bytes::copy_from_slice(text.as_bytes()), &method, &limits);
        assert_eq!(head.map(|head| head.framing), expected, "{text:?}");
    };
    use HeadError as E;
    let get = || Method::GET;
    check(
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
        get(),
        Ok(Framing::Length(5)),
    );
    check(
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
        Method::HEAD,
        Ok(Framing::Empty),
    );
    check(
        "HTTP/1.1 304 N\r\ncontent-length: 5\r\n\r\n",
        get(),
        Ok(Framing::Empty),
    );
    check("HTTP/1.1 204 N\r\n\r\n", get(), Ok(Framing::Empty));
    check("HTTP/1.1 200\r\n\r\n", get(), Ok(Framing::UntilClose));
    check(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        get(),
        Ok(Framing::Chunked),
    );
    let both = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n";
    check(both, get(), Err(E::AmbiguousLength));
    let gzip = "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n";
    check(gzip, get(), Err(E::TransferEncoding));
    let old = "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    check(old, get(), Err(E::TransferEncoding));
    let twice = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n";
    check(twice, get(), Err(E::ContentLength));
    check("HTTP/1.1 20 OK\r\n\r\n", get(), Err(E::FirstLine));
    check("HTTP/1.1 2000 OK\r\n\r\n", get(), Err(E::FirstLine));
    check("HTTP/2 200 OK\r\n\r\n", get(), Err(E::FirstLine));
    check("ICY 200 OK\r\n\r\n", get(), Err(E::FirstLine));
    check("HTTP/1.1 200 O\u{1}\r\n\r\n", get(), Err(E::FirstLine));
    check("HTTP/1.1 200 OK\r\nx: a\n\r\n", get(), Err(E::BareLineFeed));
}

#[test]
fn list_members_are_trimmed_and_empty_ones_skipped() {
    let members: Vec<_> = list(b" a,, b ,\tc").collect();
    assert_eq!(members, [&b"a"[..], b"b", b"c"]);
}

/// Decodes `body` given in pieces; returns content, trailer count, and how many bytes were left.
fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, usize, Option<usize>), ChunkError> {
    let mut decoder = ChunkDecoder::default();
    let mut input = BytesMut::new();
    let mut content = Vec::new();
    let mut trailers = 0;
    let mut ended = false;
    for piece in pieces {
        input.extend_from_slice(piece);
        while !ended {
            match decoder.decode(&mut input)? {
                Decoded::Data(data) => content.extend_from_slice(&data),
                Decoded::Trailers(fields) => trailers += fields.len(),
                Decoded::End => ended = true,
                Decoded::More => break,
            }
        }
    }
    Ok((content, trailers, ended.then_some(input.len())))
}

#[test]
fn chunked_bodies_are_decoded() {
    let check = |body: &str, content: &str, trailers: usize, left: usize| {
        let expected = (content.as_bytes().to_vec(), trailers, Some(left));
        assert_eq!(decode(&[body.as_bytes()]), Ok(expected), "{body:?}");
    };
    check("0\r\n\r\n", "", 0, 0);
    check("5\r\nhello\r\n0\r\n\r\n", "hello", 0, 0);
    check(
        "a;x=\"y\"\r\n0123456789\r\n00\r\n\r\nGET",
        "0123456789",
        0,
        3,
    );
    check(
        "1\r\na\r\n1\r\nb\r\n0\r\nx-sum: 1\r\nContent-Length: 3\r\n\r\n",
        "ab",
        1,
        0,
    );
}

#[test]
fn chunk_framing_that_parsers_disagree_on_is_refused() {
    use ChunkError as E;
    let cases = [
        ("\r\n", E::Size),
        ("g\r\n", E::Size),
        ("-1\r\n", E::Size),
        ("+1\r\n", E::Size),
        ("0x1\r\n", E::Size),
        (" 1\r\n", E::Size),
        ("1 \r\na\r\n", E::Size),
        ("1\na\r\n", E::Size),
        ("1\r\r\n", E::LineEnd),
        ("1\rX", E::LineEnd),
        ("1;a\nb\r\n", E::LineEnd),
        ("1;a\u{0}\r\n", E::Extension),
        ("1\r\nab\r\n", E::LineEnd),
        ("1\r\na\n", E::LineEnd),
        ("1\r\na\rX", E::LineEnd),
        ("10000000000000000\r\n", E::SizeOverflow),
        ("fffffffffffffffff\r\n", E::SizeOverflow),
        ("0\r\nx: 1\n\r\n", E::Trailer(HeadError::BareLineFeed)),
        ("0\r\nx : 1\r\n\r\n", E::Trailer(HeadError::FieldName)),
        ("0\r\n folded\r\n\r\n", E::Trailer(HeadError::FoldedLine)),
    ];
    for (body, expected) in cases {
        assert_eq!(decode(&[body.as_bytes()]), Err(expected), "{body:?}");
    }
    let extension = format!("1;{}\r\na\r\n", "x".repeat(5000));
    assert_eq!(decode(&[extension.as_bytes()]), Err(E::ExtensionTooLarge));
    let many = format!("1;{}\r\na\r\n", "x".repeat(900)).repeat(5);
    assert_eq!(decode(&[many.as_bytes()]), Err(E::ExtensionTooLarge));
}

fn split<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn any_split_of_a_chunked_body_decodes_to_the_same(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut body = Vec::new();
        for chunk in &chunks {
            body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\nnext");
        let decoded = decode(&split(&body, &cuts));
        prop_assert_eq!(decoded, Ok((chunks.concat(), 0, Some(4))));
    }

    #[test]
    fn any_split_of_arbitrary_bytes_decodes_to_the_same_and_never_panics(
        body in prop::collection::vec(prop_oneof![
            Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'1'), Just(b';'), any::<u8>()
        ], 0..200),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let whole = decode(&[&body]);
        let pieces = decode(&split(&body, &cuts));
        // Where in the bytes an error shows does not depend on the split; content before it is the same prefix.
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn any_split_of_a_head_ends_at_the_same_byte(
        lines in prop::collection::vec("[a-z]{1,8}: [ -~]{0,20}", 0..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let head = format!("GET / HTTP/1.1\r\n{}\r\n",
            lines.iter().map(|line| format!("{line}\r\n")).collect::<String>());
        let bytes = [head.as_bytes(), b"body\r\n\r\n"].concat();
        let mut scan = HeadScan::default();
        let mut seen = Vec::new();
        let mut end = None;
        for piece in split(&bytes, &cuts) {
            seen.extend_from_slice(piece);
            end = scan.find_end(&seen, 64 * 1024).unwrap();
            if end.is_some() { break; }
        }
        prop_assert_eq!(end, Some(head.len()));
    }

    #[test]
    fn arbitrary_heads_never_panic(bytes in prop::collection::vec(prop_oneof![
        Just(b'\r'), Just(b'\n'), Just(b':'), Just(b' '), Just(b'a'), any::<u8>()
    ], 0..300)) {
        let limits = HeadLimits::default();
        let bytes = Bytes::from(bytes);
        let _ = parse_request(&bytes, &limits);
        let _ = parse_response(&bytes, &Method::GET, &limits);
        let mut with_line = b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec();
        with_line.extend_from_slice(&bytes);
        with_line.extend_from_slice(b"\r\n\r\n");
        let _ = read_request_any(&with_line);
    }

    #[test]
    fn an_accepted_head_holds_no_control_bytes(value in "[\\x00-\\x7f]{0,40}") {
        if let Ok(head) = read_request_any(with(&format!("X-V: {value}")).as_bytes()) {
            for field in head.headers.values() {
                prop_assert!(field.as_bytes().iter().all(|b| *b == b'\t' || (*b >= 0x20 && *b != 0x7f)));
            }
        }
    }
}

fn read_request_any(text: &[u8]) -> Result<RequestHead, HeadError> {
    let limits = HeadLimits::default();
    match HeadScan::default().find_end(text, limits.head_bytes_max)? {
        Some(end) => parse_request(&Bytes::copy_from_slice(&text[..end]), &limits),
        None => Err(HeadError::FirstLine),
    }
}
