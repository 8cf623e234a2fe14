//! `rediss://` on servers with certificates of many makings: each is trusted exactly, or refused in words.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use ticket_tests::RedisServer;
use ticket_tests::ports::free_port;
use ticket_tests::program::{Run, User};

/// Key and certificate, as files.
struct Pair {
    key: PathBuf,
    certificate: PathBuf,
}

/// A folder of keys and certificates.
struct Workshop {
    folder: TempDir,
}

impl Workshop {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &[&str]) {
        let run = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output();
        let run = run.unwrap_or_else(|error| panic!("openssl is missing: apt-get install openssl: {error}"));
        assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    }

    fn pair(&self, name: &str) -> Pair {
        Pair { key: self.file(&format!("{name}.key")), certificate: self.file(&format!("{name}.pem")) }
    }

    /// A certificate that its own key signs, which is one of an authority too unless an extension says otherwise.
    fn self_signed(&self, name: &str, extensions: &[&str]) -> Pair {
        let (key, out) = (format!("{name}.key"), format!("{name}.pem"));
        let subject = format!("/CN={name}");
        let mut arguments =
            vec!["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", &key, "-out", &out];
        arguments.extend(["-subj", &subject]);
        arguments.extend(extensions.iter().flat_map(|extension| ["-addext", extension]));
        self.openssl(&arguments);
        self.pair(name)
    }

    fn request(&self, name: &str) {
        let (key, out) = (format!("{name}.key"), format!("{name}.csr"));
        self.openssl(&[
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &out,
            "-subj",
            "/CN=localhost",
        ]);
    }

    /// A certificate that another one issues, as gen-test-certs.sh of Redis does; version 1 without extensions.
    fn issued(&self, name: &str, issuer: &str, extensions: &str) -> Pair {
        self.request(name);
        let (request, out) = (format!("{name}.csr"), format!("{name}.pem"));
        let (issuer_key, issuer) = (format!("{issuer}.key"), format!("{issuer}.pem"));
        let mut arguments = vec!["x509", "-req", "-in", &request, "-CA", &issuer, "-CAkey", &issuer_key, "-days", "30"];
        arguments.extend(["-CAcreateserial", "-out", &out]);
        if !extensions.is_empty() {
            fs::write(self.file("extensions"), extensions).unwrap();
            arguments.extend(["-extfile", "extensions"]);
        }
        self.openssl(&arguments);
        self.pair(name)
    }

    /// A certificate that its own key signed for a day that is over, or not there yet.
    fn of_day(&self, name: &str, begin: &str, end: &str, is_authority: bool) -> Pair {
        let config = format!(
            "[ca]\ndefault_ca = d\n[d]\ndatabase = {name}.index\nserial = {name}.serial\nnew_certs_dir = .\ndefault_md = sha256\npolicy = p\n\
             x509_extensions = e\n[p]\ncommonName = supplied\n[e]\nsubjectAltName = DNS:localhost\n\
             basicConstraints = CA:{is_authority}\n"
        );
        fs::write(self.file("ca.conf"), config).unwrap();
        fs::write(self.file(&format!("{name}.index")), "").unwrap();
        self.request(name);
        let (key, request, out) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let times = ["-startdate", begin, "-enddate", end];
        let files = ["-config", "ca.conf", "-keyfile", &key, "-in", &request, "-out", &out];
        self.openssl(
            &[&["ca", "-selfsign", "-batch", "-create_serial", "-notext"] as &[&str], &times, &files].concat(),
        );
        self.pair(name)
    }
}

/// A server with a certificate, and the port on which it speaks TLS.
fn server(pair: &Pair) -> (RedisServer, u16) {
    let (port, path) = (free_port(), |path: &Path| path.to_str().unwrap().to_owned());
    let (key, certificate) = (path(&pair.key), path(&pair.certificate));
    let server = RedisServer::start(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &certificate,
        "--tls-auth-clients",
        "no",
    ]);
    (server, port)
}

