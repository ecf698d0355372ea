//! `gloomers serve` over a socket.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Ran, Serving};

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The answer to a request as it stands.
fn answer(serving: &Serving, request: &str) -> String {
    let mut stream = TcpStream::connect(&serving.address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers, and closes");
    String::from_utf8_lossy(&answer).into_owned()
}

fn ask(serving: &Serving, method: &str, path: &str) -> String {
    answer(serving, &format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn runs_are_listed_and_their_files_served_with_their_types() {
    let ran = Ran::of("-w echo --node-count 1 --time-limit 2 --rate 20");
    let serving = Serving::of(ran.folder.path());
    let name = ran.latest().file_name().expect("a name").to_string_lossy().into_owned();
    let list = ask(&serving, "GET", "/");
    assert!(list.contains(&format!("echo/{name}/report.html")) && list.contains("text/html"), "{list}");
    for (file, kind) in [
        ("report.html", "text/html; charset=utf-8"),
        ("results.json", "application/json"),
        ("history.edn", "text/plain; charset=utf-8"),
        ("latency-raw.svg", "image/svg+xml"),
    ] {
        let path = format!("/echo/{name}/{file}");
        let (got, head) = (ask(&serving, "GET", &path), ask(&serving, "HEAD", &path));
        assert_eq!((status(&got), status(&head)), ("200", "200"), "{file}");
        assert!(got.contains(&format!("Content-Type: {kind}\r\n")), "{got}");
        assert!(got.contains("X-Content-Type-Options: nosniff"), "{got}");
        let stored = std::fs::read_to_string(ran.latest().join(file)).expect("a file");
        let (_, body) = got.split_once("\r\n\r\n").expect("a body");
        assert!(body.contains(&stored), "{file} is served as it is");
        let (_, rest) = head.split_once("\r\n\r\n").expect("headers");
        assert_eq!(rest, "", "a HEAD has no body");
    }
    assert_eq!(status(&ask(&serving, "GET", "/latest/report.html")), "200");
    assert!(ask(&serving, "GET", "/latest/").contains("node-logs/"));
    let moved = ask(&serving, "GET", &format!("/echo/{name}"));
    assert!(status(&moved) == "301" && moved.contains(&format!("Location: /echo/{name}/\r\n")), "{moved}");
}

#[test]
fn what_is_not_in_the_store_is_not_found_and_what_is_no_request_is_refused() {
    let ran = Ran::of("-w echo --node-count 1 --time-limit 1 --rate 20");
    std::fs::write(ran.folder.path().join("secret"), "s3cret").expect("written");
    let serving = Serving::of(ran.folder.path());
    for path in ["/nothing", "/../secret", "/%2e%2e/secret", "/echo/..%2f..%2fsecret", "/%00", "/%ff", "//etc/passwd"] {
        let answer = ask(&serving, "GET", path);
        assert!(status(&answer) == "404" && !answer.contains("s3cret"), "{path}: {answer}");
    }
    let refused = ask(&serving, "DELETE", "/latest/report.html");
    assert!(status(&refused) == "405" && refused.contains("Allow: GET, HEAD\r\n"), "{refused}");
    assert!(ran.latest().join("report.html").exists());
    assert_eq!(status(&answer(&serving, "nonsense\r\n\r\n")), "400");
    assert_eq!(status(&ask(&serving, "GET", "/")), "200", "it goes on");
}

#[test]
fn ctrl_c_ends_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut serving = Serving::of(folder.path());
    assert!(ask(&serving, "GET", "/").contains("No runs yet"), "also without a store");
    kill_process(Pid::from_child(&serving.process), Signal::INT).expect("it runs");
    assert!(!serving.process.wait().expect("it ends").success());
    assert!(TcpStream::connect(&serving.address).is_err());
}
