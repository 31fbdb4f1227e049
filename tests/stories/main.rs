//! The stories: each file tells one, from the outside, over a real hub.

mod alarms;
mod api;
mod audit;
mod bad_input;
mod browser;
mod clock;
mod command_line;
mod conformance;
mod deploy;
mod disk_faults;
mod disk_full;
mod duty_book;
mod enrolment;
mod kill9;
mod kpi;
mod power_cut;
mod report_page;
mod reports;
mod restart;
mod roster;
mod rule_files;
mod scenarios;
mod self_probe;
mod smoke_alarm;
mod tidy;
mod unbrickable;
