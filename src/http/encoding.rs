//! Bodies that come compressed, although every request asks for the plain ones.

use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, header::CONTENT_ENCODING};

/// Decodes a body that is gzip or deflate, up to one byte more than `limit`; `None` if it is plain. What
/// a cut or damaged body still gives is given.
///
/// The bytes decide; the header counts only if they are not text.
///
/// # Errors
///
/// The name of another compression.
pub(super) fn decode(
    body: &[u8],
    headers: &HeaderMap,
    limit: usize,
) -> Result<Option<Vec<u8>>, String> {
    let is_text = || std::str::from_utf8(body).is_ok();
    let named = headers.get(CONTENT_ENCODING).map(|name| name.to_str().unwrap_or_default());
    let named = named.unwrap_or_default().trim().to_ascii_lowercase();
    let mut decoder: Box<dyn Read> = match (&*named, body) {
        (_, [0x1f, 0x8b, ..]) => Box::new(MultiGzDecoder::new(body)),
        ("" | "identity" | "gzip" | "x-gzip", _) => return Ok(None),
        _ if is_text() => return Ok(None),
        // Some servers send deflate without the header of zlib, in which the window has up to 32 KiB.
        ("deflate", [0x08 | 0x18 | 0x28 | 0x38 | 0x48 | 0x58 | 0x68 | 0x78, ..]) => {
            Box::new(ZlibDecoder::new(body))
        }
        ("deflate", _) => Box::new(DeflateDecoder::new(body)),
        _ => return Err(named),
    };
    let mut decoded = Vec::new();
    let _ = decoder.by_ref().take(limit as u64 + 1).read_to_end(&mut decoded);
    Ok(Some(decoded))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    const PLAIN: &[u8] = b"{\"task_id\":\"a\"}";

    macro_rules! encoded {
        ($encoder:ident) => {{
            let mut encoder = $encoder::new(Vec::new(), Compression::fast());
            encoder.write_all(PLAIN).expect("memory");
            encoder.finish().expect("memory")
        }};
    }

    fn decoded(name: &'static str, body: &[u8], limit: usize) -> Result<Option<Vec<u8>>, String> {
        let mut headers = HeaderMap::new();
        if !name.is_empty() {
            headers.insert(CONTENT_ENCODING, name.parse().expect("a header value"));
        }
        decode(body, &headers, limit)
    }

    #[test]
    fn body_of_each_compression_is_decoded_or_named() {
        let (gzip, zlib) = (encoded!(GzEncoder), encoded!(ZlibEncoder));
        let twice = [&gzip[..], &gzip].concat();
        let trailing = [&gzip[..], b"\0\0junk"].concat();
        let whole = Ok(Some(PLAIN.to_vec()));
        let unnamed: Result<_, String> = Ok(None);
        let binary = b"\x01\xff\xfe";
        for (name, body, expected) in [
            ("gzip", &gzip[..], whole.clone()),
            ("GZIP", &gzip, whole.clone()),
            (" x-gzip ", &gzip, whole.clone()),
            ("", &gzip, whole.clone()),
            ("identity", &gzip, whole.clone()),
            ("br", &gzip, whole.clone()),
            ("gzip", &twice, Ok(Some([PLAIN, PLAIN].concat()))),
            ("gzip", &trailing, whole.clone()),
            ("deflate", &zlib, whole.clone()),
            ("deflate", &encoded!(DeflateEncoder), whole.clone()),
            ("br", binary, Err("br".to_owned())),
            ("ZSTD", binary, Err("zstd".to_owned())),
            ("compress, br", binary, Err("compress, br".to_owned())),
            // The header lies.
            ("gzip", PLAIN, unnamed.clone()),
            ("br", PLAIN, unnamed.clone()),
            ("deflate", PLAIN, unnamed.clone()),
            ("gzip", binary, unnamed.clone()),
            ("", binary, unnamed.clone()),
            ("identity", binary, unnamed.clone()),
            ("br", b"", unnamed.clone()),
        ] {
            let shown = format!("{name:?} {}", body.escape_ascii());
            assert_eq!(decoded(name, body, 1_000), expected, "{shown}");
        }
    }

    #[test]
    fn decoded_body_is_bounded_and_a_cut_one_is_short() {
        let gzip = encoded!(GzEncoder);
        for limit in [0, 1, PLAIN.len() - 1] {
            let body = decoded("gzip", &gzip, limit).expect("gzip").expect("decoded");
            assert_eq!(body, PLAIN[..limit + 1]);
        }
        for end in 2..gzip.len() {
            let body = decoded("gzip", &gzip[..end], 1_000).expect("gzip").expect("decoded");
            assert!(PLAIN.starts_with(&body), "{end}");
        }
    }

    proptest::proptest! {
        #[test]
        fn decoded_body_of_any_bytes_is_bounded(
            name in proptest::sample::select(vec!["", "gzip", "deflate", "br"]),
            body: Vec<u8>,
            is_gzip: bool,
            limit in 0_usize..100,
        ) {
            let body = if is_gzip { [b"\x1f\x8b\x08", &body[..]].concat() } else { body };
            if let Ok(Some(decoded)) = decoded(name, &body, limit) {
                proptest::prop_assert!(decoded.len() <= limit + 1);
            }
        }
    }
}
