//! Configuration files of other programs: one entry changes, everything else stays as it was.

use std::{
    cmp::Reverse,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf, absolute},
};

use jsonc_parser::{
    ParseOptions,
    cst::{CstInputValue, CstNode, CstObject, CstRootNode},
};
use serde_json::Value;
use similar::{Algorithm, DiffTag, TextDiff, capture_diff_slices};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, TomlError};

use crate::error::{Error, Kind};

/// The syntax of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// JSON; comments and trailing commas are allowed.
    Json,
    Toml,
}

impl Format {
    /// The whole document.
    pub fn read(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Json => Ok(json(text)?.0.to_serde_value().unwrap_or_default()),
            Self::Toml => toml_edit::de::from_document(toml_document(text)?)
                .map_err(|error| error.message().to_owned()),
        }
    }

    /// The text with this entry in an object of the document; without it if there is no entry.
    pub fn with(
        self,
        text: &str,
        section: &str,
        name: &str,
        entry: Option<&CstInputValue>,
    ) -> Result<String, String> {
        match self {
            Self::Json => with_json(text, section, name, entry),
            Self::Toml => with_toml(text, section, name, entry),
        }
    }
}

fn json(text: &str) -> Result<(CstRootNode, CstObject), String> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let root = CstRootNode::parse(text, &options).map_err(|error| error.to_string())?;
    let top = root.object_value_or_create().ok_or("the document is not an object")?;
    Ok((root, top))
}

fn not_an_object(name: &str) -> String {
    format!("{name:?} is not an object")
}

fn with_json(
    text: &str,
    section: &str,
    name: &str,
    entry: Option<&CstInputValue>,
) -> Result<String, String> {
    let (root, top) = json(text)?;
    let Some(entry) = entry else {
        if let Some(object) = top.object_value(section)
            && let Some(property) = object.get(name)
        {
            property.remove();
            if is_blank(&object.children()) {
                top.get(section).into_iter().for_each(|section| section.remove());
            }
        }
        return Ok(root.to_string());
    };
    let object = top.object_value_or_create(section).ok_or_else(|| not_an_object(section))?;
    let before = object.to_string();
    set_json(&object, name, entry);
    match before == "{}" || before.contains('\n') {
        true => Ok(root.to_string()),
        // The servers that share a line stay on it.
        false => {
            let after = object.to_string();
            Ok(root.to_string().replacen(&after, &on_one_line(&after), 1))
        }
    }
}

/// Sets a value; of an object that is there, only these fields.
fn set_json(object: &CstObject, name: &str, value: &CstInputValue) {
    let Some(property) = object.get(name) else {
        object.append(name, value.clone());
        return;
    };
    match (property.object_value(), value) {
        (Some(object), CstInputValue::Object(fields)) => {
            fields.iter().for_each(|(name, value)| set_json(&object, name, value));
        }
        _ => property.set_value(value.clone()),
    }
}

/// No string of JSON has a line break.
fn on_one_line(text: &str) -> String {
    text.lines().map(str::trim).collect()
}

/// The text with this object in a list of the document, by its `id`; without it if there is no object.
pub fn with_listed(
    text: &str,
    list: &str,
    id: &str,
    object: Option<CstInputValue>,
) -> Result<String, String> {
    let (root, top) = json(text)?;
    let has_id = |node: &CstNode| node.to_serde_value().is_some_and(|value| value["id"] == id);
    let found = top.array_value(list).and_then(|array| array.elements().into_iter().find(has_id));
    match (found, object) {
        (None, Some(object)) => {
            let array = top.array_value_or_create(list);
            array.ok_or_else(|| format!("{list:?} is not a list"))?.append(object);
        }
        (Some(found), None) => {
            found.remove();
            if top.array_value(list).is_some_and(|array| is_blank(&array.children())) {
                top.get(list).into_iter().for_each(|list| list.remove());
            }
        }
        _ => {}
    }
    Ok(root.to_string())
}

