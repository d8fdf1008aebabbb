//! Answers that are packed, where the client takes that and there is enough of them.
//!
//! Only what is marked is packed: an answer with a secret in it beside texts that others choose would tell the secret
//! by its length (BREACH), so sign-in, tokens and keys never are, whatever anybody adds.

use crate::{accept, body::Coding};
use actix_web::{
    HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    http::header::{self, HeaderMap, HeaderValue},
};
use std::io::{self, Write};
use tokio::task::spawn_blocking;

/// Fewest bytes that are worth it: below this, the head of the answer is most of it.
const FEWEST: usize = 1024;

/// From so many bytes on, packing takes more than a millisecond, for which others need not wait.
const MANY: usize = 128 * 1024;

/// The fastest level of both: three times as small is enough, and the next levels cost twice the time for a tenth.
const LEVEL: i32 = 1;

/// How an answer is to be packed.
#[derive(Debug, Clone, Copy)]
struct Marked(Coding);

/// The coding of an answer of so many bytes to a request with these headers, if it is packed at all.
pub(crate) fn coding(headers: &HeaderMap, length: usize) -> Coding {
    if length < FEWEST {
        return Coding::Identity;
    }
    accept::coding(headers, &[Coding::Zstd, Coding::Gzip])
}

/// Marks an answer that holds no secret as one to be packed in this way.
pub(crate) fn mark(response: &mut HttpResponse, coding: Coding) {
    if coding != Coding::Identity {
        response.extensions_mut().insert(Marked(coding));
    }
}

/// An answer that holds no secret and has no tag, to be packed where the client takes that.
pub(crate) fn plain(headers: &HeaderMap, mut response: HttpResponse) -> HttpResponse {
    if let Some(length) = length(&response).filter(|length| *length >= FEWEST) {
        let vary = HeaderValue::from_static("Accept-Encoding");
        response.headers_mut().append(header::VARY, vary);
        mark(&mut response, coding(headers, length));
    }
    response
}

fn length(response: &HttpResponse) -> Option<usize> {
    match response.body().size() {
        BodySize::Sized(length) => usize::try_from(length).ok(),
        BodySize::None | BodySize::Stream => None,
    }
}

/// Packs an answer as it is marked.
pub(crate) async fn pack(mut response: HttpResponse) -> HttpResponse {
    let marked = response.extensions_mut().remove::<Marked>();
    let Some(Marked(coding)) = marked else {
        return response;
    };
    let (mut response, body) = response.into_parts();
    let body = match body.try_into_bytes() {
        Ok(body) => body,
        // A stream packs itself.
        Err(body) => return response.set_body(body),
    };
    let packed = if body.len() < MANY {
        Ok(packed(coding, &body))
    } else {
        let body = body.clone();
        spawn_blocking(move || packed(coding, &body)).await
    };
    if let Ok(Ok(packed)) = packed {
        let name = HeaderValue::from_static(coding.name());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_ENCODING, name);
        return response.set_body(BoxBody::new(packed));
    }
    // Nobody is worse off without, but for the tag, which says that it was packed.
    response.headers_mut().remove(header::ETAG);
    response.set_body(BoxBody::new(body))
}

fn packed(coding: Coding, body: &[u8]) -> io::Result<Vec<u8>> {
    match coding {
        Coding::Identity => Ok(body.to_vec()),
        Coding::Zstd => zstd::bulk::compress(body, LEVEL),
        Coding::Gzip => {
            let room = Vec::with_capacity(body.len() / 4);
            let mut encoder = flate2::write::GzEncoder::new(room, flate2::Compression::fast());
            encoder.write_all(body)?;
            encoder.finish()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::inflate_whole;
    use actix_web::{rt::System, test::TestRequest};

    fn asking(accept: &str) -> HeaderMap {
        let request = TestRequest::get().insert_header((header::ACCEPT_ENCODING, accept));
        request.to_http_request().headers().clone()
    }

    #[test]
    fn only_what_is_marked_is_packed_and_it_comes_out_again() {
        for length in [FEWEST, 5_000, MANY, 3 * MANY] {
            let body = "telemetry ".repeat(length / 10 + 1);
            for coding in [Coding::Gzip, Coding::Zstd] {
                let response = HttpResponse::Ok().body(body.clone());
                let response = plain(&asking(coding.name()), response);
                let response = System::new().block_on(pack(response));
                let named = response.headers().get(header::CONTENT_ENCODING);
                assert_eq!(named.unwrap(), coding.name());
                let packed = response.into_body().try_into_bytes().unwrap();
                assert!(packed.len() < length / 2, "{} of {length}", packed.len());
                let inflated = inflate_whole(coding, &packed, 2 * body.len()).unwrap();
                assert_eq!(inflated, body.as_bytes());
            }
            let plain = System::new().block_on(pack(HttpResponse::Ok().body(body.clone())));
            assert_eq!(plain.into_body().try_into_bytes().unwrap(), body);
        }
    }

    #[test]
    fn little_is_sent_as_it_is() {
        let headers = asking("zstd");
        assert_eq!(coding(&headers, FEWEST), Coding::Zstd);
        assert_eq!(coding(&headers, FEWEST - 1), Coding::Identity);
        assert_eq!(coding(&HeaderMap::new(), MANY), Coding::Identity);
    }
}
