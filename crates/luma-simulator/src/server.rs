//! The sockets: connections, requests and their faults.

use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::fault::{Close, Delivery, Ending, Reply, Target};
use crate::jobs::lock;
use crate::service::Service;

/// Accepts connections for ever.
pub(crate) async fn run(service: Arc<Service>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                service.journal.connection();
                service.jobs.spawn(serve(service.clone(), stream));
            }
            // Most likely there are no free file descriptors.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve(service: Arc<Service>, stream: TcpStream) {
    // With Nagle's algorithm, the end of a small response waits for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| Box::pin(answer(service.clone(), request)));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let result = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    let mut stream = connection.into_parts().io.into_inner();
    let error = result.as_ref().err().and_then(Error::source);
    if let Some(Ending(bytes, close)) = error.and_then(|error| error.downcast_ref()) {
        // Fails if the client has closed the connection.
        let _ = stream.write_all(bytes).await;
        if *close == Close::Rst {
            let _ = stream.set_zero_linger();
        }
    }
}

async fn answer(service: Arc<Service>, request: Request<Incoming>) -> Reply {
    let (parts, body) = request.into_parts();
    // Fails only if the client closes the connection.
    let body = body.collect().await.map_err(|_| Ending(Vec::new(), Close::Fin));
    let body = body?.to_bytes();
    let target = Target::of(parts.uri.path(), &parts.headers);
    service.journal.received(target, &parts, &body);
    let fault = lock(&service.faults).take(|fault| fault.matches(target));
    let process = service.clone().answer(parts, body);
    match fault {
        None => Delivery::Whole.send(process.await).await,
        Some(fault) => {
            service.journal.fault();
            fault.apply(&service.jobs, process).await
        }
    }
}
