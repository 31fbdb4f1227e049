//! HTTP digest authentication (RFC 7616, `qop=auth`, MD5, which is what cameras know): the question, and whether an answer is right.

use md5::{Digest as _, Md5};

/// Longest `Authorization` header that is read, in bytes.
const HEADER_BYTES_MAX: usize = 2048;

/// Who may ask, and in which realm.
#[derive(Clone)]
pub struct Account {
    /// Told in the question.
    pub realm: String,
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // the password never prints
        write!(f, "Account({} of {})", self.user, self.realm)
    }
}

impl Account {
    /// The value of `WWW-Authenticate`.
    pub fn question(&self, nonce: &str) -> String {
        format!(
            "Digest realm=\"{}\", qop=\"auth\", nonce=\"{nonce}\", algorithm=MD5",
            self.realm
        )
    }

    /// Whether the value of `Authorization` answers the question with this nonce, for this method and path.
    pub fn has_answered(&self, header: &str, nonce: &str, method: &str, path: &str) -> bool {
        let Some(fields) = header
            .strip_prefix("Digest ")
            .filter(|_| header.len() <= HEADER_BYTES_MAX)
        else {
            return false;
        };
        let field = |name: &str| field(fields, name);
        let is_ours = field("username") == Some(&self.user)
            && field("nonce") == Some(nonce)
            && field("uri") == Some(path);
        let (Some(count), Some(cnonce), Some(response)) =
            (field("nc"), field("cnonce"), field("response"))
        else {
            return false;
        };
        is_ours
            && field("qop") == Some("auth")
            && response == self.response(nonce, count, cnonce, method, path)
    }

    pub(super) fn response(
        &self,
        nonce: &str,
        count: &str,
        cnonce: &str,
        method: &str,
        path: &str,
    ) -> String {
        let who = md5(&format!("{}:{}:{}", self.user, self.realm, self.password));
        let what = md5(&format!("{method}:{path}"));
        md5(&format!("{who}:{nonce}:{count}:{cnonce}:auth:{what}"))
    }
}

/// A member of a list such as `username="x", nc=00000001`; a comma may stand within quotes.
fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = fields;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim() == name {
            return Some(value.trim());
        }
        rest = next.trim_start_matches([',', ' ']);
    }
    None
}

fn md5(text: &str) -> String {
    hex::encode(Md5::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7616, 3.9.1.
    const ANSWER: &str = "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm=MD5, \
        nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", \
        qop=auth, response=\"8ca523f5e9506fed4657c9700eebdbec\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

    #[test]
    fn the_example_of_the_standard_holds() {
        let account = Account {
            realm: "http-auth@example.org".to_owned(),
            user: "Mufasa".to_owned(),
            password: "Circle of Life".to_owned(),
        };
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let check = |header: &str, nonce: &str, method: &str, path: &str| {
            account.has_answered(header, nonce, method, path)
        };
        assert!(check(ANSWER, nonce, "GET", "/dir/index.html"));
        assert!(!check(ANSWER, nonce, "PUT", "/dir/index.html"));
        assert!(!check(ANSWER, "another", "GET", "/dir/index.html"));
        assert!(!check(ANSWER, nonce, "GET", "/dir/other.html"));
        assert!(!check(
            &ANSWER.replace("8ca5", "8ca6"),
            nonce,
            "GET",
            "/dir/index.html"
        ));
        for odd in [
            "",
            "Digest",
            "Digest =",
            "Digest username=\"",
            "Basic TXVmYXNh",
        ] {
            assert!(!check(odd, nonce, "GET", "/dir/index.html"), "{odd}");
        }
        assert!(!format!("{account:?}").contains("Circle"));
    }
}
