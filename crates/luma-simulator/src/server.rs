//! The sockets: connections, requests and their faults.

use std::{
    error::Error,
    future::poll_fn,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    time::sleep,
};

use crate::{
    delivery::{Body, Delivery, Ending},
    fault::{Fault, Target},
    jobs::lock,
    queue::Queue,
    service::Service,
};

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) service: Arc<Service>,
    pub(crate) faults: Mutex<Queue<Fault>>,
}

impl Server {
    /// Accepts connections for ever.
    pub(crate) async fn run(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    self.service.journal.connection();
                    self.service.jobs.spawn(self.clone().serve(stream));
                }
                // Most likely there are no free file descriptors.
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        // With Nagle's algorithm, the end of a small response waits for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request| Box::pin(self.clone().answer(request)));
        let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let result = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
        let mut stream = connection.into_parts().io.into_inner();
        let error = result.as_ref().err().and_then(Error::source);
        if let Some(ending) = error.and_then(|error| error.downcast_ref::<Ending>()) {
            // Fails if the client has closed the connection.
            let _ = stream.write_all(&ending.last_bytes).await;
            if ending.reset {
                // Closing then sends RST.
                let _ = stream.set_zero_linger();
            }
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Ending> {
        let (parts, body) = request.into_parts();
        // Fails only if the client closes the connection.
        let body = body
            .collect()
            .await
            .map_err(|_| Ending::default())?
            .to_bytes();
        let target = Target::of(parts.uri.path(), &parts.headers);
        let Service { journal, jobs, .. } = &*self.service;
        journal.received(target, &parts, &body);
        let fault = lock(&self.faults).take(|fault| fault.matches(target));
        let service = self.service.clone();
        let process = async move { service.answer(parts, &body).await };
        match fault {
            None => Delivery::Whole.send(process.await).await,
            Some(fault) => {
                journal.fault();
                fault.apply(jobs, process).await
            }
        }
    }
}
