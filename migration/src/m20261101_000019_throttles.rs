//! How often something was tried that can be guessed.

crate::migration! {
    up: r"
create table throttles (
    key bytea primary key check (length(key) = 32),
    full_at timestamptz not null
);
create index throttles_full_at on throttles (full_at);
comment on table throttles is
    'one row for each limit that something was charged to, erased when all of it is earned back';
comment on column throttles.key is 'what the limit holds for, as an HMAC under AUTH_SECRET';
comment on column throttles.full_at is 'when all is earned back: the theoretical arrival time of GCRA';
",
    down: "
drop table throttles;
",
}
