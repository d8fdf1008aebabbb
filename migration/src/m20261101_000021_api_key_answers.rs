//! What is answered to who makes an API key is kept until the key is revoked.

crate::migration! {
    up: r"
alter table idempotency_keys add column api_key_id uuid references api_keys (id) on delete cascade;
create index idempotency_keys_api_key_id on idempotency_keys (api_key_id) where api_key_id is not null;
comment on column idempotency_keys.answer is 'sealed under AUTH_SECRET, since it may hold the key of a device, or an API key';
comment on column idempotency_keys.api_key_id is 'the API key that the answer is of, with which it is erased';
",
    down: "
alter table idempotency_keys drop column api_key_id;
comment on column idempotency_keys.answer is 'sealed under AUTH_SECRET, since it may hold the key of a device';
",
}
