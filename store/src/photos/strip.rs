//! Pictures as they are kept: what cameras and editors write beside the picture (where, when, who, by what, a second picture) is left out, and
//! what follows its end. Nothing is decoded and nothing is coded anew; JPEG, PNG and WebP are known by their first bytes.
//!
//! Only parts that are needed to show the picture stay. The orientation is among what goes: whoever sends a picture sends it upright.

use std::fmt;

/// Largest picture, in pixels.
pub const PIXELS_MAX: u64 = 50_000_000;

/// What a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    WebP,
}

impl Kind {
    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }
    /// How the names of such files end.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::WebP => "webp",
        }
    }
    /// By the first bytes; none for anything else.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
            Some(Self::Jpeg)
        } else if bytes.starts_with(PNG) {
            Some(Self::Png)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::WebP)
        } else {
            None
        }
    }
}

/// A picture without what is not the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// What it is.
    pub kind: Kind,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Why bytes are no picture that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPicture {
    /// Neither JPEG nor PNG nor WebP.
    Unknown,
    /// Cut off, or not as its format has it.
    Broken,
    /// More than [`PIXELS_MAX`].
    TooManyPixels,
    /// It moves.
    Animated,
}

impl BadPicture {
    /// A stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "no_picture",
            Self::Broken => "broken",
            Self::TooManyPixels => "too_many_pixels",
            Self::Animated => "animated",
        }
    }
}

impl fmt::Display for BadPicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "neither JPEG nor PNG nor WebP",
            Self::Broken => "the picture is cut off or damaged (hint: send it again)",
            Self::TooManyPixels => "more than 50 megapixels (hint: a smaller picture)",
            Self::Animated => "a moving picture (hint: a still one)",
        })
    }
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The picture alone.
///
/// # Errors
/// [`BadPicture`].
pub fn strip(bytes: &[u8]) -> Result<Picture, BadPicture> {
    let kind = Kind::of(bytes).ok_or(BadPicture::Unknown)?;
    let mut kept = Vec::with_capacity(bytes.len());
    let (width, height) = match kind {
        Kind::Jpeg => jpeg(bytes, &mut kept)?,
        Kind::Png => png(bytes, &mut kept)?,
        Kind::WebP => webp(bytes, &mut kept)?,
    };
    Ok(Picture {
        kind,
        width,
        height,
        bytes: kept,
    })
}

fn sized(width: u32, height: u32) -> Result<(u32, u32), BadPicture> {
    match u64::from(width) * u64::from(height) {
        0 => Err(BadPicture::Broken),
        pixels if pixels > PIXELS_MAX => Err(BadPicture::TooManyPixels),
        _ => Ok((width, height)),
    }
}

/// Foreign bytes, read from the front.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], BadPicture> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(BadPicture::Broken)?;
        self.rest = rest;
        Ok(taken)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadPicture> {
        self.take(N)?.try_into().map_err(|_| BadPicture::Broken)
    }
}

fn be16(bytes: &[u8], at: usize) -> Result<u16, BadPicture> {
    let pair = bytes.get(at..at + 2).ok_or(BadPicture::Broken)?;
    Ok(u16::from_be_bytes([pair[0], pair[1]]))
}

fn jpeg(bytes: &[u8], kept: &mut Vec<u8>) -> Result<(u32, u32), BadPicture> {
    let mut reader = Reader { rest: bytes };
    kept.extend_from_slice(reader.take(2)?);
    let (mut size, mut has_scan) = (None, false);
    loop {
        let marker = marker(&mut reader)?;
        match marker {
            // the end of the picture
            0xd9 => break,
            // without contents
            0x01 | 0xd0..=0xd7 => {
                kept.extend_from_slice(&[0xff, marker]);
                continue;
            }
            // a second picture inside, or nothing that exists
            0x00 | 0xd8 => return Err(BadPicture::Broken),
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(reader.array()?));
        let contents = reader.take(length.checked_sub(2).ok_or(BadPicture::Broken)?)?;
        match marker {
            0xe0..=0xef | 0xfe => application(marker, contents, kept),
            // a start of frame says the size; one picture has one
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                if size.is_some() {
                    return Err(BadPicture::Broken);
                }
                let (height, width) = (be16(contents, 1)?, be16(contents, 3)?);
                size = Some(sized(width.into(), height.into())?);
                segment(marker, contents, kept);
            }
            0xda => {
                has_scan = true;
                segment(marker, contents, kept);
                scan(&mut reader, kept)?;
            }
            // tables, restart interval, number of lines
            0xc4 | 0xcc | 0xdb..=0xdf => segment(marker, contents, kept),
            // reserved: nothing that shows a picture needs it
            _ => {}
        }
    }
    kept.extend_from_slice(&[0xff, 0xd9]);
    match size {
        Some(size) if has_scan => Ok(size),
        _ => Err(BadPicture::Broken),
    }
}

