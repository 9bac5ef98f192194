//! What can stand before a simulator: a gate that resets connections, and TLS.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// Starts a front; `connection` gets each connection to it and the address of the service.
async fn listen<F>(
    service: &str,
    connection: impl Fn(TcpStream, SocketAddr) -> F + Send + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let service = service.trim_start_matches("http://");
    let service = service.parse().expect("an address");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, service));
        }
    });
    address
}

/// Lets connections through. While it is shut it resets each one as it begins to speak, so that the
/// service sees no request.
#[derive(Debug)]
pub struct Gate {
    pub url: String,
    shut: Arc<AtomicBool>,
    reset: Arc<AtomicU64>,
}

impl Gate {
    pub async fn before(service: &str) -> Self {
        let (shut, reset) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let state = (shut.clone(), reset.clone());
        let address = listen(service, move |mut stream, service| {
            let (shut, reset) = state.clone();
            async move {
                // Not sooner, or the client may take it for a connection that was never made.
                let _ = stream.peek(&mut [0]).await;
                if shut.load(Ordering::SeqCst) {
                    reset.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.set_zero_linger();
                    return;
                }
                let mut service = TcpStream::connect(service).await.expect("a simulator");
                let _ = copy_bidirectional(&mut stream, &mut service).await;
            }
        });
        let url = format!("http://{}", address.await);
        Self { url, shut, reset }
    }

    pub fn shut(&self, shut: bool) {
        self.shut.store(shut, Ordering::SeqCst);
    }

    /// How many connections were reset since the last call.
    pub fn take_reset(&self) -> u64 {
        self.reset.swap(0, Ordering::SeqCst)
    }
}

/// The same service by https, of an authority that nobody knows.
#[derive(Debug)]
pub struct Tls {
    pub url: String,
    authority: reqwest::Certificate,
}

impl Tls {
    pub async fn before(service: &str) -> Self {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let own = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], PrivateKeyDer::from(key))
            .expect("a certificate and its key");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let address = listen(service, move |stream, service| {
            let acceptor = acceptor.clone();
            async move {
                // A client that does not trust it leaves.
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut service = TcpStream::connect(service).await.expect("a simulator");
                let _ = copy_bidirectional(&mut stream, &mut service).await;
            }
        });
        Self {
            url: format!("https://{}", address.await),
            authority: reqwest::Certificate::from_der(own.cert.der()).expect("a certificate"),
        }
    }

    /// An HTTP client that trusts only this authority.
    pub fn trusted(&self) -> reqwest::ClientBuilder {
        let client = reqwest::Client::builder().no_proxy();
        client.tls_certs_only([self.authority.clone()])
    }
}
