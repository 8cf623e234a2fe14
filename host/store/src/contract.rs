//! The trait that every store implements.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::entry::{Condition, Entry, Freshness, Outcome, Page};
use crate::error::Error;
use crate::fields::Fields;
use crate::health::Health;
use crate::key::Key;
use crate::promises;

/// A store behind the trait. A clone is another handle to the same entries.
pub type SharedStore = Arc<dyn Store>;

/// A key-value store with deadlines and conditional changes. `Display` names it without secrets.
///
/// There are no default methods: every store implements every call.
///
/// # Promises
///
#[doc = promises::promises_table!()]
///
/// # Errors
///
/// Every call may fail with the kinds of [`Kind`](crate::Kind). They tell what the caller must do, and whether anything
/// was written: after `Uncertain` it may have been, after the others it was not. An error names the key and the reason
/// and contains no secrets.
///
/// # Cancellation
///
/// A future may be dropped at any time. The change is then applied completely or not at all.
///
/// # Example
///
/// A complete store: entries in a map behind a lock.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::fmt;
/// use std::sync::Mutex;
///
/// use async_trait::async_trait;
/// use ticket_store::clock::{Clock, SystemClock};
/// use ticket_store::{
///     Condition, Entry, Error, Fields, Freshness, Health, Key, Outcome, Page, Store, check_fields, check_limit,
///     check_ttl, deadline,
/// };
///
/// #[derive(Debug, Default)]
/// struct MapStore(Mutex<BTreeMap<Key, Entry>>);
///
/// impl fmt::Display for MapStore {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("map:")
///     }
/// }
///
/// impl MapStore {
///     /// Replaces the current entry by what `make` returns for it, in one step.
///     fn change(&self, key: &Key, when: &Condition, make: impl FnOnce(Option<Entry>, u64) -> Option<Entry>) -> Outcome {
///         let (mut entries, now_ms) = (self.0.lock().unwrap(), SystemClock.now_ms());
///         let current = entries.remove(key).filter(|entry| !deadline::is_over(entry.expires_at_ms, now_ms));
///         if !when.holds(current.as_ref()) {
///             entries.extend(current.clone().map(|entry| (key.clone(), entry)));
///             return Outcome::Refused(current);
///         }
///         let Some(new) = make(current, now_ms) else { return Outcome::Removed };
///         entries.insert(key.clone(), new.clone());
///         Outcome::Written { revision: new.revision, expires_at_ms: new.expires_at_ms }
///     }
/// }
///
/// /// The new deadline; it differs from the previous one even within a millisecond.
/// fn expiry(now_ms: u64, ttl_ms: u64, current: Option<&Entry>) -> u64 {
///     deadline::choose(now_ms, ttl_ms, current.map_or(0, |entry| entry.expires_at_ms))
/// }
///
/// #[async_trait]
/// impl Store for MapStore {
///     async fn read(&self, key: &Key, _: Freshness) -> Result<Option<Entry>, Error> {
///         let (entries, now_ms) = (self.0.lock().unwrap(), SystemClock.now_ms());
///         Ok(entries.get(key).filter(|entry| !deadline::is_over(entry.expires_at_ms, now_ms)).cloned())
///     }
///
///     async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error> {
///         check_ttl(ttl_ms)?;
///         check_fields(&fields)?;
///         Ok(self.change(key, when, |current, now_ms| {
///             Some(Entry::new(fields, expiry(now_ms, ttl_ms, current.as_ref())))
///         }))
///     }
///
///     async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error> {
///         check_ttl(ttl_ms)?;
///         Ok(self.change(key, &Condition::Present, |current, now_ms| {
///             let expires_at_ms = expiry(now_ms, ttl_ms, current.as_ref());
///             current.map(|entry| Entry::new(entry.fields, expires_at_ms))
///         }))
///     }
///
///     async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error> {
///         Ok(self.change(key, when, |_, _| None))
///     }
///
///     async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
///         let (limit, after) = (check_limit(limit)?, cursor.map(Key::parse).transpose()?);
///         let (entries, now_ms) = (self.0.lock().unwrap(), SystemClock.now_ms());
///         let listed = entries.iter().filter(|(key, entry)| {
///             after.as_ref().is_none_or(|after| *key > after) && !deadline::is_over(entry.expires_at_ms, now_ms)
///         });
///         let mut keys: Vec<Key> = listed.map(|(key, _)| key.clone()).take(limit + 1).collect();
///         let has_more = keys.len() > limit;
///         keys.truncate(limit);
///         let cursor = keys.last().filter(|_| has_more).map(Key::to_string);
///         Ok(Page { keys, cursor })
///     }
///
///     async fn health(&self) -> Result<Health, Error> {
///         Ok(Health { facts: vec![("entries", self.0.lock().unwrap().len().to_string())], findings: vec![] })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
/// let store = MapStore::default();
/// let key = Key::parse("ticket:a")?;
/// let fields = vec![("facts".to_owned(), "{}".to_owned())];
/// let Outcome::Written { revision, .. } = store.write(&key, fields, 60_000, &Condition::Absent).await? else {
///     panic!("the key was free");
/// };
/// assert_eq!(store.read(&key, Freshness::Latest).await?.expect("an entry").revision, revision);
/// assert_eq!(store.scan(None, 10).await?.keys, [key.clone()]);
/// assert_eq!(store.remove(&key, &Condition::At(revision)).await?, Outcome::Removed);
/// assert_eq!(store.touch(&key, 60_000).await?, Outcome::Refused(None));
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait Store: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Reads an entry; `None` if there is none or it has expired.
    ///
    /// With [`Freshness::Recent`] a store may return a last known copy in place of the current entry.
    ///
    /// # Errors
    /// - `Corrupt`: what is stored under the key is not an entry of text fields.
    /// - `TooLarge`: the entry has more than [`ENTRY_BYTES_MAX`](crate::ENTRY_BYTES_MAX) bytes.
    /// - `Unavailable`, `Denied`: the store cannot be reached, or does not permit it.
    async fn read(&self, key: &Key, freshness: Freshness) -> Result<Option<Entry>, Error>;

    /// Makes `fields` the whole entry and sets its deadline to `ttl_ms` milliseconds from now, if `when` holds.
    ///
    /// Returns `Written`, or `Refused` with the current entry.
    ///
    /// # Errors
    /// - `Invalid`: the TTL is not between [`TTL_MS_MIN`](crate::TTL_MS_MIN) and [`TTL_MS_MAX`](crate::TTL_MS_MAX), or
    ///   the fields are not valid (see [`check_fields`](crate::check_fields)).
    /// - `TooLarge`: `fields` have more than [`ENTRY_BYTES_MAX`](crate::ENTRY_BYTES_MAX) bytes, or the current entry of a
    ///   refused write has.
    /// - `Corrupt`: the condition is `Absent` or `At`, and what is stored is not an entry. `Present` replaces it.
    /// - `Unavailable`, `Denied`: nothing was written.
    /// - `Uncertain`: the change was applied or not.
    async fn write(&self, key: &Key, fields: Fields, ttl_ms: u64, when: &Condition) -> Result<Outcome, Error>;

    /// Sets the deadline to `ttl_ms` milliseconds from now and leaves the fields, if there is an entry.
    ///
    /// Returns `Written`, or `Refused(None)` if there is no entry.
    ///
    /// # Errors
    /// `Invalid` for a TTL outside the limits; otherwise as [`write`](Self::write).
    async fn touch(&self, key: &Key, ttl_ms: u64) -> Result<Outcome, Error>;

    /// Removes the entry, if `when` holds.
    ///
    /// Returns `Removed`, or `Refused` with the current entry. With [`Condition::Absent`] it returns `Removed` if there
    /// is no entry.
    ///
    /// # Errors
    /// As [`write`](Self::write), without those about TTL and fields.
    async fn remove(&self, key: &Key, when: &Condition) -> Result<Outcome, Error>;

    /// Lists about `limit` keys, from `cursor` on; `None` begins.
    ///
    /// # Errors
    /// - `Invalid`: the limit is not between 1 and [`PAGE_KEYS_MAX`](crate::PAGE_KEYS_MAX), or the cursor is not one
    ///   that a page of this store returned.
    /// - `Unavailable`, `Denied`: the store cannot be reached, or does not permit it.
    async fn scan(&self, cursor: Option<&str>, limit: u32) -> Result<Page, Error>;

    /// Checks the store as an operator would: what it is, how fast it answers, and what is wrong with it.
    ///
    /// # Errors
    /// `Unavailable` or `Denied` if the store cannot be checked at all. Everything else is a finding.
    async fn health(&self) -> Result<Health, Error>;
}
