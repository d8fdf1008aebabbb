//! Devices and the key that identifies each for life.

crate::migration! {
    up: r"
create table devices (
    id uuid primary key,
    owner_id uuid not null references users (id) on delete cascade,
    name text not null check (length(name) between 1 and 100),
    device_key text not null constraint devices_device_key_key unique,
    key_prefix text not null,
    status text not null default 'offline' check (status in ('online', 'offline')),
    enabled boolean not null default true,
    last_seen_at timestamptz,
    offline_after integer not null default 600 check (offline_after > 0),
    metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz
) with (fillfactor = 80);
create index devices_owner_id on devices (owner_id, id);
create index devices_deleted on devices (deleted_at) where deleted_at is not null;
comment on column devices.device_key is 'SHA-256 of the key in hex; the key itself is shown once and kept nowhere';
comment on column devices.offline_after is 'seconds of silence after which the device counts as offline';
comment on column devices.deleted_at is 'gone for every reader; a background purge removes the data, then the row';

create function devices_key_is_for_life() returns trigger language plpgsql as $$
begin
    raise exception 'a device key is generated once and never changes'
        using errcode = 'integrity_constraint_violation', constraint = 'devices_key_is_for_life';
end $$;
create trigger devices_key_is_for_life before update of device_key on devices
    for each row when (old.device_key is distinct from new.device_key)
    execute function devices_key_is_for_life();
",
    down: "drop table devices; drop function devices_key_is_for_life;",
}
