//! The files of a new cluster: each is read if it exists and made if it does not.

use std::path::Path;

use tidegate_view::{FileSigner, RootPin};

use super::BootstrapError;
use crate::{
    auth::{Token, random_hex},
    private_file,
};

fn invalid(what: &'static str, path: &Path) -> BootstrapError {
    BootstrapError::Content {
        what,
        path: path.display().to_string(),
    }
}

fn text(what: &'static str, path: &Path) -> Result<Option<String>, BootstrapError> {
    match private_file::read(path)? {
        None => Ok(None),
        Some(bytes) => String::from_utf8(bytes)
            .map(|text| Some(text.trim().to_owned()))
            .map_err(|_not_text| invalid(what, path)),
    }
}

/// Reads an Ed25519 key; `None` if there is no file.
pub(super) fn existing_key(path: &Path) -> Result<Option<FileSigner>, BootstrapError> {
    match private_file::read(path)? {
        None => Ok(None),
        Some(pkcs8) => FileSigner::from_pkcs8(&pkcs8)
            .map(Some)
            .map_err(|_sign| invalid("key", path)),
    }
}

/// Reads an Ed25519 key, or makes one.
pub(super) fn signing_key(path: &Path) -> Result<FileSigner, BootstrapError> {
    if let Some(signer) = existing_key(path)? {
        return Ok(signer);
    }
    let pkcs8 = FileSigner::generate()?;
    private_file::write(path, &pkcs8)?;
    Ok(FileSigner::from_pkcs8(&pkcs8)?)
}

/// Reads a token, or makes one.
pub(super) fn token(path: &Path) -> Result<Token, BootstrapError> {
    if let Some(text) = text("token", path)? {
        return Token::parse(&text).ok_or_else(|| invalid("token", path));
    }
    let token = Token::generate()?;
    private_file::write(path, format!("{}\n", token.reveal()).as_bytes())?;
    Ok(token)
}

/// Writes the pin that edges need; what an older, unfinished bootstrap wrote is replaced.
pub(super) fn trust_pin(path: &Path, pin: &RootPin) -> Result<(), BootstrapError> {
    Ok(private_file::write(path, format!("{pin}\n").as_bytes())?)
}

/// The name of a lone node's cluster: made up once, then kept in the data directory.
pub(crate) fn cluster_id(data_dir: &Path) -> Result<String, BootstrapError> {
    let path = data_dir.join("cluster-id");
    if let Some(id) = text("cluster id", &path)? {
        return Ok(id);
    }
    let id = format!("tidegate-{}", random_hex::<8>()?);
    private_file::write(&path, format!("{id}\n").as_bytes())?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use tidegate_view::Signer as _;

    use super::*;

    #[test]
    fn what_exists_is_used_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let key = signing_key(&path("key")).unwrap();
        assert_eq!(
            signing_key(&path("key")).unwrap().public_key(),
            key.public_key()
        );
        let made = token(&path("token")).unwrap();
        assert_eq!(token(&path("token")).unwrap(), made);
        let id = cluster_id(directory.path()).unwrap();
        assert_eq!(cluster_id(directory.path()).unwrap(), id);
    }

    #[test]
    fn a_broken_file_is_named_and_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        private_file::write(&path, b"not a token").unwrap();
        let error = token(&path).unwrap_err().to_string();
        assert!(error.contains("token"), "{error}");
        assert_eq!(private_file::read(&path).unwrap().unwrap(), b"not a token");
        assert!(signing_key(&path).is_err());
    }
}
