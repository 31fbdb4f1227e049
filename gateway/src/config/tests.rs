use super::*;

fn with_file(text: &str) -> Result<Config, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("c.toml");
    std::fs::write(&path, text).expect("written");
    load(Some(&path)).map_err(|e| format!("{e:#}"))
}

#[test]
fn the_embedded_defaults_are_complete_and_valid() {
    let config = load(None).expect("loads");
    assert_eq!(config.mqtt.listen.port(), 1883);
    assert_eq!(config.log.format, LogFormat::Text);
}

#[test]
fn a_file_overrides_key_by_key() {
    let config = with_file("[http]\nlisten = \"0.0.0.0:9\"\n").expect("loads");
    assert_eq!(
        (config.http.listen.port(), config.mqtt.listen.port()),
        (9, 1883)
    );
}

#[test]
fn mistakes_name_the_key_and_what_was_meant() {
    for (text, part) in [
        ("[http]\nlistne = \"x\"", "did you mean `http.listen`"),
        ("[kpi]\nsolve_percent = 36", "are 101 together (hint: 100)"),
        ("[kpi]\nblack_below_permille = 900", "not above the second"),
        (
            "[http]\ntrusted_proxies = [\"0.0.0.0/0\"]",
            "neither an address nor a network",
        ),
        ("[kpi]\nseats = 0", "`kpi.seats` is 0"),
        (
            "[station]\nlog_every_s = 1",
            "`station.log_every_s` is 1 (hint: 2 to 86400)",
        ),
        (
            "[htpt]\nlisten = \"127.0.0.1:1\"",
            "did you mean `http.listen`",
        ),
        ("listen = 3", "unknown key `listen`"),
        ("[http]\nlisten = \"here\"", "listen"),
        ("[mqtt]\nreceive_maximum = 0", "mqtt.receive_maximum"),
        ("[http", "in configuration"),
        ("[mqtt]\nws_listen = \"here\"", "hint: as in 0.0.0.0:8883"),
        (
            "[mqtt]\nws_origins = [\"https://a.example/x\"]",
            "`mqtt.ws_origins`: `https://a.example/x` is not an origin",
        ),
        (
            "[mqtt]\ntls_listen = \"127.0.0.1:1\"\n[tls]\nkey_file = \"k\"",
            "`mqtt.tls_listen` is set and `tls.certificate_file` is not",
        ),
        (
            "[tls]\nclient_certificates = \"required\"",
            "`tls.client_ca_file` is not set",
        ),
        (
            "[tls]\nclient_ca_file = \"ca\"",
            "`tls.client_certificates` is off",
        ),
        (
            "[http]\nkey_file = \"k\"",
            "only one of `http.certificate_file`",
        ),
        ("[http]\nhsts_s = 1", "nothing speaks HTTPS"),
        (
            "[influx]\nurl = \"http://127.0.0.1:1\"",
            "influx.token_file",
        ),
        ("[oidc]\nissuers = \"x\"", "did you mean `oidc.issuer`"),
        ("[oidc]\nclient_id = \"hub\"", "`oidc.issuer` is not"),
        ("[oidc]\nusers = { a = \"Zhou\" }", "is not an id"),
    ] {
        let error = with_file(text).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
}

/// An identity provider with everything it must have, and then these lines.
fn with_provider(more: &str) -> Result<Config, String> {
    let mut keys: BTreeMap<&str, &str> = [
        ("issuer", "\"https://id.example\""),
        ("client_id", "\"hub\""),
        ("client_secret_file", "\"/run/secrets/oidc\""),
        ("redirect", "\"http://127.0.0.1:8080\""),
    ]
    .into();
    keys.extend(more.lines().filter_map(|line| line.split_once(" = ")));
    let lines: Vec<_> = keys.iter().map(|(k, v)| format!("{k} = {v}")).collect();
    with_file(&format!("[oidc]\n{}\n", lines.join("\n")))
}

#[test]
fn an_identity_provider_is_off_until_asked_for_and_then_whole() {
    let off = load(None).expect("loads").oidc;
    assert!(off.issuer.is_empty() && off.users.is_empty());
    let on = with_provider("users = { \"8f6c.Aa\" = \"zhou\", \"王磊\" = \"wanglei\" }");
    let on = on.expect("loads").oidc;
    assert_eq!(on.claim, "preferred_username");
    // names of others are kept letter by letter
    let users: Vec<_> = on.users.iter().map(|(n, u)| (&**n, u.as_str())).collect();
    assert_eq!(users, [("8f6c.Aa", "zhou"), ("王磊", "wanglei")]);
    for (lines, part) in [
        (
            "issuer = \"http://id.example\"",
            "`oidc.issuer`: `http://id.example` is neither https nor on this machine",
        ),
        (
            "issuer = \"id.example\"",
            "`oidc.issuer`: `id.example` is not an address",
        ),
        (
            "client_id = \"\"",
            "`oidc.client_id` is not (hint: the name",
        ),
        (
            "client_secret_file = \"\"",
            "`oidc.client_secret_file` is not (hint: a file, mode 0600",
        ),
        ("redirect = \"\"", "`oidc.redirect` is not"),
        (
            "redirect = \"http://127.0.0.1/board\"",
            "more than an origin",
        ),
        (
            "redirect = \"http://station.example\"",
            "`oidc.redirect`: `http://station.example` is neither",
        ),
        (
            "redirect = \"https://station.example\"",
            "nothing speaks HTTPS",
        ),
        ("claim = \"\"", "`oidc.claim` is not"),
        ("label_zh = \"\"", "`oidc.label_zh` is not"),
    ] {
        let error = with_provider(lines).expect_err(lines);
        assert!(error.contains(part), "{lines}: {error}");
    }
}
