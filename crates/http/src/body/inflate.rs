//! Inflates what was packed, piece by piece and never beyond a limit.

use super::Coding;
use crate::problem::{Problem, ProblemKind};
use std::{borrow::Cow, io::Read};

/// Bytes that are inflated at a time, which is what a bomb can cost beyond the limit.
const PIECE: usize = 64 * 1024;

/// Base-2 logarithm of the largest window of zstd: 8 MiB, as RFC 9659 has it for HTTP.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Inflates a body of at most `limit` bytes, and hands over one piece after the other.
///
/// Fails with `malformed_encoding` where it is broken off or corrupt or something follows it, with
/// `payload_too_large` where there are more than `limit` bytes, and with whatever `each` fails with.
/// What was handed over before is not to be used then.
pub(crate) fn inflate<E: From<Problem>>(
    coding: Coding,
    packed: &[u8],
    limit: usize,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut left = limit;
    let mut each = |piece: &[u8]| {
        left = left.checked_sub(piece.len()).ok_or_else(|| {
            let detail = format!("The body must have at most {limit} bytes when it is inflated.");
            Problem::with_detail(ProblemKind::PayloadTooLarge, detail)
        })?;
        each(piece)
    };
    match coding {
        Coding::Identity => each(packed),
        Coding::Gzip => drain(flate2::bufread::MultiGzDecoder::new(packed), each),
        Coding::Zstd => {
            // The decoder takes no frame at all for one that has ended.
            if packed.is_empty() {
                return Err(Problem::new(ProblemKind::MalformedEncoding).into());
            }
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)
                .map_err(|error| Problem::new(ProblemKind::Internal).because(error))?;
            decoder
                .window_log_max(ZSTD_WINDOW_LOG)
                .map_err(|error| Problem::new(ProblemKind::Internal).because(error))?;
            drain(decoder, each)
        }
    }
}

/// Inflates a body into one piece; what is not packed is not copied.
pub(crate) fn inflate_whole(
    coding: Coding,
    packed: &[u8],
    limit: usize,
) -> Result<Cow<'_, [u8]>, Problem> {
    if coding == Coding::Identity && packed.len() <= limit {
        return Ok(Cow::Borrowed(packed));
    }
    let mut whole = Vec::new();
    inflate(coding, packed, limit, |piece| {
        whole.extend_from_slice(piece);
        Ok::<_, Problem>(())
    })?;
    Ok(Cow::Owned(whole))
}

fn drain<E: From<Problem>>(
    mut decoder: impl Read,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut piece = vec![0; PIECE];
    loop {
        let length = decoder
            .read(&mut piece)
            .map_err(|error| Problem::new(ProblemKind::MalformedEncoding).because(error))?;
        if length == 0 {
            return Ok(());
        }
        each(piece.get(..length).unwrap_or_default())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const LIMIT: usize = 1024 * 1024;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(data, 3).unwrap()
    }

    fn code(coding: Coding, packed: &[u8]) -> &'static str {
        inflate_whole(coding, packed, LIMIT).map_or_else(|it| it.kind().code(), |_| "ok")
    }

    #[test]
    fn what_was_packed_comes_out() {
        let data = "telemetry ".repeat(20_000);
        let data = data.as_bytes();
        let several = |pack: fn(&[u8]) -> Vec<u8>| {
            let (a, b) = data.split_at(data.len() / 3);
            [pack(a), pack(&[]), pack(b)].concat()
        };
        for (coding, packed) in [
            (Coding::Identity, data.to_vec()),
            (Coding::Gzip, gzip(data)),
            (Coding::Gzip, several(gzip)),
            (Coding::Zstd, zstd(data)),
            (Coding::Zstd, several(zstd)),
        ] {
            let inflated = inflate_whole(coding, &packed, LIMIT).unwrap();
            assert_eq!(inflated, data, "{coding:?}");
        }
    }

    #[test]
    fn a_bomb_costs_no_more_than_a_piece_beyond_the_limit() {
        for (coding, packed) in [
            (Coding::Gzip, gzip(&vec![0; 16 * LIMIT])),
            (Coding::Zstd, zstd(&vec![0; 16 * LIMIT])),
        ] {
            let mut seen = 0;
            let result: Result<(), Problem> = inflate(coding, &packed, LIMIT, |piece| {
                seen += piece.len();
                Ok(())
            });
            assert_eq!(result.unwrap_err().kind(), ProblemKind::PayloadTooLarge);
            assert!(seen <= LIMIT, "{seen}");
        }
        assert_eq!(code(Coding::Gzip, &gzip(&vec![0; LIMIT])), "ok");
        assert_eq!(
            code(Coding::Gzip, &gzip(&vec![0; LIMIT + 1])),
            "payload_too_large"
        );
        assert_eq!(code(Coding::Zstd, &zstd(&vec![0; LIMIT])), "ok");
        assert_eq!(
            code(Coding::Zstd, &zstd(&vec![0; LIMIT + 1])),
            "payload_too_large"
        );
    }

    #[test]
    fn what_is_not_whole_or_has_more_is_refused() {
        let data: Vec<u8> = (0..2_000_u32)
            .flat_map(|n| n.wrapping_mul(n).to_be_bytes())
            .collect();
        for (coding, packed) in [(Coding::Gzip, gzip(&data)), (Coding::Zstd, zstd(&data))] {
            for length in 0..packed.len() {
                let code = code(coding, &packed[..length]);
                assert_eq!(code, "malformed_encoding", "{coding:?} {length}");
            }
            for more in [&b"x"[..], b"\0", b"rdk_", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"] {
                let packed = [&packed, more].concat();
                assert_eq!(
                    code(coding, &packed),
                    "malformed_encoding",
                    "{coding:?} {more:?}"
                );
            }
        }
        assert_eq!(code(Coding::Gzip, &zstd(&data)), "malformed_encoding");
        assert_eq!(code(Coding::Zstd, &gzip(&data)), "malformed_encoding");
        let mut corrupt = gzip(&data);
        let checksum = corrupt.len() - 5;
        corrupt[checksum] ^= 1;
        assert_eq!(code(Coding::Gzip, &corrupt), "malformed_encoding");
    }

    #[test]
    fn a_window_beyond_eight_mebibytes_is_refused() {
        for (log, expected) in [(23, "ok"), (24, "malformed_encoding")] {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
            encoder.window_log(log).unwrap();
            encoder.write_all(&[7; 1000]).unwrap();
            assert_eq!(
                code(Coding::Zstd, &encoder.finish().unwrap()),
                expected,
                "{log}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(packed: Vec<u8>, coding in 0..6_usize) {
            let (coding, begin) = [
                (Coding::Gzip, &b""[..]),
                (Coding::Gzip, b"\x1f\x8b\x08"),
                (Coding::Gzip, b"\x1f\x8b\x08\0\0\0\0\0\0\0"),
                (Coding::Zstd, b""),
                (Coding::Zstd, b"\x28\xb5\x2f\xfd"),
                (Coding::Identity, b""),
            ][coding];
            let _ = code(coding, &[begin, &packed].concat());
        }
    }
}
