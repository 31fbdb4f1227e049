//! The API: incidents, events, devices and the live feed over HTTP, and the dashboard's files beside them.
//!
//! Everything under `/api/v1` answers JSON, errors as problem+json (RFC 9457). Who may do what stands in one table ([`access`]).
//! Commands go to the state machine through the state store; nothing here changes a row by itself.

pub mod access;
mod auth;
mod document;
mod door;
pub mod keeper;
mod mask;
pub mod oidc;
mod problem;
mod proxied;
pub mod rerun;
mod routes;
pub mod rule_keeper;
pub mod schema;
mod sight;
mod throttle;
mod ui;
mod xlsx;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware;
use domain::device_command::Action;
use domain::place::Registry;
use domain::rule::RuleBook;
use domain::{DeviceId, Timestamp, UserId};
use store::events::EventStore;
use store::photos::Room as Photos;
use store::state::{KpiSettings, Role, State};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

pub use door::{DOOR_STREAMS_MAX, Door, DoorStream, Io, Stream};
pub use problem::Problem;
pub use proxied::Proxies;
pub use routes::enrolment::EnrolError;
pub use ui::{Asset, Ui};

/// Largest request body, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Live streams at one time.
const STREAMS_MAX: usize = 512;
/// What one user may ask for at once, and one more so often: far more than any number of screens does.
const READS_AT_ONCE: u32 = 2000;
const READ_EVERY: Duration = Duration::from_millis(10);
/// The same for what changes something. The two are counted apart: a program that reads without end keeps nobody from acknowledging.
const WRITES_AT_ONCE: u32 = 600;
const WRITE_EVERY: Duration = Duration::from_millis(50);
/// Queries of history that run at one time: fewer than the store has places, because what a command answers comes from there as well.
const HISTORIES_MAX: usize = 2;
/// Key figures that are computed at one time.
const COMPUTED_MAX: usize = 1;
/// Lots of what was in quarantine that are read again at one time.
const RERUNS_MAX: usize = 1;
/// Trials of a rule on the past at one time: the next one comes again.
const TRIALS_MAX: usize = 1;
/// Readings of the whole audit trail at one time.
const VERIFIED_MAX: usize = 1;
/// Reports from one address without a log-in: so many at once (a stairwell shares the address of its router), and one more so often.
const REPORTS_AT_ONCE: u32 = 20;
const REPORT_EVERY: Duration = Duration::from_secs(30);
/// The same for photos; a report has up to four.
const PHOTOS_AT_ONCE: u32 = 40;
const PHOTO_EVERY: Duration = Duration::from_secs(15);
/// Photos of one user that show how incidents were: so many at once, and one more so often.
const EVIDENCE_AT_ONCE: u32 = 40;
const EVIDENCE_EVERY: Duration = Duration::from_secs(15);
/// Photos that come in at one time, of people's reports and of responders each.
const UPLOADS_MAX: usize = 16;
/// Log-ins at the identity provider that are begun from one address: so many at once, and one more so often.
const OIDC_AT_ONCE: u32 = 20;
const OIDC_EVERY: Duration = Duration::from_secs(3);
/// How long open requests may take when the hub stops.
const DRAIN: Duration = Duration::from_secs(3);

/// What the hub tells of itself.
pub trait Ops: Send + Sync {
    /// Whether everything works that a request may need: (name, works, why not).
    fn ready(&self) -> Vec<(&'static str, bool, String)>;
    /// Metrics in Prometheus' text format.
    fn metrics(&self) -> String;
    /// Whether there is room on the disk for what is not an alarm.
    fn has_room(&self) -> bool;
    /// How it is doing. It may read a record of the journal: not for a thread that serves others.
    fn status(&self) -> schema::status::Hub;
}

/// What an enrolled device gets: a password, or a certificate.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// MQTT user name.
    pub username: String,
    /// MQTT password. It cannot be read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Until then a password that the device had before is good as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub previous_until: Option<Timestamp>,
    /// The client certificate, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The authority that signed it, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The certificate's end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub not_after: Option<Timestamp>,
}

