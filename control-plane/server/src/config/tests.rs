use super::*;

fn raw() -> RawConfig {
    RawConfig::default()
}

fn with_peers() -> RawConfig {
    RawConfig {
        peers: Some("1=10.0.0.1:7401/7400, 2=[::1]:7401/7400".to_owned()),
        cluster_id: Some("c1".to_owned()),
        tls_ca: Some("ca".into()),
        tls_cert: Some("cert".into()),
        tls_key: Some("key".into()),
        ..raw()
    }
}

#[test]
fn defaults_describe_a_lone_node_on_loopback() {
    let config = Config::validate(&raw()).unwrap();
    assert_eq!(config.grpc, "127.0.0.1:7400".parse().unwrap());
    assert_eq!(config.raft, "127.0.0.1:7401".parse().unwrap());
    assert_eq!(config.placement.node_id, 1);
    assert!(config.placement.peers.is_empty());
    assert!(!config.placement.bootstrap);
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.toml");
    fs::write(
        &path,
        "node-id = 7\ngrpc = \"127.0.0.1:9000\"\nbootstrap = true\n",
    )
    .unwrap();
    let flags = RawConfig {
        node_id: Some(3),
        ..raw()
    };
    let config = Config::load(flags, Some(&path)).unwrap();
    assert_eq!(config.placement.node_id, 3);
    assert_eq!(config.grpc, "127.0.0.1:9000".parse().unwrap());
    assert!(config.placement.bootstrap);
    assert_eq!(config.raft, "127.0.0.1:7401".parse().unwrap());
}

#[test]
fn an_unknown_key_of_the_file_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.toml");
    fs::write(&path, "node-di = 7\n").unwrap();
    let error = Config::load(raw(), Some(&path)).unwrap_err();
    let ConfigError::Parse { source, .. } = error else {
        panic!("{error:?}")
    };
    assert!(source.to_string().contains("node-di"), "{source}");
}

#[test]
fn settings_that_do_not_fit_together_are_refused() {
    let check = |change: fn(&mut RawConfig), expected: &str| {
        let mut raw = with_peers();
        change(&mut raw);
        let error = Config::validate(&raw).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{error:?} does not say {expected:?}"
        );
    };
    check(|raw| raw.cluster_id = None, "cluster-id is needed");
    check(|raw| raw.tls_key = None, "each of tls-ca");
    check(
        |raw| {
            raw.tls_ca = None;
            raw.tls_cert = None;
            raw.tls_key = None;
        },
        "tls-ca, tls-cert and tls-key",
    );
    check(|raw| raw.node_id = Some(9), "this node (9)");
    check(|raw| raw.node_id = Some(0), "0 is not a node number");
    check(|raw| raw.cluster_id = Some("a b".to_owned()), "cluster-id");
    check(|raw| raw.timing = Some("wan".to_owned()), "timing");
    check(|raw| raw.log_format = Some("xml".to_owned()), "log-format");
    check(
        |raw| raw.peers = Some("1=a:1/2,1=b:1/2".to_owned()),
        "listed twice",
    );
    check(
        |raw| raw.peers = Some("1=a:1".to_owned()),
        "not of the form",
    );
    check(
        |raw| raw.peers = Some("1=::1:7401/7400".to_owned()),
        "not of the form",
    );
    check(
        |raw| raw.raft = Some("127.0.0.1:7400".parse().unwrap()),
        "is the gRPC address too",
    );
}

#[test]
fn the_description_reads_back_as_the_same_configuration() {
    let config = Config::validate(&with_peers()).unwrap();
    let text = config.describe();
    let again: RawConfig = toml::from_str(&text).unwrap();
    let again = Config::validate(&again).unwrap();
    assert_eq!(config, again, "{text}");
}
