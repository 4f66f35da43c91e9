use std::{
    cell::Cell,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, header::LOCATION};
use tidegate_policy::{CallError, CallOptions, OutboundCall, Services};

use super::{OutboundSettings, background::TASKS_MAX, redirect::following, services};
use crate::{clock::SystemAmbient, upstream::UpstreamPools};

fn run(work: impl AsyncFnOnce(Services)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())
        .unwrap();
    runtime.block_on(async {
        let pools = UpstreamPools::new(1);
        let settings = OutboundSettings::default();
        work(services(Arc::new(SystemAmbient), &pools, &settings)).await;
    });
}

/// Answers one connection after the other with the given bytes, and gives back what was asked.
fn server(answers: &'static [&'static str]) -> (SocketAddr, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).unwrap();
            asked.push(String::from_utf8_lossy(&head[..read]).into_owned());
            stream.write_all(answer.as_bytes()).unwrap();
        }
        asked
    });
    (address, serving)
}

fn get(url: &str, options: CallOptions) -> OutboundCall {
    OutboundCall {
        request: Request::get(url).body(Bytes::new()).unwrap(),
        options: Arc::new(options),
    }
}

#[test]
fn a_call_brings_the_whole_response_and_sends_an_origin_form() {
    let (address, serving) =
        server(&["HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"]);
    run(async |services| {
        let call = get(&format!("http://{address}/a?b=c"), CallOptions::default());
        let response = services.http.send(call).await.unwrap();
        assert_eq!(response.status(), 404);
        assert_eq!(response.body().as_ref(), b"no");
    });
    let asked = serving.join().unwrap();
    assert!(asked[0].starts_with("GET /a?b=c HTTP/1.1\r\n"), "{asked:?}");
    let host = format!("host: {address}\r\n");
    assert!(asked[0].to_ascii_lowercase().contains(&host), "{asked:?}");
}

#[test]
fn redirects_are_followed_as_often_as_allowed() {
    const MOVED: &str =
        "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (address, serving) = server(&[MOVED, MOVED]);
    run(async |services| {
        let options = CallOptions {
            redirects_max: 1,
            ..CallOptions::default()
        };
        let call = get(&format!("http://{address}/first"), options);
        let response = services.http.send(call).await.unwrap();
        assert_eq!(response.status(), 302);
    });
    let asked = serving.join().unwrap();
    assert!(asked[1].starts_with("GET /next "), "{asked:?}");
}

#[test]
fn a_call_that_cannot_bring_a_response_says_why() {
    run(async |services| {
        let options = CallOptions::default;
        let small = CallOptions {
            response_bytes_max: 3,
            ..options()
        };
        let hurried = CallOptions {
            timeout: Duration::from_millis(50),
            ..options()
        };
        let (large, _) =
            server(&["HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlong"]);
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = silent
            .local_addr()
            .map(|address| (silent, address))
            .unwrap();
        let send = async |url: &str, options| services.http.send(get(url, options)).await;
        assert_eq!(
            send(&format!("http://{large}/"), small).await.unwrap_err(),
            CallError::TooLarge { bytes_max: 3 }
        );
        assert_eq!(
            send(&format!("http://{}/", silent.1), hurried)
                .await
                .unwrap_err(),
            CallError::Timeout
        );
        for url in ["/relative", "ftp://host/"] {
            let error = send(url, options()).await.unwrap_err();
            assert!(matches!(error, CallError::InvalidUrl(_)), "{url}: {error}");
        }
        for url in ["http://169.254.169.254/latest", "http://[fe80::1]/"] {
            let error = send(url, options()).await.unwrap_err();
            assert!(matches!(error, CallError::Refused(_)), "{url}: {error}");
        }
    });
}

#[test]
fn a_redirect_to_another_origin_carries_no_credentials_and_never_leaves_tls() {
    let sent = || {
        Request::post("https://a.test/x/y?z")
            .header("Authorization", "secret")
            .header("Content-Type", "text/plain")
            .body(Bytes::from_static(b"body"))
            .unwrap()
    };
    let redirect = |status: u16, location: &str| {
        let response = Response::builder()
            .status(status)
            .header(LOCATION, location);
        following(sent(), &response.body(Bytes::new()).unwrap())
    };
    let same = redirect(307, "../w").unwrap();
    assert_eq!(same.uri(), "https://a.test/w");
    assert_eq!((same.method().as_str(), same.body().len()), ("POST", 4));
    assert!(same.headers().contains_key("authorization"));
    let other = redirect(303, "https://b.test/#part").unwrap();
    assert_eq!(other.uri(), "https://b.test/");
    assert_eq!((other.method().as_str(), other.body().len()), ("GET", 0));
    assert!(other.headers().is_empty());
    assert!(redirect(302, "http://a.test/").is_none());
    assert!(redirect(302, "file:///etc/passwd").is_none());
    assert!(redirect(200, "https://a.test/").is_none());
}

#[test]
fn background_work_is_bounded_and_frees_its_place_when_it_ends() {
    run(async |services| {
        let ended = Rc::new(Cell::new(0));
        for _ in 0..TASKS_MAX {
            let ended = Rc::clone(&ended);
            let task = Box::pin(async move { ended.set(ended.get() + 1) });
            services.tasks.spawn(task).unwrap();
        }
        assert!(services.tasks.spawn(Box::pin(async {})).is_err());
        while ended.get() < TASKS_MAX {
            services.tasks.sleep(Duration::from_millis(1)).await;
        }
        assert!(services.tasks.spawn(Box::pin(async {})).is_ok());
    });
}

#[test]
fn names_and_literals_resolve() {
    run(async |services| {
        let literal = services.names.resolve("192.0.2.7").await.unwrap();
        assert_eq!(literal, ["192.0.2.7".parse::<std::net::IpAddr>().unwrap()]);
        assert!(
            !services
                .names
                .resolve("localhost")
                .await
                .unwrap()
                .is_empty()
        );
    });
}
