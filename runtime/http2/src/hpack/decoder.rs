//! Reads header blocks.

use bytes::Bytes;

use super::field::{Field, Name, Value};
use super::table::Table;
use super::{DEFAULT_TABLE_SIZE, HpackError, huffman, integer, static_table};

/// Reads header blocks, one after the other: each changes what the next ones mean.
#[derive(Debug)]
pub(crate) struct Decoder {
    table: Table,
    /// The largest table that this side has allowed.
    allowed: usize,
    /// Reused for strings in the Huffman code.
    scratch: Vec<u8>,
}

impl Decoder {
    pub(crate) fn new() -> Decoder {
        Decoder { table: Table::new(DEFAULT_TABLE_SIZE), allowed: DEFAULT_TABLE_SIZE, scratch: Vec::new() }
    }

    /// Which state of the table this is: with the same version, a block of indices alone means the same fields.
    pub(crate) fn version(&self) -> u64 {
        self.table.version()
    }

    /// Reads a whole block, and gives each field with its size to `take`. Says whether it was of indices alone.
    pub(crate) fn decode(
        &mut self,
        mut block: &[u8],
        mut take: impl FnMut(&Name, &Value, usize),
    ) -> Result<bool, HpackError> {
        let (mut began, mut indices) = (false, true);
        while let Some((&first, rest)) = block.split_first() {
            block = rest;
            let is_update = first & 0xe0 == 0x20;
            if is_update {
                let size = integer::decode(first, 5, &mut block)?;
                if began || size > self.allowed {
                    return Err(HpackError::TableSize);
                }
                self.table.resize(size);
                indices = false;
                continue;
            }
            began = true;
            if first & 0x80 != 0 {
                let index = integer::decode(first, 7, &mut block)?;
                let field = self.get(index)?;
                take(&field.name, &field.value, field.size());
                continue;
            }
            indices = false;
            let indexed = first & 0x40 != 0;
            let index = integer::decode(first, if indexed { 6 } else { 4 }, &mut block)?;
            let name = match index {
                0 => self.name(&mut block)?,
                index => self.get(index)?.name.clone(),
            };
            let field = Field { name, value: Value::parse(self.string(&mut block)?) };
            take(&field.name, &field.value, field.size());
            if indexed {
                self.table.add(field, 0);
            }
        }
        Ok(indices)
    }

    fn get(&self, index: usize) -> Result<&Field, HpackError> {
        if index <= static_table::LEN {
            return static_table::get(index).ok_or(HpackError::Index);
        }
        self.table.get(index - static_table::LEN - 1).ok_or(HpackError::Index)
    }

    fn name(&mut self, block: &mut &[u8]) -> Result<Name, HpackError> {
        let (bytes, encoded) = raw_string(block)?;
        if !encoded {
            return Ok(Name::parse(bytes));
        }
        self.scratch.clear();
        huffman::decode(bytes, &mut self.scratch)?;
        Ok(Name::parse(&self.scratch))
    }

    fn string(&mut self, block: &mut &[u8]) -> Result<Bytes, HpackError> {
        let (bytes, encoded) = raw_string(block)?;
        if !encoded {
            return Ok(Bytes::copy_from_slice(bytes));
        }
        self.scratch.clear();
        huffman::decode(bytes, &mut self.scratch)?;
        Ok(Bytes::copy_from_slice(&self.scratch))
    }
}

/// The octets of a string, and whether they are in the Huffman code.
fn raw_string<'a>(block: &mut &'a [u8]) -> Result<(&'a [u8], bool), HpackError> {
    let (&first, rest) = block.split_first().ok_or(HpackError::Truncated)?;
    *block = rest;
    let length = integer::decode(first, 7, block)?;
    let (bytes, rest) = block.split_at_checked(length).ok_or(HpackError::Truncated)?;
    *block = rest;
    Ok((bytes, first & 0x80 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(String, String)>, HpackError> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut fields = Vec::new();
        decoder.decode(block, |name, value, _| fields.push((text(name.as_bytes()), text(value.as_bytes()))))?;
        Ok(fields)
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    /// Appendix C.3 and C.4: three requests on one connection, plain and in the Huffman code.
    #[test]
    fn requests_of_the_rfc() {
        let plain = [
            "828684410f7777772e6578616d706c652e636f6d",
            "828684be58086e6f2d6361636865",
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ];
        let huffman = [
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ];
        for blocks in [plain, huffman] {
            let mut decoder = Decoder::new();
            let read: Vec<_> = blocks.iter().map(|block| decode(&mut decoder, &hex(block)).unwrap()).collect();
            let authority = (":authority".to_owned(), "www.example.com".to_owned());
            assert_eq!(read[0][3], authority);
            assert_eq!(read[1][3..], [authority.clone(), ("cache-control".into(), "no-cache".into())]);
            assert_eq!(read[2][3..], [authority, ("custom-key".into(), "custom-value".into())]);
            assert_eq!(read[2][1], (":scheme".into(), "https".into()));
        }
    }

    /// Appendix C.5: a table of 256 bytes, from which entries are evicted.
    #[test]
    fn responses_of_the_rfc() {
        let mut decoder = Decoder::new();
        decoder.table.resize(256);
        let first = "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d";
        assert_eq!(decode(&mut decoder, &hex(first)).unwrap()[0], (":status".into(), "302".into()));
        assert_eq!(decode(&mut decoder, &hex("4803333037c1c0bf")).unwrap()[0], (":status".into(), "307".into()));
        let third = "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31";
        let fields = decode(&mut decoder, &hex(third)).unwrap();
        assert_eq!(fields[0], (":status".into(), "200".into()));
        assert_eq!(fields[3], ("location".into(), "https://www.example.com".into()));
        assert_eq!(decoder.table.get(3), None);
    }

    #[test]
    fn what_the_rfc_forbids_is_refused() {
        for (block, error) in [
            ("80", HpackError::Index),
            ("be", HpackError::Index),
            ("ff", HpackError::Truncated),
            ("82 3f e1 1f", HpackError::TableSize),
            ("3f e2 1f", HpackError::TableSize),
            ("40 01", HpackError::Truncated),
            ("40 01 61", HpackError::Truncated),
            ("00 81 ff 00", HpackError::Huffman),
            ("ff ff ff ff ff ff", HpackError::Integer),
        ] {
            assert_eq!(decode(&mut Decoder::new(), &hex(block)), Err(error), "{block}");
        }
    }

    #[test]
    fn a_name_that_http_2_forbids_stands_in_the_table() {
        let mut decoder = Decoder::new();
        let mut invalid = 0;
        for block in ["40 01 41 01 62", "be"] {
            decoder.decode(&hex(block), |name, _, _| invalid += usize::from(matches!(name, Name::Invalid(_)))).unwrap();
        }
        assert_eq!(invalid, 2);
    }
}
