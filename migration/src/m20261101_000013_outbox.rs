//! Mails that wait to be sent.

crate::migration! {
    up: r"
create table outbox_mails (
    id uuid primary key,
    kind text not null check (kind in ('verify_email', 'reset_password', 'password_changed')),
    email text not null check (length(email) <= 254),
    sealed_token bytea,
    asked_at timestamptz not null,
    expires_at timestamptz not null,
    due_at timestamptz not null,
    attempts integer not null default 0,
    check ((sealed_token is null) = (kind = 'password_changed')),
    unique (email, kind)
);
create index outbox_mails_due_at on outbox_mails (due_at);
comment on table outbox_mails is
    'one row for each mail that waits, erased when it is sent; whether the address is a user''s is found out then';
comment on column outbox_mails.sealed_token is 'the only copy of the token, encrypted under AUTH_SECRET';
comment on column outbox_mails.due_at is 'when to try to send it; one that is being sent is due when its lease ends';

create index verifications_expires_at on verifications (expires_at);
comment on column verifications.token_hash is 'SHA-256 of the mailed token, in hex';
comment on column verifications.used_at is 'when the token was used, or made void';
",
    down: "
drop table outbox_mails;
drop index verifications_expires_at;
comment on column verifications.token_hash is null;
comment on column verifications.used_at is null;
",
}
