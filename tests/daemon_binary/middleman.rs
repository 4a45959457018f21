//! Somebody in the middle who speaks TLS with both sides, and sees all there is within.

use marmot::shell::frame::HELLO;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Answers dialers in the place of a node, and dials it in theirs, until this is dropped.
pub struct Middleman {
    pub port: u16,
    /// Connections on which both TLS handshakes were made.
    pub between: Arc<AtomicUsize>,
    _runtime: tokio::runtime::Runtime,
}

impl Middleman {
    pub fn before(target: u16) -> Middleman {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let between = Arc::new(AtomicUsize::new(0));
        let counted = between.clone();
        runtime.spawn(async move {
            while let Ok((dialer, _)) = listener.accept().await {
                let counted = counted.clone();
                // It ends when either side does.
                tokio::spawn(async move { sit_between(dialer, target, &counted).await });
            }
        });
        Middleman { port, between, _runtime: runtime }
    }
}

async fn sit_between(mut dialer: TcpStream, target: u16, between: &AtomicUsize) -> io::Result<()> {
    let mut listening = TcpStream::connect(("127.0.0.1", target)).await?;
    let mut hello = [0; HELLO];
    dialer.read_exact(&mut hello).await?;
    listening.write_all(&hello).await?;
    listening.read_exact(&mut hello).await?;
    dialer.write_all(&hello).await?;
    let made = rcgen::generate_simple_self_signed(["marmot".to_string()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let server = server.and_then(|b| b.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key));
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let client = client.dangerous().with_custom_certificate_verifier(Arc::new(Anyone)).with_no_client_auth();
    let name = ServerName::try_from("marmot").expect("a name");
    let mut dialer = TlsAcceptor::from(Arc::new(server.expect("it fits"))).accept(dialer).await?;
    let mut listening = TlsConnector::from(Arc::new(client)).connect(name, listening).await?;
    between.fetch_add(1, Ordering::Relaxed);
    copy_bidirectional(&mut dialer, &mut listening).await.map(drop)
}

#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
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
        Ok(HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
