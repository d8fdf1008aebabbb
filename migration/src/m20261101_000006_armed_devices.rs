//! Whether a device has armed rules stands beside it, where ingest sees it for free.

const COLUMN: &str = r"
alter table devices add column armed boolean not null default false;
comment on column devices.armed is 'has at least one enabled alert rule; kept by a trigger on alert_rules';
update devices set armed = true
where exists (select from alert_rules where device_id = devices.id and enabled and deleted_at is null);

";

pub(crate) const TRIGGER: &str = r"
-- Rules change under the lock of their device, which ingest takes too: what it reads is true until it commits.
create function alert_rules_arm_device() returns trigger language plpgsql as $$
declare
    now_armed boolean := exists (
        select from alert_rules where device_id = new.device_id and enabled and deleted_at is null);
begin
    update devices set armed = now_armed where id = new.device_id and armed <> now_armed;
    return null;
end $$;
create trigger alert_rules_arm_device after insert or update of enabled, deleted_at on alert_rules
    for each row execute function alert_rules_arm_device();
";

crate::migration! {
    up: &[COLUMN, TRIGGER].concat(),
    down: "
drop trigger alert_rules_arm_device on alert_rules;
drop function alert_rules_arm_device;
alter table devices drop column armed;
",
}
