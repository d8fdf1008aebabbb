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
    let values: Vec<_> = headers.get_all(X_FORWARDED_FOR).collect();
    // Each hop by itself: what others put in, before ours, may be no text at all.
    let hops = values.iter().rev();
    let hops = hops.flat_map(|it| it.as_bytes().rsplit(|byte| *byte == b','));
    // Of a hop that is no address nobody of ours can have written what stands before it.
    hops.take(proxies.into())
        .map_while(parse)
        .last()
        .unwrap_or(peer)
}

/// An address as proxies write it, some with a port.
fn parse(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse().ok().map(|it: SocketAddr| it.ip());
    bare.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{http::header::HeaderValue, test::TestRequest};

    fn seen(lines: &[&str], proxies: u8) -> String {
        let lines: Vec<&[u8]> = lines.iter().map(|it| it.as_bytes()).collect();
        seen_in(&lines, proxies)
    }

    fn seen_in(lines: &[&[u8]], proxies: u8) -> String {
        let mut request = TestRequest::get();
        for line in lines {
            let line = HeaderValue::from_bytes(line).unwrap();
            request = request.append_header((X_FORWARDED_FOR, line));
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
        let forged = b"\xff, 203.0.113.9".as_slice();
        assert_eq!(seen_in(&[forged], 1), "203.0.113.9");
        assert_eq!(seen(&["203.0.113.9:443"], 1), "203.0.113.9");
        assert_eq!(seen(&["[2001:db8::1]:443"], 1), "2001:db8::1");
        assert_eq!(seen(&["[2001:db8::1]"], 1), "2001:db8::1");
        assert_eq!(seen(&["2001:db8::1"], 1), "2001:db8::1");
    }
}