/// The next marker; fill bytes may come before it.
fn marker(reader: &mut Reader<'_>) -> Result<u8, BadPicture> {
    let [0xff] = reader.array()? else {
        return Err(BadPicture::Broken);
    };
    loop {
        match reader.array()? {
            [0xff] => {}
            [marker] => return Ok(marker),
        }
    }
}

fn segment(marker: u8, contents: &[u8], kept: &mut Vec<u8>) {
    let length = u16::try_from(contents.len() + 2).unwrap_or(u16::MAX);
    kept.extend_from_slice(&[0xff, marker]);
    kept.extend_from_slice(&length.to_be_bytes());
    kept.extend_from_slice(contents);
}

/// Of all that programs write for each other only what says how colours are meant: JFIF without its small picture, and Adobe's transform.
fn application(marker: u8, contents: &[u8], kept: &mut Vec<u8>) {
    match (marker, contents.len()) {
        (0xe0, 14..) if contents.starts_with(b"JFIF\0") => {
            let mut head = [0; 14];
            head[..12].copy_from_slice(&contents[..12]);
            segment(marker, &head, kept);
        }
        (0xee, 12) if contents.starts_with(b"Adobe") => segment(marker, contents, kept),
        _ => {}
    }
}

/// Coded data up to the next marker that ends it.
fn scan(reader: &mut Reader<'_>, kept: &mut Vec<u8>) -> Result<(), BadPicture> {
    let data = reader.rest;
    let ends = data
        .windows(2)
        .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff));
    kept.extend_from_slice(reader.take(ends.ok_or(BadPicture::Broken)?)?);
    Ok(())
}

fn png(bytes: &[u8], kept: &mut Vec<u8>) -> Result<(u32, u32), BadPicture> {
    let mut reader = Reader { rest: bytes };
    kept.extend_from_slice(reader.take(PNG.len())?);
    let (mut size, mut has_data) = (None, false);
    loop {
        let length = u32::from_be_bytes(reader.array()?) as usize;
        let kind: [u8; 4] = reader.array()?;
        let contents = reader.take(length)?;
        let sum: [u8; 4] = reader.array()?;
        match (&kind, size) {
            (b"IHDR", None) => {
                let mut head = Reader { rest: contents };
                let (width, height) = (head.array()?, head.array()?);
                if length != 13 {
                    return Err(BadPicture::Broken);
                }
                size = Some(sized(
                    u32::from_be_bytes(width),
                    u32::from_be_bytes(height),
                )?);
            }
            (_, None) | (b"IHDR", Some(_)) => return Err(BadPicture::Broken),
            (b"IDAT", _) => has_data = true,
            (b"acTL", _) => return Err(BadPicture::Animated),
            (b"IEND" | b"PLTE" | b"tRNS" | b"gAMA" | b"cHRM" | b"sRGB" | b"sBIT" | b"bKGD", _) => {}
            // texts, times, profiles with names, and what is not known
            _ => continue,
        }
        kept.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        kept.extend_from_slice(&kind);
        kept.extend_from_slice(contents);
        kept.extend_from_slice(&sum);
        if kind == *b"IEND" {
            break;
        }
    }
    size.filter(|_| has_data).ok_or(BadPicture::Broken)
}

