//! The store for a browser: a list of its runs, and their files. It reads, and changes nothing.
//!
//! Whoever can reach the address can read the store, so it is the loopback's unless somebody wants otherwise. No path
//! leads out of the store, whatever it is made of.

mod list;
mod path;

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;

use tiny_http::{Header, Method, Request, Response, ResponseBox, StatusCode};

use path::Place;

/// As many requests are answered at once: a browser that reads slowly does not keep the next one waiting.
const WORKERS: usize = 4;

/// A server that listens.
pub struct Server {
    http: tiny_http::Server,
    address: SocketAddr,
    root: PathBuf,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).field("root", &self.root).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens at `host` and `port`; at any free port, if that is 0.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub fn bind(host: &str, port: u16, root: &Path) -> io::Result<Self> {
        let http = tiny_http::Server::http((host, port)).map_err(|error| {
            io::Error::other(format!("cannot listen at {host}, port {port}: {error}; choose another --port or --host"))
        })?;
        let address = http.server_addr().to_ip().ok_or_else(|| io::Error::other("not an address of the internet"))?;
        Ok(Self { http, address, root: root.to_owned() })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until the process ends.
    pub fn run(&self) {
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| self.http.incoming_requests().for_each(|request| self.answer(request)));
            }
        });
    }

    fn answer(&self, request: Request) {
        let response = if matches!(request.method(), Method::Get | Method::Head) {
            self.look_up(request.url())
        } else {
            plain(405, "Only GET and HEAD are answered here.").with_header(header("Allow", "GET, HEAD"))
        };
        let response = response
            .with_header(header("X-Content-Type-Options", "nosniff"))
            .with_header(header("Cache-Control", "no-cache"));
        // Whoever asked may be gone.
        request.respond(response).ok();
    }

    fn look_up(&self, url: &str) -> ResponseBox {
        let page = |page: io::Result<String>| match page {
            Ok(page) => Response::from_string(page).with_header(header("Content-Type", HTML)).boxed(),
            Err(error) => plain(500, &error.to_string()),
        };
        match path::resolve(&self.root, url) {
            Place::Top => page(list::runs(&self.root)),
            Place::Folder(folder, name) => page(list::files(&folder, &name)),
            Place::Unslashed(whole) => plain(301, "It is a folder.").with_header(header("Location", &whole)),
            Place::File(file) => match File::open(&file) {
                // The length is known: no need for chunks.
                Ok(open) => Response::from_file(open)
                    .with_chunked_threshold(usize::MAX)
                    .with_header(header("Content-Type", content_type(&file)))
                    .boxed(),
                Err(error) => plain(500, &error.to_string()),
            },
            Place::Nowhere => plain(404, "There is no such file in the store."),
        }
    }
}

const HTML: &str = "text/html; charset=utf-8";

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => HTML,
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("edn" | "txt" | "log") => "text/plain; charset=utf-8",
        Some("png") => "image/png",
        Some(_) | None => "application/octet-stream",
    }
}

fn plain(status: u16, text: &str) -> ResponseBox {
    let response = Response::from_string(format!("{text}\n")).with_status_code(StatusCode(status));
    response.with_header(header("Content-Type", "text/plain; charset=utf-8")).boxed()
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("headers are ASCII: names are ours, and paths are percent-encoded")
}
