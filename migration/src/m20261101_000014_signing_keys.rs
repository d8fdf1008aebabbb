//! Keys that sign access tokens.

crate::migration! {
    up: r"
create table signing_keys (
    id text primary key check (length(id) = 43),
    public_key bytea not null check (octet_length(public_key) = 32),
    sealed_private_key bytea,
    created_at timestamptz not null,
    signs_from timestamptz not null,
    signs_until timestamptz,
    verifies_until timestamptz,
    check ((signs_until is null) = (verifies_until is null)),
    check (signs_until <= verifies_until),
    check (sealed_private_key is not null or signs_until is not null)
);
comment on table signing_keys is 'Ed25519; tokens cite a key by its id, the thumbprint of RFC 7638';
comment on column signing_keys.sealed_private_key is 'encrypted under AUTH_SECRET; none once the key signs no more';
comment on column signing_keys.signs_until is 'when the successor begins to sign; none until there is one';
comment on column signing_keys.verifies_until is 'when the last token of this key has expired';
",
    down: "drop table signing_keys;",
}
