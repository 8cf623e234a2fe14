//! The host in Python that the documents show: its own tests, with threads, forked processes and outages.

use std::path::Path;

use ticket_tests::RedisServer;
use ticket_tests::python::python;

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hosts/python/test_engine.py");
const ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/engine.wasm");

#[test]
fn the_host_in_python_passes_its_own_tests() {
    // Not the shared server, because these tests pause it.
    let server = RedisServer::start(&[]);
    let ended = python(Path::new(TESTS)).args([ENGINE, &server.url()]).output().unwrap();
    let report = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{}\n{report}", ended.status);
    assert!(report.contains("Ran 18 tests") && report.trim_end().ends_with("\nOK"), "{report}");
}
