//! Multipart bodies as devices post them: the boundary is the one of the content type, else the first line; line ends may be bare.

/// Most parts of a body.
pub const PARTS_MAX: usize = 32;
/// Longest head of a part that is looked at.
const HEAD_BYTES_MAX: usize = 2048;

/// One part.
#[derive(Debug)]
pub struct Part<'a> {
    /// Its headers in lower case, cut to a sensible length.
    pub head: String,
    /// What it holds.
    pub content: &'a [u8],
}

impl Part<'_> {
    /// Its content type without parameters; empty where it names none.
    pub fn content_type(&self) -> &str {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix("content-type:"))
            .and_then(|kind| kind.split(';').next())
            .map_or("", str::trim)
    }

    /// Whether it is a picture, by its type or its first bytes.
    pub fn is_picture(&self) -> bool {
        self.content.starts_with(&[0xff, 0xd8]) || self.content_type().starts_with("image/")
    }
}

/// The parts of a body, in their order; none where it has no boundary.
pub fn parts<'a>(bytes: &'a [u8], content_type: Option<&str>) -> Option<Vec<Part<'a>>> {
    let named = content_type.and_then(|kind| {
        let (_, rest) = kind.split_once("boundary=")?;
        let name = rest.split(';').next()?.trim().trim_matches('"');
        (!name.is_empty() && name.len() <= 200).then(|| format!("--{name}").into_bytes())
    });
    let first = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .map(|line| line.trim_ascii_end().to_vec())
        .filter(|line| line.starts_with(b"--") && line.len() > 2 && line.len() <= 202);
    let boundary = named
        .filter(|name| position(bytes, name).is_some())
        .or(first)?;
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(start) = position(rest, &boundary) {
        let after = rest.get(start + boundary.len()..).unwrap_or_default();
        if after.starts_with(b"--") || parts.len() == PARTS_MAX {
            break;
        }
        let end = position(after, &boundary).unwrap_or(after.len());
        parts.push(part(after.get(..end).unwrap_or_default()));
        rest = after.get(end..).unwrap_or_default();
    }
    Some(parts)
}

fn part(bytes: &[u8]) -> Part<'_> {
    let (head, content) = [&b"\r\n\r\n"[..], b"\n\n"]
        .iter()
        .filter_map(|gap| position(bytes, gap).map(|at| (at, gap.len())))
        .min()
        .map_or((&b""[..], bytes), |(at, gap)| {
            (
                bytes.get(..at).unwrap_or_default(),
                bytes.get(at + gap..).unwrap_or_default(),
            )
        });
    let head = head
        .get(..head.len().min(HEAD_BYTES_MAX))
        .unwrap_or_default();
    Part {
        head: String::from_utf8_lossy(head).to_ascii_lowercase(),
        content,
    }
}

/// Where a mark stands first.
pub fn position(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    let first = *mark.first()?;
    let mut from = 0;
    while let Some(step) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        let at = from + step;
        if bytes.get(at..)?.starts_with(mark) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_at_its_boundary() {
        let bytes = b"--x\r\nContent-Type: Text/Plain; charset=x\r\n\r\nab\r\n--x\nContent-Type: image/jpeg\n\ncd\n--x--\n";
        let parts = parts(bytes, Some("multipart/form-data; boundary=\"x\"")).expect("parts");
        let told: Vec<_> = parts
            .iter()
            .map(|part| (part.content_type(), part.is_picture(), part.content))
            .collect();
        assert_eq!(
            told,
            [
                ("text/plain", false, &b"ab\r\n"[..]),
                ("image/jpeg", true, b"cd\n")
            ]
        );
        for none in [&b""[..], b"--", b"ab\r\n--x"] {
            assert!(super::parts(none, None).is_none());
        }
    }
}