/// Whether nothing is left in an object or a list, not even a comment.
fn is_blank(children: &[CstNode]) -> bool {
    children.iter().all(|child| child.is_token() || (child.is_trivia() && !child.is_comment()))
}

fn with_toml(
    text: &str,
    section: &str,
    name: &str,
    entry: Option<&CstInputValue>,
) -> Result<String, String> {
    let mut document = toml_document(text)?;
    let Some(entry) = entry else {
        if let Some(tables) = document.get_mut(section).and_then(Item::as_table_like_mut)
            && tables.remove(name).is_some()
            && tables.is_empty()
        {
            document.remove(section);
        }
        return Ok(document.to_string());
    };
    let mut implicit = Table::new();
    implicit.set_implicit(true);
    let tables = document.entry(section).or_insert(Item::Table(implicit));
    let tables = tables.as_table_like_mut().ok_or_else(|| not_an_object(section))?;
    match tables.get_mut(name).and_then(Item::as_table_like_mut) {
        Some(table) => set_toml(table, entry),
        None => drop(tables.insert(name, Item::Table(inline(entry).into_table()))),
    }
    Ok(document.to_string())
}

/// Sets these fields of a table, and keeps the others.
fn set_toml(table: &mut dyn TableLike, fields: &CstInputValue) {
    let CstInputValue::Object(fields) = fields else { return };
    for (name, value) in fields {
        let mut new = toml(value);
        match (table.get_mut(name), value) {
            (Some(item), CstInputValue::Object(_)) if item.is_table_like() => {
                item.as_table_like_mut().into_iter().for_each(|table| set_toml(table, value));
            }
            (Some(Item::Value(old)), _) => {
                *new.decor_mut() = old.decor().clone();
                *old = new;
            }
            _ => drop(table.insert(name, Item::Value(new))),
        }
    }
}

/// An error says the line, but does not show it: it may hold a secret.
fn toml_document(text: &str) -> Result<DocumentMut, String> {
    text.parse().map_err(|error: TomlError| {
        let before = text.get(..error.span().unwrap_or_default().start).unwrap_or_default();
        format!("{} on line {}", error.message(), before.matches('\n').count() + 1)
    })
}

fn inline(object: &CstInputValue) -> InlineTable {
    let CstInputValue::Object(fields) = object else {
        return InlineTable::new();
    };
    fields.iter().map(|(name, value)| (name.as_str(), toml(value))).collect()
}

fn toml(value: &CstInputValue) -> toml_edit::Value {
    match value {
        CstInputValue::String(text) => text.into(),
        CstInputValue::Array(items) => items.iter().map(toml).collect::<Array>().into(),
        object => inline(object).into(),
    }
}

/// A file as it was read.
pub struct ConfigFile {
    /// Behind symbolic links.
    path: PathBuf,
    /// `None` if there is no file yet.
    bytes: Option<Vec<u8>>,
    has_mark: bool,
    /// Without the byte order mark.
    pub text: String,
}

