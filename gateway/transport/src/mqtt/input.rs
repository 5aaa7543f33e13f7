//! What was read and not yet taken: bytes in, whole frames out.

use standpipe_machine::limits::MAX_PACKET;

use super::frame::{BadFrame, frame_length};

/// The buffer's usual size: one read takes a burst of some hundred messages.
const INPUT: usize = 64 * 1024;

/// A buffer that grows to the biggest packet and shrinks again.
pub(super) struct ReceiveBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// How much room the frame that has begun needs.
    wanted: usize,
}

impl ReceiveBuffer {
    pub fn new() -> Self {
        Self { bytes: vec![0; INPUT], start: 0, end: 0, wanted: 0 }
    }

    /// Drops what was read and not taken.
    pub fn forget(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// Where to read to; never empty.
    pub fn space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > INPUT {
                self.bytes = vec![0; INPUT];
            }
        }
        let short = self.bytes.len() - self.start < self.wanted || self.end == self.bytes.len();
        if short {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            let room = self.wanted.max(self.end + 1).max(INPUT);
            if self.bytes.len() < room {
                self.bytes.resize(room, 0);
            }
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    pub fn got(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(self.bytes.len());
    }

    /// The next whole frame.
    pub fn frame(&mut self) -> Result<Option<&[u8]>, BadFrame> {
        let waiting = self.bytes.get(self.start..self.end).unwrap_or_default();
        match frame_length(waiting, MAX_PACKET as usize)? {
            Some(length) if length <= waiting.len() => {
                self.start += length;
                self.wanted = 0;
                Ok(waiting.get(..length))
            }
            Some(length) => {
                self.wanted = length;
                Ok(None)
            }
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{INPUT, ReceiveBuffer};

    fn publish(payload: usize) -> Vec<u8> {
        let length = 4 + payload;
        let digits: Vec<u8> = match length {
            0..128 => vec![length as u8],
            _ => vec![
                (length & 0x7F) as u8 | 0x80,
                (length >> 7 & 0x7F) as u8 | 0x80,
                (length >> 14) as u8,
            ],
        };
        [vec![0x30], digits, vec![0, 1, b't', 0], vec![7; payload]].concat()
    }

    #[test]
    fn frames_come_out_whole_however_the_bytes_arrive() {
        let frames: Vec<_> = [3, 40_000, 0, 200_000, 5, 1_000_000, 1].map(publish).into();
        let stream = frames.concat();
        for step in [1_000, 65_536, 7] {
            let (mut input, mut sent, mut seen) = (ReceiveBuffer::new(), 0, Vec::new());
            while sent < stream.len() {
                let space = input.space();
                let take = step.min(space.len()).min(stream.len() - sent);
                space[..take].copy_from_slice(&stream[sent..sent + take]);
                input.got(take);
                sent += take;
                while let Some(frame) = input.frame().expect("good frames") {
                    seen.push(frame.to_vec());
                }
            }
            assert!(seen == frames, "in steps of {step}");
            input.space();
            assert_eq!(input.bytes.len(), INPUT, "the buffer shrinks again");
        }
    }
}
