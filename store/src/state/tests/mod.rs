//! Stories over a real file: each test has a directory of its own.

mod accounts;
mod administration;
mod audit;
mod batches;
mod commands;
mod devices;
mod duty_book;
mod evidence;
mod feed;
mod fixture;
mod flags;
mod flood;
mod kpi;
mod ladder;
mod legal_hold;
mod lists;
mod machine;
mod one_batch;
mod reach;
mod registry;
mod report;
mod roster;
mod set_back;
mod simulation;
mod station;
mod unmasking;
