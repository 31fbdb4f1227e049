//! Administering users and API tokens: who may be locked out, what ends with it, and that each act stands in the audit trail.

use domain::UserId;

use super::fixture::{Hub, at};
use crate::state::{
    AccountAct, AccountError, AuditFilter, NewToken, Origin, Owes, Role, SecondFactorError, State,
    User,
};

fn login(text: &str) -> UserId {
    text.parse().expect("a login")
}

fn user(name: &str, role: Role) -> User {
    User {
        login: login(name),
        name: name.to_owned(),
        role,
        department: None,
        scope: domain::Scope::default(),
    }
}

/// A hub with an administrator and an operator, and their passwords.
async fn staffed() -> (Hub, String, String) {
    let hub = Hub::start().await;
    let boss = login("boss");
    let mut passwords = Vec::new();
    for (name, role) in [("boss", Role::Administrator), ("li", Role::Operator)] {
        let made = hub
            .state
            .make_account(&user(name, role), &boss, at(0))
            .await;
        passwords.push(made.expect("made").1);
    }
    let li = passwords.pop().expect("two");
    let boss = passwords.pop().expect("two");
    (hub, boss, li)
}

async fn acts(state: &State) -> Vec<String> {
    let page = state.audit(&AuditFilter::default(), None, 100).await;
    let items = page.expect("reads").items.into_iter();
    items
        .map(|i| format!("{} {} {}", i.actor, i.act, i.object))
        .collect()
}

#[tokio::test]
async fn a_first_password_is_owed_until_it_is_changed() {
    let (hub, _, password) = staffed().await;
    let state = &hub.state;
    let known = state
        .verify_password("li", &password)
        .await
        .expect("answers");
    assert_eq!(known.map(|u| u.login), Some(login("li")));
    let origin = Origin::default();
    let session = state.open_session(&login("li"), &origin, None, at(1)).await;
    let session = session.expect("opens");
    let owes = async |session: &str| {
        let caller = state.session_caller(session, at(2)).await.expect("answers");
        caller.map(|caller| caller.owes)
    };
    assert_eq!(owes(&session).await, Some(Owes::Password));
    let changed = "correct horse battery".to_owned();
    state
        .set_password(&login("li"), changed, at(3))
        .await
        .expect("changed");
    let session = state.open_session(&login("li"), &origin, None, at(4)).await;
    assert_eq!(owes(&session.expect("opens")).await, Some(Owes::Nothing));
    let again = state
        .make_account(&user("li", Role::Auditor), &login("boss"), at(5))
        .await;
    assert!(matches!(again, Err(AccountError::Exists(_))), "{again:?}");
}

#[tokio::test]
async fn whoever_is_disabled_is_nobody_at_once() {
    let (hub, _, password) = staffed().await;
    let (state, boss, li) = (&hub.state, login("boss"), login("li"));
    let session = state
        .open_session(&li, &Origin::default(), None, at(1))
        .await
        .expect("opens");
    let new = NewToken {
        label: "x".to_owned(),
        role: Role::Operator,
        days: 1,
    };
    let (_, token) = state.make_token(&li, new, at(1)).await.expect("made");
    let is_known = async |now| {
        let by_session = state
            .session_user(&session, at(now))
            .await
            .expect("answers");
        let by_token = state.token_user(&token, at(now)).await.expect("answers");
        let by_password = state
            .verify_password("li", &password)
            .await
            .expect("answers");
        (
            by_session.is_some(),
            by_token.is_some(),
            by_password.is_some(),
        )
    };
    assert_eq!(is_known(2).await, (true, true, true));
    let (item, _) = state
        .account_act(&li, AccountAct::Disable, &boss, at(3))
        .await
        .expect("done");
    assert!(item.disabled_at.is_some() && item.sessions == 0 && item.tokens == 0);
    assert_eq!(is_known(4).await, (false, false, false));
    state
        .account_act(&li, AccountAct::Enable, &boss, at(5))
        .await
        .expect("done");
    // the password is good again; what ended stays ended
    assert_eq!(is_known(6).await, (false, false, true));
    let all = acts(state).await;
    assert_eq!(all[0], "boss enable_user account:li");
    assert_eq!(all[1], "boss disable_user account:li");
    assert!(state.verify_audit().await.expect("reads").broken.is_none());
}

#[tokio::test]
async fn there_is_always_an_administrator_who_can_log_in() {
    let (hub, _, _) = staffed().await;
    let (state, boss) = (&hub.state, login("boss"));
    let disable = async |who: &str, by: &str| {
        state
            .account_act(&login(who), AccountAct::Disable, &login(by), at(1))
            .await
    };
    let oneself = disable("boss", "boss").await;
    assert!(matches!(oneself, Err(AccountError::Oneself)), "{oneself:?}");
    let last = disable("boss", "li").await;
    assert!(
        matches!(last, Err(AccountError::LastAdministrator)),
        "{last:?}"
    );
    let demoted = state
        .change_account(&user("boss", Role::Operator), &boss, at(1))
        .await;
    assert!(
        matches!(demoted, Err(AccountError::LastAdministrator)),
        "{demoted:?}"
    );
    // one who cannot log in is none
    state
        .make_account(&user("deputy", Role::Administrator), &boss, at(1))
        .await
        .expect("made");
    disable("deputy", "boss").await.expect("done");
    assert!(matches!(
        disable("boss", "li").await,
        Err(AccountError::LastAdministrator)
    ));
    state
        .account_act(&login("deputy"), AccountAct::Enable, &boss, at(2))
        .await
        .expect("done");
    disable("boss", "deputy")
        .await
        .expect("another one is there");
    let missing = disable("zhou", "deputy").await;
    assert!(
        matches!(missing, Err(AccountError::NotFound)),
        "{missing:?}"
    );
}

