//! A version of all that rules know of a device, so that ingest may remember it from group to group.

use crate::m20261101_000010_alert_engine::ARM_DEVICES as ARM_BEFORE;
use crate::m20261101_000011_device_status::STORE_READINGS as STORE_BEFORE;

const VERSION: &str = r"
alter table devices add column rules_version bigint not null default 0;
comment on column devices.rules_version is
    'the transaction that last changed a rule of the device, where it stands, or an alert of it; kept by triggers';

-- The caller holds the locks of all devices that it is about, in the order of their identifiers.
create or replace function alert_rules_arm_devices() returns trigger language plpgsql as $$
begin
    if new.device_id is not null then
        update devices set armed = is_armed(id, owner_id, tags), rules_version = pg_current_xact_id()::text::bigint
        where id = new.device_id;
    else
        update devices set armed = is_armed(id, owner_id, tags), rules_version = pg_current_xact_id()::text::bigint
        where owner_id = new.owner_id and (tags @> new.tags or tg_op = 'UPDATE' and tags @> old.tags)
            and deleted_at is null;
    end if;
    return null;
end $$;
drop trigger alert_rules_arm_devices on alert_rules;
create trigger alert_rules_arm_devices after insert or update on alert_rules
    for each row execute function alert_rules_arm_devices();

create or replace function devices_arm() returns trigger language plpgsql as $$
begin
    new.armed := is_armed(new.id, new.owner_id, new.tags);
    new.rules_version := pg_current_xact_id()::text::bigint;
    return new;
end $$;

create function devices_note_rules() returns trigger language plpgsql as $$
declare
    changed uuid := case when tg_op = 'DELETE' then old.device_id else new.device_id end;
begin
    update devices set rules_version = pg_current_xact_id()::text::bigint
    where id = changed and rules_version <> pg_current_xact_id()::text::bigint;
    return null;
end $$;
-- Not of times at which readings were heard, which change nothing else.
create trigger alert_states_note after insert or delete or update of stretches on alert_states
    for each row execute function devices_note_rules();
create trigger alerts_note after insert or delete or update of status on alerts
    for each row execute function devices_note_rules();
";

const NEWER: &str = r"
create function series_with_newer(series_ids integer[], times bigint[]) returns setof integer
language plpgsql stable as $$
begin
    return query
    select known.series from unnest(series_ids, times) as known (series, time)
    where exists (select from samples where samples.series_id = known.series
                  and samples.recorded_at > timestamptz 'epoch' + known.time * interval '1 microsecond');
end $$;
comment on function series_with_newer is 'those of the series that have readings newer than a time of their own';
";

const STORE: &str = r"
create function store_readings(
    device_ids uuid[], seen_at timestamptz,
    series integer[], times bigint[], vals numeric[],
    watched uuid[], versions bigint[], followed integer[], first_times bigint[],
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
    select count(*) filter (where enabled and (not armed or rules_version = version)),
           array_agg(id) filter (where status <> 'online' or last_seen_at is null
                                 or last_seen_at <= seen_at - interval '1 second'),
           array_agg(id) filter (where status <> 'online')
    into ready, due, woken
    from (select id, enabled, armed, rules_version, status, last_seen_at from devices
          where id = any (device_ids) and deleted_at is null
          order by id for no key update) as locked
    left join unnest(watched, versions) as watch (device_id, version) on watch.device_id = locked.id;
    if ready <> cardinality(device_ids)
       -- What is not the newest has other readings judged again.
       or exists (select from unnest(followed, first_times) as fresh (series, time)
                  where exists (
                      select from samples where samples.series_id = fresh.series and samples.recorded_at >=
                          timestamptz 'epoch' + fresh.time * interval '1 microsecond')) then
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
comment on function store_readings(uuid[], timestamptz, integer[], bigint[], numeric[], uuid[], bigint[], integer[], bigint[]) is
    'stores samples of devices that may post, and answers those that were there before; devices with armed rules are '
    'watched, with the version of their rules, and their followed series have nothing at their first time or later; '
    'where that does not hold, or a device is gone or disabled, it does nothing and answers one row with refused = true';

-- For instances of before.
create or replace function store_readings(
    device_ids uuid[], seen_at timestamptz,
    series integer[], times bigint[], vals numeric[],
    out refused boolean, out series_id integer, out micros bigint, out stored text
) returns setof record language sql as $$
    select * from store_readings(device_ids, seen_at, series, times, vals, '{}', '{}', '{}', '{}')
$$;
";

const DOWN: &str = r"
drop function series_with_newer;
drop function store_readings(uuid[], timestamptz, integer[], bigint[], numeric[], uuid[], bigint[], integer[], bigint[]);
drop trigger alert_states_note on alert_states;
drop trigger alerts_note on alerts;
drop function devices_note_rules;
create or replace function devices_arm() returns trigger language plpgsql as $$
begin
    new.armed := is_armed(new.id, new.owner_id, new.tags);
    return new;
end $$;
drop trigger alert_rules_arm_devices on alert_rules;
drop function alert_rules_arm_devices;
alter table devices drop column rules_version;
";

crate::migration! {
    up: &format!("{VERSION}{NEWER}{STORE}"),
    down: &format!("{DOWN}{ARM_BEFORE}{STORE_BEFORE}"),
}
