//! What clients meet on an edge of a real system.

mod definitions;

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    process::Command,
    time::Duration,
};

use definitions::{TIDEGATE, keyless, keyless_with, proxy};
use tidegate_testkit::{System, Upstream, eventually, http};

#[test]
fn requests_find_their_api_by_host_and_longest_path() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let (plain, hosted, deep) = (
        Upstream::start("plain")?,
        Upstream::start("hosted")?,
        Upstream::start("deep")?,
    );
    system.deploy("plain.yaml", &keyless("Plain", "/shop", plain.address()))?;
    let virtual_host = keyless("Hosted", "/shop", hosted.address()).replace(
        "        - path: /shop\n",
        "        - path: /shop\n          host: api.example.com\n",
    );
    system.deploy("hosted.yaml", &virtual_host)?;
    let deep_host = keyless("Deep", "/shop", deep.address()).replace(
        "        - path: /shop\n",
        "        - path: /shop\n          host: deep.example.com\n        - path: /shop/very/deep\n          host: deep.example.com\n",
    );
    system.deploy("deep.yaml", &deep_host)?;
    let edge = system.edge(0)?;
    let reached = |host: &str, path: &str| -> anyhow::Result<String> {
        let text = http::get_with(edge, path, &[("Host", host)])?.text();
        Ok(text.lines().take(2).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(
        reached("anything", "/shop/a?b=c")?,
        "plain GET /a?b=c HTTP/1.1"
    );
    assert_eq!(
        reached("API.example.com", "/shop/a")?,
        "hosted GET /a HTTP/1.1"
    );
    assert_eq!(
        reached("deep.example.com", "/shop/very/deep/x")?,
        "deep GET /x HTTP/1.1"
    );
    assert_eq!(
        reached("deep.example.com", "/shop/very")?,
        "deep GET /very HTTP/1.1"
    );
    let missed = http::get(edge, "/nowhere")?;
    assert_eq!(missed.status, 404);
    assert_eq!(missed.text(), "No context-path matches the request URI.");
    Ok(())
}

#[test]
fn load_spreads_over_endpoints_by_weight() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let (heavy, light) = (Upstream::start("heavy")?, Upstream::start("light")?);
    let second = format!(
        "            target: http://{}
          weight: 3
        - name: second
          type: http-proxy
          configuration:
            target: http://{}
",
        heavy.address(),
        light.address()
    );
    let definition = keyless("Spread", "/spread", heavy.address())
        .replace(&format!("            target: http://{}\n", heavy.address()), &second)
        .replace(
            "      type: http-proxy\n      endpoints:",
            "      type: http-proxy\n      loadBalancer:\n        type: weighted-round-robin\n      endpoints:",
        );
    system.deploy("spread.yaml", &definition)?;
    for _ in 0..40 {
        assert_eq!(http::get(system.edge(0)?, "/spread")?.status, 200);
    }
    assert_eq!((heavy.requests(), light.requests()), (30, 10));
    Ok(())
}

#[test]
fn policies_run_in_flows_and_only_where_they_match() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("flows")?;
    let flows = "  flows:
    - name: mocked
      selectors:
        - type: http
          path: /mocked
          pathOperator: EQUALS
          methods: [GET]
      request:
        - policy: mock
          configuration:
            status: '418'
            content: 'hello {#request.params[''name''][0]}'
            headers:
              - name: X-Mock
                value: 'yes'
    - name: attributes
      selectors:
        - type: http
          path: /tagged
      request:
        - policy: policy-assign-attributes
          configuration:
            scope: REQUEST
            attributes:
              - name: greeting
                value: 'hi from {#request.method}'
        - policy: transform-headers
          condition: \"{#request.headers['X-Skip'] == null}\"
          configuration:
            addHeaders:
              - name: X-Greeting
                value: \"{#context.attributes['greeting']}\"
