//! Users, sessions, tokens and MQTT accounts.

use jiff::SignedDuration;

use domain::{Scope, Timestamp};

use super::fixture::{Hub, at};
use crate::state::{
    CertificateRow, Credential, CredentialKind, Enrolled, NewUser, Origin, Role, SESSION_IDLE,
    SESSION_IDLE_ADMINISTRATOR, SESSION_LIFE, StateError, User,
};

fn li() -> User {
    User {
        login: "li".parse().expect("login"),
        name: "李强".to_owned(),
        role: Role::Responder,
        department: Some("fire".parse().expect("department")),
        scope: Scope::default(),
    }
}

fn scope(json: &str) -> Scope {
    serde_json::from_str(json).expect("a scope")
}

async fn with_li() -> Hub {
    let hub = Hub::start().await;
    let new = NewUser {
        user: li(),
        password: "correct horse".to_owned(),
    };
    hub.state.put_user(new, at(0)).await.expect("made");
    hub
}

#[tokio::test]
async fn a_password_opens_and_nothing_else_does() {
    let hub = with_li().await;
    let asked = async |login: &str, password: &str| {
        hub.state
            .verify_password(login, password)
            .await
            .expect("answers")
    };
    assert_eq!(asked("li", "correct horse").await, Some(li()));
    assert_eq!(asked("li", "correct horsf").await, None);
    assert_eq!(asked("zhou", "correct horse").await, None);
    assert_eq!(asked("li", &"x".repeat(5000)).await, None);
    assert_eq!(hub.state.users().await.expect("reads"), [li()]);
    let kept: String = sqlx::query_scalar("SELECT password_hash FROM account")
        .fetch_one(&hub.state.shared.read)
        .await
        .expect("reads");
    assert!(
        kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{kept}"
    );
}

