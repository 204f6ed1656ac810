//! TLS towards the outside: rustls with ring, the machine's own root certificates, and those of the operator.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use crate::error::OptionsError;
use crate::stream::BoxedStream;
use crate::target::Host;

/// Reads the machine's roots at the first secure connection, so that a start without one does not pay for them.
pub(crate) struct Tls {
    extra: Vec<CertificateDer<'static>>,
    connector: OnceCell<TlsConnector>,
}

impl Tls {
    pub(crate) fn new(extra_roots: Option<&PathBuf>) -> Result<Self, OptionsError> {
        let extra = extra_roots.map(|path| read_certificates(path)).transpose()?.unwrap_or_default();
        Ok(Self { extra, connector: OnceCell::new() })
    }

    /// Speaks TLS over `stream`, which must lead to `host`. Answers whether HTTP/2 was agreed on.
    pub(crate) async fn connect(
        &self,
        stream: BoxedStream,
        host: &Host,
        http2: bool,
    ) -> io::Result<(BoxedStream, bool)> {
        let connector = self.connector.get_or_try_init(|| self.prepare()).await?;
        let name = match host {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(io::Error::other)?,
            Host::Address(address) => ServerName::IpAddress((*address).into()),
        };
        let connector = if http2 { connector.clone() } else { without_http2(connector) };
        let stream = connector.connect(name, stream).await?;
        let agreed = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Box::new(stream), agreed))
    }

    async fn prepare(&self) -> io::Result<TlsConnector> {
        let extra = self.extra.clone();
        tokio::task::spawn_blocking(move || build(extra)).await.map_err(io::Error::other)?
    }
}

fn build(extra: Vec<CertificateDer<'static>>) -> io::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(error = %error, "a root certificate store of this machine cannot be read");
    }
    roots.add_parsable_certificates(found.certs);
    roots.add_parsable_certificates(extra);
    if roots.is_empty() {
        return Err(io::Error::other("this machine has no root certificates (on Debian, install ca-certificates)"));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn without_http2(connector: &TlsConnector) -> TlsConnector {
    let mut config = ClientConfig::clone(connector.config());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, OptionsError> {
    let wrong = |source: Box<dyn std::error::Error + Send + Sync>| OptionsError::Certificates {
        path: path.display().to_string(),
        source,
    };
    let file = File::open(path).map_err(|error| wrong(error.into()))?;
    let found =
        CertificateDer::pem_reader_iter(file).collect::<Result<Vec<_>, _>>().map_err(|error| wrong(error.into()))?;
    if found.is_empty() {
        return Err(OptionsError::NoCertificate { path: path.display().to_string() });
    }
    Ok(found)
}
