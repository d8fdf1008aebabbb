//! Why readings that devices posted are not stored.

crate::migration! {
    up: r"
create table rejections (
    device_id uuid not null references devices (id) on delete cascade,
    code text not null,
    count bigint not null check (count > 0),
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    detail text not null check (length(detail) <= 300),
    sample text check (length(sample) <= 200),
    primary key (device_id, code)
) with (fillfactor = 70);
comment on table rejections is
    'one row for each reason, of which there are some twenty, so that a device that is always wrong fills no disk';
comment on column rejections.sample is 'the beginning of what was sent the last time, device keys masked';
",
    down: "drop table rejections;",
}
