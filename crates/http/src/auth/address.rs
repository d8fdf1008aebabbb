//! Where requests come from, past the proxies that are ours.

use crate::state::AppState;
use actix_web::{
    HttpRequest,
    http::header::{HeaderMap, X_FORWARDED_FOR},
};
use domain::throttle::Network;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The address of the client, if the connection has one.
///
/// That of the peer, or where that is one of so many proxies of ours, what the outermost of them wrote
/// into `X-Forwarded-For`. What stands before that anyone may have written.
pub(crate) fn address(state: &AppState, request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    Some(past_proxies(peer, request.headers(), state.trusted_proxies).to_canonical())
}

/// The network of the client. Those without an address are one.
pub(crate) fn network(state: &AppState, request: &HttpRequest) -> Network {
    let nowhere = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    Network::of(address(state, request).unwrap_or(nowhere))
}

fn past_proxies(peer: IpAddr, headers: &HeaderMap, proxies: u8) -> IpAddr {
    let values = headers.get_all(X_FORWARDED_FOR);
    let values: Vec<_> = values.map(|it| it.to_str().unwrap_or_default()).collect();
    let hops = values.iter().rev().flat_map(|it| it.rsplit(','));
    // Of a hop that is no address nobody of ours can have written what stands before it.
    hops.take(proxies.into())
        .map_while(parse)
        .last()
        .unwrap_or(peer)
}

/// An address as proxies write it, some with a port.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse().ok().map(|it: SocketAddr| it.ip());
    bare.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn seen(lines: &[&str], proxies: u8) -> String {
        let mut request = TestRequest::get();
        for line in lines {
            request = request.append_header((X_FORWARDED_FOR, *line));
        }
        let peer = "192.0.2.1".parse().unwrap();
        past_proxies(peer, request.to_http_request().headers(), proxies).to_string()
    }

    #[test]
    fn as_many_hops_are_believed_as_there_are_proxies() {
        let forged = ["203.0.113.9, 198.51.100.2", "198.51.100.3"];
        for (proxies, address) in [
            (0, "192.0.2.1"),
            (1, "198.51.100.3"),
            (2, "198.51.100.2"),
            (3, "203.0.113.9"),
            (4, "203.0.113.9"),
        ] {
            assert_eq!(seen(&forged, proxies), address, "{proxies}");
        }
    }

    #[test]
    fn nothing_is_believed_before_what_is_no_address() {
        assert_eq!(seen(&[], 1), "192.0.2.1");
        assert_eq!(seen(&["unknown"], 1), "192.0.2.1");
        assert_eq!(
            seen(&["203.0.113.9, unknown, 198.51.100.2"], 3),
            "198.51.100.2"
        );
        assert_eq!(seen(&["203.0.113.9:443"], 1), "203.0.113.9");
        assert_eq!(seen(&["[2001:db8::1]:443"], 1), "2001:db8::1");
        assert_eq!(seen(&["[2001:db8::1]"], 1), "2001:db8::1");
        assert_eq!(seen(&["2001:db8::1"], 1), "2001:db8::1");
    }
}
