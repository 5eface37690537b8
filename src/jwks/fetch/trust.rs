//! Whose certificates are believed: the system's authorities, and those of `ca_file` besides.
//!
//! It opens no connection. To read the system's authorities takes milliseconds of processor time,
//! which many issuers that fail would take from checks: they are read again after a minute.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::{
    ClientConfig, RootCertStore, crypto,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::time::Instant;

use super::FetchError;
use crate::provider::CaFile;

/// The set-up of connections that ask for a certificate. It blocks while it reads files.
///
/// # Errors
/// If `ca` holds none or a bad one, or nobody at all would be believed.
pub(super) fn verifying(ca: &CaFile) -> Result<ClientConfig, FetchError> {
    let mut roots = system();
    match ca {
        CaFile::None => {}
        CaFile::Unreadable => return Err(FetchError::CaFile),
        CaFile::Pem(pem) => add(Arc::make_mut(&mut roots), pem.bytes())?,
    }
    if roots.is_empty() {
        return Err(FetchError::TlsSetup);
    }
    // Nothing is shared with another connection, so that no session resumes past a certificate
    // that has expired since.
    let config =
        ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| FetchError::TlsSetup)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), FetchError> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| FetchError::CaFile)?;
        roots.add(certificate).map_err(|_| FetchError::CaFile)?;
    }
    if roots.len() == before { Err(FetchError::CaFile) } else { Ok(()) }
}

/// The system's authorities, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
fn system() -> Arc<RootCertStore> {
    // Whoever comes while they are read waits for it.
    let mut known = SYSTEM.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((roots, _)) = known.as_ref().filter(|(_, read)| read.elapsed() < READ_AGAIN) {
        return roots.clone();
    }
    let mut roots = RootCertStore::empty();
    // As the platform's verifier does: what cannot be read of them is not believed.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let roots = Arc::new(roots);
    *known = (!roots.is_empty()).then(|| (roots.clone(), Instant::now()));
    roots
}

static SYSTEM: Mutex<Option<(Arc<RootCertStore>, Instant)>> = Mutex::new(None);
const READ_AGAIN: Duration = Duration::from_secs(60);