";
    system.deploy(
        "flows.yaml",
        &keyless_with("Flows", "/flows", upstream.address(), flows),
    )?;
    let edge = system.edge(0)?;
    let mocked = http::get(edge, "/flows/mocked?name=Ada")?;
    assert_eq!((mocked.status, mocked.text().as_str()), (418, "hello Ada"));
    assert_eq!(mocked.header("x-mock"), Some("yes"));
    assert_eq!(upstream.requests(), 0, "a mock calls nobody");
    let seen = http::get(edge, "/flows/tagged-and-more")?
        .text()
        .to_lowercase();
    assert!(
        seen.contains("x-greeting: hi from get"),
        "STARTS_WITH is not bound to segments: {seen}"
    );
    let seen = http::get_with(edge, "/flows/tagged", &[("X-Skip", "1")])?.text();
    assert!(
        !seen.to_lowercase().contains("x-greeting"),
        "the condition does not hold: {seen}"
    );
    Ok(())
}

#[test]
fn errors_speak_the_language_of_the_client() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    system.deploy("dead.yaml", &keyless("Dead", "/dead", nobody))?;
    let slow = keyless("Slow", "/slow", silent.local_addr()?).replace(
        "      endpoints:\n",
        "      sharedConfiguration:\n        http:\n          readTimeout: 300\n      endpoints:\n",
    );
    let slow = slow.replace(
        "          configuration:\n            target",
        "          inheritConfiguration: true\n          configuration:\n            target",
    );
    system.deploy("slow.yaml", &slow)?;
    let edge = system.edge(0)?;
    let bad_gateway = http::get_with(edge, "/dead", &[("Accept", "application/json")])?;
    assert_eq!(bad_gateway.status, 502);
    assert_eq!(bad_gateway.text(), "", "no message, no body");
    let timeout = http::get(edge, "/slow")?;
    assert_eq!(timeout.status, 504);
    Ok(())
}

#[test]
fn smuggled_and_malformed_requests_are_refused() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("strict")?;
    system.deploy("strict.yaml", &keyless("Strict", "/s", upstream.address()))?;
    let edge = system.edge(0)?;
    for request in [
        "POST /s HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "POST /s HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /s HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
        "POST /s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        "GET /s HTTP/1.1\nHost: a\n\n",
        "GET /s HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /s HTTP/1.1\r\n\r\n",
        "GET /s HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /s HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
        "GET /s HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n",
    ] {
        let mut connection = http::Connection::open(edge)?;
        connection.send(request.as_bytes())?;
        let (status, _) = connection.head()?;
        assert_eq!(status, 400, "{request:?}");
    }
    assert!(
        upstream.requests() <= 1,
        "only the request with the bad chunk may have gone out"
    );
    assert_eq!(http::get(edge, "/s")?.status, 200);
    Ok(())
}

#[test]
fn bodies_stream_both_ways_before_they_end() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    // Answers each piece at once: a proxy that buffers would wait for ever.
    std::thread::spawn(move || -> anyhow::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = [0; 4096];
        let mut seen = Vec::new();
        while !seen.windows(3).any(|window| window == b"one") {
            let count = stream.read(&mut buffer)?;
            seen.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")?;
        while !seen.windows(3).any(|window| window == b"two") {
            let count = stream.read(&mut buffer)?;
            seen.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n")?;
        Ok(())
    });
    system.deploy("stream.yaml", &keyless("Stream", "/stream", address))?;
    let mut connection = http::Connection::open(system.edge(0)?)?;
    connection.send(
        b"POST /stream HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n",
    )?;
    let (status, _) = connection.head()?;
    assert_eq!(status, 200);
    assert_eq!(connection.line()?, "5");
    assert_eq!(connection.bytes(7)?, b"first\r\n");
    connection.send(b"3\r\ntwo\r\n0\r\n\r\n")?;
    assert_eq!(connection.line()?, "6");
    assert_eq!(connection.bytes(8)?, b"second\r\n");
    assert_eq!(connection.line()?, "0");
    Ok(())
}

