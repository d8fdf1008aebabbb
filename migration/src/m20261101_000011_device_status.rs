//! When devices went online and offline, and when to look whether one has fallen silent.

use crate::m20261101_000008_rollup_hours::STORE_READINGS as BEFORE;

const UP: &str = r"
alter table devices add column check_at timestamptz;
-- Of those that are online, and seldom written: readings do not move it.
create index devices_check_at on devices (check_at) where check_at is not null;
comment on column devices.check_at is 'when to look whether the device has fallen silent; none while it is offline';
update devices set check_at = now() where status = 'online' and deleted_at is null;

create table device_status_changes (
    id bigint generated always as identity primary key,
    device_id uuid not null references devices (id) on delete cascade,
    status text not null check (status in ('online', 'offline')),
    at timestamptz not null
);
create index device_status_changes_device_id on device_status_changes (device_id, id);
insert into device_status_changes (device_id, status, at)
select id, status, last_seen_at from devices where status = 'online' and last_seen_at is not null;
";

/// As it was before rules had a version.
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
    woken uuid[];
    stored_now bigint;
    there_before bigint;
    marked_until bigint;
begin
    -- In the order of their identifiers, as everyone locks them.
    select count(*) filter (where enabled and not armed),
           array_agg(id) filter (where status <> 'online' or last_seen_at is null
                                 or last_seen_at <= seen_at - interval '1 second'),
           array_agg(id) filter (where status <> 'online')
    into ready, due, woken
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
        update devices set status = 'online', last_seen_at = greatest(last_seen_at, seen_at),
            check_at = coalesce(check_at, seen_at + offline_after * interval '1 second')
        where id = any (due);
    end if;
    if woken is not null then
        insert into device_status_changes (device_id, status, at) select id, 'online', seen_at from unnest(woken) as id;
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

crate::migration! {
    up: &format!("{UP}{STORE_READINGS}"),
    down: &format!("drop table device_status_changes; alter table devices drop column check_at;{BEFORE}"),
}
