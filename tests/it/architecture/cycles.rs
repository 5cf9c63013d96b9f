//! No two files of a crate need each other: what both need stands in a third file below them.
//!
//! Read from paths that begin with `crate`, `self` or `super`. A module and its own submodules are
//! one thing here: `x/mod.rs` may use `x/y.rs` and be used by it.

use std::collections::{BTreeMap, BTreeSet};

use super::Code;

/// Uses that are left out, each with its reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    // The description of all routes is itself served by a route.
    ("src/server/openapi.rs", "src/server/routes.rs"),
];

/// A path through modules, from the root of the crate.
type Path = Vec<String>;

/// The files of a crate by the module they hold.
struct Crate<'c> {
    files: BTreeMap<Path, &'c Code>,
    /// Names that a module exports and that stand elsewhere.
    exports: BTreeMap<(Path, String), Path>,
}

impl<'c> Crate<'c> {
    fn new(files: impl Iterator<Item = (Path, &'c Code)>) -> Self {
        let mut this = Self { files: files.collect(), exports: BTreeMap::new() };
        for (module, file) in &this.files {
            for tree in file.own.split("pub use ").chain(file.own.split(") use ")).skip(1) {
                for path in expand(tree.split(';').next().unwrap()) {
                    if let (Some(path), Some(name)) = (this.absolute(module, &path), path.last()) {
                        this.exports.insert((module.clone(), name.clone()), path);
                    }
                }
            }
        }
        this
    }

    /// A path from the root of the crate; `None` if it leads into another crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Path> {
        let first = path.first()?;
        let up = path.iter().take_while(|part| *part == "super").count();
        Some(match first.as_str() {
            "crate" => path[1..].to_vec(),
            "self" => [module, &path[1..]].concat(),
            "super" => [&module[..module.len().checked_sub(up)?], &path[up..]].concat(),
            _ => {
                let child = [module, path].concat();
                self.files.contains_key(&child[..=module.len()]).then_some(child)?
            }
        })
    }

    /// The module in which the last part of a path is defined.
    fn module_of(&self, path: &[String], depth: usize) -> Path {
        let known = |length: &usize| self.files.contains_key(&path[..*length]);
        let length = (1..=path.len()).rev().find(known).unwrap_or(0);
        let module = path[..length].to_vec();
        match path.get(length).and_then(|name| self.exports.get(&(module.clone(), name.clone()))) {
            Some(elsewhere) if depth < 5 && elsewhere != path => {
                self.module_of(elsewhere, depth + 1)
            }
            _ => module,
        }
    }

    /// The files that each file uses.
    fn uses(&self) -> BTreeMap<&'c str, BTreeSet<&'c str>> {
        let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (module, file) in &self.files {
            for path in paths(&file.own) {
                let Some(path) = self.absolute(module, &path) else { continue };
                let used = self.module_of(&path, 0);
                // Whoever declares a module may use it.
                if !used.starts_with(module)
                    && let Some(used) = self.files.get(&used)
                {
                    uses.entry(&file.path).or_default().insert(&used.path);
                }
            }
        }
        uses
    }
}

/// Every path in a text that begins with `crate`, `self` or `super`, groups written out.
fn paths(text: &str) -> Vec<Path> {
    let starts =
        ["crate::", "self::", "super::"].iter().flat_map(|start| text.match_indices(start));
    let begins = |at: &usize| {
        !text[..*at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':'))
    };
    starts.map(|(at, _)| at).filter(begins).flat_map(|at| expand(&text[at..])).collect()
}

/// The paths that the tree at the beginning of a text stands for.
fn expand(text: &str) -> Vec<Path> {
    let mut paths = Vec::new();
    tree(text.trim_start(), &mut Vec::new(), &mut paths);
    paths
}

/// Reads one tree and returns what follows it.
fn tree<'t>(text: &'t str, before: &mut Path, paths: &mut Vec<Path>) -> &'t str {
    let length = before.len();
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if let Some(mut group) = after.strip_prefix('{').filter(|_| name.is_empty()) {
            loop {
                group = tree(group.trim_start(), before, paths).trim_start();
                group = group.strip_prefix(',').unwrap_or(group).trim_start();
                if let Some(after) = group.strip_prefix('}') {
                    before.truncate(length);
                    return after;
                }
                // Not a tree, or the end of the text.
                if group.is_empty() || !group.starts_with(|c: char| c.is_alphabetic() || c == '_') {
                    before.truncate(length);
                    return group;
                }
            }
        }
        // `self` in a group is the path before the group.
        if !name.is_empty() && (name != "self" || before.is_empty()) {
            before.push(name.to_owned());
        }
        match after.strip_prefix("::") {
            Some(more) if !name.is_empty() => rest = more,
            _ => {
                paths.push(before.clone());
                before.truncate(length);
                let alias = after.strip_prefix(" as ");
                return alias.map_or(after, |alias| {
                    alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_')
                });
            }
        }
    }
}

