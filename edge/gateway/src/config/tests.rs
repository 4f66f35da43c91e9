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
    assert_eq!(config.listen.http.port(), 8082);
    assert_eq!(config.listen.technical.port(), 18082);
    assert_eq!(config.identity.environment, "DEFAULT");
    assert_eq!(config.drain_timeout, Duration::from_secs(30));
    assert!(config.access_log.is_none());
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
fn what_cannot_work_is_refused_by_name() {
    let cases = [
        (
            "--control",
            RawConfig {
                control: None,
                ..raw()
            },
        ),
        (
            "--control",
            RawConfig {
                control: Some("http://a:1".to_owned()),
                ..raw()
            },
        ),
        (
            "--trust",
            RawConfig {
                trust: None,
                ..raw()
            },
        ),
        (
            "--workers",
            RawConfig {
                workers: Some(0),
                ..raw()
            },
        ),
        (
            "--http",
            RawConfig {
                http: Some("8082".to_owned()),
                ..raw()
            },
        ),
        (
            "--tls-cert",
            RawConfig {
                https: Some("127.0.0.1:0".to_owned()),
                ..raw()
            },
        ),
        (
            "--tls-client-ca",
            RawConfig {
                tls_client_auth: Some("required".to_owned()),
                ..https()
            },
        ),
        (
            "--tls-client-auth",
            RawConfig {
                tls_client_auth: Some("maybe".to_owned()),
                ..https()
            },
        ),
        (
            "--drain-timeout",
            RawConfig {
                drain_timeout: Some("soon".to_owned()),
                ..raw()
            },
        ),
        (
            "--edge-id",
            RawConfig {
                edge_id: Some("a/b".to_owned()),
                ..raw()
            },
        ),
        (
            "both included",
            RawConfig {
                tags: Some("a,!a".to_owned()),
                ..raw()
            },
        ),
    ];
    for (named, raw) in cases {
        let message = Config::check(raw).unwrap_err().to_string();
        assert!(message.contains(named), "{message:?} does not name {named}");
    }
}
