//! The HTTP surface of accounts, members, providers and allowed addresses, and who may not reach it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod assistants;
mod bodies;
mod conversing;
mod doors;
mod exports;
mod files;
mod function_accounts;
mod imports;
mod keys;
mod local_models;
mod members;
mod personal;
mod profile;
mod providers;
mod second_user;
mod secrets;
mod shared_assistants;
mod shares;
mod sign_in;
mod support;
mod threads;
mod volumes;