/// The module that a file holds: the name of its crate, and its path from the root.
fn module(path: &str) -> (String, Path) {
    let (krate, inside) = path.split_once("src/").unwrap();
    let inside = inside.strip_suffix(".rs").unwrap();
    let mut parts: Path = inside.split('/').map(str::to_owned).collect();
    if matches!(parts.last().unwrap().as_str(), "mod" | "lib") {
        parts.pop();
    }
    (krate.to_owned(), parts)
}

/// All files that can be reached from one.
fn reached<'c>(from: &'c str, uses: &BTreeMap<&'c str, BTreeSet<&'c str>>) -> BTreeSet<&'c str> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        for used in uses.get(file).into_iter().flatten() {
            if found.insert(*used) {
                open.push(used);
            }
        }
    }
    found
}

/// The uses that are part of a circle.
fn circular<'c>(uses: &BTreeMap<&'c str, BTreeSet<&'c str>>) -> Vec<(&'c str, &'c str)> {
    let reached: BTreeMap<&str, _> = uses.keys().map(|file| (*file, reached(file, uses))).collect();
    let all = uses.iter().flat_map(|(file, used)| used.iter().map(move |used| (*file, *used)));
    all.filter(|(file, used)| reached.get(used).is_some_and(|back| back.contains(file))).collect()
}

fn uses(files: &[Code]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut crates: BTreeMap<String, Vec<(Path, &Code)>> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.path.ends_with("main.rs")) {
        let (krate, path) = module(&file.path);
        crates.entry(krate).or_default().push((path, file));
    }
    crates.into_values().flat_map(|files| Crate::new(files.into_iter()).uses()).collect()
}

#[test]
fn no_files_need_each_other() {
    let files = super::code();
    let mut uses = uses(&files);
    for (file, used) in EXCEPTIONS {
        let listed = circular(&uses).contains(&(file, used));
        assert!(listed, "{file} and {used} are not in a circle any more: remove the exception");
        uses.get_mut(file).unwrap().remove(used);
    }
    let circular: Vec<String> =
        circular(&uses).iter().map(|(file, used)| format!("{file} uses {used}")).collect();
    assert!(
        circular.is_empty(),
        "files need each other; move what both need below them:\n{}",
        circular.join("\n")
    );
}

#[test]
fn a_circle_is_found_through_groups_and_exports() {
    let file = |path: &str, own: &str| Code {
        path: path.to_owned(),
        module: String::new(),
        text: String::new(),
        own: own.to_owned(),
    };
    let files = [
        file("src/lib.rs", "pub mod a;\npub mod b;\nmod c;\n"),
        file("src/a/mod.rs", "mod x;\nmod y;\npub use x::{One, Two as Three};\n"),
        file("src/a/x.rs", "use crate::b::{self, Other};\nstruct One;\n"),
        file("src/a/y.rs", "use super::One;\nfn f() { super::x::g() }\n"),
        file("src/b.rs", "use crate::{a::{One, y}, c};\nuse std::fs;\n"),
        file("src/c.rs", "use other::crate_like;\n"),
    ];
    let uses = uses(&files);
    let of = |path: &str| uses.get(path).map(|used| used.iter().copied().collect::<Vec<_>>());
    assert_eq!(of("src/a/mod.rs"), None, "a module uses its own files");
    assert_eq!(of("src/a/x.rs").unwrap(), ["src/b.rs"]);
    assert_eq!(of("src/a/y.rs").unwrap(), ["src/a/x.rs"]);
    assert_eq!(of("src/b.rs").unwrap(), ["src/a/x.rs", "src/a/y.rs", "src/c.rs"]);
    let circular = circular(&uses);
    assert!(circular.contains(&("src/a/x.rs", "src/b.rs")), "{circular:?}");
    assert!(!circular.contains(&("src/b.rs", "src/c.rs")), "{circular:?}");
}