#[tokio::test]
async fn another_role_ends_the_tokens_that_were_made_with_the_one_before() {
    let (hub, _, _) = staffed().await;
    let (state, boss) = (&hub.state, login("boss"));
    let new = |days| NewToken {
        label: "board".to_owned(),
        role: Role::Auditor,
        days,
    };
    for days in [0, 367] {
        let refused = state.make_token(&boss, new(days), at(0)).await;
        assert!(
            matches!(refused, Err(AccountError::Invalid { field: "days", .. })),
            "{refused:?}"
        );
    }
    let (item, token) = state.make_token(&boss, new(1), at(0)).await.expect("made");
    let role = async |now| {
        let user = state.token_user(&token, at(now)).await.expect("answers");
        user.map(|user| user.role)
    };
    assert_eq!(role(5).await, Some(Role::Auditor), "less than its maker");
    assert_eq!(role(24 * 3600 - 1).await, Some(Role::Auditor));
    assert_eq!(role(24 * 3600).await, None, "it is over");
    assert!(state.tokens().await.expect("reads")[0].used_at.is_some());
    assert!(
        !state
            .revoke_token("none", &boss, at(6))
            .await
            .expect("answers")
    );

    let renamed = User {
        name: "老板".to_owned(),
        ..user("boss", Role::Administrator)
    };
    state
        .change_account(&renamed, &boss, at(6))
        .await
        .expect("renamed");
    assert_eq!(role(7).await, Some(Role::Auditor));
    state
        .make_account(&user("deputy", Role::Administrator), &boss, at(7))
        .await
        .expect("made");
    state
        .change_account(&user("boss", Role::Operator), &login("deputy"), at(8))
        .await
        .expect("changed");
    assert_eq!(role(9).await, None);
    assert!(state.tokens().await.expect("reads").is_empty());
    let all = acts(state).await;
    assert_eq!(all[0], "deputy change_user account:boss");
    assert!(
        all.contains(&format!("boss make_token token:{}", item.id)),
        "{all:?}"
    );
    let text = format!(
        "{:?}",
        state.audit(&AuditFilter::default(), None, 100).await
    );
    assert!(
        !text.contains("老板"),
        "a name stands in what cannot be deleted"
    );
}

#[tokio::test]
async fn a_user_that_makes_no_sense_names_its_field() {
    let (hub, _, _) = staffed().await;
    let fire = Some("fire".parse().expect("an id"));
    for (user, wrong) in [
        (
            User {
                name: " ".to_owned(),
                ..user("new", Role::Operator)
            },
            "name",
        ),
        (user("new", Role::Responder), "department"),
        (
            User {
                department: Some("circus".parse().expect("an id")),
                ..user("new", Role::Operator)
            },
            "department",
        ),
    ] {
        let made = hub.state.make_account(&user, &login("boss"), at(1)).await;
        match made {
            Err(AccountError::Invalid { field, .. }) => assert_eq!(field, wrong),
            other => panic!("{other:?}"),
        }
    }
    let good = User {
        department: fire,
        ..user("new", Role::Responder)
    };
    let (item, password) = hub
        .state
        .make_account(&good, &login("boss"), at(1))
        .await
        .expect("made");
    assert!(item.owes_password && item.sessions == 0 && password.len() == 23);
}

#[tokio::test]
async fn a_second_step_is_confirmed_used_once_and_reset() {
    let (hub, _, _) = staffed().await;
    let (state, li, boss) = (&hub.state, login("li"), login("boss"));
    let code = |secret: &str, second: i64| crate::state::second_factor::shown(secret, at(second));
    let unknown = state.confirm_second_factor(&li, "000000", at(0)).await;
    assert!(matches!(unknown, Err(SecondFactorError::NotBegun)));
    let secret = state.begin_second_factor(&li).await.expect("begun");
    assert!(
        !state.second_factor(&li).await.expect("reads").is_on,
        "nothing is asked before it is confirmed"
    );
    let wrong = state.confirm_second_factor(&li, "12345", at(0)).await;
    assert!(matches!(wrong, Err(SecondFactorError::WrongCode)));
    let codes = state
        .confirm_second_factor(&li, &code(&secret, 0), at(0))
        .await
        .expect("confirmed");
    assert_eq!(codes.len(), 10);
    assert!(matches!(
        state.begin_second_factor(&li).await,
        Err(SecondFactorError::On)
    ));
    let good = async |asked: &str, second| {
        state
            .use_second_factor(&li, asked, at(second))
            .await
            .expect("answers")
    };
    assert!(
        !good(&code(&secret, 0), 1).await,
        "it has confirmed, it is used"
    );
    assert!(good(&code(&secret, 60), 60).await);
    assert!(!good(&code(&secret, 60), 61).await, "twice");
    assert!(!good(&code(&secret, 30), 62).await, "one before the last");
    assert!(good(&codes[3].to_uppercase(), 63).await);
    assert!(!good(&codes[3], 64).await, "a recovery code is good once");
    let now = state.second_factor(&li).await.expect("reads");
    assert_eq!((now.is_on, now.recovery_codes), (true, 9));
    let kept = format!(
        "{:?}",
        state.audit(&AuditFilter::default(), None, 100).await
    );
    assert!(
        kept.contains("use_recovery_code") && !kept.contains(&secret) && !kept.contains(&codes[3])
    );
    let reset = AccountAct::ResetSecondFactor;
    let (item, _) = state
        .account_act(&li, reset, &boss, at(65))
        .await
        .expect("done");
    assert!(!item.has_second_factor);
    assert!(!good(&codes[4], 66).await);
}
