//! LOAD DATA (manual, "LOAD DATA Statement"): a file's bytes as rows of fields.

use super::encoding;
use super::error::{Error, Warning};
use crate::types::Value;
use encoding_rs::Encoding;

/// How a file is divided into lines and fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFormat {
    pub terminated: Vec<u8>,
    pub enclosed: Option<u8>,
    /// OPTIONALLY: of the fields that are written, texts are enclosed, numbers are not.
    pub texts_only: bool,
    pub escaped: Option<u8>,
    pub starting: Vec<u8>,
    pub line: Vec<u8>,
    /// Lines at the beginning that hold no row.
    pub skipped: u64,
    /// `CHARACTER SET`, in lower case.
    pub charset: Option<String>,
}

impl Default for FileFormat {
    fn default() -> Self {
        FileFormat {
            terminated: b"\t".to_vec(),
            enclosed: None,
            texts_only: false,
            escaped: Some(b'\\'),
            starting: vec![],
            line: b"\n".to_vec(),
            skipped: 0,
            charset: None,
        }
    }
}

/// Where a SELECT writes its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntoFile {
    pub name: String,
    /// DUMPFILE: one row, as its bytes.
    pub dump: bool,
    pub format: FileFormat,
}

/// The rows of a file, and what was wrong with some.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileRows {
    /// The fields of each, and after them how many the line had, if that was fewer than asked for.
    pub rows: Vec<Vec<Value>>,
    pub warnings: Vec<Warning>,
}

impl FileFormat {
    /// The encoding of texts; none for UTF-8 and bytes.
    ///
    /// # Errors
    /// 1235 for a character set that Marmot does not have.
    pub fn encoding(&self) -> Result<Option<&'static Encoding>, Error> {
        Ok(match Text::of(self.charset.as_deref())? {
            Text::Foreign(encoding) => Some(encoding),
            Text::Utf8 | Text::Bytes => None,
        })
    }

    /// Appends a line: the fields as bytes, `None` being NULL, and whether each is a text.
    pub fn write_line(&self, fields: impl Iterator<Item = (Option<Vec<u8>>, bool)>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.starting);
        for (at, (field, is_text)) in fields.enumerate() {
            if at > 0 {
                out.extend_from_slice(&self.terminated);
            }
            match (field, self.escaped) {
                (Some(field), _) => {
                    let enclosed = self.enclosed.filter(|_| is_text || !self.texts_only);
                    out.extend(enclosed);
                    field.iter().for_each(|byte| self.write_byte(*byte, enclosed.is_some(), out));
                    out.extend(enclosed);
                }
                (None, Some(escape)) => out.extend([escape, b'N']),
                (None, None) => out.extend(b"NULL"),
            }
        }
        out.extend_from_slice(&self.line);
    }

    /// What would end the field, the line or itself is escaped, and so is NUL.
    fn write_byte(&self, byte: u8, enclosed: bool, out: &mut Vec<u8>) {
        let separator = match self.enclosed {
            Some(quote) if enclosed => Some(quote),
            _ => self.terminated.first().copied(),
        };
        let special = byte == 0 || [self.escaped, separator, self.line.first().copied()].contains(&Some(byte));
        if let (true, Some(escape)) = (special, self.escaped) {
            // Behind an escape these letters would mean something else: such a separator is doubled.
            let is_letter = b"ntrb0ZN".contains(&byte) && separator == Some(byte);
            out.push(if is_letter { byte } else { escape });
            out.push(if byte == 0 { b'0' } else { byte });
            return;
        }
        out.push(byte);
    }

    /// The rows of a file whose lines should have so many fields each. `strict`: a line with fewer, or more, is an error.
    ///
    /// # Errors
    /// 1261, 1262; 1235 for a character set that Marmot does not have.
    pub fn rows(&self, bytes: &[u8], fields: usize, strict: bool) -> Result<FileRows, Error> {
        let mut reader = Reader { format: self, rest: bytes };
        for _ in 0..self.skipped {
            reader.skip_line();
        }
        let text = Text::of(self.charset.as_deref())?;
        let mut found = FileRows::default();
        while let Some(mut line) = reader.line() {
            // A separator after the last field begins none: there is nothing behind it.
            if line.len() == fields + 1 && line.last().is_some_and(|f| f.as_ref().is_some_and(Vec::is_empty)) {
                line.pop();
            }
            let number = found.rows.len() + 1;
            let few = line.len() < fields;
            if few || line.len() > fields {
                let error = if few { Error::too_few_fields(number) } else { Error::too_many_fields(number) };
                if strict {
                    return Err(error);
                }
                found.warnings.push(Warning::of(error));
            }
            let given = line.len().min(fields);
            let mut row: Vec<Value> = line.into_iter().take(fields).map(|f| text.value(f)).collect();
            row.resize(fields, Value::Null);
            row.push(Value::Int(i64::try_from(given).unwrap_or(i64::MAX)));
            found.rows.push(row);
        }
        Ok(found)
    }
}

