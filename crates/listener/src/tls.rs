//! The certificate of a listener, followed while it runs: whoever renews it writes the files anew.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

/// What is spoken inside, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// How often it is looked whether the files have changed.
const LOOK: Duration = Duration::from_secs(30);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or has not what is looked for.
    #[error("{} holds no {what} in PEM that can be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What is wrong.
        source: rustls::pki_types::pem::Error,
    },
    /// The certificate and the key do not belong together, or are of a kind that nobody takes any more.
    #[error("the certificate in {} cannot be used with its key", path.display())]
    Unusable {
        /// Of the certificate.
        path: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// A certificate with its key, as last read.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads a chain of certificates, the server's own first, and its key.
    pub fn load(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let current = RwLock::new(read(certificate, key)?);
        Ok(Arc::new(Self { certificate: certificate.to_owned(), key: key.to_owned(), current }))
    }

    /// Reads the files again whenever they change, without an end. What cannot be used is logged, and what there was stays.
    pub async fn follow(self: Arc<Self>) {
        let mut known = self.written().await;
        let mut looks = tokio::time::interval(LOOK);
        looks.tick().await;
        loop {
            looks.tick().await;
            let written = self.written().await;
            if written != known {
                known = written;
                self.renew().await;
            }
        }
    }

    /// Reads the files again.
    pub async fn renew(self: &Arc<Self>) {
        let tls = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || read(&tls.certificate, &tls.key)).await;
        match read {
            Ok(Ok(config)) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
                info!(certificate = %self.certificate.display(), "the certificate was read again");
            }
            Ok(Err(error)) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "the new certificate cannot be used; the old one stays"
                );
            }
            // The runtime is ending.
            Err(_) => {}
        }
    }

    async fn written(&self) -> [Option<SystemTime>; 2] {
        let mut written = [None; 2];
        for (written, path) in written.iter_mut().zip([&self.certificate, &self.key]) {
            *written = tokio::fs::metadata(path).await.and_then(|file| file.modified()).ok();
        }
        written
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let wrong = |path: &Path, what| {
        let path = path.to_owned();
        move |source| TlsError::File { path, what, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(wrong(certificate, "certificate"))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(wrong(key, "key"))?;
    let unusable = |source| TlsError::Unusable { path: certificate.to_owned(), source };
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(unusable)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(Arc::new(config))
}
