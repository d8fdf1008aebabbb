//! What tells a refresh token that is shown again, and what deleted users leave behind for a while.

const SESSIONS: &str = r"
alter table sessions
    add column family_hash text constraint sessions_family_hash_key unique,
    add column previous_token_hash text,
    add column successor_nonce text,
    add column rotated_at timestamptz,
    add constraint sessions_rotation_is_whole check (
        (previous_token_hash is null) = (rotated_at is null)
        and (previous_token_hash is null) = (successor_nonce is null));
comment on column sessions.family is 'the sign-in that this session descends from: itself';
comment on column sessions.family_hash is
    'SHA-256 of what all refresh tokens of the session have in common, in hex; none before the first refresh of a session that is older than this column';
comment on column sessions.previous_token_hash is 'SHA-256 of the token that was exchanged last, in hex';
comment on column sessions.successor_nonce is
    'what that token was made into the present one with; of no use to anyone who has neither';
comment on column sessions.rotated_at is 'when that was';
";

const USERS: &str = r"
alter table users add column deleted_at timestamptz;
create index users_deleted on users (deleted_at) where deleted_at is not null;
comment on column users.deleted_at is
    'nobody: holds what a user left who was deleted, until the background purge has removed it';
-- Whoever deletes a user would read all alerts for it.
create index alerts_acknowledged_by on alerts (acknowledged_by) where acknowledged_by is not null;
";

crate::migration! {
    up: &[SESSIONS, USERS].concat(),
    down: r"
drop index alerts_acknowledged_by;
alter table users drop column deleted_at;
alter table sessions drop constraint sessions_rotation_is_whole, drop column family_hash,
    drop column previous_token_hash, drop column successor_nonce, drop column rotated_at;
",
}
