//! CSV that knows on which line a record stands, however lines end.
//!
//! The reader of the crate counts `\n` alone, and counts up to the record before: what it skips
//! there (the second half of `\r\n`, blank lines) is missing from its number. Here every line ends
//! with one `\n` before it is read, and the number is counted back from the record's end.

use std::cell::Cell;
use std::io::Read;

/// Read at once, bytes.
const BUFFER: usize = 262_144;

/// The records of a CSV file, the header among them; as many fields as each has.
pub struct Lines<R> {
    reader: csv::Reader<Ends<R>>,
}

impl<R: Read> Lines<R> {
    /// Over the text of a file, with commas between its fields.
    pub fn new(text: R) -> Self {
        Self::delimited(text, b',')
    }

    /// The same with another sign between fields.
    pub fn delimited(text: R, delimiter: u8) -> Self {
        let mut builder = csv::ReaderBuilder::new();
        builder.flexible(true).has_headers(false).buffer_capacity(BUFFER).delimiter(delimiter);
        let ends = Ends { text, after_cr: false, over: false };
        Self { reader: builder.from_reader(ends) }
    }

    /// The next record; false: there is none.
    ///
    /// # Errors
    /// When the text cannot be read on.
    pub fn read(&mut self, record: &mut csv::ByteRecord) -> csv::Result<bool> {
        self.reader.read_byte_record(record)
    }

    /// Where the record that comes next begins, bytes into the text with `\n` for every line end.
    pub fn offset(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The line, from 1, on which the record begins that was read last.
    pub fn line(&self, record: &csv::ByteRecord) -> u64 {
        let within = record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
        // A record that the end of the file ended has no line end of its own.
        let ended = u64::from(!self.reader.get_ref().over);
        self.reader.position().line().saturating_sub(within + ended)
    }
}

/// A text with `\n` for every `\r\n` and `\r`.
struct Ends<R> {
    text: R,
    after_cr: bool,
    /// Nothing more will come.
    over: bool,
}

impl<R: Read> Read for Ends<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let count = self.text.read(buffer)?;
            let bytes = buffer.get_mut(..count).unwrap_or_default();
            self.over = bytes.is_empty();
            if self.over || !self.after_cr && !bytes.contains(&b'\r') {
                return Ok(count);
            }
            let kept = self.same_ends(bytes);
            if kept > 0 {
                return Ok(kept);
            }
        }
    }
}

impl<R> Ends<R> {
    /// Changes them in place; how many are left.
    fn same_ends(&mut self, bytes: &mut [u8]) -> usize {
        let cells = Cell::from_mut(bytes).as_slice_of_cells();
        let mut kept = 0;
        let mut free = cells.iter();
        for byte in cells.iter().map(Cell::get) {
            let second = self.after_cr && byte == b'\n';
            self.after_cr = byte == b'\r';
            if second {
                continue;
            }
            if let Some(place) = free.next() {
                place.set(if byte == b'\r' { b'\n' } else { byte });
                kept += 1;
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::Lines;

    /// Gives so many bytes at once.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }
    }

    /// `line first-field` of every record.
    fn told(text: &str, at_once: usize) -> String {
        let mut lines = Lines::new(Slow(text.as_bytes(), at_once));
        let mut record = csv::ByteRecord::new();
        let mut told = Vec::new();
        while lines.read(&mut record).unwrap() {
            let first = String::from_utf8_lossy(&record[0]).replace('\n', "/");
            told.push(format!("{} {first}", lines.line(&record)));
        }
        told.join(", ")
    }

    #[test]
    #[rustfmt::skip] // a table
    fn a_record_is_on_the_line_where_an_editor_shows_it() {
        for (story, text, expected) in [
            ("nothing",                     "",                              ""),
            ("one line without an end",     "a",                             "1 a"),
            ("unix",                        "a,1\nb,2\nc,3\n",               "1 a, 2 b, 3 c"),
            ("the last without an end",     "a,1\nb,2\nc,3",                 "1 a, 2 b, 3 c"),
            ("blank lines",                 "a,1\n\n\nb,2\n\nc,3\n\n",       "1 a, 4 b, 6 c"),
            ("blank lines before all",      "\n\na,1\nb,2",                  "3 a, 4 b"),
            ("within quotes",               "a,1\n\"b\nb\n\nb\",2\nc,3\n",   "1 a, 2 b/b//b, 6 c"),
            ("a quote ends with a line",    "a,1\n\"b\n\",2\n\"c\n\"\nd",    "1 a, 2 b/, 4 c/, 6 d"),
            ("in the last field",           "a,\"1\n\n1\"\nb,2",             "1 a, 4 b"),
            ("a quote left open",           "a,1\n\"b,2\nc,3\nd,4",          "1 a, 2 b,2/c,3/d,4"),
            ("left open, with an end",      "a,1\n\"b,2\nc,3\n",             "1 a, 2 b,2/c,3/"),
            ("a line of blanks is a record", "a,1\n  \nb,2\n",               "1 a, 2   , 3 b"),
        ] {
            for end in ["\n", "\r\n", "\r"] {
                let text = text.replace('\n', end);
                for at_once in [1, 2, 3, 1_000] {
                    assert_eq!(told(&text, at_once), expected, "{story}, {end:?}, {at_once} at once");
                }
            }
        }
    }

    #[test]
    fn whatever_stands_before_a_line_end_is_read_as_it_is() {
        let text = "a,1\r\r\nb,2\n\rc,\"3\r\n4\"\r\n";
        assert_eq!(told(text, 2), "1 a, 3 b, 5 c");
        let mut record = csv::ByteRecord::new();
        let mut lines = Lines::new(text.as_bytes());
        for expected in [["a", "1"], ["b", "2"], ["c", "3\n4"]] {
            assert!(lines.read(&mut record).unwrap());
            assert_eq!(record, csv::ByteRecord::from(expected.to_vec()));
        }
    }
}
