//! Threshold rules, how far each has been evaluated, and the alerts that they opened.

crate::migration! {
    up: r"
create table alert_rules (
    id uuid primary key,
    device_id uuid not null references devices (id) on delete cascade,
    name text not null check (length(name) between 1 and 100),
    metric text not null check (metric ~ '^[A-Za-z][A-Za-z0-9_.:/-]{0,63}$'),
    comparator text not null check (comparator in ('gt', 'lt', 'gte', 'lte')),
    threshold numeric not null check (threshold > '-Infinity' and threshold < 'Infinity'),
    clear_threshold numeric
        check (clear_threshold > '-Infinity' and clear_threshold < 'Infinity'),
    hold_for integer not null default 0 check (hold_for >= 0),
    keep_firing_for integer not null default 0 check (keep_firing_for >= 0),
    severity text not null default 'warning' check (severity in ('critical', 'warning', 'info')),
    enabled boolean not null default true,
    version integer not null default 1,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz
);
create index alert_rules_device_id on alert_rules (device_id, id) where deleted_at is null;
comment on column alert_rules.hold_for is 'seconds that the condition must hold before the rule fires';
comment on column alert_rules.keep_firing_for is 'seconds that it must be clear before the alert resolves';
comment on column alert_rules.deleted_at is 'a deleted rule stays as long as alerts cite it';

create table alert_states (
    rule_id uuid not null references alert_rules (id) on delete cascade,
    device_id uuid not null references devices (id) on delete cascade,
    evaluated_until timestamptz not null,
    primary key (rule_id, device_id)
) with (fillfactor = 50);
create index alert_states_device_id on alert_states (device_id);
comment on column alert_states.evaluated_until is
    'recorded_at of the newest reading that the rule has judged; an older one changes no alert';

create table alerts (
    id uuid primary key,
    rule_id uuid not null references alert_rules (id) on delete cascade,
    device_id uuid not null references devices (id) on delete cascade,
    metric text not null,
    comparator text not null check (comparator in ('gt', 'lt', 'gte', 'lte')),
    threshold numeric not null,
    rule_version integer not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    status text not null default 'firing' check (status in ('firing', 'resolved')),
    triggered_at timestamptz not null,
    resolved_at timestamptz,
    value numeric not null,
    peak_value numeric not null,
    resolved_reason text check (resolved_reason in
        ('recovered', 'manual', 'no_data', 'rule_changed', 'rule_disabled', 'rule_deleted', 'device_deleted')),
    acknowledged_at timestamptz,
    acknowledged_by uuid references users (id) on delete set null,
    note text check (length(note) <= 1000),
    created_at timestamptz not null,
    check ((status = 'firing') = (resolved_at is null)),
    check ((resolved_at is null) = (resolved_reason is null)),
    check (resolved_at >= triggered_at)
);
create index alerts_device_id on alerts (device_id, triggered_at, id);
create index alerts_rule_id on alerts (rule_id);
create unique index alerts_one_open_per_rule on alerts (rule_id) where status = 'firing';
",
    down: "drop table alerts, alert_states, alert_rules;",
}
