//! Rules that wait, have hysteresis, watch whole fleets and hear silence; and what happened to their alerts.

const RULES: &str = r"
alter table alert_rules
    add column owner_id uuid references users (id) on delete cascade,
    add column tags jsonb constraint alert_rules_tags_are_an_object check (jsonb_typeof(tags) = 'object'),
    add column no_data_after integer check (no_data_after > 0),
    add column no_data_action text check (no_data_action in ('alert', 'keep', 'resolve')),
    alter column device_id drop not null;
update alert_rules set owner_id = devices.owner_id from devices where devices.id = alert_rules.device_id;
alter table alert_rules
    alter column owner_id set not null,
    add constraint alert_rules_watch_something check ((device_id is null) = (tags is not null)),
    add constraint alert_rules_no_data_is_whole check ((no_data_after is null) = (no_data_action is null));
create index alert_rules_owner_id on alert_rules (owner_id, id) where deleted_at is null;
create index alert_rules_fleet on alert_rules (owner_id, metric) where device_id is null and deleted_at is null;
comment on column alert_rules.tags is 'a rule without a device watches all of the owner that have these';
comment on column alert_rules.no_data_after is 'seconds without a reading after which something is done';
";

const ARMED: &str = r"
drop trigger alert_rules_arm_device on alert_rules;
drop function alert_rules_arm_device;

create function is_armed(device uuid, owner uuid, device_tags jsonb) returns boolean language sql stable as $$
    select exists (select from alert_rules where device_id = device and enabled and deleted_at is null)
        or exists (select from alert_rules where owner_id = owner and device_id is null
                   and device_tags @> tags and enabled and deleted_at is null)
$$;

";

/// As it was before there was a version of the rules of a device.
pub(crate) const ARM_DEVICES: &str = r"
-- The caller holds the locks of all devices that it is about, in the order of their identifiers.
create function alert_rules_arm_devices() returns trigger language plpgsql as $$
begin
    if new.device_id is not null then
        update devices set armed = is_armed(id, owner_id, tags)
        where id = new.device_id and armed <> is_armed(id, owner_id, tags);
    else
        update devices set armed = is_armed(id, owner_id, tags)
        where owner_id = new.owner_id and (tags @> new.tags or tg_op = 'UPDATE' and tags @> old.tags)
            and deleted_at is null and armed <> is_armed(id, owner_id, tags);
    end if;
    return null;
end $$;
create trigger alert_rules_arm_devices after insert or update of enabled, deleted_at, tags on alert_rules
    for each row execute function alert_rules_arm_devices();
";

const ARM: &str = r"
create function devices_arm() returns trigger language plpgsql as $$
begin
    new.armed := is_armed(new.id, new.owner_id, new.tags);
    return new;
end $$;
create trigger devices_arm before insert or update of tags on devices
    for each row execute function devices_arm();
comment on column devices.armed is 'some enabled rule watches it; kept by triggers on alert_rules and devices';
";

const STATES: &str = r#"
alter table alert_states
    add column stretches jsonb,
    add column heard_at timestamptz not null default now(),
    add column check_at timestamptz;
update alert_states set stretches = jsonb_build_array(jsonb_build_array(
    (extract(epoch from evaluated_until) * 1000000)::bigint + 1, null,
    coalesce((select jsonb_build_object(
          'phase', 'firing',
          'began', jsonb_build_array((extract(epoch from triggered_at) * 1000000)::bigint, value::text),
          'triggered', jsonb_build_array((extract(epoch from triggered_at) * 1000000)::bigint, value::text),
          'peak', jsonb_build_array((extract(epoch from triggered_at) * 1000000)::bigint, peak_value::text))
      from alerts where status = 'firing' and alerts.rule_id = alert_states.rule_id
          and alerts.device_id = alert_states.device_id), '{"phase": "ok"}')));
alter table alert_states drop column evaluated_until;
create index alert_states_check_at on alert_states (check_at) where check_at is not null;
comment on column alert_states.stretches is
    'stretches of time in which no reading changed the state of the rule on the device, oldest first: from, until (null: the present) in microseconds since 1970, and the state; none until the first reading';
comment on column alert_states.heard_at is 'when a reading arrived last, to within a second';
comment on column alert_states.check_at is 'when to look whether data has stopped; none where that changes nothing';
"#;

const ALERTS: &str = r"
alter table alerts
    add column kind text not null default 'threshold' check (kind in ('threshold', 'no_data')),
    add column clear_threshold numeric,
    add column peak_at timestamptz,
    alter column value drop not null,
    alter column peak_value drop not null;
