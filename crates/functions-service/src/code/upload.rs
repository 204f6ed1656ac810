//! A zip file as people make them: with one folder around everything, and with what their machines add.

use std::io::{Cursor, Read as _};

use stoa_model::function::{MAX_CODE_BYTES, MAX_CODE_FILES};

use super::{Code, CodeError};

/// Parts of paths that nobody means to send.
const LEFT_OUT: [&str; 4] = ["__MACOSX", ".DS_Store", ".git", "__pycache__"];

pub(super) fn read(bytes: &[u8]) -> Result<Code, CodeError> {
    let broken = |error: zip::result::ZipError| CodeError::Archive(error.to_string());
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    // Before anything is unpacked; folders count as well.
    if archive.len() > MAX_CODE_FILES * 4 {
        return Err(CodeError::TooMany);
    }
    let mut found = Vec::new();
    let mut room = MAX_CODE_BYTES;
    for number in 0..archive.len() {
        let mut file = archive.by_index(number).map_err(broken)?;
        let name = file.name().to_owned();
        if file.is_dir() || name.split('/').any(|part| LEFT_OUT.contains(&part)) {
            continue;
        }
        if file.is_symlink() {
            return Err(CodeError::Link(name));
        }
        // What it says of its size is not believed.
        let mut bytes = Vec::new();
        let limit = u64::try_from(room).unwrap_or(u64::MAX).saturating_add(1);
        (&mut file).take(limit).read_to_end(&mut bytes).map_err(|error| CodeError::Archive(error.to_string()))?;
        room = room.checked_sub(bytes.len()).ok_or(CodeError::TooLarge)?;
        let executable = file.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        found.push((name, bytes, executable));
        if found.len() > MAX_CODE_FILES {
            return Err(CodeError::TooMany);
        }
    }
    let around = around(found.iter().map(|(name, ..)| name.as_str())).to_owned();
    let mut code = Code::default();
    for (name, bytes, executable) in found {
        code.put(name.strip_prefix(&around).unwrap_or(&name), bytes.into(), executable)?;
    }
    Ok(code)
}

/// The one folder that everything lies in, if there is one, with its slash.
fn around<'a>(mut names: impl Iterator<Item = &'a str>) -> &'a str {
    let folder = |name: &'a str| name.find('/').and_then(|end| name.get(..=end));
    let Some(first) = names.next().and_then(folder) else { return "" };
    // That is no folder, and is refused with its whole path.
    if first == "../" || first == "/" || !names.all(|name| folder(name) == Some(first)) { "" } else { first }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::SimpleFileOptions;

    use super::*;

    fn zip(files: &[(&str, &[u8], u32)]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes, mode) in files {
            writer.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn the_folder_around_and_what_machines_add_are_left_out() {
        let bytes = zip(&[
            ("agent-main/app.py", b"1", 0o644),
            ("agent-main/run.sh", b"2", 0o755),
            ("agent-main/lib/.DS_Store", b"x", 0o644),
            ("agent-main/.git/config", b"x", 0o644),
        ]);
        let code = read(&bytes).unwrap();
        let files: Vec<_> = code.iter().map(|(path, entry)| (path, entry.executable)).collect();
        assert_eq!(files, [("app.py", false), ("run.sh", true)]);
        let code = read(&zip(&[("a/x", b"", 0o644), ("b/y", b"", 0o644)])).unwrap();
        assert_eq!(code.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["a/x", "b/y"]);
    }

    #[test]
    fn what_leads_out_or_links_or_swells_is_refused() {
        for name in ["../../etc/passwd", "/etc/passwd", "a/../../b", "a\\..\\b"] {
            let refused = read(&zip(&[(name, b"x", 0o644), ("ok", b"", 0o644)])).unwrap_err();
            assert!(matches!(refused, CodeError::Path(_)), "{name}: {refused}");
        }
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("secret", "/etc/shadow", SimpleFileOptions::default()).unwrap();
        let linked = writer.finish().unwrap().into_inner();
        assert!(matches!(read(&linked).unwrap_err(), CodeError::Link(_)));
        let zeros = vec![0; MAX_CODE_BYTES / 2 + 1];
        let bomb = zip(&[("a", &zeros, 0o644), ("b", &zeros, 0o644)]);
        assert!(bomb.len() < 100_000, "it is small as long as it is packed");
        assert!(matches!(read(&bomb).unwrap_err(), CodeError::TooLarge));
        assert!(matches!(read(b"no zip").unwrap_err(), CodeError::Archive(_)));
    }
}
