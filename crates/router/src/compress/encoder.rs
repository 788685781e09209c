//! One answer being compressed: bytes in, bytes out, in memory.

use std::io::{self, Write};

use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use deis_model::routing::Encoding;
use flate2::write::GzEncoder;
use tokio::sync::OwnedSemaphorePermit;
use zstd::stream::write::Encoder as ZstdEncoder;

/// Brotli gains little beyond this and takes several times as long.
const BROTLI_QUALITY: u8 = 4;

/// The same of zstd.
const ZSTD_LEVEL: u8 = 6;

/// How far back brotli and zstd look, as a power of two: bounds the memory of one answer to about a megabyte.
const WINDOW: u8 = 18;

/// Compresses one answer.
pub(crate) struct Encoder {
    kind: Kind,
    /// Its place among those that may be at a time, given back when dropped.
    _place: OwnedSemaphorePermit,
}

enum Kind {
    Gzip(GzEncoder<Vec<u8>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(ZstdEncoder<'static, Vec<u8>>),
}

impl Encoder {
    /// Compresses by `encoding`, as hard as `level`, 1 to 9, says and the coding can at a bearable cost.
    pub(super) fn new(encoding: Encoding, level: u8, place: OwnedSemaphorePermit) -> io::Result<Self> {
        let level = level.clamp(1, 9);
        let kind = match encoding {
            Encoding::Gzip => {
                Kind::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::new(u32::from(level))))
            }
            Encoding::Brotli => {
                let params = BrotliEncoderParams {
                    quality: i32::from(level.min(BROTLI_QUALITY)),
                    lgwin: i32::from(WINDOW),
                    ..BrotliEncoderParams::default()
                };
                Kind::Brotli(Box::new(CompressorWriter::with_params(Vec::new(), 4096, &params)))
            }
            Encoding::Zstd => {
                let mut encoder = ZstdEncoder::new(Vec::new(), i32::from(level.min(ZSTD_LEVEL)))?;
                encoder.window_log(u32::from(WINDOW))?;
                Kind::Zstd(encoder)
            }
        };
        Ok(Self { kind, _place: place })
    }

    /// Takes `bytes` in.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer().write_all(bytes)
    }

    /// Makes everything taken in so far come out.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer().flush()
    }

    /// What has come out; may be empty, as the codings collect before they write.
    pub(crate) fn take(&mut self) -> Bytes {
        let out = match &mut self.kind {
            Kind::Gzip(encoder) => encoder.get_mut(),
            Kind::Brotli(encoder) => encoder.get_mut(),
            Kind::Zstd(encoder) => encoder.get_mut(),
        };
        std::mem::take(out).into()
    }

    /// The rest, with the end of the coding.
    pub(crate) fn finish(self) -> io::Result<Bytes> {
        let rest = match self.kind {
            Kind::Gzip(encoder) => encoder.finish()?,
            Kind::Brotli(encoder) => encoder.into_inner(),
            Kind::Zstd(encoder) => encoder.finish()?,
        };
        Ok(rest.into())
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.kind {
            Kind::Gzip(encoder) => encoder,
            Kind::Brotli(encoder) => encoder,
            Kind::Zstd(encoder) => encoder,
        }
    }
}

/// What `compressed` was before.
#[cfg(test)]
pub(crate) fn decompress(encoding: Encoding, compressed: &[u8]) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut plain = Vec::new();
    match encoding {
        Encoding::Gzip => flate2::read::GzDecoder::new(compressed).read_to_end(&mut plain)?,
        Encoding::Brotli => brotli::Decompressor::new(compressed, 4096).read_to_end(&mut plain)?,
        Encoding::Zstd => zstd::stream::read::Decoder::new(compressed)?.read_to_end(&mut plain)?,
    };
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::Encoders;

    fn make(encoding: Encoding, level: u8) -> Option<Encoder> {
        Encoders::default().make(encoding, level)
    }

    const ALL: [Encoding; 3] = [Encoding::Gzip, Encoding::Brotli, Encoding::Zstd];

    #[test]
    fn what_goes_in_comes_out_again() {
        let text: Vec<u8> =
            (0..200_000_u32).map(|number| b'a' + u8::try_from(number % 97 % 7).unwrap()).collect();
        for encoding in ALL {
            for level in [0, 1, 5, 9, 200] {
                let mut encoder = make(encoding, level).unwrap();
                let mut out = Vec::new();
                for part in text.chunks(10_000) {
                    encoder.write(part).unwrap();
                    out.extend_from_slice(&encoder.take());
                }
                out.extend_from_slice(&encoder.finish().unwrap());
                assert!(out.len() < text.len() / 2, "{encoding:?} at {level}: {}", out.len());
                assert_eq!(decompress(encoding, &out).unwrap(), text, "{encoding:?} at {level}");
            }
        }
    }

    #[test]
    fn nothing_at_all_is_a_whole_coding_too() {
        for encoding in ALL {
            let out = make(encoding, 5).unwrap().finish().unwrap();
            assert_eq!(decompress(encoding, &out).unwrap(), b"", "{encoding:?}");
        }
    }

    #[test]
    fn what_was_flushed_can_be_read_before_the_rest_is_there() {
        use std::io::Read;
        for encoding in ALL {
            let mut encoder = make(encoding, 5).unwrap();
            encoder.write(b"first event").unwrap();
            encoder.flush().unwrap();
            let out = encoder.take();
            let mut seen = [0; 11];
            match encoding {
                Encoding::Gzip => flate2::read::GzDecoder::new(&out[..]).read_exact(&mut seen),
                Encoding::Brotli => brotli::Decompressor::new(&out[..], 4096).read_exact(&mut seen),
                Encoding::Zstd => zstd::stream::read::Decoder::new(&out[..]).unwrap().read_exact(&mut seen),
            }
            .unwrap();
            assert_eq!(&seen, b"first event", "{encoding:?}");
        }
    }
}
