//! What a client would like to get: media types and content codings, weighed (RFC 9110, section 12).

use crate::{
    body::Coding,
    problem::{Problem, ProblemKind},
};
use actix_web::http::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderName};

/// One entry of a header, and how much it is wanted: from 0, which is not at all, to 1.
struct Wish {
    name: String,
    weight: f32,
}

/// The one of our media types that is wanted most; 406 where none is.
///
/// Among those that are wanted alike it is the one that was named most precisely, and then the
/// first. Whoever names nothing gets the first. Parameters such as `charset` do not count.
pub(crate) fn wanted<T: Copy>(
    headers: &HeaderMap,
    offers: &[(&'static str, T)],
) -> Result<T, Problem> {
    let header = joined(headers, &ACCEPT);
    let wishes = wishes(if header.is_empty() { "*/*" } else { &header });
    let weighed = offers.iter().filter_map(|(media_type, offer)| {
        let matching = wishes
            .iter()
            .filter_map(|wish| Some((precision(&wish.name, media_type)?, wish.weight)));
        // What is said most precisely of a type holds for it.
        let (precision, weight) = matching.max_by_key(|(precision, _)| *precision)?;
        (weight > 0.0).then_some((weight, precision, *offer))
    });
    // Of equals the last is taken, so the first has to come last.
    let weighed: Vec<_> = weighed.collect();
    let best = weighed
        .into_iter()
        .rev()
        .max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    best.map(|(_, _, offer)| offer).ok_or_else(|| {
        let names: Vec<_> = offers.iter().map(|(name, _)| *name).collect();
        let detail = format!("There is only {}: see the Accept header.", names.join(", "));
        Problem::with_detail(ProblemKind::NotAcceptable, detail)
    })
}

/// The coding that is wanted most of these, the first among equals; as it is where that is wanted more, or none of
/// these at all.
pub(crate) fn coding(headers: &HeaderMap, offers: &[Coding]) -> Coding {
    let wishes = wishes(&joined(headers, &ACCEPT_ENCODING));
    let weight = |names: &[&str]| {
        let wish = wishes.iter().find(|it| names.contains(&it.name.as_str()));
        wish.map(|it| it.weight)
    };
    let plain = weight(&["identity"]).unwrap_or_default();
    let mut best = (Coding::Identity, plain);
    for offer in offers.iter().rev() {
        let named = match offer {
            Coding::Gzip => weight(&["gzip", "x-gzip"]),
            Coding::Zstd | Coding::Identity => weight(&[offer.name()]),
        };
        let wanted = named.or_else(|| weight(&["*"])).unwrap_or_default();
        if wanted > 0.0 && wanted >= best.1 {
            best = (*offer, wanted);
        }
    }
    best.0
}

/// How precisely a range of media types names one of them, if it does.
fn precision(range: &str, media_type: &str) -> Option<u8> {
    let family = media_type.split('/').next().unwrap_or_default();
    match range {
        "*/*" => Some(0),
        range if range == media_type => Some(2),
        range => (range.strip_suffix("/*") == Some(family)).then_some(1),
    }
}

/// The entries of a list in lower case, without those whose weight cannot be read.
fn wishes(header: &str) -> Vec<Wish> {
    let entries = header.split(',').filter_map(|entry| {
        let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        let weight = parameters
            .split(';')
            .find_map(|it| it.trim_ascii().strip_prefix("q="))
            .map_or(Some(1.0), |q| q.parse().ok())
            .filter(|weight| (0.0..=1.0).contains(weight))?;
        let name = name.trim_ascii().to_owned();
        Some(Wish { name, weight })
    });
    entries.filter(|wish| !wish.name.is_empty()).collect()
}

/// A header in lower case; one that is there several times is a list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name);
    let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
    values.join(",").trim_ascii().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    const OFFERS: [(&str, &str); 3] = [
        ("application/json", "json"),
        ("application/x-ndjson", "lines"),
        ("text/csv", "csv"),
    ];

    fn media_type(values: &[&str]) -> Option<&'static str> {
        let mut request = TestRequest::get();
        for value in values {
            request = request.append_header((ACCEPT, *value));
        }
        wanted(request.to_http_request().headers(), &OFFERS).ok()
    }

    #[test]
    fn the_media_type_that_is_wanted_most_is_chosen() {
        for (values, expected) in [
            (&[][..], Some("json")),
            (&[""], Some("json")),
            (&["*/*"], Some("json")),
            (&["application/*"], Some("json")),
            (&["text/*"], Some("csv")),
            (&["Text/CSV; charset=utf-8; header=present"], Some("csv")),
            (&["application/x-ndjson"], Some("lines")),
            (&["text/csv, */*"], Some("csv")),
            (&["text/csv;q=0.5, */*"], Some("json")),
            (&["text/csv, application/json"], Some("json")),
            (&["text/csv, application/json; Q=0.9"], Some("csv")),
            (&["application/json;q=0, */*;q=0.1"], Some("lines")),
            (
                &["*/*, application/json;q=0, application/*;q=0"],
                Some("csv"),
            ),
            (
                &["text/html, application/xhtml+xml, */*;q=0.8"],
                Some("json"),
            ),
            (&["text/html", "text/csv;q=0.1"], Some("csv")),
            (&["text/html"], None),
            (&["*/*;q=0"], None),
            (&["text/csv;q=0"], None),
            (&["text/csv;q=2"], None),
            (&["text/csv;q=NaN"], None),
            (&["csv"], None),
        ] {
            assert_eq!(media_type(values), expected, "{values:?}");
        }
    }

    #[test]
    fn gzip_is_taken_where_it_is_allowed_and_not_liked_less() {
        for (value, expected) in [
            ("gzip", true),
            ("GZIP", true),
            ("x-gzip", true),
            ("deflate, gzip, br", true),
            ("gzip;q=0.1", true),
            ("*", true),
            ("br;q=1.0, *;q=0.5", true),
            ("identity;q=0.5, gzip;q=1.0, *;q=0", true),
            ("gzip, identity", true),
            ("", false),
            ("identity", false),
            ("br", false),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("gzip;q=0, *", false),
            ("*;q=0", false),
            ("gzip;q=0.5, identity", false),
            ("gzip;q=x", false),
        ] {
            let request = TestRequest::get().insert_header((ACCEPT_ENCODING, value));
            let headers = request.to_http_request().headers().clone();
            let taken = coding(&headers, &[Coding::Gzip]) == Coding::Gzip;
            assert_eq!(taken, expected, "{value}");
        }
        assert_eq!(coding(&HeaderMap::new(), &[Coding::Gzip]), Coding::Identity);
    }

    #[test]
    fn of_codings_that_are_wanted_alike_the_first_is_taken() {
        for (value, expected) in [
            ("gzip, deflate, br, zstd", Coding::Zstd),
            ("zstd;q=0.9, gzip", Coding::Gzip),
            ("gzip", Coding::Gzip),
            ("*", Coding::Zstd),
            ("zstd;q=0, *", Coding::Gzip),
            ("zstd;q=0.5, gzip;q=0.5, identity", Coding::Identity),
            ("br", Coding::Identity),
        ] {
            let request = TestRequest::get().insert_header((ACCEPT_ENCODING, value));
            let headers = request.to_http_request().headers().clone();
            let taken = coding(&headers, &[Coding::Zstd, Coding::Gzip]);
            assert_eq!(taken, expected, "{value}");
        }
    }
}
