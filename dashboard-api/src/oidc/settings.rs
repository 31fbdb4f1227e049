//! What is configured of the identity provider, and what its addresses may be.

use std::collections::BTreeMap;
use std::net::IpAddr;

use domain::UserId;
use reqwest::Url;
use serde_json::Value;

/// Longest name that is looked up, in bytes: a `sub` has at most 255.
const NAME_BYTES_MAX: usize = 255;

/// The identity provider and how its words are read.
#[derive(Clone)]
pub struct Settings {
    /// Its issuer identifier, exactly as its tokens have it.
    pub issuer: String,
    /// Who the hub is there.
    pub client_id: String,
    /// What the hub shows there. It is in no log.
    pub client_secret: String,
    /// Scheme, host and port under which browsers know this dashboard.
    pub redirect: String,
    /// The claim that names the user.
    pub claim: String,
    /// Log-in names of those whose claim, or `sub`, is another word.
    pub users: BTreeMap<String, UserId>,
    /// What the button says in Chinese.
    pub label_zh: String,
    /// What the button says in English.
    pub label_en: String,
    /// Authorities that are trusted for the provider's HTTPS, PEM; none for those that browsers know.
    pub authorities: Option<Vec<u8>>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file of authorities has none.
    #[error(
        "`oidc.ca_file` has no certificate in PEM (hint: the authority's, `-----BEGIN CERTIFICATE-----`)"
    )]
    NoAuthority,
    /// A certificate in it, or the way out, cannot be used.
    #[error("preparing the way to the identity provider")]
    Client(#[source] reqwest::Error),
    /// An address cannot be read.
    #[error("`{key}`")]
    Url {
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        #[source]
        bad: BadUrl,
    },
}

/// An address over which nobody should log in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It is none.
    #[error("`{0}` is not an address (hint: as in https://id.example/realms/station)")]
    NoUrl(String),
    /// It goes over a network in the clear.
    #[error(
        "`{0}` is neither https nor on this machine (hint: whoever is on the way could log in as anybody)"
    )]
    InTheClear(String),
    /// More than scheme, host and port.
    #[error(
        "`{0}` is more than an origin (hint: as in https://station.example:8443, without a path)"
    )]
    NoOrigin(String),
}

/// An address that is safe from those on the way: https, or this machine itself.
///
/// # Errors
/// See [`BadUrl`].
pub fn trusted_url(text: &str) -> Result<Url, BadUrl> {
    let shown = || text.chars().take(120).collect();
    let url = Url::parse(text).map_err(|_| BadUrl::NoUrl(shown()))?;
    let host = url.host_str().ok_or_else(|| BadUrl::NoUrl(shown()))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    match url.scheme() {
        "https" | "http" if !is_plain => Err(BadUrl::NoUrl(shown())),
        "https" => Ok(url),
        "http" if is_here => Ok(url),
        "http" => Err(BadUrl::InTheClear(shown())),
        _ => Err(BadUrl::NoUrl(shown())),
    }
}

/// The same, and nothing but scheme, host and port; without a slash at its end.
///
/// # Errors
/// See [`BadUrl`].
pub fn origin(text: &str) -> Result<String, BadUrl> {
    let url = trusted_url(text)?;
    if url.path() != "/" || url.query().is_some() {
        return Err(BadUrl::NoOrigin(text.chars().take(120).collect()));
    }
    Ok(url.origin().ascii_serialization())
}

