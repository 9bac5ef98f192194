//! What others wrote, made fit for a message.

/// How many characters of the service's messages are kept.
pub(crate) const MESSAGE: usize = 1_000;
/// The same of its codes and ids.
pub(crate) const WORD: usize = 100;
/// The same of a body that could not be read.
pub(super) const EXCERPT: usize = 200;

/// The beginning of a body as one line, short enough for a log.
pub(crate) fn excerpt(body: &[u8]) -> String {
    let begin = &body[..body.len().min(4 * EXCERPT)];
    tidy(&String::from_utf8_lossy(begin), EXCERPT)
}

/// An excerpt in quotes with these words before it; nothing where it is empty.
pub(crate) fn quoted(before: &str, excerpt: &str) -> String {
    match excerpt {
        "" => String::new(),
        _ => format!("{before}{excerpt:?}"),
    }
}

/// What somebody else wrote, as one line without control characters, cut to so many characters:
/// fit for a log and for a terminal.
pub(crate) fn tidy(text: &str, limit: usize) -> String {
    let mut characters = text
        .split_whitespace()
        .flat_map(|word| [" ", word])
        .flat_map(str::chars)
        .filter(|c| !c.is_control())
        .skip(1);
    let mut line: String = characters.by_ref().take(limit).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}
