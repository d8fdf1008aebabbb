//! Where users were, so that strangers who try their passwords elsewhere do not lock them out there.

crate::migration! {
    up: r"
create table familiar_networks (
    user_id uuid not null references users (id) on delete cascade,
    network bytea not null check (length(network) = 32),
    seen_at timestamptz not null,
    primary key (user_id, network)
);
create index familiar_networks_seen_at on familiar_networks (seen_at);
comment on table familiar_networks is
    'where users proved to be who they are, for 90 days: there the limit of an account from anywhere does not hold';
comment on column familiar_networks.network is 'the network, as an HMAC under AUTH_SECRET';
",
    down: "drop table familiar_networks;",
}
