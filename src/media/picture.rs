//! Makes pictures anew: what comes out holds the pixels that went in, and nothing else.
//!
//! A picture is decoded, turned as its maker noted, and encoded from the bare pixels. Places, names,
//! times, comments, thumbnails, colour profiles and whatever stands behind the picture's end are not
//! removed: they are never copied.

use std::io::Cursor;

use image::{
    AnimationDecoder as _, DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader,
    Limits,
    codecs::{
        gif::{GifDecoder, GifEncoder, Repeat},
        jpeg::JpegEncoder,
    },
    error::LimitError,
    metadata::Orientation,
};

use crate::domain::media::{MediaRefusal, MediaType, PASSED_ON_MAX};

/// The widest and highest picture that is read.
const SIDE_MAX: u32 = 16_384;
/// The most pixels of a picture: what phones make, and what fits into memory.
const PIXELS_MAX: u64 = 50_000_000;
/// The most memory that a decoder may take, in bytes.
const MEMORY_MAX: u64 = 256 * 1024 * 1024;
/// The most frames of a picture that moves, and their pixels together. One that has more stands still.
const FRAMES_MAX: usize = 200;
const FRAMES_PIXELS_MAX: u64 = 24_000_000;
/// How well a photograph is kept, of 100.
const QUALITY: u8 = 85;
/// How thoroughly the colours of a moving picture are chosen: 1 is best, 30 fastest.
const GIF_SPEED: i32 = 20;
/// How often a picture that is too long is made half as wide and high.
const HALVINGS_MAX: u32 = 4;

/// The picture made anew, and what it is now: what carriers do not know becomes something that they do.
///
/// # Errors
/// [`MediaRefusal::Unreadable`] and [`MediaRefusal::TooLarge`].
pub(super) fn anew(bytes: &[u8], kind: MediaType) -> Result<(MediaType, Vec<u8>), MediaRefusal> {
    if kind == MediaType::Gif
        && let Some(moving) = frames_anew(bytes)
    {
        return Ok((MediaType::Gif, moving));
    }
    let picture = decoded(bytes, kind)?;
    let see_through = picture.color().has_alpha();
    let as_photograph = kind == MediaType::Jpeg || (kind == MediaType::Webp && !see_through);
    small_enough(picture, as_photograph, see_through)
}

fn decoded(bytes: &[u8], kind: MediaType) -> Result<DynamicImage, MediaRefusal> {
    let format = match kind {
        MediaType::Jpeg => ImageFormat::Jpeg,
        MediaType::Png => ImageFormat::Png,
        MediaType::Gif => ImageFormat::Gif,
        MediaType::Webp => ImageFormat::WebP,
        _ => return Err(MediaRefusal::Type),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(|error| refusal(&error))?;
    let (width, height) = decoder.dimensions();
    match u64::from(width) * u64::from(height) {
        0 => return Err(MediaRefusal::Unreadable),
        pixels if pixels > PIXELS_MAX => return Err(MediaRefusal::TooLarge),
        _ => {}
    }
    // Notes that can't be read turn nothing.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| refusal(&error))?;
    picture.apply_orientation(orientation);
    Ok(if picture.color().has_alpha() {
        picture.into_rgba8().into()
    } else if picture.color().has_color() {
        picture.into_rgb8().into()
    } else {
        picture.into_luma8().into()
    })
}

fn limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(SIDE_MAX);
    limits.max_image_height = Some(SIDE_MAX);
    limits.max_alloc = Some(MEMORY_MAX);
    limits
}

fn refusal(error: &ImageError) -> MediaRefusal {
    match error {
        ImageError::Limits(LimitError { .. }) => MediaRefusal::TooLarge,
        _ => MediaRefusal::Unreadable,
    }
}

/// The picture as bytes, smaller and smaller until they are few enough.
fn small_enough(
    mut picture: DynamicImage,
    as_photograph: bool,
    see_through: bool,
) -> Result<(MediaType, Vec<u8>), MediaRefusal> {
    for halving in 0..=HALVINGS_MAX {
        if halving > 0 {
            let (width, height) = (picture.width() / 2, picture.height() / 2);
            picture = picture.thumbnail(width.max(1), height.max(1));
        }
        if !as_photograph {
            let mut bytes = Cursor::new(Vec::new());
            picture.write_to(&mut bytes, ImageFormat::Png).map_err(|error| refusal(&error))?;
            let bytes = bytes.into_inner();
            if bytes.len() <= PASSED_ON_MAX {
                return Ok((MediaType::Png, bytes));
            }
        }
        // A photograph that came as a drawing is long: as a photograph it is not.
        if as_photograph || !see_through {
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, QUALITY)
                .encode_image(&picture)
                .map_err(|error| refusal(&error))?;
            if bytes.len() <= PASSED_ON_MAX {
                return Ok((MediaType::Jpeg, bytes));
            }
        }
    }
    Err(MediaRefusal::TooLarge)
}

