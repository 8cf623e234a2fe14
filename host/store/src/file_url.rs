//! The file of a `sqlite:` URL. What is often meant by it in another form is refused, because a file in an unexpected
//! folder looks like tickets that are lost.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::text::{excerpt, printable};

const NOT_A_FILE: &str = "this is not a file";
const INSTEAD_OF_MEMORY: &str = "memory:, or sqlite:PATH for a file";

/// The path of a URL `sqlite:PATH` without options. `sqlite:///PATH` is an absolute path too.
///
/// ```
/// # fn main() -> Result<(), ticket_store::Error> {
/// assert_eq!(ticket_store::sqlite_path("sqlite:t.db")?.to_str(), Some("t.db"));
/// assert_eq!(ticket_store::sqlite_path("sqlite:///data/t.db")?.to_str(), Some("/data/t.db"));
/// assert!(ticket_store::sqlite_path("sqlite://t.db").is_err());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Invalid`, with the URL to use, if it is not such a URL or its path is not taken literally elsewhere.
pub fn sqlite_path(url: &str) -> Result<PathBuf, Error> {
    match split(url)? {
        (path, "") => Ok(path),
        (path, options) => Err(Error::invalid(format!(
            "invalid options {} after the path {}: use sqlite:PATH without options",
            excerpt(options),
            excerpt(&path.to_string_lossy())
        ))),
    }
}

/// The path of a URL, and the options after its `?`.
pub(crate) fn split(url: &str) -> Result<(PathBuf, &str), Error> {
    let Some(rest) = url.strip_prefix("sqlite:") else {
        return Err(Error::invalid("invalid URL of a file: use sqlite:PATH"));
    };
    let (written, options) = rest.split_once('?').unwrap_or((rest, ""));
    let refuse = |why: &str, instead: &str| {
        Err(Error::invalid(format!("invalid path {} in the URL of a file: {why}: use {instead}", excerpt(written))))
    };
    let path = match written.strip_prefix("//") {
        Some(rooted) if rooted.starts_with('/') => format!("/{}", rooted.trim_start_matches('/')),
        Some(named) => {
            let (host, below) = named.split_once('/').unwrap_or((named, ""));
            let why = "a host stands between `//` and the next `/`, and a file has none";
            return match (host, below) {
                // What was taken for the URL of a server may have a password in it.
                (host, _) if host.contains('@') => {
                    Err(Error::invalid(format!("invalid URL of a file: {why}: use sqlite:PATH")))
                }
                ("localhost", below) => refuse(why, &format!("sqlite:///{}", shown(below))),
                (":memory:", _) => refuse(NOT_A_FILE, INSTEAD_OF_MEMORY),
                ("" | "~", _) => refuse(why, "sqlite:PATH, or sqlite:///PATH for an absolute path"),
                (_, _) => {
                    let named = shown(named);
                    refuse(
                        why,
                        &format!("sqlite:{named} for a path from this folder, or sqlite:///{named} from the root"),
                    )
                }
            };
        }
        None => written.to_owned(),
    };
    match path.as_str() {
        "" => return refuse("it is empty", "sqlite:PATH"),
        // SQLite's name of a temporary database.
        ":memory:" | "/:memory:" => return refuse(NOT_A_FILE, INSTEAD_OF_MEMORY),
        _ => {}
    }
    if let Some(inner) = path.strip_prefix("file:") {
        return refuse("it is a URL again", &format!("sqlite:{}", shown(inner)));
    }
    if path.trim_start_matches('/').starts_with('~') {
        return refuse("`~` is not expanded here", "$HOME, or ./~ for a file of that name");
    }
    if is_encoded(Path::new(&path)) {
        return refuse("it does not exist, and percent-encoding is not decoded", "the characters themselves");
    }
    Ok((PathBuf::from(path), options))
}

/// A part of a URL as a message may show it.
fn shown(part: &str) -> String {
    printable(part, 64)
}