#[tokio::test]
async fn a_user_that_makes_no_sense_is_refused() {
    let hub = Hub::start().await;
    for new in [
        NewUser {
            user: li(),
            password: "short".to_owned(),
        },
        NewUser {
            user: User {
                name: String::new(),
                ..li()
            },
            password: "correct horse".to_owned(),
        },
        NewUser {
            user: User {
                department: Some("market".parse().expect("id")),
                ..li()
            },
            password: "correct horse".to_owned(),
        },
        NewUser {
            user: User {
                scope: scope(r#"{"quarters": ["q1", "q9"]}"#),
                ..li()
            },
            password: "correct horse".to_owned(),
        },
    ] {
        let answer = hub.state.put_user(new, at(0)).await;
        assert!(
            matches!(answer, Err(StateError::Invalid { .. })),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn a_scope_comes_with_whatever_somebody_is_known_by_and_stands_in_the_audit_trail() {
    let hub = with_li().await;
    let state = &hub.state;
    let narrow = User {
        scope: scope(r#"{"quarters": ["q1"], "grids": ["g1"], "departments": ["fire"]}"#),
        ..li()
    };
    let new = NewUser {
        user: narrow.clone(),
        password: "correct horse".to_owned(),
    };
    state.put_user(new, at(1)).await.expect("limited");
    let token = state.create_token(&narrow.login, "x", at(1)).await;
    let session = state
        .open_session(&narrow.login, &Origin::default(), None, at(1))
        .await
        .expect("opens");
    for known in [
        state.verify_password("li", "correct horse").await,
        state.session_user(&session, at(1)).await,
        state.session_holder(&session, at(1)).await,
        state.token_user(&token.expect("made"), at(1)).await,
    ] {
        assert_eq!(known.expect("answers"), Some(narrow.clone()));
    }
    assert_eq!(state.users().await.expect("reads"), [narrow]);
    let told: Vec<String> =
        sqlx::query_scalar("SELECT to_word FROM audit WHERE act = 'put_user' ORDER BY id")
            .fetch_all(&state.shared.read)
            .await
            .expect("reads");
    assert_eq!(
        told,
        ["responder", "responder quarter:q1 grid:g1 department:fire"]
    );
    // what nobody can read is nobody's, rather than everybody's
    sqlx::query("UPDATE account SET scope = '{\"quarter\": [\"q1\"]}'")
        .execute(&state.shared.write)
        .await
        .expect("writes");
    let known = state.session_user(&session, at(1)).await;
    assert!(
        matches!(known, Err(StateError::Damaged { .. })),
        "{known:?}"
    );
}

#[tokio::test]
async fn a_session_ends_by_idleness_by_age_and_by_hand() {
    let hub = with_li().await;
    let state = &hub.state;
    let later = |span: SignedDuration| at(0) + span;
    let second = SignedDuration::from_secs(1);
    let session = state
        .open_session(&li().login, &Origin::default(), None, at(0))
        .await
        .expect("opens");
    let user = async |secret: &str, now| state.session_user(secret, now).await.expect("answers");
    assert_eq!(user(&session, later(SESSION_IDLE)).await, Some(li()));
    // it was used just now, so that it is good for as long again
    assert_eq!(
        user(&session, later(SESSION_IDLE + SESSION_IDLE)).await,
        Some(li())
    );
    assert_eq!(user(&session, later(SESSION_IDLE * 3 + second)).await, None);
    assert_eq!(user("no session", at(1)).await, None);

    let busy = state
        .open_session(&li().login, &Origin::default(), None, at(0))
        .await
        .expect("opens");
    let mut now = at(0);
    while now + SESSION_IDLE / 2 <= later(SESSION_LIFE) {
        now += SESSION_IDLE / 2;
        assert_eq!(user(&busy, now).await, Some(li()), "at {now}");
    }
    assert_eq!(user(&busy, later(SESSION_LIFE + second)).await, None);

    let closed = state
        .open_session(&li().login, &Origin::default(), None, now)
        .await
        .expect("opens");
    state.close_session(&closed, now).await.expect("closes");
    assert_eq!(user(&closed, now).await, None);

    let former = state
        .open_session(&li().login, &Origin::default(), None, now)
        .await
        .expect("opens");
    let new = NewUser {
        user: li(),
        password: "another horse".to_owned(),
    };
    state.put_user(new, now).await.expect("a new password");
    assert_eq!(user(&former, now).await, None);
}

#[tokio::test]
async fn to_ask_whose_a_session_is_does_not_keep_it_alive() {
    let hub = with_li().await;
    let state = &hub.state;
    let session = state
        .open_session(&li().login, &Origin::default(), None, at(0))
        .await
        .expect("opens");
    let later = |span: SignedDuration| at(0) + span;
    let holder = async |now| state.session_holder(&session, now).await.expect("answers");
    assert_eq!(holder(later(SESSION_IDLE / 2)).await, Some(li()));
    let second = SignedDuration::from_secs(1);
    assert_eq!(holder(later(SESSION_IDLE + second)).await, None);
}

#[tokio::test]
async fn who_manages_accounts_is_idle_sooner() {
    let hub = with_li().await;
    let administrator = User {
        role: Role::Administrator,
        ..li()
    };
    let new = NewUser {
        user: administrator.clone(),
        password: "correct horse".to_owned(),
    };
    hub.state.put_user(new, at(0)).await.expect("made");
    let state = &hub.state;
    let session = state
        .open_session(&li().login, &Origin::default(), None, at(0))
        .await
        .expect("opens");
    let user = async |now| state.session_user(&session, now).await.expect("answers");
    let good_until = at(0) + SESSION_IDLE_ADMINISTRATOR;
    assert_eq!(user(good_until).await, Some(administrator.clone()));
    let second = SignedDuration::from_secs(1);
    let over = good_until + SESSION_IDLE_ADMINISTRATOR + second;
    assert_eq!(user(over).await, None);
    let listed = state.sessions(&administrator, None, over).await;
    assert_eq!(listed.expect("answers"), []);
}

#[tokio::test]
async fn ones_own_sessions_are_listed_and_ended_and_nobody_elses() {
    let hub = with_li().await;
    let state = &hub.state;
    let other = User {
        login: "wang".parse().expect("login"),
        ..li()
    };
    let new = NewUser {
        user: other.clone(),
        password: "battery staple".to_owned(),
    };
    state.put_user(new, at(0)).await.expect("made");
    let from = |address: &str| Origin {
        address: address.to_owned(),
        agent: "x".repeat(500),
        ..Origin::default()
    };
    let open = async |user: &User, address: &str, former: Option<&str>, second| {
        state
            .open_session(&user.login, &from(address), former, at(second))
            .await
            .expect("opens")
    };
    let stands = async |secret: &str| {
        let user = state.session_user(secret, at(9)).await;
        user.expect("answers").is_some()
    };
    let desk = open(&li(), "10.0.0.1", None, 1).await;
    let phone = open(&li(), "10.0.0.2", None, 2).await;
    let theirs = open(&other, "10.0.0.3", None, 3).await;
    // logging in again in the same browser replaces what it had
    let again = open(&li(), "10.0.0.1", Some(&desk), 4).await;
    assert!(!stands(&desk).await);

    let listed = state.sessions(&li(), Some(&again), at(9)).await;
    let listed = listed.expect("answers");
    let seen: Vec<_> = listed.iter().map(|s| (&*s.address, s.is_own)).collect();
    assert_eq!(seen, [("10.0.0.1", true), ("10.0.0.2", false)]);
    assert_eq!(listed[0].agent.len(), 160);
    for item in &listed {
        assert!(!again.contains(&item.id) && !stands(&item.id).await);
    }

    let end = async |user: &User, id: &str| state.close_session_of(&user.login, id, at(60)).await;
    let name = &listed[1].id;
    assert!(!end(&other, name).await.expect("answers"), "not theirs");
    assert!(stands(&phone).await);
    assert!(end(&li(), name).await.expect("answers"));
    assert!(!stands(&phone).await);
    assert!(!end(&li(), name).await.expect("answers"), "gone already");

    assert_eq!(
        state
            .close_sessions(&li().login, at(60))
            .await
            .expect("ends"),
        1
    );
    assert!(!stands(&again).await && stands(&theirs).await);
}

#[tokio::test]
async fn a_new_password_of_ones_own_ends_all_sessions_and_is_in_the_audit_trail() {
    let hub = with_li().await;
    let state = &hub.state;
    let session = state
        .open_session(&li().login, &Origin::default(), None, at(0))
        .await
        .expect("opens");
    let set = async |password: &str| {
        state
            .set_password(&li().login, password.to_owned(), at(1))
            .await
    };
    assert!(matches!(
        set("short").await,
        Err(StateError::Invalid { .. })
    ));
    assert!(
        state
            .session_user(&session, at(1))
            .await
            .expect("answers")
            .is_some()
    );
    set("battery staple").await.expect("set");
    assert_eq!(
        state.session_user(&session, at(1)).await.expect("answers"),
        None
    );
    let proven = async |password: &str| {
        let user = state.verify_password("li", password).await;
        user.expect("answers").is_some()
    };
    assert!(proven("battery staple").await && !proven("correct horse").await);
    let report = state.verify_audit().await.expect("reads");
    // made, logged in, a new password
    assert_eq!((report.rows, report.broken), (3, None));
}

#[tokio::test]
async fn a_user_has_a_limited_number_of_sessions() {
    let hub = with_li().await;
    let mut sessions = Vec::new();
    for second in 0..25 {
        sessions.push(
            hub.state
                .open_session(&li().login, &Origin::default(), None, at(second))
                .await
                .expect("opens"),
        );
    }
    let mut open = Vec::new();
    for session in &sessions {
        open.push(
            hub.state
                .session_user(session, at(30))
                .await
                .expect("answers")
                .is_some(),
        );
    }
    assert_eq!(open, [vec![false; 5], vec![true; 20]].concat());
}

#[tokio::test]
async fn a_token_stands_for_its_user_until_revoked() {
    let hub = with_li().await;
    let state = &hub.state;
    let token = state
        .create_token(&li().login, "grafana", at(0))
        .await
        .expect("made");
    assert!(token.starts_with("jm_") && token.len() == 67, "{token}");
    assert_eq!(
        state.token_user(&token, at(1)).await.expect("answers"),
        Some(li())
    );
    assert_eq!(
        state.token_user("jm_00", at(1)).await.expect("answers"),
        None
    );
    assert!(
        state
            .create_token(&"zhou".parse().expect("login"), "x", at(0))
            .await
            .is_err()
    );
    let gone = state
        .revoke_tokens(&li().login, "grafana", at(1))
        .await
        .expect("revoked");
    assert_eq!(
        (
            gone,
            state.token_user(&token, at(1)).await.expect("answers")
        ),
        (1, None)
    );
    assert_eq!(state.verify_audit().await.expect("reads").broken, None);
}

#[tokio::test]
async fn an_mqtt_account_comes_back_with_its_patterns_and_without_its_secret() {
    let hub = Hub::start().await;
    let secret = "0123456789abcdef0123456789abcdef";
    let account = |secret: &str| {
        let publish = vec!["ssg/v1/q1/smoke-1/#".to_owned()];
        Credential::new(
            "smoke-1",
            CredentialKind::Device,
            secret,
            publish,
            Vec::new(),
            at(0),
        )
    };
    assert!(account("too short").is_err());
    let made = account(secret).expect("made");
    hub.state
        .put_credentials(vec![made.clone()])
        .await
        .expect("kept");
    let hub = hub.crash().await;
    let kept = hub.state.credentials().await.expect("reads");
    assert_eq!(kept, [made]);
    assert!(kept[0].verify(secret.as_bytes(), at(0)) && !kept[0].verify(b"another", at(0)));
    assert!(!format!("{:?}", kept[0]).contains("hash"), "{:?}", kept[0]);
    // a new secret replaces the old one
    let renewed = account("fedcba9876543210").expect("made");
    hub.state
        .put_credentials(vec![renewed])
        .await
        .expect("kept");
    let kept = hub.state.credentials().await.expect("reads");
    assert!(kept.len() == 1 && !kept[0].verify(secret.as_bytes(), at(0)));
}

fn device(secret: &str, at: Timestamp) -> Enrolled {
    let publish = vec!["ssg/v1/q1/smoke-1/evt/+".to_owned()];
    let kind = CredentialKind::Device;
    Enrolled {
        credential: Credential::new("smoke-1", kind, secret, publish, Vec::new(), at)
            .expect("made"),
        certificate: None,
    }
}

#[tokio::test]
async fn an_invitation_is_good_once_for_one_device_and_for_minutes() {
    let hub = Hub::start().await;
    let state = &hub.state;
    let secret = "0123456789abcdef";
    let (token, until) = state.invite("smoke-1", "admin", at(0)).await.expect("made");
    assert_eq!(until, at(15 * 60));
    let come = |token: &str, second| {
        let (token, device) = (token.to_owned(), device(secret, at(second)));
        async move {
            state
                .enrol(&token, device, at(second))
                .await
                .expect("asked")
        }
    };
    assert!(!come("guess", 1).await);
    assert_eq!(state.credentials().await.expect("reads"), []);
    assert!(come(&token, 2).await);
    assert!(!come(&token, 3).await, "it is used up");
    assert_eq!(state.credentials().await.expect("reads").len(), 1);

    let (token, _) = state
        .invite("smoke-1", "admin", at(10))
        .await
        .expect("made");
    assert!(!come(&token, 10 + 15 * 60).await, "too late");
    assert!(!come(&token, 20).await, "and void");

    let (token, _) = state
        .invite("smoke-1", "admin", at(30))
        .await
        .expect("made");
    for second in 31..36 {
        assert!(!come("guess", second).await);
    }
    assert!(!come(&token, 37).await, "five wrong ones have voided it");

    let (first, _) = state
        .invite("smoke-1", "admin", at(40))
        .await
        .expect("made");
    let (second, _) = state
        .invite("smoke-1", "admin", at(41))
        .await
        .expect("made");
    assert!(!come(&first, 42).await, "the later invitation counts");
    assert!(come(&second, 43).await);
    assert!(state.verify_audit().await.expect("reads").broken.is_none());
}

#[tokio::test]
async fn a_rotation_leaves_the_secret_before_good_for_a_day() {
    let hub = Hub::start().await;
    let (old, new) = ("0123456789abcdef", "fedcba9876543210");
    for (secret, second) in [(old, 0), (new, 10)] {
        let (token, _) = hub
            .state
            .invite("smoke-1", "admin", at(second))
            .await
            .expect("made");
        let enrolled = device(secret, at(second));
        assert!(
            hub.state
                .enrol(&token, enrolled, at(second))
                .await
                .expect("asked")
        );
    }
    let before = device(old, at(0)).credential;
    let kept = hub.state.credentials().await.expect("reads").remove(0);
    let day = 24 * 3600;
    for (secret, second, is_good) in [
        (old, 11, true),
        (new, 11, true),
        (old, 9 + day, true),
        (old, 10 + day, false),
        (new, 10 + day, true),
        ("another-0123456789", 11, false),
    ] {
        assert_eq!(
            kept.verify(secret.as_bytes(), at(second)),
            is_good,
            "{secret} at {second}"
        );
    }
    assert!(!kept.continues(&before), "that one has another salt");
    // whoever makes the account anew means it: nothing of before opens
    hub.state
        .put_credentials(vec![device(new, at(20)).credential])
        .await
        .expect("kept");
    let kept = hub.state.credentials().await.expect("reads").remove(0);
    assert!(!kept.verify(old.as_bytes(), at(21)));
}

#[tokio::test]
async fn an_account_that_is_taken_away_takes_its_certificates_along() {
    let hub = Hub::start().await;
    let (token, _) = hub
        .state
        .invite("smoke-1", "admin", at(0))
        .await
        .expect("made");
    let row = CertificateRow {
        serial: "2a".to_owned(),
        login: "smoke-1".to_owned(),
        fingerprint: "ff".to_owned(),
        issued_at: at(0),
        not_after: at(1000),
        revoked_at: None,
    };
    let enrolled = Enrolled {
        certificate: Some(row.clone()),
        ..device("0123456789abcdef", at(0))
    };
    assert!(
        hub.state
            .enrol(&token, enrolled, at(0))
            .await
            .expect("asked")
    );
    assert_eq!(
        hub.state.certificates().await.expect("reads"),
        std::slice::from_ref(&row)
    );
    assert!(
        hub.state
            .revoke_credential("smoke-1", at(5))
            .await
            .expect("done")
    );
    let revoked = CertificateRow {
        revoked_at: Some(at(5)),
        ..row
    };
    assert_eq!(hub.state.certificates().await.expect("reads"), [revoked]);
}