impl Settings {
    /// Whose log-in this is by the claims of a token that was verified. None when the claim is not there, or is no log-in name.
    ///
    /// An address of e-mail counts only when the provider has verified it: elsewhere people write into their profile what they like.
    pub(crate) fn account(&self, claims: &Value) -> Option<UserId> {
        let text = |claim: &str| {
            claims[claim]
                .as_str()
                .filter(|name| (1..=NAME_BYTES_MAX).contains(&name.len()))
        };
        if let Some(login) = text("sub").and_then(|subject| self.users.get(subject)) {
            return Some(login.clone());
        }
        if self.claim == "email" && claims["email_verified"] != Value::Bool(true) {
            return None;
        }
        let name = text(&self.claim)?;
        let known = self.users.get(name).cloned();
        known.or_else(|| name.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(claim: &str) -> Settings {
        let login = |text: &str| text.parse().expect("a login");
        Settings {
            issuer: "https://id.example".to_owned(),
            client_id: "hub".to_owned(),
            client_secret: "s".to_owned(),
            redirect: "https://station.example".to_owned(),
            claim: claim.to_owned(),
            users: [
                ("王磊".to_owned(), login("wanglei")),
                ("8f6c".to_owned(), login("lead")),
            ]
            .into(),
            label_zh: String::new(),
            label_en: String::new(),
            authorities: None,
        }
    }

    #[test]
    fn a_claim_is_a_log_in_name_or_stands_in_the_table() {
        let check = |claim: &str, claims: Value, login: Option<&str>| {
            let found = settings(claim).account(&claims);
            let found = found.as_ref().map(UserId::as_str);
            assert_eq!(found, login, "{claim}: {claims}");
        };
        let name = "preferred_username";
        check(name, json!({"sub": "1", name: "zhou"}), Some("zhou"));
        check(name, json!({"sub": "1", name: "王磊"}), Some("wanglei"));
        check(name, json!({"sub": "8f6c", name: "zhou"}), Some("lead"));
        check("sub", json!({"sub": "zhou"}), Some("zhou"));
        check(
            "staff_no",
            json!({"sub": "1", "staff_no": "a-17"}),
            Some("a-17"),
        );
        // no name, and what no log-in name can be
        check(name, json!({"sub": "1"}), None);
        check(name, json!({"sub": "1", name: ""}), None);
        check(name, json!({"sub": "1", name: 7}), None);
        check(name, json!({"sub": "1", name: ["zhou"]}), None);
        check(name, json!({"sub": "1", name: "Zhou"}), None);
        check(name, json!({"sub": "1", name: "zhou lei"}), None);
        check(name, json!({"sub": "1", name: "z".repeat(256)}), None);
    }

    #[test]
    fn an_address_of_e_mail_that_nobody_verified_names_nobody() {
        let mut settings = settings("email");
        let login: UserId = "zhou".parse().expect("a login");
        settings
            .users
            .insert("z@example.cn".to_owned(), login.clone());
        let mut claims = json!({"sub": "1", "email": "z@example.cn"});
        assert_eq!(settings.account(&claims), None);
        claims["email_verified"] = json!(false);
        assert_eq!(settings.account(&claims), None);
        claims["email_verified"] = json!(true);
        assert_eq!(settings.account(&claims), Some(login));
    }

    #[test]
    fn addresses_are_https_or_of_this_machine() {
        for good in [
            "https://id.example/realms/a",
            "http://127.0.0.1:9000",
            "http://[::1]:9000/x",
            "http://localhost/",
        ] {
            assert!(trusted_url(good).is_ok(), "{good}");
        }
        for clear in [
            "http://id.example",
            "http://192.168.1.2/",
            "http://localhost.evil.example",
        ] {
            assert!(
                matches!(trusted_url(clear), Err(BadUrl::InTheClear(_))),
                "{clear}"
            );
        }
        for none in [
            "",
            "id.example",
            "ftp://id.example",
            "https://",
            "https://a:b@id.example",
            "https://id.example/#x",
        ] {
            assert!(matches!(trusted_url(none), Err(BadUrl::NoUrl(_))), "{none}");
        }
        assert_eq!(
            origin("https://s.example:8443/"),
            Ok("https://s.example:8443".to_owned())
        );
        assert!(matches!(
            origin("https://s.example/board"),
            Err(BadUrl::NoOrigin(_))
        ));
        assert!(matches!(
            origin("https://s.example/?x"),
            Err(BadUrl::NoOrigin(_))
        ));
    }
}