/// Whether a name in the path that does not exist has a percent sign and two hexadecimal digits. Folders may have such
/// names: some build servers call them so.
fn is_encoded(path: &Path) -> bool {
    path.ancestors().any(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_hex = |digit: Option<u8>| digit.is_some_and(|digit| digit.is_ascii_hexdigit());
        let mut escapes = name.match_indices('%').map(|(at, _)| name.as_bytes().iter().copied().skip(at + 1));
        escapes.any(|mut digits| is_hex(digits.next()) && is_hex(digits.next())) && !path.exists()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_literally() {
        for (url, path) in [
            ("sqlite:t.db", "t.db"),
            ("sqlite:./t.db", "./t.db"),
            ("sqlite:../a b/t.db", "../a b/t.db"),
            ("sqlite:/a/t.db", "/a/t.db"),
            ("sqlite:///a/t.db", "/a/t.db"),
            ("sqlite:////a/t.db", "/a/t.db"),
            ("sqlite:./~/t.db", "./~/t.db"),
            ("sqlite:a~", "a~"),
            ("sqlite:100%", "100%"),
            ("sqlite:50%-x.db", "50%-x.db"),
            ("sqlite:a#b", "a#b"),
        ] {
            assert_eq!(sqlite_path(url).expect(url), PathBuf::from(path), "{url}");
        }
    }

    #[test]
    fn what_is_often_meant_otherwise_names_the_url_to_use() {
        for (url, instead) in [
            ("sqlite://t.db", "sqlite:t.db"),
            ("sqlite://t.db", "sqlite:///t.db"),
            ("sqlite://./t.db", "sqlite:./t.db"),
            ("sqlite://a/t.db", "sqlite:a/t.db"),
            ("sqlite://localhost/a/t.db", "sqlite:///a/t.db"),
            ("sqlite://", "sqlite:PATH"),
            ("sqlite:", "sqlite:PATH"),
            ("sqlite:?max_page_count=9", "sqlite:PATH"),
            ("sqlite::memory:", "memory:"),
            ("sqlite://:memory:", "memory:"),
            ("sqlite:///:memory:", "memory:"),
            ("sqlite:file:t.db", "sqlite:t.db"),
            ("sqlite:file:///a/t.db", "sqlite:///a/t.db"),
            ("sqlite:~/t.db", "$HOME"),
            ("sqlite:~mia/t.db", "$HOME"),
            ("sqlite:///~/t.db", "$HOME"),
            ("sqlite://~/t.db", "sqlite:PATH"),
            ("sqlite:none%20such/t.db", "the characters themselves"),
            ("sqlite:///none%2fsuch", "the characters themselves"),
            ("sqlite:t.db?mode=ro", "without options"),
            ("file:t.db", "sqlite:PATH"),
            ("t.db", "sqlite:PATH"),
        ] {
            let error = sqlite_path(url).expect_err(url).to_string();
            assert!(error.contains(&format!(" {instead}")), "{url}: {error}");
        }
    }

    #[test]
    fn a_folder_may_have_a_percent_sign() {
        let folder = tempfile::tempdir().expect("folder");
        let below = folder.path().join("a%2Fb");
        std::fs::create_dir(&below).expect("folder");
        let path = below.join("t.db");
        assert_eq!(sqlite_path(&format!("sqlite:{}", path.display())).expect("path"), path);
        let path = below.join("t%20x.db");
        assert!(sqlite_path(&format!("sqlite:{}", path.display())).is_err());
        std::fs::write(&path, "").expect("file");
        assert_eq!(sqlite_path(&format!("sqlite:{}", path.display())).expect("path"), path);
    }

    #[test]
    fn what_looks_like_a_password_is_not_shown() {
        let error = sqlite_path("sqlite://mia:s3cret@host/t.db").expect_err("refused").to_string();
        assert!(!error.contains("s3cret") && error.contains("sqlite:PATH"), "{error}");
    }
}
