//! TLS between nodes: TLS 1.3, by the cluster's certificates or, without any, by certificates that say nothing.
//!
//! What makes the second sound is the proof of the secret bound to the connection; see [`frame`](super::frame).

use super::frame::{BINDING, FrameError};
use super::peer_stream::{PeerStream, Slot};
use super::pem;
use crate::config::{ClusterTlsFiles, HostPort};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::net::TcpStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{
    self, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// Label of the channel binding `tls-exporter` (RFC 9266); its context is empty.
const EXPORTER: &[u8] = b"EXPORTER-Channel-Binding";

/// Who a certificate is for that says nothing.
const NOBODY: &str = "marmot";

/// Both ends of TLS between nodes, as they are configured now.
pub struct ClusterTls {
    files: Option<ClusterTlsFiles>,
    ends: RwLock<Ends>,
}

#[derive(Clone)]
struct Ends {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

impl ClusterTls {
    /// With the certificates of `files`, demanded of both sides; without, the secret has to prove everything.
    ///
    /// # Errors
    /// A sentence: what is wrong with the files.
    pub fn new(files: Option<ClusterTlsFiles>) -> Result<ClusterTls, String> {
        let ends = match &files {
            Some(files) => by_certificates(files),
            None => by_secret(),
        }?;
        Ok(ClusterTls { files, ends: RwLock::new(ends) })
    }

    /// Reads the files anew, for connections made from now on.
    ///
    /// # Errors
    /// A sentence: what is wrong with them. Nothing changed.
    pub fn reload(&self) -> Result<(), String> {
        let Some(files) = &self.files else { return Ok(()) };
        let ends = by_certificates(files)?;
        *self.ends.write().unwrap_or_else(PoisonError::into_inner) = ends;
        Ok(())
    }

    fn ends(&self) -> Ends {
        self.ends.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The dialer's side. `address` is what was dialled: with certificates, the listener's has to be for its host.
    ///
    /// # Errors
    /// The handshake failed.
    pub async fn connect(&self, address: &str, socket: TcpStream) -> Result<(PeerStream, [u8; BINDING]), FrameError> {
        let host = match self.files {
            Some(_) => address.parse::<HostPort>().map_err(FrameError::Tls)?.host,
            None => NOBODY.to_string(),
        };
        let name = ServerName::try_from(host).map_err(|e| FrameError::Tls(e.to_string()))?;
        let tls = self.ends().connector.connect(name, Slot::new(socket)).await.map_err(failure)?;
        let binding = tls.get_ref().1.export_keying_material([0; BINDING], EXPORTER, None);
        let binding = binding.map_err(|e| FrameError::Tls(e.to_string()))?;
        Ok((PeerStream::Tls(Box::new(TlsStream::Client(tls))), binding))
    }

    /// The listener's side.
    ///
    /// # Errors
    /// The handshake failed.
    pub async fn accept(&self, socket: TcpStream) -> Result<(PeerStream, [u8; BINDING]), FrameError> {
        let tls = self.ends().acceptor.accept(Slot::new(socket)).await.map_err(failure)?;
        let binding = tls.get_ref().1.export_keying_material([0; BINDING], EXPORTER, None);
        let binding = binding.map_err(|e| FrameError::Tls(e.to_string()))?;
        Ok((PeerStream::Tls(Box::new(TlsStream::Server(tls))), binding))
    }
}

/// An error of TLS by its name, any other as it is.
pub fn failure(error: io::Error) -> FrameError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(tls) => FrameError::Tls(tls.to_string()),
        None => FrameError::Io(error),
    }
}

fn by_secret() -> Result<Ends, String> {
    let made = rcgen::generate_simple_self_signed([NOBODY.to_string()]).map_err(|e| format!("no certificate: {e}"))?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key))
        .map_err(|e| e.to_string())?;
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(ends(client, server))
}

fn by_certificates(files: &ClusterTlsFiles) -> Result<Ends, String> {
    let (chain, key) = pem::pair(&files.cert, &files.key)?;
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(&files.ca)? {
        roots.add(certificate).map_err(|e| format!("{}: no certificate of an authority: {e}", files.ca.display()))?;
    }
    let roots = Arc::new(roots);
    let provider = Arc::new(ring::default_provider());
    let unusable = |e: &dyn std::fmt::Display| format!("{}: {e}", files.ca.display());
    let of_clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build();
    let of_servers = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| e.to_string())?
        .with_client_cert_verifier(of_clients.map_err(|e| unusable(&e))?)
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(|e| pem::unmatched(&files.cert, &files.key, &e))?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|e| e.to_string())?
        .with_webpki_verifier(of_servers.map_err(|e| unusable(&e))?)
        .with_client_auth_cert(chain, key)
        .map_err(|e| pem::unmatched(&files.cert, &files.key, &e))?;
    Ok(ends(client, server))
}

/// No resumption: connections between nodes are few and long, and a resumed one would not look at certificates again.
fn ends(mut client: ClientConfig, mut server: ServerConfig) -> Ends {
    client.resumption = rustls::client::Resumption::disabled();
    server.send_tls13_tickets = 0;
    Ends { connector: TlsConnector::from(Arc::new(client)), acceptor: TlsAcceptor::from(Arc::new(server)) }
}

/// Takes whatever certificate is shown: only that its key made the handshake is checked. The proofs that follow are bound
/// to the connection, and they say who is there.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("nodes speak TLS 1.3".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