/// What a file's bytes are.
enum Text {
    Utf8,
    Bytes,
    Foreign(&'static Encoding),
}

impl Text {
    fn of(charset: Option<&str>) -> Result<Text, Error> {
        Ok(match charset {
            None | Some("utf8mb4" | "utf8mb3" | "utf8" | "ascii") => Text::Utf8,
            Some("binary") => Text::Bytes,
            Some(name) => match encoding::encoding(name) {
                Some(encoding) => Text::Foreign(encoding),
                None => return Err(Error::unsupported(format!("LOAD DATA ... CHARACTER SET {name}"))),
            },
        })
    }

    /// A field that is no text stays bytes, which fit a BLOB.
    fn value(&self, field: Option<Vec<u8>>) -> Value {
        let Some(bytes) = field else { return Value::Null };
        let text = match self {
            Text::Utf8 => String::from_utf8(bytes).map_err(|e| e.into_bytes()),
            Text::Bytes if bytes.is_ascii() => String::from_utf8(bytes).map_err(|e| e.into_bytes()),
            Text::Bytes => Err(bytes),
            Text::Foreign(encoding) => encoding::decode(encoding, &bytes).ok_or(bytes),
        };
        match text {
            Ok(text) => Value::text(text),
            Err(bytes) => Value::Blob(bytes.into()),
        }
    }
}

/// A field's bytes; `None` is NULL.
type Field = Option<Vec<u8>>;

struct Reader<'f> {
    format: &'f FileFormat,
    rest: &'f [u8],
}

