//! Secrets: `KEY` with a value or a variable, or `KEY_file` with the path of a file.
//!
//! No diagnostic here repeats a secret or the content of a file.

use std::cell::Cell;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use statuswatch_notify::values::Key;

use super::super::diagnostic::visible;
use super::super::document::{Node, Scalar, Value};
use super::super::interpolate::interpolate;
use super::super::reader::{DiagnosticBuilder, Reader, Section};
use super::Env;

/// Larger files hold no secret.
const MAX_SECRET: u64 = 64 << 10;

/// The variable in which systemd passes the directory of the credentials of a service
/// (`LoadCredential=`).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// The name of the key that gives the secret `key` as a file.
pub(in super::super) fn file_key(key: &str) -> String {
    format!("{key}_file")
}

/// Reads the secret `key`. Returns `None` if it is not given or is wrong.
pub(super) fn read(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &Key,
    env: Env<'_>,
) -> Option<String> {
    let file_key = file_key(key.name);
    match (section.get(key.name), section.get(&file_key)) {
        (Some(_), Some(file)) => {
            let message = format!("give \"{}\" or \"{file_key}\", not both", key.name);
            reader.error(file.at, None, DiagnosticBuilder::new(message).help("remove one of them"));
            None
        }
        (Some(node), None) => written(reader, node, key.name),
        (None, Some(node)) => {
            let path = reader.text(section, &file_key)?;
            match read_file(&resolve(Path::new(&path), env)) {
                Ok(secret) => Some(secret),
                Err(why) => {
                    let message = format!("\"{file_key}\": cannot read {}: {why}", visible(&path));
                    reader.error(node.at, None, DiagnosticBuilder::new(message));
                    None
                }
            }
        }
        (None, None) => None,
    }
}

/// Reads a secret that stands in the file, or in a variable.
fn written(reader: &mut Reader<'_>, node: &Node, key: &str) -> Option<String> {
    let file_key = file_key(key);
    let Value::Scalar(scalar) = &node.value else {
        let message = format!("\"{key}\" must be a single value, not {}", node.kind());
        reader.error(node.at, None, DiagnosticBuilder::new(message));
        return None;
    };
    let is_variable = has_variable(scalar);
    let text = if scalar.is_null() { "" } else { scalar.text()? };
    match checked(text) {
        Ok(secret) => {
            if !is_variable {
                let complaint =
                    DiagnosticBuilder::new(format!("\"{key}\" is a secret in the file"));
                let hint = format!(
                    "write {key}: \"${{VAR}}\" for an environment variable, or {file_key}: PATH"
                );
                reader.warn(node.at, None, complaint.help(hint));
            }
            Some(secret.to_owned())
        }
        Err(why) => {
            let hint = if is_variable {
                "set the environment variable to the secret".to_owned()
            } else {
                format!(
                    "write {key}: \"${{VAR}}\" for an environment variable, or {file_key}: PATH"
                )
            };
            let complaint = DiagnosticBuilder::new(format!("\"{key}\": {why}"));
            reader.error(node.at, None, complaint.help(hint));
            None
        }
    }
}

/// Returns whether a variable is filled in.
fn has_variable(scalar: &Scalar) -> bool {
    let found = Cell::new(false);
    let note = |_: &str| {
        found.set(true);
        Some(String::new())
    };
    interpolate(&scalar.written, &note).is_ok() && found.get()
}

/// Returns the file that `path` means: a relative one is a credential if there are any.
fn resolve(path: &Path, env: Env<'_>) -> PathBuf {
    // `join` returns an absolute path as it is.
    match env(CREDENTIALS).filter(|directory| !directory.is_empty()) {
        Some(directory) => Path::new(&directory).join(path),
        None => path.to_owned(),
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let plain = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => visible(&error.to_string()),
    };
    // A pipe or a device could be read for ever.
    if !std::fs::metadata(path).map_err(plain)?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    // One byte more than allowed shows a file that is too large, whatever its metadata say.
    File::open(path).map_err(plain)?.take(MAX_SECRET + 1).read_to_end(&mut bytes).map_err(plain)?;
    if bytes.len() as u64 > MAX_SECRET {
        return Err("it is larger than 64 KiB".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    checked(&text).map(str::to_owned).map_err(str::to_owned)
}

/// Returns the secret without the line break at its end.
fn checked(text: &str) -> Result<&str, &'static str> {
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.trim().is_empty() {
        Err("it is empty")
    } else if secret.chars().any(char::is_control) {
        Err("it has a line break or another control character in it")
    } else {
        Ok(secret)
    }
}
