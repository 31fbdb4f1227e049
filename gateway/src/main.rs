//! The command line: `run`, `demo`, `check`, `adapt`, `adapter test`, `rules check|test|backtest`, `journal verify`, `clock show|repair`, `audit verify`, `kpi`, `user add`, `certificate self-signed`,
//! `command key`, `credential add|invite|revoke|list`, `registry export|import|unpack`.
//!
//! Exit codes: 0 all is well, 1 something failed (with `demo --for`: messages were lost), 64 the configuration is wrong.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use domain::id::GridId;
use domain::kpi::By;
use domain::place::TableKind;
use domain::{DepartmentId, RuleId, Scope, SiteId, Timestamp};
use gateway::adapters::declarative;
use gateway::registry::{Mark, Then};
use gateway::{
    accounts, adapt, adapter_files, certificate, config, demo, embedded, hub, kpi, registry, rules,
    set_back,
};

/// `gateway command key`
fn print_command_key(config: &config::Config) -> anyhow::Result<()> {
    hub::make_private(&config.data.dir)?;
    println!(
        "{}",
        gateway::commands::CommandKey::open(&config.data.dir)?.public()
    );
    Ok(())
}

/// `EX_USAGE` of sysexits.h: the command or the configuration is wrong; starting again will not help.
const EXIT_USAGE: u8 = 64;

#[derive(Parser)]
#[command(
    name = "gateway",
    version,
    about = "Jiming: smart-security gateway and event hub for residential compounds"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the hub with a simulated compound on this machine; needs nothing else.
    Demo(demo::Options),
    /// Run the hub.
    Run(ConfigFile),
    /// Check configuration, registry and rules, and say what is wrong.
    Check {
        #[command(flatten)]
        file: ConfigFile,
        /// Print the commented defaults and end.
        #[arg(long)]
        print_defaults: bool,
    },
    /// Check, test and try rules.
    Rules {
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Print what the hub makes of one message, read from standard input, as JSON lines.
    Adapt {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        asked: adapt::Asked,
    },
    /// Try declared adapters.
    Adapter {
        #[command(subcommand)]
        command: AdapterCommand,
    },
    /// Look into the journal.
    Journal {
        #[command(subcommand)]
        command: JournalCommand,
    },
    /// The hub's clock: what it goes by, and its repair.
    Clock {
        #[command(subcommand)]
        command: ClockCommand,
    },
    /// Look into the audit trail.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Key figures of departments, places or rules, from the record; the hub may be running.
    Kpi(KpiArguments),
    /// Users of dashboard and API.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// A certificate for the dashboard's own HTTPS.
    Certificate {
        #[command(subcommand)]
        command: CertificateCommand,
    },
    /// Commands to devices.
    #[command(name = "command")]
    ToDevices {
        #[command(subcommand)]
        command: DeviceCommandCommand,
    },
    /// MQTT accounts of devices and integrations.
    Credential {
        #[command(subcommand)]
        command: CredentialCommand,
    },
    /// Places, people and devices as tables for a spreadsheet.
    Registry {
        #[command(subcommand)]
        command: RegistryCommand,
    },
}

#[derive(Args)]
struct ConfigFile {
    /// Overrides the defaults key by key.
    #[arg(long)]
    config: Option<PathBuf>,
}

#[derive(Args)]
struct KpiArguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Incidents that opened then or later: 2026-03-01T00:00:00+08:00, or 2026-03-01, 2026-03 or 2026-Q1 of the community's wall clock.
    #[arg(long)]
    from: String,
    /// Incidents that opened before.
    #[arg(long)]
    to: String,
    /// `department`, `micro_grid`, `quarter` or `rule`.
    #[arg(long, default_value_t = By::Department)]
    by: By,
    /// The last row of the audit trail that counts, as an earlier report named it.
    #[arg(long)]
    as_of: Option<i64>,
    /// Print a table for a spreadsheet.
    #[arg(long, conflicts_with = "canonical")]
    csv: bool,
    /// Print the bytes that the hash is over, and nothing else.
    #[arg(long)]
    canonical: bool,
}

#[derive(Subcommand)]
enum DeviceCommandCommand {
    /// Print the public key that devices check the signatures of commands with (Ed25519, base64).
    Key(ConfigFile),
}

