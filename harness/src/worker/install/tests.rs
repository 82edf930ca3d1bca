//! Installations with shell scripts in the place of npm and git.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A folder with programs that are shell scripts, and a cache.
struct Setup {
    folder: tempfile::TempDir,
}

impl Setup {
    fn new(programs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in programs {
            let path = folder.path().join(name);
            fs::write(&path, format!("#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    fn cache(&self) -> Cache {
        Cache::at(self.folder.path().join("cache"))
    }

    fn install(&self, what: &str) -> Result<PathBuf, InstallError> {
        let path = self.folder.path().as_os_str().to_owned();
        Installer {
            cache: &self.cache(),
            path,
            source: None,
        }
        .install(&Installable::parse(what)?)
    }

    fn error(&self, what: &str) -> String {
        let error = self.install(what).unwrap_err().to_string();
        error.replace(&self.folder.path().display().to_string(), "[folder]")
    }

    /// What lies in the cache after a failure: nothing that could be taken for a version.
    fn leftovers(&self) -> Vec<String> {
        installed(&self.cache())
    }
}

const PUBLISHED: &str = "mkdir -p node_modules/claude-mem/plugin/scripts && touch node_modules/claude-mem/plugin/scripts/worker-service.cjs";
const NOT_PUBLISHED: &str = r#"case "$1" in
view) echo '["10.6.3","11.0.0","13.4.0","13.4.1","13.15.3","13.25.3","14.0.0-rc.1"]' ;;
*) echo "npm error code ETARGET" >&2; echo "npm error notarget No matching version found" >&2; exit 1 ;;
esac"#;

#[test]
fn what_was_fetched_whole_is_in_its_place_and_not_fetched_again() {
    let setup = Setup::new(&[("npm", PUBLISHED)]);
    let place = setup.install("claude-mem@13.25.3").unwrap();
    assert!(
        setup
            .cache()
            .package("claude-mem", &Version::new(13, 25, 3))
            .is_some()
    );
    assert_eq!(installed(&setup.cache()), ["claude-mem@13.25.3"]);
    fs::remove_file(setup.folder.path().join("npm")).unwrap();
    assert_eq!(setup.install("claude-mem@13.25.3").unwrap(), place);
}

#[test]
fn a_runtime_is_kept_as_one_program() {
    let package = bun_package().unwrap();
    let script = format!(
        "mkdir -p node_modules/{package}/bin && touch node_modules/{package}/bin/bun && chmod +x node_modules/{package}/bin/bun"
    );
    let setup = Setup::new(&[("npm", &script)]);
    let place = setup.install("bun@1.3.5").unwrap();
    assert_eq!(
        setup.cache().runtime("bun", &">=1.0.0".parse().unwrap()),
        Some(place.join("bun"))
    );
}

#[test]
fn a_release_that_is_only_a_tag_comes_from_its_tag() {
    let git = "mkdir -p .git plugin/scripts && touch plugin/scripts/worker-service.cjs";
    let setup = Setup::new(&[("npm", NOT_PUBLISHED), ("git", git)]);
    let place = setup.install("claude-mem@9.0.0").unwrap();
    assert_eq!(
        setup.cache().package("claude-mem", &Version::new(9, 0, 0)),
        Some(place.clone())
    );
    assert!(!place.join(".git").exists());
}

/// A clone with these tags; each holds a built worker.
fn clone(tags: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let done = Command::new("git")
            .args([
                "-c",
                "user.name=x",
                "-c",
                "user.email=x",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "--quiet"]);
    for tag in tags {
        let scripts = folder.path().join("plugin/scripts");
        fs::create_dir_all(&scripts).unwrap();
        fs::write(scripts.join("worker-service.cjs"), tag).unwrap();
        fs::write(scripts.join("claude-mem"), "a compiled program").unwrap();
        fs::write(folder.path().join("package.json"), "{}").unwrap();
        fs::write(folder.path().join("big"), "not needed").unwrap();
        git(&["add", "."]);
        git(&["commit", "--quiet", "--message", tag]);
        git(&["tag", tag]);
    }
    folder
}

#[test]
fn a_local_clone_gives_its_tags_and_is_not_written_to() {
    let clone = clone(&["v9.0.0", "v9.0.12", "v13.4.0"]);
    fs::write(clone.path().join("package.json"), "changed by its owner").unwrap();
    let index = fs::read(clone.path().join(".git/index")).unwrap();
    // Only what a release needs besides is asked of npm.
    let npm = "echo \"$@\" > ../asked; mkdir -p node_modules/zod";
    let setup = Setup::new(&[("npm", npm)]);
    let cache = setup.cache();
    let path = env::join_paths([
        setup.folder.path(),
        Path::new("/usr/bin"),
        Path::new("/bin"),
    ]);
    let installer = Installer {
        cache: &cache,
        path: path.unwrap(),
        source: Some(clone.path()),
    };
    let install = |what: &str| installer.install(&Installable::parse(what).unwrap());
    for version in ["9.0.0", "9.0.12", "13.4.0"] {
        let place = install(&format!("claude-mem@{version}")).unwrap();
        let worker = fs::read_to_string(place.join("plugin/scripts/worker-service.cjs"));
        assert_eq!(worker.unwrap(), format!("v{version}"));
        assert!(!place.join("big").exists() && !place.join("plugin/scripts/claude-mem").exists());
        assert_eq!(place.join("node_modules/zod").exists(), version == "13.4.0");
        assert_eq!(
            cache.package("claude-mem", &version.parse().unwrap()),
            Some(place)
        );
    }
    assert_eq!(fs::read(clone.path().join(".git/index")).unwrap(), index);
    assert_eq!(
        fs::read_to_string(clone.path().join("package.json")).unwrap(),
        "changed by its owner"
    );
    let missing = install("claude-mem@9.0.5").unwrap_err().to_string();
    assert_eq!(
        missing.replace(&clone.path().display().to_string(), "[clone]"),
        "claude-mem@9.0.5 cannot be taken from [clone]: it has no tag v9.0.5; near it are 9.0.0, 9.0.12, 13.4.0"
    );
}

#[test]
fn errors_say_what_to_do() {
    let check = |programs: &[(&str, &str)], what: &str| {
        let setup = Setup::new(programs);
        let error = setup.error(what);
        assert!(setup.leftovers().is_empty(), "{what}");
        error
    };
    let no_tag = "echo 'fatal: Remote branch v9.9.9 not found in upstream origin' >&2; exit 128";
    let no_host = "echo 'fatal: Could not resolve host' >&2; exit 128";
    let no_network =
        "echo 'npm error code ENOTFOUND' >&2; echo 'npm error syscall getaddrinfo' >&2; exit 1";
    let odd = "echo 'npm error code EACCES' >&2; exit 1";
    insta::assert_snapshot!(
        [
            check(&[], "claude-mem@13.25.3"),
            check(&[("npm", NOT_PUBLISHED)], "claude-mem@13.5.0"),
            check(
                &[("npm", NOT_PUBLISHED), ("git", no_tag)],
                "claude-mem@9.9.9"
            ),
            check(
                &[("npm", NOT_PUBLISHED), ("git", no_host)],
                "claude-mem@9.0.0"
            ),
            check(&[("npm", no_network)], "bun@1.3.5"),
            check(&[("npm", odd)], "bun@1.3.5"),
            check(&[("npm", "true")], "claude-agent-sdk@0.1.76"),
            check(&[], "claude-mem"),
            check(&[], "claude-mem@13"),
            check(&[], "left-pad@1.0.0"),
        ]
        .join("\n")
    );
}

#[test]
fn a_runtime_is_chosen_for_the_machine() {
    let package = |os, processor, musl, avx2| bun_package_for(os, processor, musl, avx2).unwrap();
    assert_eq!(
        package("linux", "x86_64", false, true),
        "@oven/bun-linux-x64"
    );
    assert_eq!(
        package("linux", "x86_64", true, false),
        "@oven/bun-linux-x64-musl-baseline"
    );
    assert_eq!(
        package("linux", "aarch64", true, true),
        "@oven/bun-linux-aarch64-musl"
    );
    assert_eq!(
        package("darwin", "aarch64", false, true),
        "@oven/bun-darwin-aarch64"
    );
    assert!(bun_package_for("linux", "riscv64", false, true).is_err());
}

/// Fetches for real; asked for by `LEAK_HARNESS_NETWORK=1`.
#[test]
#[ignore = "needs the network: LEAK_HARNESS_NETWORK=1 cargo test -- --ignored"]
fn real_packages_can_be_installed() {
    if env::var_os("LEAK_HARNESS_NETWORK").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    for what in [
        "claude-mem@10.6.3",
        "claude-mem@13.25.3",
        "bun@1.3.5",
        "claude-agent-sdk@0.1.76",
    ] {
        install(what, &cache, None).unwrap_or_else(|error| panic!("{error}"));
    }
    assert!(
        cache
            .package("claude-mem", &Version::new(13, 25, 3))
            .unwrap()
            .join("../zod")
            .is_dir()
    );
    assert!(
        cache
            .runtime("bun", &"=1.3.5".parse().unwrap())
            .unwrap()
            .starts_with(folder.path())
    );
}
