//! Embeds `web/build` into release builds; debug builds read it from disk at run time.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/entity_tag.rs"]
mod entity_tag;

/// Set to `1`, it lets a release build do without the web application, which a placeholder page replaces.
const PLACEHOLDER: &str = "STOA_WEB_PLACEHOLDER";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/entity_tag.rs");
    println!("cargo::rerun-if-env-changed={PLACEHOLDER}");
    let directory = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../web/build");
    let source = if env::var("PROFILE")? == "release" {
        println!("cargo::rerun-if-changed={}", directory.display());
        if directory.join("index.html").is_file() {
            embed(&directory)?
        } else if env::var(PLACEHOLDER).is_ok_and(|value| value == "1") {
            "Source::Placeholder".to_owned()
        } else {
            println!(
                "cargo::error=a release needs the web application, which is not built: run `./x build`, or `npm ci && npm run build` \
                 in web/; {PLACEHOLDER}=1 builds without it"
            );
            return Ok(());
        }
    } else {
        format!("Source::Directory({:?})", directory.display().to_string())
    };
    let output = PathBuf::from(env::var("OUT_DIR")?).join("source.rs");
    fs::write(output, format!("pub(crate) static SOURCE: Source = {source};\n"))?;
    Ok(())
}

/// The table of all files, sorted by path. Files that end in `.br` and `.gz` are encodings of the file beside them.
fn embed(directory: &Path) -> Result<String, Box<dyn Error>> {
    let mut files = Vec::new();
    collect(directory, &mut files)?;
    let mut entries = Vec::new();
    for file in &files {
        let is_encoding = ["br", "gz"].iter().any(|suffix| {
            file.extension().is_some_and(|end| end == *suffix) && files.contains(&file.with_extension(""))
        });
        if is_encoding {
            continue;
        }
        let path = file.strip_prefix(directory)?.to_str().ok_or("a file name that is not UTF-8")?.replace('\\', "/");
        let tag = entity_tag::of(&fs::read(file)?);
        let brotli = encoding(file, "br")?;
        let gzip = encoding(file, "gz")?;
        let entry = format!(
            "Embedded {{ path: {path:?}, tag: {tag:?}, identity: include_bytes!({:?}), brotli: {brotli}, gzip: {gzip} }}",
            absolute(file)?
        );
        entries.push((path, entry));
    }
    entries.sort();
    let mut table = "Source::Embedded(&[\n".to_owned();
    for (_, entry) in entries {
        writeln!(table, "    {entry},")?;
    }
    table.push_str("])");
    Ok(table)
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// An encoding of `file` made by the web build, if it is smaller than the file.
fn encoding(file: &Path, suffix: &str) -> Result<String, Box<dyn Error>> {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    let encoded = PathBuf::from(name);
    if encoded.is_file() && fs::metadata(&encoded)?.len() < fs::metadata(file)?.len() {
        Ok(format!("Some(include_bytes!({:?}))", absolute(&encoded)?))
    } else {
        Ok("None".to_owned())
    }
}

fn absolute(file: &Path) -> Result<String, Box<dyn Error>> {
    Ok(file.canonicalize()?.to_str().ok_or("a file name that is not UTF-8")?.to_owned())
}