/// A picture with all its frames; `None` where it has too many, or can't be kept short: then it stands
/// still.
fn frames_anew(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = GifDecoder::new(Cursor::new(bytes)).ok()?;
    decoder.set_limits(limits()).ok()?;
    let (width, height) = decoder.dimensions();
    let each = u64::from(width) * u64::from(height);
    if each == 0 {
        return None;
    }
    let mut out = Vec::new();
    let mut count = 0;
    {
        let mut encoder = GifEncoder::new_with_speed(&mut out, GIF_SPEED);
        encoder.set_repeat(Repeat::Infinite).ok()?;
        for frame in decoder.into_frames() {
            // What follows damage is lost; what came before is a picture.
            let Ok(frame) = frame else { break };
            count += 1;
            let pixels = each.checked_mul(u64::try_from(count).ok()?)?;
            if count > FRAMES_MAX || pixels > FRAMES_PIXELS_MAX {
                return None;
            }
            encoder.encode_frame(frame).ok()?;
        }
    }
    (count > 0 && out.len() <= PASSED_ON_MAX).then_some(out)
}

#[cfg(test)]
mod tests {
    use image::{Frame, Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    /// Words that stand wherever a picture can hide some.
    const HIDDEN: &[&[u8]] = &[
        b"GPSLatitude48.8583",
        b"Jane Doe",
        b"http://ns.adobe.com/xap",
        b"a comment of mine",
        b"behind the end",
        b"ICC_PROFILE",
        b"thumbnail-of-home",
        b"Exif",
        b"tEXt",
        b"NETSCAPE-NOT",
    ];

    fn photograph(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let part = |n: u32| u8::try_from(n % 256).unwrap();
            Rgb([part(x * 3), part(y * 5), part(x + y)])
        })
    }

    fn jpeg(picture: &RgbImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(picture).unwrap();
        bytes
    }

    /// A segment of a JPEG file.
    fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker], &length[..], content].concat()
    }

    /// An Exif note of a JPEG: which way is up, and words after it.
    fn exif(orientation: u8) -> Vec<u8> {
        let mut tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
        tiff.extend(b"GPSLatitude48.8583 Jane Doe thumbnail-of-home");
        segment(0xe1, &tiff)
    }

    fn with_everything(picture: &RgbImage, orientation: u8) -> Vec<u8> {
        let plain = jpeg(picture);
        let (start, rest) = plain.split_at(2);
        [
            start.to_vec(),
            exif(orientation),
            segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>Jane Doe</x:xmpmeta>"),
            segment(0xe2, b"ICC_PROFILE\0\x01\x01Jane Doe"),
            segment(0xed, b"Photoshop 3.0\0Jane Doe"),
            segment(0xfe, b"a comment of mine"),
            rest.to_vec(),
            b"behind the end BEGIN:VCARD Jane Doe".to_vec(),
        ]
        .concat()
    }

    fn holds(bytes: &[u8], words: &[u8]) -> bool {
        bytes.windows(words.len()).any(|window| window == words)
    }

    /// It was there.
    fn hides(bytes: &[u8], words: &[&str]) {
        for words in words {
            assert!(
                holds(bytes, words.as_bytes()) && HIDDEN.contains(&words.as_bytes()),
                "{words}"
            );
        }
    }

    /// A colour profile of a PNG file, as zlib keeps what it does not make shorter.
    fn profile(words: &[u8]) -> Vec<u8> {
        let length = u16::try_from(words.len()).unwrap();
        let (a, b) = words.iter().fold((1_u32, 0_u32), |(a, b), byte| {
            let a = (a + u32::from(*byte)) % 65_521;
            (a, (a + b) % 65_521)
        });
        let sum = (b << 16 | a).to_be_bytes();
        let (more, less) = (length.to_le_bytes(), (!length).to_le_bytes());
        [&b"ICC_PROFILE\0\0\x78\x01\x01"[..], &more, &less, words, &sum].concat()
    }

    fn hides_nothing(bytes: &[u8]) {
        for words in HIDDEN {
            assert!(!holds(bytes, words), "{}", String::from_utf8_lossy(words));
        }
    }

    fn chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&kind);
        crc.update(content);
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&length[..], &kind, content, &crc.finalize().to_be_bytes()].concat()
    }

    /// A photograph's place, maker, comment, profile, thumbnail and what stands behind its end are gone,
    /// and it stands as its maker held it.
    #[test]
    fn a_photograph_keeps_its_pixels_only() {
        let bytes = with_everything(&photograph(64, 32), 6);
        for words in &HIDDEN[..8] {
            assert!(holds(&bytes, words), "{}", String::from_utf8_lossy(words));
        }
        let (kind, clean) = anew(&bytes, MediaType::Jpeg).unwrap();
        assert_eq!(kind, MediaType::Jpeg);
        hides_nothing(&clean);
        let again = image::load_from_memory(&clean).unwrap();
        assert_eq!((again.width(), again.height()), (32, 64), "it was turned by a quarter");
        let as_it_was = anew(&with_everything(&photograph(64, 32), 1), MediaType::Jpeg).unwrap().1;
        assert_eq!(image::load_from_memory(&as_it_was).unwrap().width(), 64);
    }

    /// The same of a drawing: texts, Exif, profile and what stands behind its end.
    #[test]
    fn a_drawing_keeps_its_pixels_only() {
        let mut plain = Cursor::new(Vec::new());
        DynamicImage::from(photograph(16, 16)).write_to(&mut plain, ImageFormat::Png).unwrap();
        let plain = plain.into_inner();
        let (head, rest) = plain.split_at(33);
        let bytes = [
            head.to_vec(),
            chunk(*b"iCCP", &profile(b"Jane Doe")),
            chunk(*b"tEXt", b"Author\0Jane Doe"),
            chunk(*b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0http://ns.adobe.com/xap Jane Doe"),
            chunk(*b"eXIf", b"MM\0\x2a\0\0\0\x08\0\0GPSLatitude48.8583"),
            rest.to_vec(),
            b"behind the end".to_vec(),
        ]
        .concat();
        hides(&bytes, &["GPSLatitude48.8583", "Jane Doe", "tEXt", "ICC_PROFILE", "behind the end"]);
        let (kind, clean) = anew(&bytes, MediaType::Png).unwrap();
        assert_eq!(kind, MediaType::Png);
        hides_nothing(&clean);
        assert_eq!(image::load_from_memory(&clean).unwrap().into_rgb8(), photograph(16, 16));
    }

    /// The same of a picture that moves: comments and foreign extensions go, frames stay.
    #[test]
    fn a_moving_picture_keeps_its_frames_only() {
        let mut plain = Vec::new();
        {
            let mut encoder = GifEncoder::new(&mut plain);
            for shade in [0, 120, 240] {
                let frame = RgbaImage::from_pixel(8, 8, Rgba([shade, 10, 10, 255]));
                encoder.encode_frame(Frame::new(frame)).unwrap();
            }
        }
        let end = plain.pop();
        assert_eq!(end, Some(0x3b));
        plain.extend(b"\x21\xfe\x11a comment of mine\0");
        plain.extend(b"\x21\xff\x0bXMP DataXMP\x0cNETSCAPE-NOT\x08Jane Doe\0");
        plain.extend(b"\x3bbehind the end");
        hides(&plain, &["a comment of mine", "NETSCAPE-NOT", "Jane Doe", "behind the end"]);
        let (kind, clean) = anew(&plain, MediaType::Gif).unwrap();
        assert_eq!(kind, MediaType::Gif);
        hides_nothing(&clean);
        let decoder = GifDecoder::new(Cursor::new(&clean)).unwrap();
        assert_eq!(decoder.into_frames().count(), 3);
    }

    /// A picture of so many frames.
    fn moving(frames: usize, side: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        {
            let mut encoder = GifEncoder::new_with_speed(&mut bytes, 30);
            for _ in 0..frames {
                let frame = RgbaImage::from_pixel(side, side, Rgba([1, 2, 3, 255]));
                encoder.encode_frame(Frame::new(frame)).unwrap();
            }
        }
        bytes
    }

    /// A picture with more frames than are read, or with more pixels in them, stands still.
    #[test]
    fn what_moves_too_much_stands_still() {
        let kind = |frames, side| anew(&moving(frames, side), MediaType::Gif).unwrap().0;
        assert_eq!(kind(FRAMES_MAX, 2), MediaType::Gif);
        assert_eq!(kind(FRAMES_MAX + 1, 2), MediaType::Png);
        // A small frame of a screen that is large: all of it counts.
        let mut large = moving(1, 2);
        large[6..10].copy_from_slice(&[4900_u16.to_le_bytes(), 4900_u16.to_le_bytes()].concat());
        assert_eq!(anew(&large, MediaType::Gif).unwrap().0, MediaType::Png);
    }

    fn webp(picture: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::WebP).unwrap();
        bytes.into_inner()
    }

    /// WebP comes out as what every phone shows: a photograph, or a drawing where one sees through it.
    #[test]
    fn webp_becomes_what_phones_show() {
        let solid = webp(&photograph(8, 8).into());
        assert_eq!(anew(&solid, MediaType::Webp).unwrap().0, MediaType::Jpeg);
        let clear = webp(&RgbaImage::from_pixel(8, 8, Rgba([1, 2, 3, 40])).into());
        assert_eq!(anew(&clear, MediaType::Webp).unwrap().0, MediaType::Png);
    }

    /// A small file that says that it is huge is refused before anything is made ready for it, and what
    /// is no picture behind its first bytes is refused too.
    #[test]
    fn bombs_and_rubbish_are_refused() {
        let header = |width: u32, height: u32| {
            let mut ihdr = [width.to_be_bytes(), height.to_be_bytes()].concat();
            ihdr.extend([8, 2, 0, 0, 0]);
            [
                b"\x89PNG\r\n\x1a\n".to_vec(),
                chunk(*b"IHDR", &ihdr),
                chunk(*b"IDAT", &[]),
                chunk(*b"IEND", &[]),
            ]
            .concat()
        };
        for (width, height) in
            [(u32::MAX >> 1, 1), (SIDE_MAX + 1, 1), (16_000, 16_000), (10_000, 10_000)]
        {
            let refused = anew(&header(width, height), MediaType::Png).unwrap_err();
            assert_eq!(refused, MediaRefusal::TooLarge, "{width}×{height}");
        }
        // The same said by others: in the start of frame, the logical screen and the header.
        let mut photograph = jpeg(&photograph(8, 8));
        let frame = photograph.windows(2).position(|two| two == b"\xff\xc0").unwrap();
        photograph[frame + 5..frame + 9].copy_from_slice(b"\x27\x10\x27\x10");
        let moving =
            b"GIF89a\xff\xff\xff\xff\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";
        let mut drawing = webp(&RgbImage::new(8, 8).into());
        let start = drawing.windows(4).position(|four| four == b"VP8L").unwrap() + 9;
        let side: u32 = 9_999;
        drawing[start..start + 4].copy_from_slice(&(side | side << 14).to_le_bytes());
        for (bomb, kind) in [
            (&photograph[..], MediaType::Jpeg),
            (&moving[..], MediaType::Gif),
            (&drawing[..], MediaType::Webp),
        ] {
            assert_eq!(anew(bomb, kind), Err(MediaRefusal::TooLarge), "{kind}");
        }
        // A screen without width is none, although its frames can be read.
        let flat = b"GIF89a\0\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\
            \x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";
        assert_eq!(anew(flat, MediaType::Gif), Err(MediaRefusal::Unreadable));
        for kind in [MediaType::Jpeg, MediaType::Png, MediaType::Gif, MediaType::Webp] {
            for rubbish in [&b""[..], b"\xff\xd8\xff\xe0 no", b"GIF89a\xff\xff\xff\xff", b"RIFF"] {
                assert!(anew(rubbish, kind).is_err(), "{kind} {rubbish:?}");
            }
        }
    }

    /// Pixels that can't be made short.
    fn noise() -> impl FnMut() -> [u8; 4] {
        let mut state = 1_u32;
        move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state ^ state >> 13).to_be_bytes()
        }
    }

    /// A drawing full of noise is too long as one: it goes on as a photograph, within the bound; or, where one
    /// sees through it, half as wide and high.
    #[test]
    fn what_is_long_is_made_short() {
        let png = |picture: DynamicImage| {
            let mut bytes = Cursor::new(Vec::new());
            picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
            bytes.into_inner()
        };
        let mut next = noise();
        let solid = png(RgbImage::from_fn(1800, 1400, |_, _| {
            let [a, b, c, _] = next();
            Rgb([a, b, c])
        })
        .into());
        assert!(solid.len() > PASSED_ON_MAX);
        let (kind, clean) = anew(&solid, MediaType::Png).unwrap();
        assert_eq!(kind, MediaType::Jpeg);
        assert!(clean.len() <= PASSED_ON_MAX);
        let clear = png(RgbaImage::from_fn(1800, 1400, |_, _| Rgba(next())).into());
        assert!(clear.len() > PASSED_ON_MAX);
        let (kind, clean) = anew(&clear, MediaType::Png).unwrap();
        assert_eq!(kind, MediaType::Png);
        assert!(clean.len() <= PASSED_ON_MAX);
        assert_eq!(image::load_from_memory(&clean).unwrap().width(), 900);
    }
}
