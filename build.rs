//! Where the C library is glibc, the programs get a setting of its allocator, which safe Rust has no way to make.

fn main() {
    println!("cargo:rerun-if-changed=src/native/malloc.c");
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu") {
        for object in cc::Build::new().file("src/native/malloc.c").compile_intermediates() {
            println!("cargo:rustc-link-arg-bins={}", object.display());
            println!("cargo:rustc-link-arg-benches={}", object.display());
        }
    }
}
