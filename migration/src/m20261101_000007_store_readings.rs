//! Storing the readings of a small group in one call, whose plans PostgreSQL keeps.
//!
//! Behind a transaction pooler no statement can be prepared, and planning takes as long as storing a
//! dozen readings. The plans of a function are kept by each server connection.

/// As it was before hours were summed up.
pub(crate) const UP: &str = r"
create function store_readings(
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
comment on function store_readings is
    'stores samples of devices that may post and have no armed rules, and answers those that were there before; '
    'where a device is gone, disabled or armed it does nothing and answers one row with refused = true';
";

crate::migration! {
    up: UP,
    down: "drop function store_readings;",
}
