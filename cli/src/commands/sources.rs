//! Reading definition files: single files, whole directories, standard input.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use tidegate_proto::admin::v1::SourceDocument;

use crate::failure::Failure;

/// Largest file the control plane takes, in bytes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Most files taken from directories in one call.
const FILES_MAX: usize = 1_000;
/// Deepest directory below one that was named.
const DEPTH_MAX: usize = 16;

/// Reads every named source; directories give their .json, .yaml and .yml files in name order.
pub(super) fn read_all(sources: &[PathBuf]) -> Result<Vec<SourceDocument>, Failure> {
    let mut documents = Vec::new();
    for source in sources {
        if source.as_os_str() == "-" {
            documents.push(SourceDocument {
                name: "-".to_owned(),
                content: stdin()?.into(),
            });
            continue;
        }
        let mut files = Vec::new();
        if source.is_dir() {
            collect(source, 0, &mut files)?;
            if files.is_empty() {
                let folder = source.display();
                return Err(Failure::usage(format!(
                    "{folder} holds no .json, .yaml or .yml file"
                )));
            }
        } else {
            files.push(source.clone());
        }
        for file in files {
            documents.push(read_file(&file)?);
        }
    }
    Ok(documents)
}

fn stdin() -> Result<Vec<u8>, Failure> {
    let mut content = Vec::new();
    std::io::stdin()
        .lock()
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut content)?;
    Ok(content)
}

fn read_file(path: &Path) -> Result<SourceDocument, Failure> {
    let explain = |error| Failure::refused(format!("cannot read {}: {error}", path.display()));
    let size = fs::metadata(path).map_err(explain)?.len();
    if size > FILE_BYTES_MAX {
        return Err(Failure::refused(format!(
            "{}: {size} bytes, expected at most {FILE_BYTES_MAX}",
            path.display()
        )));
    }
    let content = fs::read(path).map_err(explain)?;
    Ok(SourceDocument {
        name: path.display().to_string(),
        content: content.into(),
    })
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let explain = |error| Failure::refused(format!("cannot read {}: {error}", folder.display()));
    if depth > DEPTH_MAX {
        return Err(Failure::refused(format!(
            "{}: nested too deeply",
            folder.display()
        )));
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect()
        })
        .map_err(explain)?;
    entries.sort();
    for entry in entries {
        let hidden = entry
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        if hidden {
            continue;
        }
        if entry.is_dir() {
            collect(&entry, depth + 1, files)?;
        } else if entry.extension().is_some_and(is_definition) {
            files.push(entry);
        }
        if files.len() > FILES_MAX {
            return Err(Failure::refused(format!(
                "more than {FILES_MAX} files in one call"
            )));
        }
    }
    Ok(())
}

fn is_definition(extension: &std::ffi::OsStr) -> bool {
    ["json", "yaml", "yml"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_give_definition_files_in_order_and_skip_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.json", "notes.md", ".hidden.yaml"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::write(folder.path().join("sub/c.yml"), "c").unwrap();
        let documents = read_all(&[folder.path().to_owned()]).unwrap();
        let names: Vec<_> = documents
            .iter()
            .map(|document| document.name.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(names, ["a.json", "b.yaml", "c.yml"]);
    }

    #[test]
    fn an_empty_directory_is_a_usage_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_all(&[folder.path().to_owned()]).is_err());
    }
}