fn webp(bytes: &[u8], kept: &mut Vec<u8>) -> Result<(u32, u32), BadPicture> {
    const ANIMATED: u8 = 0x02;
    const ALPHA: u8 = 0x10;
    let mut reader = Reader { rest: bytes };
    reader.take(4)?;
    let length = u32::from_le_bytes(reader.array()?) as usize;
    // what follows the container is not the picture
    let mut reader = Reader {
        rest: reader.take(length)?,
    };
    reader.take(4)?;
    kept.extend_from_slice(b"RIFF\0\0\0\0WEBP");
    let mut size = None;
    while !reader.rest.is_empty() {
        let kind: [u8; 4] = reader.array()?;
        let length = u32::from_le_bytes(reader.array()?);
        let contents = reader.take(length as usize)?;
        if length % 2 == 1 {
            reader.take(1)?;
        }
        let mut extended = [0; 10];
        let contents = match &kind {
            b"VP8X" if contents.len() == 10 => {
                extended.copy_from_slice(contents);
                if extended[0] & ANIMATED != 0 {
                    return Err(BadPicture::Animated);
                }
                // no profile, no EXIF, no XMP any more
                extended[0] &= ALPHA;
                let three = |at: usize| {
                    1 + u32::from_le_bytes([extended[at], extended[at + 1], extended[at + 2], 0])
                };
                sized(three(4), three(7))?;
                &extended[..]
            }
            b"VP8 " => {
                let head = contents.get(3..10).ok_or(BadPicture::Broken)?;
                if !head.starts_with(&[0x9d, 0x01, 0x2a]) {
                    return Err(BadPicture::Broken);
                }
                let side =
                    |at: usize| u32::from(u16::from_le_bytes([head[at], head[at + 1]]) & 0x3fff);
                size = Some(sized(side(3), side(5))?);
                contents
            }
            b"VP8L" => {
                let head: [u8; 5] = Reader { rest: contents }.array()?;
                if head[0] != 0x2f {
                    return Err(BadPicture::Broken);
                }
                let bits = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
                size = Some(sized((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1)?);
                contents
            }
            b"ALPH" => contents,
            b"ANIM" | b"ANMF" => return Err(BadPicture::Animated),
            b"VP8X" => return Err(BadPicture::Broken),
            _ => continue,
        };
        kept.extend_from_slice(&kind);
        kept.extend_from_slice(&length.to_le_bytes());
        kept.extend_from_slice(contents);
        if length % 2 == 1 {
            kept.push(0);
        }
    }
    let length = u32::try_from(kept.len() - 8).map_err(|_| BadPicture::Broken)?;
    kept[4..8].copy_from_slice(&length.to_le_bytes());
    size.ok_or(BadPicture::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"30.2741N 120.1551E Wang's phone";

    fn part(marker: u8, contents: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        segment(marker, contents, &mut bytes);
        bytes
    }

    fn frame(width: u16, height: u16) -> Vec<u8> {
        let ([w1, w2], [h1, h2]) = (width.to_be_bytes(), height.to_be_bytes());
        part(0xc0, &[8, h1, h2, w1, w2, 1, 1, 0x11, 0])
    }

    /// A JPEG with these parts before its scan.
    fn jpeg_with(parts: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8];
        bytes.extend(parts.concat());
        bytes.extend(part(0xda, &[1, 1, 0, 0, 63, 0]));
        bytes.extend([0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56]);
        bytes.extend([0xff, 0xd9]);
        bytes
    }

    fn chunk(kind: [u8; 4], contents: &[u8]) -> Vec<u8> {
        let mut bytes = (contents.len() as u32).to_be_bytes().to_vec();
        bytes.extend(kind);
        bytes.extend(contents);
        bytes.extend([1, 2, 3, 4]);
        bytes
    }

    fn png_with(width: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut head = width.to_be_bytes().to_vec();
        head.extend([0, 0, 0, 2, 8, 2, 0, 0, 0]);
        let mut bytes = PNG.to_vec();
        bytes.extend(chunk(*b"IHDR", &head));
        bytes.extend(chunks.concat());
        bytes.extend(chunk(*b"IDAT", &[9; 20]));
        bytes.extend(chunk(*b"IEND", &[]));
        bytes
    }

    fn riff(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut inner = b"WEBP".to_vec();
        for (kind, contents) in chunks {
            inner.extend(*kind);
            inner.extend((contents.len() as u32).to_le_bytes());
            inner.extend(*contents);
            inner.extend(vec![0; contents.len() % 2]);
        }
        let mut bytes = b"RIFF".to_vec();
        bytes.extend((inner.len() as u32).to_le_bytes());
        bytes.extend(inner);
        bytes
    }

    fn holds(bytes: &[u8], what: &[u8]) -> bool {
        bytes.windows(what.len()).any(|window| window == what)
    }

    #[test]
    fn a_jpeg_keeps_its_picture_and_nothing_else() {
        let mut jfif = b"JFIF\0\x01\x02\0\0\x01\0\x01\x02\x02".to_vec();
        jfif.extend(SECRET);
        let plain = jpeg_with(&[part(0xdb, &[0; 65]), frame(640, 480)]);
        let mut full = jpeg_with(&[
            part(0xe0, &jfif),
            part(0xe1, &[b"Exif\0\0".as_slice(), SECRET].concat()),
            part(0xe2, SECRET),
            part(0xed, SECRET),
            part(0xee, SECRET),
            part(0xfe, SECRET),
            part(0xdb, &[0; 65]),
            frame(640, 480),
        ]);
        full.extend(SECRET);
        let picture = strip(&full).expect("a picture");
        assert_eq!(
            (picture.kind, picture.width, picture.height),
            (Kind::Jpeg, 640, 480)
        );
        assert!(!holds(&picture.bytes, &SECRET[..8]));
        let thumbless = part(0xe0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0");
        let expected = jpeg_with(&[thumbless, part(0xdb, &[0; 65]), frame(640, 480)]);
        assert_eq!(picture.bytes, expected);
        assert_eq!(
            strip(&plain).expect("a picture").bytes,
            plain,
            "what is clean stays as it is"
        );
        let adobe = jpeg_with(&[part(0xee, b"Adobe\0\x64\0\0\0\0\x01"), frame(1, 1)]);
        assert_eq!(strip(&adobe).expect("a picture").bytes, adobe);
    }

    #[test]
    fn a_png_keeps_its_picture_and_nothing_else() {
        let plain = png_with(3, &[chunk(*b"gAMA", &[0; 4])]);
        let mut full = png_with(
            3,
            &[
                chunk(*b"gAMA", &[0; 4]),
                chunk(*b"tEXt", SECRET),
                chunk(*b"iTXt", SECRET),
                chunk(*b"zTXt", SECRET),
                chunk(*b"eXIf", SECRET),
                chunk(*b"tIME", SECRET),
                chunk(*b"iCCP", SECRET),
                chunk(*b"abCd", SECRET),
            ],
        );
        full.extend(SECRET);
        let picture = strip(&full).expect("a picture");
        assert_eq!((picture.width, picture.height), (3, 2));
        assert_eq!(picture.bytes, plain);
        assert_eq!(strip(&plain).expect("a picture").bytes, plain);
    }

    #[test]
    fn a_webp_keeps_its_picture_and_nothing_else() {
        let lossy = [0, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01, 7];
        let extended = [0x2c, 0, 0, 0, 0x7f, 0x02, 0, 0xdf, 0x01, 0];
        let mut full = riff(&[
            (b"VP8X", &extended),
            (b"ICCP", SECRET),
            (b"VP8 ", &lossy),
            (b"EXIF", SECRET),
            (b"XMP ", SECRET),
        ]);
        full.extend(SECRET);
        let picture = strip(&full).expect("a picture");
        assert_eq!(
            (picture.kind, picture.width, picture.height),
            (Kind::WebP, 640, 480)
        );
        let clean = [0, 0, 0, 0, 0x7f, 0x02, 0, 0xdf, 0x01, 0];
        assert_eq!(picture.bytes, riff(&[(b"VP8X", &clean), (b"VP8 ", &lossy)]));
        let lossless = riff(&[(b"VP8L", &[0x2f, 0x02, 0x40, 0x00, 0x00, 5])]);
        let picture = strip(&lossless).expect("a picture");
        assert_eq!(
            (picture.width, picture.height, picture.bytes),
            (3, 2, lossless)
        );
    }

    #[test]
    fn what_is_no_still_picture_of_bearable_size_is_refused() {
        for unknown in [
            &b""[..],
            b"GIF89a",
            b"<html><script>",
            b"\xff\xd8",
            b"RIFF\0\0\0\0WAVE",
        ] {
            assert_eq!(strip(unknown), Err(BadPicture::Unknown), "{unknown:?}");
        }
        let large = jpeg_with(&[frame(10_000, 5001)]);
        assert_eq!(strip(&large), Err(BadPicture::TooManyPixels));
        assert!(strip(&jpeg_with(&[frame(10_000, 5000)])).is_ok());
        assert_eq!(
            strip(&png_with(u32::MAX, &[])),
            Err(BadPicture::TooManyPixels)
        );
        assert_eq!(strip(&png_with(0, &[])), Err(BadPicture::Broken));
        let moving = png_with(3, &[chunk(*b"acTL", &[0; 8])]);
        assert_eq!(strip(&moving), Err(BadPicture::Animated));
        let moving = riff(&[(b"VP8X", &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0])]);
        assert_eq!(strip(&moving), Err(BadPicture::Animated));
        let twice = jpeg_with(&[frame(1, 1), frame(9999, 9999)]);
        assert_eq!(strip(&twice), Err(BadPicture::Broken));
    }

    #[test]
    fn what_is_cut_off_anywhere_is_refused() {
        let lossy = [0, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01, 7];
        let whole = [
            jpeg_with(&[part(0xdb, &[0; 65]), frame(64, 48)]),
            png_with(3, &[]),
            riff(&[(b"VP8 ", &lossy)]),
        ];
        for whole in whole {
            assert!(strip(&whole).is_ok());
            for length in 0..whole.len() {
                assert!(
                    strip(&whole[..length]).is_err(),
                    "{length} of {}",
                    whole.len()
                );
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_it_is_not_more_afterwards_and_clean_the_second_time(
            start in 0..3_usize, bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)
        ) {
            let starts = [&b"\xff\xd8\xff"[..], PNG, b"RIFF\x40\0\0\0WEBP"];
            let bytes = [starts[start], &bytes].concat();
            if let Ok(picture) = strip(&bytes) {
                proptest::prop_assert!(picture.bytes.len() <= bytes.len());
                proptest::prop_assert_eq!(strip(&picture.bytes), Ok(picture));
            }
        }
    }
}
