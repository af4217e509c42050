//! Pictures that phones send, and messages that they leave: the carrier keeps the latest, behind its secret as
//! real ones do.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{actions::ActionError, network::Network};

/// How many are kept; what comes after pushes the oldest out.
const PICTURES_KEPT: usize = 64;
/// The longest picture, in bytes.
pub const PICTURE_MAX: usize = 5 * 1024 * 1024;

/// The pictures, the oldest first.
#[derive(Default)]
pub(super) struct Pictures(VecDeque<(String, Bytes)>);

impl Network {
    /// Takes a picture that a phone is about to send; its address at the carrier, for
    /// [`Network::text_with`].
    ///
    /// # Errors
    /// [`ActionError::Empty`], and [`ActionError::TooLong`] beyond 5 MiB.
    pub fn add_picture(&self, bytes: Bytes) -> Result<String, ActionError> {
        match bytes.len() {
            0 => return Err(ActionError::Empty),
            1..=PICTURE_MAX => {}
            _ => return Err(ActionError::TooLong),
        }
        Ok(self.keep_file("picture", bytes).1)
    }

    /// Keeps a message that a phone left, for that many seconds; its id and its address.
    pub(super) fn keep_message(&self, seconds: u32) -> (String, String) {
        self.keep_file("recording", Bytes::from(tone(seconds)))
    }

    /// Forgets the picture or message with that id; whether there was one.
    pub fn forget_file(&self, id: &str) -> bool {
        let pictures = &mut self.lock().pictures.0;
        let before = pictures.len();
        pictures.retain(|(known, _)| known != id);
        pictures.len() < before
    }

    /// How many pictures and messages are kept.
    pub fn files(&self) -> usize {
        self.lock().pictures.0.len()
    }

    /// Keeps what two people said, for that many seconds, under that id; its address.
    pub(super) fn keep_talk(&self, id: &str, seconds: u32) -> String {
        self.keep_as(id, Bytes::from(tone(seconds)))
    }

    fn keep_file(&self, prefix: &str, bytes: Bytes) -> (String, String) {
        let id = self.make_id(prefix);
        let address = self.keep_as(&id, bytes);
        (id, address)
    }

    fn keep_as(&self, id: &str, bytes: Bytes) -> String {
        let address = format!("{}/{id}", self.options.media_base);
        let pictures = &mut self.lock().pictures.0;
        if pictures.len() >= PICTURES_KEPT {
            pictures.pop_front();
        }
        pictures.push_back((id.to_owned(), bytes));
        address
    }

    /// The picture or message with that id, while it is kept.
    pub fn picture(&self, id: &str) -> Option<Bytes> {
        let state = self.lock();
        let found = state.pictures.0.iter().find(|(known, _)| known == id);
        found.map(|(_, bytes)| bytes.clone())
    }
}

/// A tone as a WAV file, 8000 bytes a second: what every phone says here.
fn tone(seconds: u32) -> Vec<u8> {
    const RATE: u32 = 8_000;
    let length = seconds * RATE;
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + length).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    // PCM, of one channel.
    file.extend([1, 0, 1, 0]);
    file.extend(RATE.to_le_bytes());
    file.extend(RATE.to_le_bytes());
    // A byte for each sample, of eight bits.
    file.extend([1, 0, 8, 0]);
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    // 400 Hz, with corners.
    file.extend((0..length).map(|at| if at % 20 < 10 { 0x60 } else { 0xa0 }));
    file
}
