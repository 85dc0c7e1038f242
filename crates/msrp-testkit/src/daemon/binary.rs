//! Where the programs under test are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// `msrpd`: `MSRPD_BIN`, or the one next to the running test, built when it is missing or older than its sources.
pub(super) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| match std::env::var_os("MSRPD_BIN") {
        Some(path) => path.into(),
        None => built(),
    })
}

/// Another program of the project, such as `msrpctl`: the one next to `msrpd`.
///
/// # Panics
/// When there is none.
pub fn program(name: &str) -> PathBuf {
    let program = path().with_file_name(name);
    assert!(program.exists(), "there is no {}", program.display());
    program
}

fn built() -> PathBuf {
    let test = std::env::current_exe().expect("the path of the test");
    let profile = profile_directory(&test);
    let binaries = ["msrpd", "msrpctl"].map(|name| profile.join(name));
    if !binaries.iter().all(|binary| is_fresh(binary)) {
        build(profile);
    }
    let [binary, _] = binaries;
    assert!(binary.exists(), "cargo built no {}", binary.display());
    binary
}

/// `target/PROFILE` of `target/PROFILE/deps/test-HASH`.
fn profile_directory(test: &Path) -> &Path {
    let directory = test.parent().expect("a test in a directory");
    match directory.file_name() {
        Some(name) if name == "deps" || name == "examples" => {
            directory.parent().expect("a profile directory")
        }
        _ => directory,
    }
}

/// Whether the binary is there and no source that cargo lists for it is younger.
fn is_fresh(binary: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let Some(built) = modified(binary) else {
        return false;
    };
    let Ok(list) = std::fs::read_to_string(binary.with_extension("d")) else {
        return false;
    };
    sources(&list)
        .iter()
        .all(|source| modified(source).is_some_and(|time: SystemTime| time <= built))
}

/// The paths behind the colon of a dependency file; a blank inside a path is escaped.
fn sources(list: &str) -> Vec<PathBuf> {
    let line = list.lines().next().unwrap_or_default();
    let (_, paths) = line.split_once(": ").unwrap_or_default();
    let paths = paths.replace("\\ ", "\0");
    paths
        .split_whitespace()
        .map(|path| path.replace('\0', " ").into())
        .collect()
}

/// Builds into the same target directory with the same profile.
fn build(profile: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(cargo);
    command.current_dir(workspace).args([
        "build",
        "--quiet",
        "-p",
        "msrpd",
        "--bins",
        "--profile",
        name,
    ]);
    command
        .arg("--target-dir")
        .arg(profile.parent().expect("a target directory"));
    let status = command.status().expect("a started cargo");
    assert!(status.success(), "cargo build of msrpd: {status}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_directory_of_a_test_is_found() {
        assert_eq!(
            profile_directory(Path::new("/t/debug/deps/x-1")),
            Path::new("/t/debug")
        );
        assert_eq!(
            profile_directory(Path::new("/t/release/x")),
            Path::new("/t/release")
        );
    }

    #[test]
    fn sources_of_a_dependency_file_are_read() {
        let list = "/t/debug/msrpd: /w/a\\ b/main.rs /w/lib.rs\n\n/w/lib.rs:\n";
        assert_eq!(
            sources(list),
            [PathBuf::from("/w/a b/main.rs"), PathBuf::from("/w/lib.rs")]
        );
    }

    #[test]
    fn binary_that_is_missing_is_not_fresh() {
        assert!(!is_fresh(Path::new("/nonexistent/msrpd")));
    }
}
