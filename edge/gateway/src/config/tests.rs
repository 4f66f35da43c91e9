use super::*;

fn raw() -> RawConfig {
    RawConfig {
        control: Some("https://a:7400, https://b:7400/".to_owned()),
        ca: Some(PathBuf::from("ca.pem")),
        trust: Some("ab".repeat(32)),
        token_file: Some(PathBuf::from("token")),
        ..RawConfig::default()
    }
}

fn https() -> RawConfig {
    RawConfig {
        https: Some("127.0.0.1:0".to_owned()),
        tls_cert: Some(PathBuf::from("edge.pem")),
        tls_key: Some(PathBuf::from("edge.key")),
        ..raw()
    }
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = Config::check(raw()).unwrap();
    assert_eq!(config.control.urls, ["https://a:7400", "https://b:7400"]);
    assert_eq!(config.listen.http.address.port(), 8082);
    assert_eq!(config.listen.http.id, "http");
    assert!(config.listen.tls.is_none() && config.listen.tcp.is_empty());
    assert_eq!(config.listen.technical.port(), 18082);
    assert_eq!(config.identity.environment, "DEFAULT");
    assert_eq!(config.drain_timeout, Duration::from_secs(30));
    assert!(config.access_log.is_none());
}

#[test]
fn servers_have_ids_of_their_own_or_those_of_their_settings() {
    let settings = RawConfig {
        http: Some("public = 0.0.0.0:80".to_owned()),
        tcp: Some("127.0.0.1:1, mqtt=127.0.0.1:2, 127.0.0.1:3".to_owned()),
        ..https()
    };
    let listen = Config::check(settings).unwrap().listen;
    assert_eq!(listen.http.id, "public");
    assert_eq!(listen.https.unwrap().id, "https");
    let tcp: Vec<(&str, u16)> = listen
        .tcp
        .iter()
        .map(|server| (server.id.as_str(), server.address.port()))
        .collect();
    assert_eq!(tcp, [("tcp", 1), ("mqtt", 2), ("tcp-3", 3)]);
    let twice = RawConfig {
        tcp: Some("http=127.0.0.1:1".to_owned()),
        ..https()
    };
    assert!(Config::check(twice).is_err());
    let without_certificate = RawConfig {
        tcp: Some("127.0.0.1:1".to_owned()),
        ..raw()
    };
    assert!(Config::check(without_certificate).is_err());
}

#[test]
fn a_flag_wins_over_the_file() {
    let file = RawConfig {
        region: Some("file".to_owned()),
        workers: Some(3),
        ..raw()
    };
    let flags = RawConfig {
        region: Some("flag".to_owned()),
        ..RawConfig::default()
    };
    let config = Config::check(flags.or(file)).unwrap();
    assert_eq!(
        (config.identity.region.as_str(), config.workers),
        ("flag", 3)
    );
}

#[test]
fn an_unknown_setting_in_the_file_is_refused() {
    assert!(toml::from_str::<RawConfig>("colour = \"blue\"").is_err());
    let read: RawConfig = toml::from_str("token-file = \"t\"\nworkers = 2").unwrap();
    assert_eq!(read.workers, Some(2));
}

#[test]
fn policy_settings_that_name_a_pem_file_hold_its_content() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    fs::write(&path, "-----BEGIN PUBLIC KEY-----").unwrap();
    let with = |value: &Path| RawConfig {
        policy_settings: Some(BTreeMap::from([
            ("key".to_owned(), value.display().to_string()),
            ("other".to_owned(), "ssh-rsa AAAA me.pem".to_owned()),
        ])),
        ..raw()
    };
    let config = Config::check(with(&path)).unwrap();
    let settings = config.policy_settings.expose();
    assert_eq!(settings["key"], "-----BEGIN PUBLIC KEY-----");
    assert_eq!(settings["other"], "ssh-rsa AAAA me.pem");
    let missing = Config::check(with(&directory.path().join("none.pem")));
    assert!(matches!(
        missing,
        Err(ConfigError::Unreadable {
            name: "policy-settings",
            ..
        })
    ));
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    type Change = fn(&mut RawConfig);
    let cases: [(&str, RawConfig, Change); 11] = [
        ("--control", raw(), |raw| raw.control = None),
        ("--control", raw(), |raw| {
            raw.control = Some("http://a:1".into())
        }),
        ("--trust", raw(), |raw| raw.trust = None),
        ("--workers", raw(), |raw| raw.workers = Some(0)),
        ("--http", raw(), |raw| raw.http = Some("8082".into())),
        ("--tls-cert", raw(), |raw| {
            raw.https = Some("127.0.0.1:0".into())
        }),
        ("--tls-client-ca", https(), |raw| {
            raw.tls_client_auth = Some("required".into())
        }),
        ("--tls-client-auth", https(), |raw| {
            raw.tls_client_auth = Some("maybe".into())
        }),
        ("--drain-timeout", raw(), |raw| {
            raw.drain_timeout = Some("soon".into())
        }),
        ("--edge-id", raw(), |raw| raw.edge_id = Some("a/b".into())),
        ("both included", raw(), |raw| raw.tags = Some("a,!a".into())),
    ];
    for (named, mut raw, change) in cases {
        change(&mut raw);
        let message = Config::check(raw).unwrap_err().to_string();
        assert!(message.contains(named), "{message:?} does not name {named}");
    }
}