#[test]
fn websockets_pass_through() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || -> anyhow::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = [0; 4096];
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut buffer)?;
            seen.extend_from_slice(&buffer[..count]);
        }
        stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        )?;
        loop {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            stream.write_all(&buffer[..count])?;
        }
    });
    system.deploy("ws.yaml", &keyless("Ws", "/ws", address))?;
    let mut connection = http::Connection::open(system.edge(0)?)?;
    connection.send(
        b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    )?;
    let (status, headers) = connection.head()?;
    assert_eq!(status, 101, "{headers:?}");
    for word in [b"ping", b"pong"] {
        connection.send(word)?;
        assert_eq!(connection.bytes(4)?, word);
    }
    Ok(())
}

#[test]
fn curl_speaks_every_version_in_clear_text_and_tls() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &[])?;
    let ca = system.data_dir().join("pki/ca.pem").display().to_string();
    let clear = format!("http://{}/echo/x", system.edge(0)?);
    let sealed = format!(
        "https://localhost:{}/echo/x",
        system.address("edges", 0, "https")?.port()
    );
    for (version, url, expected) in [
        ("--http1.1", &clear, "1.1"),
        ("--http2-prior-knowledge", &clear, "2"),
        ("--http1.1", &sealed, "1.1"),
        ("--http2", &sealed, "2"),
    ] {
        let output = Command::new("curl")
            .args([
                "-sS",
                "--noproxy",
                "*",
                "--max-time",
                "20",
                "--cacert",
                &ca,
                version,
            ])
            .args(["-o", "/dev/null", "-w", "%{http_code} %{http_version}", url])
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            said,
            format!("200 {expected}"),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

#[test]
fn metrics_health_and_access_log_show_what_happened() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("access.log");
    let log_path = log.display().to_string();
    let system = System::start_with(TIDEGATE, &[], &[("TIDEGATE_ACCESS_LOG", log_path.as_str())])?;
    assert_eq!(http::get(system.edge(0)?, "/echo/logged")?.status, 200);
    let technical = system.address("edges", 0, "technical")?;
    assert_eq!(http::get(technical, "/health/live")?.status, 200);
    assert_eq!(http::get(technical, "/health/ready")?.status, 200);
    let metrics = http::get(technical, "/metrics")?.text();
    assert!(
        metrics.contains("tidegate_edge_http_requests_total"),
        "{metrics}"
    );
    assert!(
        metrics.contains("tidegate_edge_snapshot_revision"),
        "{metrics}"
    );
    eventually("the access log", Duration::from_secs(5), || {
        let text = std::fs::read_to_string(&log)?;
        let Some(line) = text.lines().find(|line| line.contains("/echo/logged")) else {
            return Ok(false);
        };
        let record: serde_json::Value = serde_json::from_str(line)?;
        Ok(record["status"] == 200)
    })
}

#[test]
fn swapping_configuration_under_load_fails_no_request() -> anyhow::Result<()> {
    let system = System::start(TIDEGATE, &["--no-sample"])?;
    let upstream = Upstream::start("swap")?;
    system.deploy("swap.yaml", &keyless("Swap", "/swap", upstream.address()))?;
    let edge = system.edge(0)?;
    let client = std::thread::spawn(move || -> anyhow::Result<usize> {
        let mut failed = 0;
        for _ in 0..400 {
            failed += usize::from(http::get(edge, "/swap")?.status != 200);
        }
        Ok(failed)
    });
    for round in 0..5 {
        let definition = proxy(
            "Swap",
            "/swap",
            upstream.address(),
            "",
            &format!("  description: r{round}\n"),
        );
        let file = system.write("swap.yaml", &definition)?;
        system.ok(&["apply", "-f", &file, "--deploy", "--wait"])?;
    }
    let failed = client
        .join()
        .map_err(|_panic| anyhow::anyhow!("the client panicked"))??;
    assert_eq!(failed, 0);
    Ok(())
}
