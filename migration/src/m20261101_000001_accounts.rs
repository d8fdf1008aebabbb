//! Who may sign in: users, their ways of signing in, their sessions, and mailed single-use tokens.

crate::migration! {
    up: r"
create table users (
    id uuid primary key,
    email text not null unique check (email = lower(email) and length(email) <= 254),
    email_verified_at timestamptz,
    name text check (length(name) between 1 and 100),
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create table accounts (
    id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    provider_id text not null,
    password_hash text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (user_id, provider_id),
    check (provider_id <> 'credential' or password_hash is not null)
);
comment on table accounts is 'one row per way of signing in; ''credential'' is e-mail and password';

create table sessions (
    id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    refresh_token_hash text not null unique,
    family uuid not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    user_agent text,
    ip text,
    created_at timestamptz not null,
    last_used_at timestamptz not null
);
create index sessions_user_id on sessions (user_id);
comment on column sessions.refresh_token_hash is 'SHA-256 of the one refresh token that is valid now, in hex';
comment on column sessions.family is 'the sign-in that this session descends from';

create table verifications (
    id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    purpose text not null check (purpose in ('verify_email', 'reset_password')),
    token_hash text not null unique,
    expires_at timestamptz not null,
    used_at timestamptz
);
create index verifications_user_id on verifications (user_id);
",
    down: "drop table verifications, sessions, accounts, users;",
}
