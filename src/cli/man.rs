//! `man`: one page for the program with a section for each command.

use clap::CommandFactory;

use super::args::Cli;
use super::exit::Exit;
use super::output;

/// Prints the manual page.
///
/// # Errors
/// Standard output could not be written.
pub fn run() -> anyhow::Result<Exit> {
    output::print(&page()?)?;
    Ok(Exit::Done)
}

/// The page in roff.
fn page() -> anyhow::Result<String> {
    let mut command = Cli::command();
    command.build();
    let mut text = Vec::new();
    let program = clap_mangen::Man::new(command.clone());
    program.render_title(&mut text)?;
    program.render_name_section(&mut text)?;
    program.render_synopsis_section(&mut text)?;
    program.render_description_section(&mut text)?;
    program.render_options_section(&mut text)?;
    for (name, sub) in sections(&command) {
        // Flags that every command takes stand above once.
        let own =
            sub.clone().mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
        let man = clap_mangen::Man::new(own);
        text.extend_from_slice(format!(".SH \"{}\"\n", name.to_uppercase()).as_bytes());
        let mut body = Vec::new();
        man.render_synopsis_section(&mut body)?;
        man.render_description_section(&mut body)?;
        man.render_options_section(&mut body)?;
        // The sections of a command become subsections of the page.
        text.extend_from_slice(String::from_utf8(body)?.replace(".SH ", ".SS ").as_bytes());
    }
    program.render_extra_section(&mut text)?;
    program.render_version_section(&mut text)?;
    Ok(keep_examples(&String::from_utf8(text)?))
}

/// Every command with its name, those below another one after it.
fn sections(command: &clap::Command) -> Vec<(String, &clap::Command)> {
    let shown = |command: &'_ &clap::Command| !command.is_hide_set();
    let mut sections = Vec::new();
    for sub in command.get_subcommands().filter(shown) {
        sections.push((sub.get_name().to_owned(), sub));
        for below in sub.get_subcommands().filter(shown) {
            sections.push((format!("{} {}", sub.get_name(), below.get_name()), below));
        }
    }
    sections
}

/// Examples and tables are indented: roff would fill their lines to one paragraph.
fn keep_examples(page: &str) -> String {
    let mut out = String::with_capacity(page.len());
    let mut inside = false;
    for line in page.lines() {
        let indented = line.starts_with("  ");
        if indented != inside {
            out.push_str(if indented { ".nf\n" } else { ".fi\n" });
            inside = indented;
        }
        out.push_str(line);
        out.push('\n');
    }
    if inside {
        out.push_str(".fi\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_section() {
        let page = page().unwrap();
        assert!(page.contains(".TH statuswatch 1"), "{page}");
        for command in Cli::command().get_subcommands() {
            let section = format!(".SH \"{}\"", command.get_name().to_uppercase());
            assert!(page.contains(&section), "no {section}");
        }
        assert!(page.contains("Exit status"));
        assert_eq!(page.matches(".nf\n").count(), page.matches(".fi\n").count());
        assert!(page.contains(".nf\n  statuswatch completions bash"), "{page}");
    }
}
