//! A version of each device's settings, so that an edit can be meant for what its author saw.
//!
//! Readings move `status` and `last_seen_at`, and with them the row; they leave the version alone.

crate::migration! {
    up: r"
alter table devices add column version integer not null default 1
    constraint devices_version_counts_from_one check (version >= 1);
comment on column devices.version is 'counts the changes of its settings; what readings change is none';
",
    down: "alter table devices drop column version;",
}
