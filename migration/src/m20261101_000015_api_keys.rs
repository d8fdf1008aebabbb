//! What programs of a user authenticate with.

crate::migration! {
    up: r"
create table api_keys (
    id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    name text not null check (length(name) between 1 and 100),
    key_hash text not null unique,
    key_prefix text not null,
    scopes text not null check (scopes ~ '^[a-z]+:[a-z]+( [a-z]+:[a-z]+)*$'),
    created_at timestamptz not null,
    last_used_at timestamptz,
    expires_at timestamptz
);
create index api_keys_user_id on api_keys (user_id, id);
comment on column api_keys.key_hash is 'SHA-256 of the key, in hex';
comment on column api_keys.key_prefix is 'first characters of the key, to tell keys apart by';
comment on column api_keys.last_used_at is 'moves at most once a minute';
",
    down: "drop table api_keys;",
}
