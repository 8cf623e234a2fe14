//! A bucket of `wasi:keyvalue` that fails, which the buckets of Wasmtime's crate never do.

use wasmtime::component::Resource;

wasmtime::component::bindgen!({
    path: "../wit/adapters/deps/keyvalue",
    inline: "package agent:hosts; world failing { import wasi:keyvalue/store@0.2.0-draft; }",
    world: "agent:hosts/failing",
    with: { "wasi:keyvalue/store.bucket": Bucket },
});

pub(crate) use wasi::keyvalue::store;

/// The only bucket, always empty.
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Bucket;

/// Which calls fail, and how.
#[derive(Default)]
pub(crate) struct FailingBucket {
    pub(crate) opening: Option<store::Error>,
    pub(crate) reading: Option<store::Error>,
    pub(crate) writing: Option<store::Error>,
}

fn ended<T>(error: Option<&store::Error>, good: T) -> Result<T, store::Error> {
    error.cloned().map_or(Ok(good), Err)
}

impl store::Host for FailingBucket {
    fn open(&mut self, _identifier: String) -> Result<Resource<Bucket>, store::Error> {
        ended(self.opening.as_ref(), Resource::new_own(0))
    }
}

impl store::HostBucket for FailingBucket {
    fn get(&mut self, _bucket: Resource<Bucket>, key: String) -> Result<Option<Vec<u8>>, store::Error> {
        // The settings can be read; later reads fail.
        if key == "settings" { Ok(None) } else { ended(self.reading.as_ref(), None) }
    }

    fn set(&mut self, _bucket: Resource<Bucket>, _key: String, _value: Vec<u8>) -> Result<(), store::Error> {
        ended(self.writing.as_ref(), ())
    }

    fn delete(&mut self, _bucket: Resource<Bucket>, _key: String) -> Result<(), store::Error> {
        ended(self.writing.as_ref(), ())
    }

    fn exists(&mut self, _bucket: Resource<Bucket>, _key: String) -> Result<bool, store::Error> {
        ended(self.reading.as_ref(), false)
    }

    fn list_keys(
        &mut self,
        _bucket: Resource<Bucket>,
        _cursor: Option<u64>,
    ) -> Result<store::KeyResponse, store::Error> {
        ended(self.reading.as_ref(), store::KeyResponse { keys: Vec::new(), cursor: None })
    }

    fn drop(&mut self, _bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        Ok(())
    }
}
