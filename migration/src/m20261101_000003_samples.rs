//! Readings: a series per device and metric, and its samples in monthly partitions.

crate::migration! {
    up: r"
create table series (
    id integer generated always as identity primary key,
    device_id uuid not null references devices (id),
    metric text not null check (metric ~ '^[A-Za-z][A-Za-z0-9_.:/-]{0,63}$'),
    created_at timestamptz not null,
    unique (device_id, metric)
);

create table samples (
    series_id integer not null,
    recorded_at timestamptz not null,
    value numeric not null
        constraint samples_value_is_finite check (value > '-Infinity' and value < 'Infinity'),
    primary key (series_id, recorded_at)
) partition by range (recorded_at);
comment on table samples is
    'append-only; no foreign key, since checking one per row costs a third of ingest: a purge removes the samples of a deleted device';

-- Holds what no monthly partition exists for, so that nothing is ever lost.
create table samples_default partition of samples default;

create function samples_are_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'readings are append-only'
        using errcode = 'integrity_constraint_violation', constraint = 'samples_are_append_only';
end $$;
create trigger samples_are_append_only before update on samples
    for each row execute function samples_are_append_only();

-- The published shape, for SQL users. Filters on device_id, metric and recorded_at are pushed down.
-- The id is a UUIDv8 (RFC 9562) made of the series and the microseconds since 1970.
create view sensor_readings as
select (lpad(to_hex(samples.series_id), 8, '0')
        || '-' || substr(time.hex, 1, 4)
        || '-8' || substr(time.hex, 5, 3)
        || '-8' || substr(time.hex, 8, 3)
        || '-' || substr(time.hex, 11, 6) || '000000')::uuid as id,
       series.device_id,
       series.metric,
       samples.value,
       samples.recorded_at
from samples
join series on series.id = samples.series_id
join devices on devices.id = series.device_id and devices.deleted_at is null
cross join lateral (
    select lpad(to_hex((extract(epoch from samples.recorded_at) * 1000000)::bigint), 16, '0') as hex
) as time;
",
    down: "
drop view sensor_readings;
drop table samples;
drop function samples_are_append_only;
drop table series;
",
}
