//! A host for `edge.wasm` with the standard WASI of Wasmtime's crates; one instance answers many requests.

use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceTable};
use wasmtime::{Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};
use wasmtime_wasi_keyvalue::{WasiKeyValue, WasiKeyValueCtx, WasiKeyValueCtxBuilder};

use crate::failing_bucket::{self, FailingBucket};

const COMPONENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/edge.wasm");

/// The host context of one instance.
pub(crate) struct HostCtx {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoRequests,
    key_value: WasiKeyValueCtx,
    pub(crate) failing_bucket: FailingBucket,
}

/// Denies outgoing requests: an edge sends none.
struct NoRequests;

type Sent = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

impl WasiHttpHooks for NoRequests {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _failure: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Sent, Error>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

impl WasiView for HostCtx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for HostCtx {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// One instance with its bucket.
pub(crate) struct Edge {
    store: Store<HostCtx>,
    proxy: Proxy,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Response {
    /// A header; empty if it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Edge {
    /// An instance with a bucket of `wasmtime-wasi-keyvalue` that contains these values.
    pub(crate) async fn on(values: &[(&str, &str)]) -> Self {
        Self::linked(values, |linker| {
            wasmtime_wasi_keyvalue::add_to_linker(linker, |host_ctx: &mut HostCtx| {
                WasiKeyValue::new(&host_ctx.key_value, &mut host_ctx.table)
            })
        })
        .await
    }

    /// An instance with a bucket that fails.
    pub(crate) async fn on_failing_bucket(failing_bucket: FailingBucket) -> Self {
        let mut edge = Self::linked(&[], |linker| {
            failing_bucket::store::add_to_linker::<_, HasSelf<FailingBucket>>(linker, |host_ctx: &mut HostCtx| {
                &mut host_ctx.failing_bucket
            })
        })
        .await;
        edge.store.data_mut().failing_bucket = failing_bucket;
        edge
    }

    async fn linked(values: &[(&str, &str)], link: impl FnOnce(&mut Linker<HostCtx>) -> wasmtime::Result<()>) -> Self {
        let engine = Engine::default();
        let component = Component::from_file(&engine, Path::new(COMPONENT)).unwrap();
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
        link(&mut linker).unwrap();
        let values = values.iter().copied();
        let host_ctx = HostCtx {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
            hooks: NoRequests,
            key_value: WasiKeyValueCtxBuilder::new().in_memory_data(values).build(),
            failing_bucket: FailingBucket::default(),
        };
        let mut store = Store::new(&engine, host_ctx);
        let proxy = Proxy::instantiate_async(&mut store, &component, &linker).await.unwrap();
        Self { store, proxy }
    }

    /// Sends a request without headers.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: impl Into<Bytes>) -> Response {
        self.send(method, path, &[], body.into()).await
    }

    /// Sends a request with `if-match`.
    pub(crate) async fn ask_at(&mut self, tag: &str, method: &str, path: &str, body: &str) -> Response {
        self.send(method, path, &[("if-match", tag)], Bytes::from(body.to_owned())).await
    }

    /// Sends a request and waits for the complete response.
    pub(crate) async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Bytes) -> Response {
        let mut request = http::Request::builder().method(method).uri(format!("http://edge{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(body).map_err(|never| match never {});
        let request: http::Request<_> = request.body::<WasiBody>(body.boxed_unsync()).unwrap();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let mut view = self.store.data_mut().http();
        let request: Resource<_> = view.new_incoming_request(Scheme::Http, request).unwrap();
        let out = view.new_response_outparam(sender).unwrap();
        let handler = self.proxy.wasi_http_incoming_handler();
        let received = async {
            let (parts, body) = receiver.await.expect("an answer").expect("no error").into_parts();
            let body = body.collect().await.expect("all of the body").to_bytes();
            let body = String::from_utf8(body.to_vec()).expect("text");
            Response { status: parts.status.as_u16(), headers: parts.headers, body }
        };
        let (handled, response) = tokio::join!(handler.call_handle(&mut self.store, request, out), received);
        handled.expect("no trap");
        response
    }
}
