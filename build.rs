//! Where the C library is glibc: a setting of its allocator, which safe Rust has no way to make,
//! and relocations in the form that takes a hundredth of the room.

/// The first glibc that loads programs with packed relocations.
const PACKED_SINCE: (u32, u32) = (2, 36);

/// Set where the programs are to run on systems with an older one than that they are built on.
const UNPACKED: &str = "STATUSWATCH_UNPACKED";

fn main() {
    println!("cargo:rerun-if-changed=src/native");
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu") {
        for object in cc::Build::new().file("src/native/malloc.c").compile_intermediates() {
            link(&object.display().to_string());
        }
        println!("cargo:rerun-if-env-changed={UNPACKED}");
        if std::env::var_os(UNPACKED).is_none()
            && glibc().is_some_and(|version| version >= PACKED_SINCE)
        {
            link("-Wl,-z,pack-relative-relocs");
        }
    }
}

fn link(argument: &str) {
    println!("cargo:rustc-link-arg-bins={argument}");
    println!("cargo:rustc-link-arg-benches={argument}");
}

/// Which one the programs are linked with, as far as the preprocessor says.
fn glibc() -> Option<(u32, u32)> {
    let expanded =
        cc::Build::new().cargo_warnings(false).file("src/native/glibc.c").try_expand().ok()?;
    let text = String::from_utf8(expanded).ok()?;
    // Lines that begin so name the file that follows.
    let mut words =
        text.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    words.find(|word| *word == "statuswatch_glibc")?;
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}
