//! Pictures that phones send: the carrier keeps the latest, behind its secret as real ones do.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{actions::ActionError, network::Network};

/// How many pictures are kept; what comes after pushes the oldest out.
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
        let id = self.make_id("picture");
        let address = format!("{}/{id}", self.options.media_base);
        let pictures = &mut self.lock().pictures.0;
        if pictures.len() >= PICTURES_KEPT {
            pictures.pop_front();
        }
        pictures.push_back((id, bytes));
        Ok(address)
    }

    /// The picture with that id, while it is kept.
    pub fn picture(&self, id: &str) -> Option<Bytes> {
        let state = self.lock();
        let found = state.pictures.0.iter().find(|(known, _)| known == id);
        found.map(|(_, bytes)| bytes.clone())
    }
}
