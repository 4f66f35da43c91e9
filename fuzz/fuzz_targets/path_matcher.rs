//! The router on any acceptors and any request: it never panics, what it finds is a prefix of the
//! path, and no longer acceptor of the same host would have been one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_edge_http::routing::{RouterBuilder, normalise, path_info};

// Lines of the input: `host path` of acceptors, the last one of the request.
fuzz_target!(|text: &str| {
    let mut lines: Vec<(Option<&str>, &str)> = text.lines().map(split).collect();
    let Some((host, path)) = lines.pop() else {
        return;
    };
    let mut builder = RouterBuilder::default();
    for (target, (host, path)) in (0_u32..).zip(&lines) {
        let _taken = builder.add(*host, path, target);
    }
    let router = builder.build();
    let found = router.find(host, path);
    let wanted = if path.ends_with('/') {
        path.to_owned()
    } else {
        format!("{path}/")
    };
    if let Some(found) = found {
        assert!(wanted.starts_with(found.context_path));
        assert!(path.ends_with(path_info(found.context_path, path)));
    }
    let found = found.map_or(0, |found| found.context_path.len());
    for (_, acceptor) in lines.iter().filter(|(host, _)| host.is_none()) {
        let acceptor = normalise(acceptor);
        let is_longer = host.is_none() && acceptor.len() > found;
        assert!(!(is_longer && wanted.starts_with(&acceptor)));
    }
});

fn split(line: &str) -> (Option<&str>, &str) {
    match line.split_once(' ') {
        Some(("", path)) => (None, path),
        Some((host, path)) => (Some(host), path),
        None => (None, line),
    }
}