impl ConfigFile {
    /// Reads a file. It may be missing.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let fail = |error| failure("read", path, &error);
        let path = match fs::symlink_metadata(path) {
            Ok(file) if file.is_symlink() => fs::canonicalize(path),
            _ => absolute(path),
        };
        let path = path.map_err(fail)?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(fail(error)),
        };
        let text = String::from_utf8(bytes.clone().unwrap_or_default());
        let text = text.map_err(|_| fail(io::Error::other("it is not UTF-8 text")))?;
        let mark = text.strip_prefix('\u{feff}');
        let has_mark = mark.is_some();
        let text = mark.map(str::to_owned).unwrap_or(text);
        Ok(Self { path, bytes, has_mark, text })
    }

    pub fn exists(&self) -> bool {
        self.bytes.is_some()
    }

    pub fn has_folder(&self) -> bool {
        self.path.parent().is_some_and(Path::is_dir)
    }

    /// Keeps other runs of this program from the folder of a file until it is dropped. Systems that
    /// cannot lock a folder give no lock.
    pub fn lock(path: &Path) -> Option<File> {
        let path = fs::canonicalize(path).or_else(|_| absolute(path)).ok()?;
        let folder = File::open(path.parent()?).ok()?;
        folder.lock().ok().map(|()| folder)
    }

    /// Replaces the text of the file as a whole, and keeps its permissions. The path of the backup, if
    /// there was a file.
    pub fn replace(&self, text: &str) -> Result<Option<PathBuf>, Error> {
        self.try_replace(text).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "Make the file and its folder writable, or make the change of --print by hand."
                }
                _ => "Nothing is changed. Run the command again.",
            };
            failure("write", &self.path, &error).next_step(hint)
        })
    }

    fn try_replace(&self, text: &str) -> io::Result<Option<PathBuf>> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        let mark = if self.has_mark { "\u{feff}" } else { "" };
        write!(file, "{mark}{text}")?;
        let Some(bytes) = &self.bytes else {
            file.as_file().sync_all()?;
            file.persist_noclobber(&self.path)?;
            return Ok(None);
        };
        let metadata = fs::metadata(&self.path)?;
        if metadata.permissions().readonly() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
        }
        if &fs::read(&self.path)? != bytes {
            return Err(io::Error::other("another program has changed it meanwhile"));
        }
        file.as_file().set_permissions(metadata.permissions())?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, fchown};
            fchown(file.as_file(), Some(metadata.uid()), Some(metadata.gid()))?;
        }
        file.as_file().sync_all()?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let backups = (1..).map(|number| folder.join(format!("{name}.{number}.bak")));
        let backup = backups.into_iter().find(|path| fs::symlink_metadata(path).is_err());
        let backup = backup.expect("numbers do not end");
        fs::copy(&self.path, &backup)?;
        file.persist(&self.path)?;
        Ok(Some(backup))
    }
}

fn failure(verb: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::File, format!("cannot {verb} {}: {error}", path.display()))
}

/// The edited text with the lines of the original one, byte by byte, wherever they are the same.
pub fn keep_lines(original: &str, edited: &str) -> String {
    if original.len() > 2 && original.lines().count() == 1 && original.starts_with('{') {
        let end = &original[original.trim_end_matches(['\r', '\n']).len()..];
        return on_one_line(edited) + end;
    }
    let newline = if original.contains("\r\n") { "\r\n" } else { "\n" };
    let kept: Vec<&str> = original.split_inclusive('\n').collect();
    let old: Vec<&str> = kept.iter().map(|line| line.trim_end_matches(['\r', '\n'])).collect();
    let new: Vec<&str> = edited.lines().collect();
    let mut text = String::with_capacity(edited.len());
    for change in capture_diff_slices(Algorithm::Myers, &old, &new) {
        if change.tag() == DiffTag::Equal {
            text.extend(kept[change.old_range()].iter().copied());
            continue;
        }
        // The editors tidy blank lines, and take comments before a table for a part of it.
        let gone = &old[change.old_range()];
        let lead = gone.iter().take_while(|line| line.is_empty() || line.starts_with('#')).count();
        let keep = match lead == gone.len() || !change.new_range().is_empty() {
            true => lead,
            false => {
                gone[..lead].iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1)
            }
        };
        text.extend(kept[change.old_range()][..keep].iter().copied());
        for line in &new[change.new_range()] {
            if !text.is_empty() && !text.ends_with('\n') {
                text += newline;
            }
            text.extend([line, newline]);
        }
    }
    match original.ends_with('\n') || original.is_empty() {
        true => text,
        false => text.strip_suffix(newline).map(str::to_owned).unwrap_or(text),
    }
}

/// The change for people, without the secrets that the documents hold.
pub fn diff(path: &Path, old: &str, new: &str, secrets: &[String]) -> String {
    let (old, new) = (old.replace('\r', ""), new.replace('\r', ""));
    let name = path.display().to_string();
    let changes = TextDiff::from_lines(&old, &new);
    let text = changes.unified_diff().context_radius(1).header(&name, &name).to_string();
    let mut secrets: Vec<_> = secrets.iter().collect();
    secrets.sort_by_key(|secret| Reverse(secret.len()));
    secrets.into_iter().fold(text, |text, secret| {
        let text = text.replace(&Value::from(secret.as_str()).to_string(), "\"[hidden]\"");
        let text = text.replace(&format!("'{secret}'"), "'[hidden]'");
        // Without quotes, short words stand in any text.
        if secret.len() < 8 { text } else { text.replace(secret, "[hidden]") }
    })
}

