//! From the path of a request to a place in the store, and nowhere else.

use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The store itself.
    Top,
    /// A folder, and its path in the store.
    Folder(PathBuf, String),
    /// A folder whose path should end with a slash, for its links to lead into it: this path.
    Unslashed(String),
    /// A file.
    File(PathBuf),
    /// Nothing that there is, or nothing that may be seen.
    Nowhere,
}

/// What in a name would mean something else in a path.
const SPECIAL: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'/').add(b'<').add(b'>').add(b'?');

/// A name as a part of a path.
pub(super) fn encoded(name: &str) -> String {
    utf8_percent_encode(name, SPECIAL).to_string()
}

/// The place in the store below `root` that a request's path leads to, links followed.
pub(super) fn resolve(root: &Path, url: &str) -> Place {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let Some(path) = path.strip_prefix('/') else { return Place::Nowhere };
    let mut names = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let Ok(name) = percent_decode_str(part).decode_utf8() else { return Place::Nowhere };
        if matches!(&*name, "." | "..") || name.contains(['/', '\\', '\0']) {
            return Place::Nowhere;
        }
        names.push(name.into_owned());
    }
    if names.is_empty() {
        return Place::Top;
    }
    let wanted = names.iter().fold(root.to_owned(), |path, name| path.join(name));
    // A link in the store may lead to another place in it, not out of it.
    let (Ok(root), Ok(found)) = (root.canonicalize(), wanted.canonicalize()) else { return Place::Nowhere };
    if !found.starts_with(&root) {
        return Place::Nowhere;
    }
    if found.is_file() {
        return Place::File(found);
    }
    if !found.is_dir() {
        return Place::Nowhere;
    }
    if path.ends_with('/') {
        return Place::Folder(found, names.join("/"));
    }
    let names: Vec<_> = names.iter().map(|name| encoded(name)).collect();
    Place::Unslashed(format!("/{}/", names.join("/")))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_path_leads_out_of_the_store() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("store");
        fs::create_dir_all(root.join("echo/a b")).expect("created");
        fs::write(folder.path().join("secret"), "").expect("written");
        fs::write(root.join("echo/a b/report.html"), "").expect("written");
        symlink(root.join("echo/a b"), root.join("latest")).expect("linked");
        symlink(folder.path().join("secret"), root.join("leak")).expect("linked");
        let file = root.join("echo/a b/report.html").canonicalize().expect("there");
        assert_eq!(resolve(&root, "/"), Place::Top);
        assert_eq!(resolve(&root, "//?x=1"), Place::Top);
        for good in ["/echo/a%20b/report.html", "/latest/report.html?at=5", "//latest//report.html"] {
            assert_eq!(resolve(&root, good), Place::File(file.clone()), "{good}");
        }
        assert_eq!(resolve(&root, "/echo/a%20b"), Place::Unslashed("/echo/a%20b/".into()));
        assert!(matches!(resolve(&root, "/latest/"), Place::Folder(_, name) if name == "latest"));
        for bad in [
            "/../secret",
            "/%2e%2e/secret",
            "/echo/../../secret",
            "/echo/%2e%2e%2f%2e%2e%2fsecret",
            "/..%5csecret",
            "/leak",
            "/leak%00",
            "/%ff",
            "/echo/./a%20b/report.html",
            "/nothing",
            "secret",
            "http://elsewhere/",
            "*",
        ] {
            assert_eq!(resolve(&root, bad), Place::Nowhere, "{bad}");
        }
    }
}
