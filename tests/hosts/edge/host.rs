//! A host that serves `edge.wasm`: the standard WASI of Wasmtime's crates, in which one instance answers many requests.

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

use crate::unwell::{self, Unwell};

const COMPONENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/edge.wasm");

/// The state of one instance.
pub(crate) struct Lent {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoRequests,
    key_value: WasiKeyValueCtx,
    pub(crate) unwell: Unwell,
}

/// An edge sends nothing anywhere.
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

impl WasiView for Lent {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Lent {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// One instance, and the bucket that it opened.
pub(crate) struct Edge {
    store: Store<Lent>,
    proxy: Proxy,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: http::HeaderMap,
    pub(crate) body: String,
}

impl Response {
    /// A header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Edge {
    /// An instance on the bucket of `wasmtime-wasi-keyvalue` with these values.
    pub(crate) async fn on(values: &[(&str, &str)]) -> Self {
        Self::linked(values, |linker| {
            wasmtime_wasi_keyvalue::add_to_linker(linker, |lent: &mut Lent| {
                WasiKeyValue::new(&lent.key_value, &mut lent.table)
            })
        })
        .await
    }

    /// An instance on a bucket that fails.
    pub(crate) async fn on_unwell(unwell: Unwell) -> Self {
        let mut edge = Self::linked(&[], |linker| {
            unwell::store::add_to_linker::<_, HasSelf<Unwell>>(linker, |lent: &mut Lent| &mut lent.unwell)
        })
        .await;
        edge.store.data_mut().unwell = unwell;
        edge
    }

    async fn linked(values: &[(&str, &str)], link: impl FnOnce(&mut Linker<Lent>) -> wasmtime::Result<()>) -> Self {
        let engine = Engine::default();
        let component = Component::from_file(&engine, Path::new(COMPONENT)).unwrap();
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
        link(&mut linker).unwrap();
        let values = values.iter().copied();
        let lent = Lent {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
            hooks: NoRequests,
            key_value: WasiKeyValueCtxBuilder::new().in_memory_data(values).build(),
            unwell: Unwell::default(),
        };
        let mut store = Store::new(&engine, lent);
        let proxy = Proxy::instantiate_async(&mut store, &component, &linker).await.unwrap();
        Self { store, proxy }
    }

    /// Sends a request without headers.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: impl Into<Bytes>) -> Response {
        self.send(method, path, &[], body.into()).await
    }

    /// Sends a request on the condition that the ticket has not changed.
    pub(crate) async fn ask_at(&mut self, tag: &str, method: &str, path: &str, body: &str) -> Response {
        self.send(method, path, &[("if-match", tag)], Bytes::from(body.to_owned())).await
    }

    /// Sends a request to the instance and waits for all of its answer.
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