impl Reader<'_> {
    fn take(&mut self, mark: &[u8]) -> bool {
        let found = !mark.is_empty() && self.rest.starts_with(mark);
        if found {
            self.rest = &self.rest[mark.len()..];
        }
        found
    }

    fn skip_line(&mut self) {
        while !self.rest.is_empty() && !self.take(&self.format.line) {
            self.rest = &self.rest[1..];
        }
    }

    /// The fields of the next line that holds a row.
    fn line(&mut self) -> Option<Vec<Field>> {
        while !self.format.starting.is_empty() && !self.take(&self.format.starting) {
            self.rest = self.rest.get(1..)?;
        }
        if self.rest.is_empty() {
            return None;
        }
        let mut fields = Vec::new();
        loop {
            let (field, ends_line) = self.field();
            fields.push(field);
            if ends_line {
                return Some(fields);
            }
        }
    }

    /// The next field, and whether it is the line's last.
    fn field(&mut self) -> (Field, bool) {
        let enclosed = self.format.enclosed.filter(|e| self.rest.first() == Some(e));
        if enclosed.is_some() {
            self.rest = &self.rest[1..];
        }
        let mut bytes = Vec::new();
        let mut null = false;
        loop {
            let ends = |rest: &[u8], mark: &[u8]| !mark.is_empty() && rest.starts_with(mark);
            let Some((byte, rest)) = self.rest.split_first() else {
                return (self.finished(bytes, enclosed, null), true);
            };
            match enclosed {
                Some(quote) if *byte == quote => {
                    if rest.first() == Some(&quote) {
                        bytes.push(quote);
                        self.rest = &rest[1..];
                        continue;
                    }
                    let (field, line) = (ends(rest, &self.format.terminated), ends(rest, &self.format.line));
                    if rest.is_empty() || field || line {
                        self.rest = rest;
                        let last = !self.take(&self.format.terminated);
                        if last {
                            let line = self.format.line.clone();
                            self.take(&line);
                        }
                        return (Some(bytes), last);
                    }
                }
                None => {
                    let (line, field) = (self.format.line.clone(), self.format.terminated.clone());
                    if self.take(&field) {
                        return (self.finished(bytes, enclosed, null), false);
                    }
                    if self.take(&line) {
                        return (self.finished(bytes, enclosed, null), true);
                    }
                }
                Some(_) => {}
            }
            if Some(*byte) == self.format.escaped && !rest.is_empty() {
                null |= rest[0] == b'N' && bytes.is_empty() && enclosed.is_none();
                bytes.push(match rest[0] {
                    b'0' => 0,
                    b'b' => 8,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'Z' => 26,
                    other => other,
                });
                self.rest = &rest[1..];
                continue;
            }
            bytes.push(*byte);
            self.rest = rest;
        }
    }

    fn finished(&self, bytes: Vec<u8>, enclosed: Option<u8>, escaped_n: bool) -> Field {
        let word = self.format.enclosed.is_some() && enclosed.is_none() && bytes == b"NULL";
        if word || (escaped_n && bytes == b"N") { None } else { Some(bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &FileFormat, bytes: &[u8]) -> Vec<String> {
        let found = format.rows(bytes, 2, false).expect("lenient");
        found.rows.iter().map(|row| row.iter().map(Value::to_string).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn lines_and_fields_are_told_apart() {
        let plain = FileFormat::default();
        assert_eq!(read(&plain, b"1\ta\n2\t\\N\n3\tb\\tc\\\\"), ["'1' 'a' 2", "'2' NULL 2", "'3' 'b\tc\\' 2"]);
        assert_eq!(read(&plain, b"1\n2\ta\tb\n"), ["'1' NULL 1", "'2' 'a' 2"]);
        assert_eq!(plain.rows(b"1\n2\ta\tb\n", 2, false).unwrap().warnings.len(), 2);
        assert_eq!(plain.rows(b"1\n", 2, true).map_err(|e| e.code), Err(1261));
        assert_eq!(plain.rows(b"1\t2\t\n", 2, true).unwrap().warnings.len(), 0);
        assert_eq!(plain.rows(b"1\t2\t3\n", 2, true).map_err(|e| e.code), Err(1262));
        assert!(read(&plain, b"").is_empty());
        let csv = FileFormat {
            terminated: b",".to_vec(),
            enclosed: Some(b'"'),
            line: b"\r\n".to_vec(),
            skipped: 1,
            ..FileFormat::default()
        };
        let file = b"id,name\r\n1,\"a \"\"b\"\", c\"\r\n2,NULL\r\n\"3\",\"NULL\"\r\n4,\"x\ny\"";
        assert_eq!(read(&csv, file), ["'1' 'a \"b\", c' 2", "'2' NULL 2", "'3' 'NULL' 2", "'4' 'x\ny' 2"]);
        let prefixed = FileFormat { starting: b"xx".to_vec(), ..FileFormat::default() };
        assert_eq!(read(&prefixed, b"junk xx1\t2\nno\nxx3\t4\n"), ["'1' '2' 2", "'3' '4' 2"]);
    }

    #[test]
    fn bytes_are_of_the_files_character_set() {
        let latin1 = FileFormat { charset: Some("latin1".to_string()), ..FileFormat::default() };
        assert_eq!(read(&latin1, b"\xe9\tx"), ["'é' 'x' 2"]);
        assert_eq!(read(&FileFormat::default(), b"\xe9\tx"), ["x'e9' 'x' 2"]);
        let unknown = FileFormat { charset: Some("dec8".to_string()), ..FileFormat::default() };
        assert_eq!(unknown.rows(b"", 1, false).map_err(|e| e.code), Err(1235));
    }
}