#[derive(Subcommand)]
enum RulesCommand {
    /// List all mistakes in rule files.
    Check(ConfigFile),
    /// Run the test cases that stand in the rule files.
    Test(ConfigFile),
    /// Say what rules would have rung for on stored history; the hub may be running.
    Backtest {
        #[command(flatten)]
        file: ConfigFile,
        /// From this time on, such as 2026-03-01T00:00:00+08:00.
        #[arg(long)]
        from: Timestamp,
        /// Before this time.
        #[arg(long)]
        to: Timestamp,
        /// Only this rule.
        #[arg(long)]
        rule: Option<RuleId>,
        /// Rules of this directory instead of the configured ones.
        #[arg(long)]
        rules: Option<PathBuf>,
        /// How many hours before the beginning the replay starts, so that windows which were open then are too.
        #[arg(long, default_value_t = 24)]
        warm_up_h: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum AdapterCommand {
    /// Run the tests that stand in adapter files; of those that are built in when no file is named.
    Test {
        /// Files that declare adapters.
        files: Vec<PathBuf>,
    },
}

#[derive(Subcommand)]
enum JournalCommand {
    /// Read every record and its checksum; the hub may be running.
    Verify {
        /// The journal's directory: `journal` below the data directory.
        dir: PathBuf,
    },
}

#[derive(Subcommand)]
enum ClockCommand {
    /// Say what a hub that starts takes for the time; the hub may be running.
    Show(ConfigFile),
    /// Go by the system clock again after one that stood far ahead has been believed; the hub must be stopped.
    Repair {
        #[command(flatten)]
        file: ConfigFile,
        /// What the time is, by another clock than this machine's, such as 2026-03-01T08:00:00+08:00.
        #[arg(long)]
        it_is: Timestamp,
    },
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Check that every row is as it was written, none is missing and none was added; the hub may be running.
    Verify(ConfigFile),
}

#[derive(Subcommand)]
enum RegistryCommand {
    /// Print everything of a kind as CSV.
    Export {
        #[command(flatten)]
        file: ConfigFile,
        /// devices, zones, households, people, grids, rentals or watch.
        #[arg(long)]
        kind: TableKind,
        /// Begin with the byte order mark by which Excel knows UTF-8.
        #[arg(long)]
        bom: bool,
    },
    /// Check a CSV file against the whole registry, say what it changes, and put it into `registry.dir`.
    Import {
        #[command(flatten)]
        file: ConfigFile,
        /// devices, zones, households, people, grids, rentals or watch.
        #[arg(long)]
        kind: TableKind,
        /// The table: UTF-8, or GB 18030 as Excel in China writes it. It is the whole list of its kind.
        table: PathBuf,
        /// Check and say, and write nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Write the compound that is built in into an empty folder, for `registry.dir`.
    Unpack {
        /// The folder.
        dir: PathBuf,
    },
}

/// What an account is limited to; each may be given several times.
#[derive(Args)]
struct ScopeOf {
    /// Only this quarter.
    #[arg(long = "scope-quarter", value_name = "ID")]
    quarters: Vec<SiteId>,
    /// Only this micro-grid; with quarters it adds to them.
    #[arg(long = "scope-grid", value_name = "ID")]
    grids: Vec<GridId>,
    /// Only incidents in which this department has a part.
    #[arg(long = "scope-department", value_name = "ID")]
    departments: Vec<DepartmentId>,
}

impl From<ScopeOf> for Scope {
    fn from(of: ScopeOf) -> Self {
        Self {
            quarters: of.quarters.into_iter().collect(),
            grids: of.grids.into_iter().collect(),
            departments: of.departments.into_iter().collect(),
        }
    }
}

#[derive(Subcommand)]
enum UserCommand {
    /// Make a user with a random password, which is printed once.
    Add {
        #[command(flatten)]
        file: ConfigFile,
        /// Log-in name.
        login: String,
        /// operator, responder, `station_lead`, `property_manager`, `grid_captain`, auditor or administrator.
        #[arg(long)]
        role: String,
        /// Department of a responder.
        #[arg(long)]
        department: Option<String>,
        #[command(flatten)]
        scope: ScopeOf,
    },
}

#[derive(Subcommand)]
enum CertificateCommand {
    /// Make `hub.pem` and `hub.key`, for a LAN without an authority, and say what to put into the configuration.
    SelfSigned {
        /// A host name or address as it stands in the browser; may be given several times.
        #[arg(long = "name", required = true)]
        names: Vec<String>,
        /// The folder that the files go into.
        #[arg(long, default_value = ".")]
        dir: PathBuf,
    },
}

#[derive(Subcommand)]
enum CredentialCommand {
    /// Make an account with a random secret, which is printed once. A device's name is its id in the registry.
    Add {
        #[command(flatten)]
        file: ConfigFile,
        /// Device id, or the integration's name.
        login: String,
        /// An integration: may read the hub's canonical events and incidents, and publish nothing.
        #[arg(long)]
        integration: bool,
        /// A bridge: speaks and hears where the patterns say.
        #[arg(long, conflicts_with = "integration")]
        bridge: bool,
        /// Where a bridge may publish: a topic filter; may be given several times.
        #[arg(long, requires = "bridge")]
        publish: Vec<String>,
        /// What a bridge may subscribe to: a topic filter; may be given several times.
        #[arg(long, requires = "bridge")]
        subscribe: Vec<String>,
    },
    /// Invite a registered device: prints a token with which it gets its credentials from `POST /api/v1/enrol`, once, within 15 minutes.
    Invite {
        #[command(flatten)]
        file: ConfigFile,
        /// Device id.
        login: String,
    },
    /// Take an account away; a running hub cuts its connections within seconds.
    Revoke {
        #[command(flatten)]
        file: ConfigFile,
        /// Device id, or the name of an integration or bridge.
        login: String,
    },
    /// List accounts and what they may do; secrets are not kept and not shown.
    List {
        #[command(flatten)]
        file: ConfigFile,
    },
}

fn main() -> ExitCode {
    // the process of a declared adapter: before anything of the hub is made
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == declarative::worker::COMMAND)
    {
        return declarative::serve();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() {
                ExitCode::from(EXIT_USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("error: cannot start the run time: {e}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run(cli.command));
    // blocking reads of finished parts may linger; they hold nothing that needs a farewell
    runtime.shutdown_timeout(Duration::from_secs(2));
    code
}

async fn run(command: Command) -> ExitCode {
    let outcome = match command {
        Command::Check {
            print_defaults: true,
            ..
        } => {
            print!("{}", config::DEFAULTS);
            Ok(())
        }
        Command::Check { file, .. } => return usage(check(&file)),
        Command::Adapt { file, asked } => match config::load(file.config.as_deref()) {
            Ok(config) => adapt::run(&config, asked),
            Err(e) => return usage(Err(e)),
        },
        Command::Adapter {
            command: AdapterCommand::Test { files },
        } => adapter_files::test(&files),
        Command::Journal {
            command: JournalCommand::Verify { dir },
        } => verify(&dir),
        Command::Clock { command } => match clock(command).await {
            Ok(outcome) => outcome,
            Err(e) => return usage(Err(e)),
        },
        Command::Audit {
            command: AuditCommand::Verify(file),
        } => match config::load(file.config.as_deref()) {
            Ok(config) => accounts::verify_audit(&config).await,
            Err(e) => return usage(Err(e)),
        },
        Command::Kpi(asked) => match config::load(asked.file.config.as_deref()) {
            Ok(config) => kpi_command(&config, asked).await,
            Err(e) => return usage(Err(e)),
        },
        Command::ToDevices {
            command: DeviceCommandCommand::Key(file),
        } => match config::load(file.config.as_deref()) {
            Ok(config) => print_command_key(&config),
            Err(e) => return usage(Err(e)),
        },
        Command::Rules { command } => match rules_command(command).await {
            Ok(outcome) => outcome,
            Err(e) => return usage(Err(e)),
        },
        Command::Demo(options) => demo::run(options).await,
        Command::Run(file) => match config::load(file.config.as_deref()) {
            Ok(config) => hub::run(&config).await,
            Err(e) => return usage(Err(e)),
        },
        Command::User {
            command:
                UserCommand::Add {
                    file,
                    login,
                    role,
                    department,
                    scope,
                },
        } => match config::load(file.config.as_deref()) {
            Ok(config) => {
                let department = department.as_deref();
                accounts::add_user(&config, &login, &role, department, scope.into()).await
            }
            Err(e) => return usage(Err(e)),
        },
        Command::Certificate {
            command: CertificateCommand::SelfSigned { names, dir },
        } => certificate::self_signed(&dir, &names, Timestamp::now()).map(|said| print!("{said}")),
        Command::Credential { command } => match credential(command).await {
            Ok(outcome) => outcome,
            Err(e) => return usage(Err(e)),
        },
        Command::Registry { command } => match tables(command) {
            Ok(outcome) => outcome,
            Err(e) => return usage(Err(e)),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if e.is::<hub::Misconfigured>() => usage(Err(e)),
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}

async fn kpi_command(config: &config::Config, asked: KpiArguments) -> anyhow::Result<()> {
    let shape = match (asked.csv, asked.canonical) {
        (true, _) => kpi::Shape::Csv,
        (_, true) => kpi::Shape::Canonical,
        _ => kpi::Shape::Json,
    };
    let wanted = kpi::Wanted {
        from: asked.from,
        to: asked.to,
        by: asked.by,
        as_of: asked.as_of,
        shape,
    };
    kpi::print(config, &wanted).await
}

/// The outer error is a configuration that cannot be used.
async fn clock(command: ClockCommand) -> anyhow::Result<anyhow::Result<()>> {
    let load = |file: &ConfigFile| config::load(file.config.as_deref());
    Ok(match command {
        ClockCommand::Show(file) => set_back::show(&load(&file)?),
        ClockCommand::Repair { file, it_is } => set_back::repair(&load(&file)?, it_is).await,
    })
}

/// The outer error is a configuration that cannot be used.
fn tables(command: RegistryCommand) -> anyhow::Result<anyhow::Result<()>> {
    let load = |file: &ConfigFile| config::load(file.config.as_deref());
    Ok(match command {
        RegistryCommand::Export { file, kind, bom } => {
            let mark = if bom { Mark::ByteOrder } else { Mark::None };
            registry::export(&load(&file)?, kind, mark).map(|text| print!("{text}"))
        }
        RegistryCommand::Import {
            file,
            kind,
            table,
            dry_run,
        } => {
            let then = if dry_run { Then::Stop } else { Then::Write };
            registry::import(&load(&file)?, kind, &table, then).map(|said| print!("{said}"))
        }
        RegistryCommand::Unpack { dir } => registry::unpack(&dir, embedded::COMPOUND),
    })
}

/// The outer error is a configuration that cannot be used.
async fn rules_command(command: RulesCommand) -> anyhow::Result<anyhow::Result<()>> {
    let load = |file: &ConfigFile| config::load(file.config.as_deref());
    Ok(match command {
        RulesCommand::Check(file) => rules::check(&load(&file)?),
        RulesCommand::Test(file) => rules::test(&load(&file)?),
        RulesCommand::Backtest {
            file,
            from,
            to,
            rule,
            rules,
            warm_up_h,
            json,
        } => {
            let wanted = rules::Backtest {
                from,
                to,
                rule,
                rules,
                warm_up_h,
                json,
            };
            rules::backtest(&load(&file)?, &wanted).await
        }
    })
}

/// The outer error is a configuration that cannot be used.
async fn credential(command: CredentialCommand) -> anyhow::Result<anyhow::Result<()>> {
    let load = |file: &ConfigFile| config::load(file.config.as_deref());
    Ok(match command {
        CredentialCommand::Add {
            file,
            login,
            integration,
            bridge,
            publish,
            subscribe,
        } => {
            let config = load(&file)?;
            if bridge {
                accounts::add_bridge(&config, &login, publish, subscribe).await
            } else if integration {
                accounts::add_integration(&config, &login).await
            } else {
                accounts::add_device(&config, &login).await
            }
        }
        CredentialCommand::Invite { file, login } => accounts::invite(&load(&file)?, &login).await,
        CredentialCommand::Revoke { file, login } => accounts::revoke(&load(&file)?, &login).await,
        CredentialCommand::List { file } => accounts::list(&load(&file)?).await,
    })
}

fn usage(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn check(file: &ConfigFile) -> anyhow::Result<()> {
    let config = config::load(file.config.as_deref())?;
    let catalogue = hub::Catalogue::load(&config)?;
    let formats = adapter_files::formats(&config.adapters.dir)?;
    gateway::bridges::check(&config, &catalogue.registry, formats)?;
    gateway::bridges::ways(&config)?;
    gateway::bridges::tokens(&config)?;
    let is_to_be_made = config.tls.own_authority
        && !gateway::authority::certificate_file(&config.data.dir).exists();
    if is_to_be_made {
        println!(
            "note: the hub's own authority is made at its first start; the files of TLS are read then"
        );
    } else {
        hub::tls(&config)?;
    }
    hub::identity_provider(&config)?;
    println!(
        "configuration is good: {} sites, {} zones, {} devices, {} rules",
        catalogue.registry.sites.len(),
        catalogue.registry.zones.len(),
        catalogue.registry.devices.len(),
        catalogue.book.len(),
    );
    let roster = &catalogue.registry.roster;
    let today = roster.calendar.day(Timestamp::now());
    let warnings = roster.warnings().into_iter();
    for warning in warnings.chain(roster.calendar.warnings(today)) {
        println!("note: {warning}");
    }
    // the ports with TLS are not among them
    let open = [
        ("mqtt.listen", Some(config.mqtt.listen)),
        ("mqtt.ws_listen", config.mqtt.ws_listen),
        ("http.listen", Some(config.http.listen)),
    ];
    for (setting, address) in open {
        if let Some(address) = address {
            warn_if_open(setting, address);
        }
    }
    Ok(())
}

fn warn_if_open(setting: &str, address: SocketAddr) {
    if address.ip().is_loopback() {
        return;
    }
    let hint = match setting {
        "mqtt.listen" => "set mqtt.tls_listen and bind this one to 127.0.0.1",
        "mqtt.ws_listen" => "use mqtt.wss_listen instead",
        _ => "put a TLS proxy in front",
    };
    println!(
        "note: {setting} {address} is reachable from other machines without TLS (hint: {hint})"
    );
}

fn verify(dir: &std::path::Path) -> anyhow::Result<()> {
    let report =
        store::journal::verify(dir).with_context(|| format!("cannot verify {}", dir.display()))?;
    println!("{report}");
    anyhow::ensure!(report.is_sound(), "the journal is damaged");
    Ok(())
}