/// Gives devices their credentials.
#[async_trait::async_trait]
pub trait Enrolment: Send + Sync {
    /// Whether a device may be invited.
    fn knows(&self, device: &str) -> bool;
    /// An invited device comes with its token, and perhaps with a signing request in PEM.
    ///
    /// # Errors
    /// See [`EnrolError`].
    async fn enrol(
        &self,
        device: &str,
        token: &str,
        request: Option<&str>,
        now: Timestamp,
    ) -> Result<Enrolled, EnrolError>;
}

/// What the API works with.
#[derive(Clone)]
pub struct Deps {
    /// Incidents, users, feed.
    pub state: State,
    /// History.
    pub events: Arc<dyn EventStore>,
    /// Photos of reports and incidents, and snapshots.
    pub photos: Photos,
    /// Changes the registry.
    pub keeper: Arc<dyn keeper::Keeper>,
    /// Looks after the rules.
    pub rule_keeper: Arc<dyn rule_keeper::RuleKeeper>,
    /// Reads what is in quarantine again.
    pub rerunner: Arc<dyn rerun::Rerunner>,
    /// What is known of each rule.
    pub rules: watch::Receiver<Arc<RuleBook>>,
    /// The hub itself.
    pub ops: Arc<dyn Ops>,
    /// Whether there is a way to tell a device something.
    pub can_command: Arc<CanCommand>,
    /// Credentials of devices.
    pub enrolment: Arc<dyn Enrolment>,
    /// The dashboard's files.
    pub ui: Arc<dyn Ui>,
    /// The hub's clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// How key figures are weighed.
    pub kpi: KpiSettings,
    /// The port itself or a proxy in front speaks HTTPS: cookies get `Secure`.
    pub behind_https: bool,
    /// Roles whose log-in has a second step, whether they like it or not.
    pub second_factor_roles: Vec<Role>,
    /// Where people may log in besides, if somewhere.
    pub oidc: Option<Arc<oidc::Provider>>,
    /// Seconds for which browsers refuse plain HTTP; 0 when nothing is said of it.
    pub hsts_s: u64,
    /// The proxies whose word about who asked is taken.
    pub trusted_proxies: Proxies,
    /// What the key of links is made from: the same after a restart.
    pub link_secret: Arc<[u8]>,
}

impl Deps {
    /// Places, people and devices as they are now, for one answer.
    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.state.registry()
    }

    /// What is known of each rule now: rule files may change while the hub runs.
    pub(crate) fn book(&self) -> Arc<RuleBook> {
        Arc::clone(&self.rules.borrow())
    }
}

/// Says whether there is a way to tell a device something.
pub type CanCommand = dyn Fn(&DeviceId, Action) -> bool + Send + Sync;

/// What handlers share.
#[derive(Clone)]
struct Api {
    deps: Deps,
    throttle: Arc<throttle::Throttle>,
    /// Log-ins that begin at the identity provider.
    oidc_begun: Arc<throttle::ByAddress>,
    /// Those who are there, by the state that they come back with.
    at_provider: Arc<oidc::Table<routes::oidc::AtProvider>>,
    /// Those who have come back and owe the second step, by their cookie.
    half_in: Arc<oidc::Table<routes::oidc::HalfIn>>,
    /// Reports of those who are not logged in.
    reports: Arc<throttle::ByAddress>,
    /// Photos of those who are not logged in.
    photos: Arc<throttle::ByAddress>,
    /// Photos of reports that come in at one time.
    uploads: Arc<Semaphore>,
    /// Photos of those who handle incidents, by log-in name.
    evidence: Arc<throttle::Allowance<UserId>>,
    /// The same that come in at one time: whoever sends slowly without a log-in does not keep them away.
    evidence_uploads: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    /// By log-in name.
    reads: Arc<throttle::Allowance<UserId>>,
    writes: Arc<throttle::Allowance<UserId>>,
    /// Queries of history.
    histories: Arc<Semaphore>,
    /// Key figures, one at a time.
    computing: Arc<Semaphore>,
    /// What is read again, one lot at a time.
    rerunning: Arc<Semaphore>,
    /// Trials of rules, one at a time.
    trying: Arc<Semaphore>,
    /// The audit trail as a whole, one at a time.
    verifying: Arc<Semaphore>,
    /// What links to snapshots are signed with.
    link_key: Arc<routes::snapshots::LinkKey>,
    stop: CancellationToken,
}

