//! Completions and man pages in `deploy/` are those of the command lines.
//! `MSRPD_WRITE_DOCS=1 cargo test -p msrpd` writes them.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_complete::Shell;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// Every file that follows from the command lines, by its place below `deploy/`.
fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let programs = [
        ("msrpd", msrpd::cli::Cli::command(), "8"),
        ("msrpctl", msrpd::ctl::Cli::command(), "1"),
    ];
    for (name, command, section) in programs {
        for (shell, file) in [
            (Shell::Bash, format!("{name}.bash")),
            (Shell::Zsh, format!("_{name}")),
            (Shell::Fish, format!("{name}.fish")),
        ] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command.clone(), name, &mut script);
            files.insert(format!("completions/{file}"), script);
        }
        // The date would make every build another one.
        let mut command = command.display_name(name);
        command.build();
        files.insert(format!("man/{name}.{section}"), page(&command, section));
        for sub in command.get_subcommands() {
            if sub.get_name() == "help" {
                continue;
            }
            // clap keeps names that live as long as the program.
            let name: &'static str = format!("{name}-{}", sub.get_name()).leak();
            let sub = sub.clone().name(name).display_name(name);
            files.insert(format!("man/{name}.{section}"), page(&sub, section));
        }
    }
    files
}

fn page(command: &clap::Command, section: &str) -> Vec<u8> {
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command.clone())
        .section(section)
        .date("");
    man.render(&mut page).unwrap();
    page
}

#[test]
fn completions_and_man_pages_are_those_of_the_command_lines() {
    let is_written = std::env::var_os("MSRPD_WRITE_DOCS").is_some();
    for (name, expected) in files() {
        let path = deploy().join(&name);
        if is_written {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &expected).unwrap();
        }
        let found = std::fs::read(&path).unwrap_or_default();
        assert!(
            found == expected,
            "deploy/{name} is not up to date; run MSRPD_WRITE_DOCS=1 cargo test -p msrpd"
        );
    }
    let known = files();
    for directory in ["completions", "man"] {
        for entry in std::fs::read_dir(deploy().join(directory)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let name = format!("{directory}/{name}");
            assert!(known.contains_key(&name), "deploy/{name}");
        }
    }
}
