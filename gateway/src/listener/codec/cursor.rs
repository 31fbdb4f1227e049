//! Reads the primitive types of MQTT 5.0 §1.5 out of one packet's body; never past its end.

use super::Fault;

pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| Fault::malformed("the packet ends within a field"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A packet id: never 0 (§2.2.1).
    pub(super) fn id(&mut self) -> Result<u16, Fault> {
        match self.u16()? {
            0 => Err(Fault::protocol("packet id 0")),
            id => Ok(id),
        }
    }

    /// A variable byte integer, in as few bytes as it needs (§1.5.5).
    pub(super) fn variable(&mut self) -> Result<u32, Fault> {
        let (mut value, mut shift) = (0u32, 0);
        loop {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(Fault::malformed("a number in more bytes than it needs"));
                }
                return Ok(value);
            }
            shift += 7;
            if shift > 21 {
                return Err(Fault::malformed("a number of more than four bytes"));
            }
        }
    }

    pub(super) fn binary(&mut self) -> Result<&'a [u8], Fault> {
        let length = usize::from(self.u16()?);
        self.take(length)
    }

    /// UTF-8 without U+0000 (§1.5.4).
    pub(super) fn string(&mut self) -> Result<&'a str, Fault> {
        let bytes = self.binary()?;
        match std::str::from_utf8(bytes) {
            Ok(text) if !bytes.contains(&0) => Ok(text),
            Ok(_) => Err(Fault::malformed("a text with U+0000")),
            Err(_) => Err(Fault::malformed("a text that is not UTF-8")),
        }
    }
}
