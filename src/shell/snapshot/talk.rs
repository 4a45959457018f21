//! Questions and answers over one authenticated connection.

use crate::shell::frame::{FrameError, FrameKey};
use crate::shell::peer_stream::PeerStream;
use bytes::BytesMut;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// Neither side is silent, or refuses bytes, for longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest frame: a piece that did not compress, and what is around it.
const FRAME_LIMIT: usize = super::source::PIECE + (64 << 10);

pub struct Talk {
    stream: PeerStream,
    speak: FrameKey,
    listen: FrameKey,
    input: BytesMut,
    output: BytesMut,
}

impl Talk {
    pub fn new(stream: PeerStream, speak: FrameKey, listen: FrameKey) -> Talk {
        Talk { stream, speak, listen, input: BytesMut::new(), output: BytesMut::new() }
    }

    pub async fn say(&mut self, what: &impl Serialize) -> Result<(), FrameError> {
        let payload = postcard::to_stdvec(what)?;
        self.speak.seal(&payload, &mut self.output);
        let write = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        let written = timeout(PATIENCE, write).await;
        self.output.clear();
        Ok(written.map_err(|_| late())??)
    }

    pub async fn hear<T: DeserializeOwned>(&mut self) -> Result<T, FrameError> {
        loop {
            if let Some(payload) = self.listen.open_payload(&mut self.input, FRAME_LIMIT)? {
                return Ok(postcard::from_bytes(&payload)?);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await.map_err(|_| late())??;
            if read == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

fn late() -> FrameError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}