/// Whether what has this name is secret, or may contain a secret.
fn is_secret(name: &str) -> bool {
    let words = ["token", "secret", "key", "password", "auth", "header", "cookie", "credential"];
    let name = name.to_ascii_lowercase();
    name == "env" || words.iter().any(|word| name.contains(word))
}

/// `$NAME` or `${NAME}`. A reference is no secret, but its default may be.
fn is_reference(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_{}:-".contains(c);
    let name = text.strip_prefix('$').filter(|name| name.chars().all(is_plain));
    name.is_some_and(|name| {
        name.starts_with(|c: char| c == '{' || c.is_ascii_uppercase())
            && (name.ends_with(":-}") || !name.contains(":-"))
    })
}

/// The values in a document that may be secret: of environments, headers, options and URLs.
pub fn secrets(document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![(document, false)];
    while let Some((value, is_hidden)) = waiting.pop() {
        match value {
            Value::Object(fields) => waiting.extend(fields.iter().map(|(name, value)| {
                let is_limit = name.starts_with("LUMA_MAX_");
                (value, !is_limit && (is_hidden || is_secret(name)))
            })),
            Value::Array(items) => {
                let is_option = |item: &Value| {
                    let word = item.as_str().unwrap_or_default();
                    word.starts_with('-') && !word.contains('=') && is_secret(word)
                };
                let before = [false].into_iter().chain(items.iter().map(is_option));
                waiting.extend(items.iter().zip(before.map(|option| option || is_hidden)));
            }
            Value::String(text) if !text.is_empty() && !is_reference(text) => {
                let name = text.split_once(['=', ':']).map_or("", |(name, _)| name);
                let is_url = text.contains("://") && text.contains(['@', '?']);
                if is_hidden || is_url || is_secret(name) {
                    found.push(text.clone());
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diff_hides_what_may_be_secret() {
        for (server, is_hidden) in [
            (r#"{"args":["--token","S3","mcp"]}"#, true),
            (r#"{"args":["--token=S3","mcp"]}"#, true),
            (r#"{"args":["--header","Authorization: S3"]}"#, true),
            (r#"{"args":["-e","GITHUB_TOKEN=S3"]}"#, true),
            (r#"{"args":["-H","X-Api-Key: S3"]}"#, true),
            (r#"{"args":["https://me:S3@mcp.example/"]}"#, true),
            (r#"{"url":"https://mcp.example/?k=S3"}"#, true),
            (r#"{"env":{"A":"S3"}}"#, true),
            (r#"{"env":{"A":"\"S3\\"}}"#, true),
            (r#"{"env":{"A":"${B:-S3}"}}"#, true),
            (r#"{"headers":{"A":"Bearer S3"}}"#, true),
            (r#"{"apiKey":"S3"}"#, true),
            (r#"{"env":{"A":"${env:S3}"}}"#, false),
            (r#"{"env":{"A":"${S3:-}"}}"#, false),
            (r#"{"env":{"LUMA_MAX_VIDEOS_PER_DAY":"S3"}}"#, false),
            (r#"{"args":["mcp","--max-videos","S3"]}"#, false),
        ] {
            let document = Format::Json.read(server).expect("a document");
            let text = diff(Path::new("f"), server, "{}", &secrets(&document));
            assert_eq!(!text.contains("S3"), is_hidden, "{text}");
        }
        let toml = "a = { token = 'S3' }\n";
        let secrets = secrets(&Format::Toml.read(toml).expect("a document"));
        assert!(!diff(Path::new("f"), toml, "", &secrets).contains("S3"));
    }
}
