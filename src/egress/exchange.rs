//! One request and its answer on one connection, bounded in size.

use bytes::Bytes;
use futures_util::future;
use http::{
    HeaderMap, HeaderName, HeaderValue, Uri,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::{Address, Failure, Refused, Request, Response, connect::Stream};

/// Longest head of an answer, in bytes, and the most headers in it.
const HEAD_BYTES: usize = 16 * 1024;
const HEADERS: usize = 100;

/// What only the client itself may say.
const OWN: [HeaderName; 9] = [
    HOST,
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Sends `request` and reads the whole answer. The caller bounds the time.
pub(super) async fn exchange(stream: Stream, request: Request) -> Result<Response, Failure> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| Failure::Broken)?;
    let answer_max = request.answer_max;
    let answer = async move {
        let answer =
            sender.send_request(worded(request)?).await.map_err(|error| failure(&error))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, answer_max).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { Failure::TooLarge } else { Failure::Broken }
        })?;
        Ok(Response { status: head.status, headers: head.headers, body: body.to_bytes() })
    };
    // The connection moves only while somebody asks; what ended it the answer says better.
    match future::select(Box::pin(answer), Box::pin(connection)).await {
        future::Either::Left((answer, _)) => answer,
        future::Either::Right((_, answer)) => answer.await,
    }
}

fn worded(request: Request) -> Result<http::Request<Full<Bytes>>, Failure> {
    let mut worded = http::Request::new(Full::new(request.body));
    *worded.method_mut() = request.method;
    *worded.uri_mut() = Uri::from(request.address.target.clone());
    *worded.headers_mut() = headers(request.headers, &request.address)?;
    Ok(worded)
}

fn headers(mut headers: HeaderMap, address: &Address) -> Result<HeaderMap, Failure> {
    for name in OWN {
        headers.remove(name);
    }
    let host = HeaderValue::from_str(&address.authority).map_err(|_| Refused::Unreadable)?;
    headers.insert(HOST, host);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(headers)
}

fn failure(error: &hyper::Error) -> Failure {
    if error.is_parse_too_large() { Failure::TooLarge } else { Failure::Broken }
}
