//! Closed hours of each series, summed up from its samples, and which of them are to be summed up again.

use crate::m20261101_000007_store_readings as store_readings;

const UP: &str = r"
-- Until this is done nobody stores a sample: each is either seen below, or stored by someone who marks.
lock table samples in share row exclusive mode;

create table series_hours (
    series_id integer not null references series (id) on delete cascade,
    hour integer not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    count integer not null,
    sum numeric not null,
    sum_squares numeric not null,
    min numeric not null,
    max numeric not null,
    first numeric not null,
    last numeric not null,
    primary key (series_id, hour)
);
comment on table series_hours is
    'what the samples of an hour (counted from 1970) come to; true below rollup_horizon.closed_hour where stale_hours says nothing else';

-- Appended by ingest, which waits for nobody and looks for nothing: an hour may stand here several times.
create table stale_hours (
    series_id integer not null,
    hour integer not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index stale_hours_by_series on stale_hours (series_id, hour);
comment on table stale_hours is 'hours of which samples were stored that series_hours does not know yet';

create table rollup_horizon (
    single boolean primary key default true check (single),
    marking_hour integer not null,
    closed_hour integer not null check (closed_hour <= marking_hour)
);
comment on column rollup_horizon.marking_hour is 'whoever stores a sample of an earlier hour marks it in stale_hours';
comment on column rollup_horizon.closed_hour is 'earlier hours without a mark are in series_hours, if they have samples';

-- What is there already is to be summed up.
insert into stale_hours
select distinct series_id, floor(extract(epoch from recorded_at) / 3600)::integer from samples;
insert into rollup_horizon (marking_hour, closed_hour)
select hour, hour from (select floor(extract(epoch from now()) / 3600)::integer as hour) as now;

-- Every transaction that stores samples calls this before it ends, so that the hour moves only between
-- them. The second statement sees what was committed before the lock was had.
create function lock_marking_hour() returns integer language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(5937258767752459267);
    return (select marking_hour from rollup_horizon);
end $$;

create function move_marking_hour(target integer) returns void language plpgsql as $$
begin
    perform pg_advisory_xact_lock(5937258767752459267);
    -- Not beyond the hour that it is here, whatever time an instance believes it to be.
    update rollup_horizon set marking_hour = greatest(
        marking_hour, least(target, floor(extract(epoch from clock_timestamp()) / 3600)::integer));
end $$;
";

/// What it was before devices remembered when to look at them again.
pub(crate) const STORE_READINGS: &str = r"
create or replace function store_readings(
    device_ids uuid[], seen_at timestamptz,
    series integer[], times bigint[], vals numeric[],
    out refused boolean, out series_id integer, out micros bigint, out stored text
) returns setof record language plpgsql as $$
#variable_conflict use_column
declare
    ready bigint;
    due uuid[];
    stored_now bigint;
    there_before bigint;
    marked_until bigint;
begin
    -- In the order of their identifiers, as everyone locks them.
    select count(*) filter (where enabled and not armed),
           array_agg(id) filter (where status <> 'online' or last_seen_at is null
                                 or last_seen_at <= seen_at - interval '1 second')
    into ready, due
    from (select id, enabled, armed, status, last_seen_at from devices
          where id = any (device_ids) and deleted_at is null
          order by id for no key update) as locked;
    if ready <> cardinality(device_ids) then
        refused := true;
        return next;
        return;
    end if;

    insert into samples (series_id, recorded_at, value)
    select new.series, timestamptz 'epoch' + new.time * interval '1 microsecond', new.value
    from unnest(series, times, vals) as new (series, time, value)
    on conflict do nothing;
    get diagnostics stored_now = row_count;

    if due is not null then
        update devices set status = 'online', last_seen_at = greatest(last_seen_at, seen_at)
        where id = any (due);
    end if;

    if stored_now > 0 then
        marked_until := lock_marking_hour() * 3600000000;
        if marked_until > any (times) then
            insert into stale_hours (series_id, hour)
            select distinct new.series, (new.time / 3600000000)::integer
            from unnest(series, times) as new (series, time)
            where new.time < marked_until;
        end if;
    end if;

    if stored_now < cardinality(series) then
        return query
            select false, wanted.series, wanted.time, samples.value::text
            from unnest(series, times) as wanted (series, time)
            join samples on samples.series_id = wanted.series
                and samples.recorded_at = timestamptz 'epoch' + wanted.time * interval '1 microsecond'
            where samples.recorded_at between
                    timestamptz 'epoch' + (select min(time) from unnest(times) as time) * interval '1 microsecond'
                and timestamptz 'epoch' + (select max(time) from unnest(times) as time) * interval '1 microsecond'
                and samples.xmin <> pg_current_xact_id()::xid;
        get diagnostics there_before = row_count;
        if stored_now + there_before <> cardinality(series) then
            raise exception 'a sample was refused and is not there' using errcode = 'data_corrupted';
        end if;
    end if;
end $$;
";

const DROP: &str = "
drop function lock_marking_hour;
drop function move_marking_hour;
drop table rollup_horizon;
drop table stale_hours;
drop table series_hours;
";

crate::migration! {
    up: &format!("{UP}{STORE_READINGS}"),
    down: &format!("drop function store_readings;{}{DROP}", store_readings::UP),
}
