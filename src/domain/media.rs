//! Pictures and files in texts: what they are, by their first bytes, and whether they may pass.
//!
//! What a sender's phone, a name or a header says of a file is never believed.

use super::policy::MediaRule;

/// The most pictures and files of one text that are passed on.
pub const MEDIA_MAX: usize = 10;
/// The longest file that is fetched, in bytes.
pub const FETCHED_MAX: usize = 15 * 1024 * 1024;
/// The longest that is passed on, in bytes: what carriers take.
pub const PASSED_ON_MAX: usize = 5 * 1024 * 1024;

closed_set! {
    /// Why a picture or file was not passed on.
    MediaRefusal {
        /// Pictures and files are not relayed here: the service's rule, or no store is configured.
        Off = "off",
        /// What it is may not pass by the service's rule, or is not known.
        Type = "type",
        /// A contact card: it holds numbers.
        Vcard = "vcard",
        /// The text had too many.
        TooMany = "too_many",
        /// It is longer than is fetched, has too many pixels, or can't be made small enough.
        TooLarge = "too_large",
        /// A picture that can't be read.
        Unreadable = "unreadable",
        /// It could not be fetched from where it lies.
        Unavailable = "unavailable",
        /// The recipient's number or its carrier takes none.
        Recipient = "recipient",
    }
}

closed_set! {
    /// What a file is, as the media type that it is served with.
    MediaType {
        /// A picture; what cameras make.
        Jpeg = "image/jpeg",
        /// A picture; what screens make.
        Png = "image/png",
        /// A picture, maybe one that moves.
        Gif = "image/gif",
        /// A picture, as some phones send it. It is passed on as another kind.
        Webp = "image/webp",
        /// A document.
        Pdf = "application/pdf",
        /// A film, or sound in the same frame.
        Mp4 = "video/mp4",
        /// The same as phones send it.
        ThreeGp = "video/3gpp",
        /// Sound.
        Mpeg = "audio/mpeg",
        /// Sound, as phones record speech.
        Amr = "audio/amr",
        /// Sound.
        Ogg = "audio/ogg",
        /// Sound.
        Wav = "audio/wav",
        /// A contact card.
        Vcard = "text/vcard",
    }
}

impl MediaType {
    /// What begins so; `None` for whatever is not known.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let starts = |magic: &[u8]| bytes.starts_with(magic);
        let at = |place: usize, magic: &[u8]| {
            bytes.get(place..place + magic.len()).is_some_and(|found| found == magic)
        };
        if starts(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if starts(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if starts(b"GIF87a") || starts(b"GIF89a") {
            Some(Self::Gif)
        } else if starts(b"RIFF") && at(8, b"WEBP") {
            Some(Self::Webp)
        } else if starts(b"RIFF") && at(8, b"WAVE") {
            Some(Self::Wav)
        } else if starts(b"%PDF-") {
            Some(Self::Pdf)
        } else if at(4, b"ftyp") {
            of_frame(bytes)
        } else if is_vcard(bytes) {
            // Before sound: a mark of byte order looks like the head of a frame.
            Some(Self::Vcard)
        } else if starts(b"ID3") || is_mpeg_frame(bytes) {
            Some(Self::Mpeg)
        } else if starts(b"#!AMR") {
            Some(Self::Amr)
        } else if starts(b"OggS") {
            Some(Self::Ogg)
        } else {
            None
        }
    }

    /// Whether it is a picture: those are made anew, and keep nothing but their pixels.
    pub const fn is_picture(self) -> bool {
        matches!(self, Self::Jpeg | Self::Png | Self::Gif | Self::Webp)
    }

    /// Whether it is sound, as carriers record it.
    pub const fn is_recording(self) -> bool {
        matches!(self, Self::Wav | Self::Mpeg | Self::Ogg)
    }

    /// How names of such files end.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::Webp => "webp",
            Self::Pdf => "pdf",
            Self::Mp4 => "mp4",
            Self::ThreeGp => "3gp",
            Self::Mpeg => "mp3",
            Self::Amr => "amr",
            Self::Ogg => "ogg",
            Self::Wav => "wav",
            Self::Vcard => "vcf",
        }
    }

    /// Whether such may pass by a service's rules.
    ///
    /// # Errors
    /// Why not.
    pub const fn admit(self, rule: MediaRule, vcards: bool) -> Result<(), MediaRefusal> {
        match (self, rule) {
            (_, MediaRule::None) => Err(MediaRefusal::Off),
            (Self::Vcard, _) if !vcards => Err(MediaRefusal::Vcard),
            (Self::Vcard, _) | (_, MediaRule::Files) => Ok(()),
            (kind, MediaRule::Images) if kind.is_picture() => Ok(()),
            (_, MediaRule::Images) => Err(MediaRefusal::Type),
        }
    }
}