/// Runs `ticket new` on a host and port, with what SSL_CERT_FILE names.
fn run_on(host: &str, port: u16, trusted: &Path, fallback: &str) -> Run {
    let user = User::of(&format!("rediss://{host}:{port}"));
    let mut command = user.command(&["new", "--fallback", fallback]);
    command.env("SSL_CERT_FILE", trusted).output().expect("the program runs").into()
}

fn assert_trusted(pair: &Pair, trusted: &Path) {
    let (_server, port) = server(pair);
    let run = run_on("localhost", port, trusted, "none");
    assert_eq!(run.code, Some(0), "{run:?}");
}

/// The certificate is refused with these words and this remedy; a fallback serves until it is corrected.
fn assert_refused(pair: &Pair, host: &str, trusted: &Path, words: &str, remedy: &str) {
    let (_server, port) = server(pair);
    let run = run_on(host, port, trusted, "none");
    assert_eq!(run.code, Some(77), "{words}: {run:?}");
    let error = format!("redis at {host}:{port} has a certificate that {words}");
    assert!(run.stderr.contains(&error), "{error}: {run:?}");
    let hint = run.stderr.lines().find_map(|line| line.strip_prefix("hint: ")).expect("a hint");
    assert!(hint.contains(remedy), "{remedy}: {run:?}");
    let served = run_on(host, port, trusted, "memory:");
    let warning = format!("warning: rediss://{host}:{port}/0 has a certificate that {words}");
    assert!(served.stderr.contains(&warning) && served.stderr.contains(remedy), "{warning}: {served:?}");
}

const FOR_LOCALHOST: &str = "subjectAltName=DNS:localhost";
const HOW_TO_MAKE_ONE: &str = "`openssl req -x509 ";

#[test]
fn a_self_signed_certificate_is_trusted_if_it_is_pinned() {
    let workshop = Workshop::new();
    for (name, extensions) in [
        // What `openssl req -x509` makes: an authority.
        ("authority", &[FOR_LOCALHOST] as &[&str]),
        ("plain", &[FOR_LOCALHOST, "basicConstraints=critical,CA:FALSE"]),
    ] {
        let pair = workshop.self_signed(name, extensions);
        assert_trusted(&pair, &pair.certificate);
    }
    let pair = workshop.self_signed("address", &["subjectAltName=IP:127.0.0.1"]);
    let (_server, port) = server(&pair);
    assert_eq!(run_on("127.0.0.1", port, &pair.certificate, "none").code, Some(0));
}

#[test]
fn an_issued_certificate_is_trusted_by_its_issuer_or_itself() {
    let workshop = Workshop::new();
    let issuer = workshop.self_signed("issuer", &[]);
    let pair = workshop.issued("server", "issuer", FOR_LOCALHOST);
    assert_trusted(&pair, &issuer.certificate);
    assert_trusted(&pair, &pair.certificate);
    let both = workshop.file("both.pem");
    let other = workshop.self_signed("other", &[FOR_LOCALHOST]);
    let text = |pair: &Pair| fs::read_to_string(&pair.certificate).unwrap();
    fs::write(&both, format!("{}{}", text(&other), text(&pair))).unwrap();
    assert_trusted(&pair, &both);
}

#[test]
fn another_certificate_than_the_pinned_one_is_refused() {
    let workshop = Workshop::new();
    let pinned = workshop.self_signed("pinned", &[FOR_LOCALHOST]);
    let other = workshop.self_signed("other", &[FOR_LOCALHOST]);
    let exactly = "exactly this one";
    assert_refused(&other, "localhost", &pinned.certificate, "is that of a certificate authority", exactly);
    let plain = workshop.self_signed("plain", &[FOR_LOCALHOST, "basicConstraints=critical,CA:FALSE"]);
    assert_refused(&plain, "localhost", &pinned.certificate, "no trusted certificate has issued", exactly);
    // The same name and another key.
    let folder = Workshop::new();
    let namesake = folder.self_signed("pinned", &[FOR_LOCALHOST, "basicConstraints=critical,CA:FALSE"]);
    assert_refused(&namesake, "localhost", &pinned.certificate, "no trusted certificate has issued", exactly);
}

