//! Connection URLs that sqlx, tokio-postgres and libpq all understand.

use std::fmt::Write;
use std::path::Path;

use crate::SUPERUSER;

/// A URL for a unix socket.
///
/// The socket's folder stands percent-encoded in the place of the host. The other form, `localhost/db?host=…`, would
/// make tokio-postgres try TCP on localhost first, and an empty host beside a user is refused by sqlx.
pub(crate) fn by_socket(sockets: &Path, port: u16, database: &str) -> String {
    by_host(&encoded(&sockets.to_string_lossy()), port, database)
}

/// A URL for a host that needs no encoding.
pub(crate) fn by_host(host: &str, port: u16, database: &str) -> String {
    format!("postgres://{SUPERUSER}@{host}:{port}/{}", encoded(database))
}

fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_stands_encoded_in_the_place_of_the_host() {
        let url = by_socket(Path::new("/var/lib/a-b/socket"), 5433, "näme x");
        assert_eq!(
            url,
            "postgres://readout@%2Fvar%2Flib%2Fa-b%2Fsocket:5433/n%C3%A4me%20x"
        );
    }
}