/// The family of files that say `ftyp`: also pictures that nobody here can read (HEIC, AVIF).
fn of_frame(bytes: &[u8]) -> Option<MediaType> {
    match bytes.get(8..12)? {
        [b'3', b'g', b'p' | b'2', _] => Some(MediaType::ThreeGp),
        b"isom" | b"iso2" | b"iso4" | b"iso5" | b"iso6" | b"mp41" | b"mp42" | b"avc1" | b"M4V "
        | b"M4A " | b"MSNV" | b"dash" => Some(MediaType::Mp4),
        _ => None,
    }
}

/// The head of a frame of MPEG sound: eleven set bits, a version, a layer and a rate that exist.
fn is_mpeg_frame(bytes: &[u8]) -> bool {
    let [0xff, second, third, _, ..] = bytes else { return false };
    second & 0xe0 == 0xe0
        && second & 0x18 != 0x08
        && second & 0x06 != 0
        && third & 0xf0 != 0xf0
        && third & 0x0c != 0x0c
}

/// Whether it begins as a contact card does, in any case and in any of the three spellings of text.
fn is_vcard(bytes: &[u8]) -> bool {
    const BEGIN: &[u8] = b"BEGIN:VCARD";
    // UTF-16 of these letters has a zero byte for each; marks of byte order are not ASCII.
    let letters = bytes.iter().take(128).copied().filter(u8::is_ascii).filter(|byte| *byte != 0);
    let mut letters = letters.skip_while(u8::is_ascii_whitespace);
    BEGIN.iter().all(|wanted| letters.next().is_some_and(|byte| byte.eq_ignore_ascii_case(wanted)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind is told by its first bytes, whatever follows; look-alikes are not.
    #[test]
    fn kinds_are_told_by_their_bytes() {
        let known: &[(&[u8], MediaType)] = &[
            (b"\xff\xd8\xff\xe1more", MediaType::Jpeg),
            (b"\x89PNG\r\n\x1a\n", MediaType::Png),
            (b"GIF89a", MediaType::Gif),
            (b"RIFF\0\0\0\0WEBPVP8 ", MediaType::Webp),
            (b"RIFF\0\0\0\0WAVEfmt ", MediaType::Wav),
            (b"%PDF-1.7", MediaType::Pdf),
            (b"\0\0\0\x18ftypmp42", MediaType::Mp4),
            (b"\0\0\0\x18ftyp3gp5", MediaType::ThreeGp),
            (b"ID3\x04", MediaType::Mpeg),
            (b"\xff\xfb\x90\x00", MediaType::Mpeg),
            (b"#!AMR\n", MediaType::Amr),
            (b"OggS\0", MediaType::Ogg),
            (b"BEGIN:VCARD\r\nVERSION:3.0", MediaType::Vcard),
            (b"\xef\xbb\xbf\r\n begin:vCard\r\n", MediaType::Vcard),
            (b"\xff\xfeB\0E\0G\0I\0N\0:\0V\0C\0A\0R\0D\0", MediaType::Vcard),
            (b"\xfe\xff\0B\0E\0G\0I\0N\0:\0V\0C\0A\0R\0D", MediaType::Vcard),
        ];
        for (bytes, kind) in known {
            assert_eq!(MediaType::of(bytes), Some(*kind), "{bytes:?}");
        }
        let unknown: &[&[u8]] = &[
            b"",
            b"\xff",
            b"\xff\xd8",
            b"\xff\xff\xff\xff",
            b"RIFF\0\0\0\0AVI ",
            b"\0\0\0\x18ftypheic",
            b"\0\0\0\x18ftypavif",
            b"<html>",
            b"BEGIN:VCALENDAR",
            b"MZ\x90\0",
            b"PK\x03\x04",
        ];
        for bytes in unknown {
            assert_eq!(MediaType::of(bytes), None, "{bytes:?}");
        }
    }

    /// Pictures pass by default, and nothing else; contact cards have a rule of their own, which is
    /// nothing worth where no file passes.
    #[test]
    fn rules_say_what_passes() {
        use MediaRule::{Files, Images, None};
        for kind in MediaType::ALL {
            assert_eq!(kind.admit(None, true), Err(MediaRefusal::Off));
            let pictures = kind.admit(Images, false).is_ok();
            assert_eq!(pictures, kind.is_picture());
            assert_eq!(kind.admit(Files, false).is_ok(), *kind != MediaType::Vcard);
        }
        assert_eq!(MediaType::Vcard.admit(Images, false), Err(MediaRefusal::Vcard));
        assert_eq!(MediaType::Vcard.admit(Images, true), Ok(()));
        assert_eq!(MediaType::Pdf.admit(Images, true), Err(MediaRefusal::Type));
    }
}