#[test]
fn a_pinned_certificate_must_be_valid_now() {
    let workshop = Workshop::new();
    for (name, is_authority) in [("old", false), ("old-authority", true)] {
        let old = workshop.of_day(name, "20200101000000Z", "20200102000000Z", is_authority);
        assert_refused(&old, "localhost", &old.certificate, "has expired", HOW_TO_MAKE_ONE);
    }
    let future = workshop.of_day("future", "20480101000000Z", "20490101000000Z", true);
    assert_refused(&future, "localhost", &future.certificate, "is not valid yet", "check the clocks");
}

#[test]
fn a_pinned_certificate_must_have_the_name_of_the_host() {
    let workshop = Workshop::new();
    for extra in [&[] as &[&str], &["basicConstraints=critical,CA:FALSE"]] {
        let names = ["subjectAltName=DNS:db.example,DNS:other.example"];
        let pair = workshop.self_signed("db", &[&names as &[&str], extra].concat());
        let words = "is not for localhost but for db.example, other.example:";
        assert_refused(&pair, "localhost", &pair.certificate, words, "use a host that it names");
    }
    let nameless = workshop.self_signed("localhost", &[]);
    let words = "names no host in subjectAltName, and so not localhost";
    assert_refused(&nameless, "localhost", &nameless.certificate, words, HOW_TO_MAKE_ONE);
}

#[test]
fn a_certificate_of_version_1_is_refused_in_words() {
    let workshop = Workshop::new();
    let issuer = workshop.self_signed("issuer", &[]);
    let pair = workshop.issued("server", "issuer", "");
    for trusted in [&issuer.certificate, &pair.certificate] {
        assert_refused(&pair, "localhost", trusted, "has version 1 of X.509", HOW_TO_MAKE_ONE);
    }
}

#[test]
fn a_variable_that_names_no_certificates_is_an_error() {
    let workshop = Workshop::new();
    let pair = workshop.self_signed("localhost", &[FOR_LOCALHOST]);
    let (_server, port) = server(&pair);
    let user = User::of(&format!("rediss://localhost:{port}"));
    let file = |name: &str, text: &str| {
        let path = workshop.file(name);
        fs::write(&path, text).unwrap();
        path
    };
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let empty_folder = workshop.file("empty");
    fs::create_dir(&empty_folder).unwrap();
    for (variable, path, why) in [
        ("SSL_CERT_FILE", workshop.file("missing.pem"), "cannot be read"),
        ("SSL_CERT_FILE", workshop.folder.path().to_owned(), "cannot be read"),
        ("SSL_CERT_FILE", file("empty.pem", ""), "has no certificate"),
        ("SSL_CERT_FILE", file("garbage.pem", "not a certificate\n"), "has no certificate"),
        ("SSL_CERT_FILE", pair.key.clone(), "has no certificate"),
        ("SSL_CERT_FILE", file("broken.pem", broken), "has no certificate that can be parsed"),
        ("SSL_CERT_FILE", PathBuf::new(), "is set and names nothing"),
        ("SSL_CERT_DIR", workshop.file("missing"), "cannot be read"),
        ("SSL_CERT_DIR", empty_folder, "has no certificate"),
    ] {
        for command in [&["new"] as &[&str], &["new", "--fallback", "none"], &["doctor"]] {
            let run: Run = user.command(command).env(variable, &path).output().expect("the program runs").into();
            assert_eq!(run.code, Some(77), "{variable} {path:?}: {run:?}");
            for part in [variable, path.to_str().unwrap(), why] {
                assert!(run.stderr.contains(part), "{part}: {run:?}");
            }
            let hint = format!("hint: name certificates in PEM form in {variable}");
            assert!(run.stderr.contains(&hint), "{hint}: {run:?}");
        }
    }
    let mut good = user.command(&["new"]);
    let good: Run = good.env("SSL_CERT_FILE", &pair.certificate).output().expect("the program runs").into();
    assert_eq!((good.code, good.stderr.as_str()), (Some(0), ""), "{good:?}");
}
