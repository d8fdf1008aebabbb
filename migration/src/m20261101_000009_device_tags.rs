//! Tags that devices are filtered by.

crate::migration! {
    up: r"
alter table devices add column tags jsonb not null default '{}'
    constraint devices_tags_are_an_object check (jsonb_typeof(tags) = 'object');
create index devices_tags on devices using gin (tags jsonb_path_ops);
comment on column devices.tags is 'texts by name, by which an owner picks devices';
",
    down: "alter table devices drop column tags;",
}