fn api() -> OpenApiRouter<Api> {
    use routes::{
        alarms, audit, commands, devices, duty_book, enrolment, evacuation, events, evidence,
        fire_modes, grids, holds, incidents, kpi, live, load, maintenance, meta, newcomers, oidc,
        photos, privacy, quarantine, registry, reports, roster, roster_week, rules, second_factor,
        session, snapshots, tokens, users,
    };
    use utoipa_axum::routes;
    OpenApiRouter::with_openapi(document::Document::openapi())
        .routes(routes!(session::log_in, session::who, session::log_out))
        .routes(routes!(session::list, session::end_all))
        .routes(routes!(session::end))
        .routes(routes!(session::change_password))
        .routes(routes!(oidc::ways))
        .routes(routes!(oidc::begin_oidc, oidc::finish_oidc))
        .routes(routes!(oidc::end_oidc))
        .routes(routes!(meta::meta))
        .routes(routes!(meta::status))
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::one))
        .routes(routes!(incidents::command))
        .routes(routes!(evacuation::evacuation))
        .routes(routes!(evidence::put, evidence::get))
        .routes(routes!(snapshots::get))
        .routes(routes!(alarms::list))
        .routes(routes!(alarms::shelve))
        .routes(routes!(alarms::unshelve))
        .routes(routes!(alarms::acknowledge))
        .routes(routes!(maintenance::list, maintenance::plan))
        .routes(routes!(maintenance::end))
        .routes(routes!(commands::list))
        .routes(routes!(commands::one))
        .routes(routes!(commands::ask))
        .routes(routes!(commands::confirm))
        .routes(routes!(commands::withdraw))
        .routes(routes!(fire_modes::list, fire_modes::start))
        .routes(routes!(fire_modes::confirm))
        .routes(routes!(fire_modes::end))
        .routes(routes!(events::history))
        .routes(routes!(events::counts))
        .routes(routes!(privacy::list, privacy::unmask))
        .routes(routes!(privacy::end))
        .routes(routes!(holds::list, holds::place))
        .routes(routes!(holds::end))
        .routes(routes!(devices::list))
        .routes(routes!(newcomers::list))
        .routes(routes!(newcomers::admit))
        .routes(routes!(newcomers::dismiss))
        .routes(routes!(grids::list))
        .routes(routes!(quarantine::list))
        .routes(routes!(quarantine::rerun_all))
        .routes(routes!(quarantine::rerun))
        .routes(routes!(enrolment::invite))
        .routes(routes!(enrolment::enrol))
        .routes(routes!(roster::roster))
        .routes(routes!(roster_week::week))
        .routes(routes!(roster::resources))
        .routes(routes!(roster::swap))
        .routes(routes!(registry::overview))
        .routes(routes!(registry::table))
        .merge(registry::large())
        .routes(routes!(rules::list))
        .routes(routes!(rules::one, rules::save))
        .routes(routes!(rules::trial))
        .routes(routes!(duty_book::log))
        .routes(routes!(duty_book::note))
        .routes(routes!(duty_book::list))
        .routes(routes!(duty_book::prepare))
        .routes(routes!(duty_book::sign))
        .routes(routes!(kpi::kpi))
        .routes(routes!(load::load))
        .routes(routes!(load::storms))
        .routes(routes!(load::acknowledge))
        .routes(routes!(reports::form))
        .routes(routes!(reports::report))
        .routes(routes!(reports::mine))
        .routes(routes!(reports::one))
        .routes(routes!(reports::answer))
        .routes(routes!(photos::put, photos::get))
        .routes(routes!(live::live))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
        .routes(routes!(users::list, users::make))
        .routes(routes!(second_factor::get, second_factor::begin))
        .routes(routes!(second_factor::confirm))
        .routes(routes!(second_factor::end))
        .routes(routes!(users::change))
        .routes(routes!(users::act))
        .routes(routes!(tokens::list, tokens::make))
        .routes(routes!(tokens::revoke))
}