update alerts set peak_at = triggered_at;
alter table alerts add constraint alerts_have_a_value_or_silence
    check ((kind = 'no_data') = (value is null) and (value is null) = (peak_value is null)
           and (value is null) = (peak_at is null));
drop index alerts_one_open_per_rule;
create unique index alerts_one_open_per_rule on alerts (rule_id, device_id) where status = 'firing';

create table alert_transitions (
    id bigint generated always as identity primary key,
    alert_id uuid not null references alerts (id) on delete cascade,
    at timestamptz not null,
    from_phase text not null check (from_phase in ('ok', 'pending', 'firing', 'recovering')),
    to_phase text not null check (to_phase in ('ok', 'pending', 'firing', 'recovering')),
    cause text not null check (cause in
        ('reading', 'manual', 'no_data', 'rule_changed', 'rule_disabled', 'rule_deleted', 'device_deleted')),
    value numeric,
    threshold numeric,
    rule_version integer not null,
    created_at timestamptz not null,
    check ((cause = 'reading') = (value is not null))
);
create index alert_transitions_alert_id on alert_transitions (alert_id, at, id);
comment on column alert_transitions.at is 'recorded_at of the reading that caused it, or when it was caused otherwise';
insert into alert_transitions (alert_id, at, from_phase, to_phase, cause, value, threshold, rule_version, created_at)
select id, triggered_at, 'ok', 'firing', 'reading', value, threshold, rule_version, created_at from alerts order by id;
";

const JUDGES: &str = r"
-- A function, so that each server connection keeps the plan: ingest asks this for each group.
create function armed_rules(series_ids integer[], device_ids uuid[], metrics text[]) returns table (
    series_id integer, device_id uuid, rule_id uuid, rule_version integer,
    comparator text, threshold text, clear_threshold text, hold_for integer, keep_firing_for integer,
    no_data_after integer, no_data_action text, stretches jsonb, heard_at timestamptz,
    alert_id uuid, alert_kind text, alert_rule_version integer
) language plpgsql stable as $$
begin
    return query
    select fresh.series_id, device.id, rule.id, rule.version,
           rule.comparator, rule.threshold::text, rule.clear_threshold::text, rule.hold_for, rule.keep_firing_for,
           rule.no_data_after, rule.no_data_action, state.stretches, state.heard_at,
           alert.id, alert.kind, alert.rule_version
    from unnest(series_ids, device_ids, metrics) as fresh (series_id, device_id, metric)
    join devices as device on device.id = fresh.device_id
    cross join lateral (
        select * from alert_rules as own
        where own.device_id = device.id and own.metric = fresh.metric and own.enabled and own.deleted_at is null
        union all
        select * from alert_rules as of_fleet
        where of_fleet.owner_id = device.owner_id and of_fleet.device_id is null and of_fleet.metric = fresh.metric
            and device.tags @> of_fleet.tags and of_fleet.enabled and of_fleet.deleted_at is null) as rule
    left join alert_states as state on state.rule_id = rule.id and state.device_id = device.id
    left join alerts as alert on alert.rule_id = rule.id and alert.device_id = device.id and alert.status = 'firing';
end $$;
";

const DOWN: &str = r"
drop function armed_rules;
drop table alert_transitions;
delete from alerts where kind = 'no_data' or rule_id in (select id from alert_rules where device_id is null);
drop index alerts_one_open_per_rule;
create unique index alerts_one_open_per_rule on alerts (rule_id) where status = 'firing';
alter table alerts drop constraint alerts_have_a_value_or_silence,
    drop column kind, drop column clear_threshold, drop column peak_at,
    alter column value set not null, alter column peak_value set not null;
delete from alert_states;
alter table alert_states drop column stretches, drop column heard_at, drop column check_at,
    add column evaluated_until timestamptz not null;
drop trigger devices_arm on devices;
drop trigger alert_rules_arm_devices on alert_rules;
drop function devices_arm, alert_rules_arm_devices;
delete from alert_rules where device_id is null;
alter table alert_rules drop column owner_id, drop column tags, drop column no_data_after,
    drop column no_data_action, alter column device_id set not null;
drop function is_armed;
";

crate::migration! {
    up: &[RULES, ARMED, ARM_DEVICES, ARM, STATES, ALERTS, JUDGES].concat(),
    down: &[DOWN, crate::m20261101_000006_armed_devices::TRIGGER].concat(),
}
