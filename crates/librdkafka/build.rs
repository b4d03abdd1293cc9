//! Compiles the C files.
//!
//! The C files use librdkafka's private headers, so they have to see exactly the sources and the config.h that
//! rdkafka-sys built librdkafka from. Both are found through rdkafka-sys's own build output.

#![expect(clippy::panic, reason = "a build script tells its user what is wrong by panicking")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The one librdkafka that the C files were written and reviewed against: 2.15.1, as `RD_KAFKA_VERSION` spells it.
const LIBRDKAFKA_VERSION: &str = "0x020f01ff";

/// The C files that use librdkafka's private structures; the heading comment of each says why.
const SHIMS: [&str; 8] = [
    "src/assignor/assignors.c",
    "src/assignor/join.c",
    "src/layout.c",
    "src/next_partition.c",
    "src/headers.c",
    "src/hold.c",
    "src/on_send.c",
    "src/fetcher.c",
];

fn main() {
    compile_shims();
}

fn compile_shims() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/private.h");
    println!("cargo:rerun-if-changed=src/assignor/client.h");
    for shim in SHIMS {
        println!("cargo:rerun-if-changed={shim}");
    }

    let Some(root) = env::var_os("DEP_RDKAFKA_ROOT").map(PathBuf::from) else {
        panic!(
            "DEP_RDKAFKA_ROOT is not set, so librdkafka's private headers cannot be found; Cargo gives it to \
             direct dependents of a statically built rdkafka-sys only: keep rdkafka-sys in [dependencies] and \
             its feature dynamic-linking off"
        );
    };
    let headers = Headers::find(&root);
    headers.check_version();

    let mut shim = cc::Build::new();
    shim.files(SHIMS).includes(&headers.include);
    // rdkafka_int.h includes headers of OpenSSL and zlib, which their crates build; a system need not have them.
    for variable in ["DEP_OPENSSL_INCLUDE", "DEP_Z_INCLUDE"] {
        if let Some(paths) = env::var_os(variable) {
            shim.includes(env::split_paths(&paths));
        }
    }
    shim.define("LIBRDKAFKA_STATICLIB", None);
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("windows") {
        // As in librdkafka's own CMake build: the settings come from its generated config.h.
        shim.define("WITHOUT_WIN32_CONFIG", None);
    }
    // librdkafka's private headers do not compile cleanly with more than -Wall.
    shim.extra_warnings(false);
    shim.compile("nka_shim");
}

/// Where librdkafka's private headers are.
struct Headers {
    /// The include path, first match first.
    include: Vec<PathBuf>,
    /// The public header, which carries the version.
    rdkafka_h: PathBuf,
}

impl Headers {
    /// Finds the headers below rdkafka-sys's output directory.
    ///
    /// Its default (mklove) build copies the whole source tree there and configures it in place; its
    /// `cmake-build` leaves the sources in the registry and writes config.h below build/generated.
    fn find(root: &Path) -> Self {
        let in_place = root.join("src");
        if in_place.join("rdkafka_int.h").exists() {
            require(&root.join("config.h"));
            return Self { rdkafka_h: in_place.join("rdkafka.h"), include: vec![in_place] };
        }
        let build = root.join("build");
        let sources = cmake_home(&build.join("CMakeCache.txt")).join("src");
        require(&sources.join("rdkafka_int.h"));
        let generated = build.join("generated");
        require(&generated.join("config.h"));
        // "dummy" is an empty directory that makes the headers' `#include "../config.h"` resolve.
        Self {
            rdkafka_h: sources.join("rdkafka.h"),
            include: vec![generated.join("dummy"), generated, sources],
        }
    }

    fn check_version(&self) {
        let text = read(&self.rdkafka_h);
        let found = text
            .lines()
            .find_map(|line| line.strip_prefix("#define RD_KAFKA_VERSION"))
            .map_or("none", str::trim);
        assert!(
            found.eq_ignore_ascii_case(LIBRDKAFKA_VERSION),
            "{} says RD_KAFKA_VERSION is {found}, but {} were reviewed against {LIBRDKAFKA_VERSION} and use \
             private structures that may change in any release: docs/internal/librdkafka.md says how to review another \
             one. Run npm run build for the sources that Cargo.toml names",
            self.rdkafka_h.display(),
            SHIMS.join(", ")
        );
    }
}

/// The source directory that `CMake` was run on, as its cache records it.
fn cmake_home(cache: &Path) -> PathBuf {
    require(cache);
    let text = read(cache);
    let home = text.lines().find_map(|line| line.strip_prefix("CMAKE_HOME_DIRECTORY:INTERNAL="));
    PathBuf::from(home.unwrap_or_else(|| {
        panic!(
            "{} has no CMAKE_HOME_DIRECTORY; run cargo clean -p rdkafka-sys and build again",
            cache.display()
        )
    }))
}

fn require(file: &Path) {
    assert!(
        file.exists(),
        "{} is missing: rdkafka-sys no longer lays its build output out as expected; see which directory holds \
         rdkafka_int.h and config.h now and adapt Headers::find in build.rs",
        file.display()
    );
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| {
        panic!("{} cannot be read ({error}); run cargo clean -p rdkafka-sys and build again", file.display())
    })
}