/// The OpenAPI document, as committed in `docs/openapi.json`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, document) = api().split_for_parts();
    document::whole(document)
}

/// The whole of what is served. `stop` ends the live streams.
pub fn router(deps: Deps, stop: CancellationToken) -> Router {
    let proxies = Arc::new(deps.trusted_proxies.clone());
    let link_key = Arc::new(routes::snapshots::LinkKey::of(&deps.link_secret));
    let api_state = Api {
        deps,
        throttle: Arc::default(),
        oidc_begun: Arc::new(throttle::ByAddress::new(OIDC_AT_ONCE, OIDC_EVERY)),
        at_provider: Arc::default(),
        half_in: Arc::default(),
        reports: Arc::new(throttle::ByAddress::new(REPORTS_AT_ONCE, REPORT_EVERY)),
        photos: Arc::new(throttle::ByAddress::new(PHOTOS_AT_ONCE, PHOTO_EVERY)),
        uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
        evidence: Arc::new(throttle::Allowance::new(EVIDENCE_AT_ONCE, EVIDENCE_EVERY)),
        evidence_uploads: Arc::new(Semaphore::new(UPLOADS_MAX)),
        reads: Arc::new(throttle::Allowance::new(READS_AT_ONCE, READ_EVERY)),
        writes: Arc::new(throttle::Allowance::new(WRITES_AT_ONCE, WRITE_EVERY)),
        histories: Arc::new(Semaphore::new(HISTORIES_MAX)),
        streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        computing: Arc::new(Semaphore::new(COMPUTED_MAX)),
        rerunning: Arc::new(Semaphore::new(RERUNS_MAX)),
        trying: Arc::new(Semaphore::new(TRIALS_MAX)),
        verifying: Arc::new(Semaphore::new(VERIFIED_MAX)),
        link_key,
        stop,
    };
    let hsts = api_state.deps.hsts_s;
    let (routes, document) = api().split_for_parts();
    let document = document::whole(document).to_json().unwrap_or_default();
    let served = move || {
        let document = document.clone();
        async move { ([(header::CONTENT_TYPE, "application/json")], document) }
    };
    let guarded = routes
        .route("/metrics", axum::routing::get(routes::ops::metrics))
        .route("/api/v1/openapi.json", axum::routing::get(served))
        .route_layer(middleware::from_fn_with_state(
            api_state.clone(),
            auth::guard,
        ));
    let fixed = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let router = Router::new()
        .merge(guarded)
        .route("/healthz", axum::routing::get(routes::ops::healthz))
        .route("/readyz", axum::routing::get(routes::ops::readyz))
        .fallback(ui::serve)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(problem::from_panic))
        .layer(fixed(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::REFERRER_POLICY, "no-referrer"))
        .layer(fixed(header::CACHE_CONTROL, "no-store"))
        .layer(fixed(
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=()",
        ))
        .layer(middleware::from_fn_with_state(proxies, proxied::see_through))
        .with_state(api_state);
    if hsts == 0 {
        return router;
    }
    let told = HeaderValue::from_str(&format!("max-age={hsts}")).expect("digits are a header");
    router.layer(SetResponseHeaderLayer::if_not_present(
        header::STRICT_TRANSPORT_SECURITY,
        told,
    ))
}

/// Serves until `stop`; then live streams end and open requests get a few seconds.
///
/// # Errors
/// A socket that fails for good.
pub async fn serve(door: Door, deps: Deps, stop: CancellationToken) -> anyhow::Result<()> {
    let app = router(deps, stop.clone())
        .layer(middleware::from_fn(door::addressed))
        .into_make_service_with_connect_info::<door::Peer>();
    let waiting = stop.clone();
    let server =
        axum::serve(door, app).with_graceful_shutdown(async move { waiting.cancelled().await });
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = server => Ok(served?),
        // whoever still holds a connection open by now is not waited for
        () = late => Ok(()),
    }
}
