//! The harness: databases and servers of a test's own, clients by role, and faults on demand.

mod answer;
mod app;
mod chaos;
mod client;
mod clock;
mod database;
mod document;
mod forge;
mod inspection;
mod postbox;
mod random;
mod raw;
mod readings;
mod rig;
mod secrets;
mod server;

pub(crate) use answer::Answer;
pub(crate) use app::{AUTH_SECRET, App, Device, PASSWORD, User, fresh_email};
pub(crate) use chaos::Proxy;
pub(crate) use client::{Client, JSON};
pub(crate) use clock::{ago, eventually, now, time};
pub(crate) use database::{Database, Sql};
pub(crate) use document::{Document, Operation};
pub(crate) use forge::{Forgery, PUBLIC as FORGER, admit_forger, message, sign};
pub(crate) use inspection::documented;
pub(crate) use postbox::{CHANGED, Postbox, RESET, VERIFY, nothing_waits};
pub(crate) use random::Random;
pub(crate) use raw::Raw;
pub(crate) use readings::{Point, batch, points, reading, reading_at};
pub(crate) use secrets::hex;
pub(crate) use server::{Server, command, program};
