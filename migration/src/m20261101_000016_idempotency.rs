//! Answers that are kept for a day, for those who ask again with the same key.

crate::migration! {
    up: r"
create table idempotency_keys (
    owner_id uuid not null references users (id) on delete cascade,
    key_hash bytea not null check (length(key_hash) = 32),
    fingerprint bytea not null check (length(fingerprint) = 32),
    answer bytea not null,
    device_id uuid references devices (id) on delete cascade,
    kept_at timestamptz not null,
    primary key (owner_id, key_hash)
);
create index idempotency_keys_kept_at on idempotency_keys (kept_at);
create index idempotency_keys_device_id on idempotency_keys (device_id) where device_id is not null;
-- What is sealed cannot be packed.
alter table idempotency_keys alter column answer set storage external;
comment on column idempotency_keys.key_hash is 'SHA-256 of the key, of the kind of caller, and of the part of the request';
comment on column idempotency_keys.fingerprint is 'SHA-256 of method, path and body';
comment on column idempotency_keys.answer is 'sealed under AUTH_SECRET, since it may hold the key of a device';
comment on column idempotency_keys.device_id is 'the one device that the answer is of, with which it is erased';
",
    down: "drop table idempotency_keys;",
}
