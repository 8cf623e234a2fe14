//! The files of `guest/dist`: single components, and compositions of several.

use std::path::Path;

use anyhow::{Context, Result};

use crate::sources::{self, Component};

/// One file of `guest/dist`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its name there, without the ending.
    pub name: String,
    /// What it is made of, one component at least. An import is connected to the next part that exports it.
    pub parts: Vec<Component>,
    /// What it exports beside all that its first part does; exports of its last part.
    pub also: Vec<String>,
}

/// A product of several components, by their names.
struct Plan {
    name: &'static str,
    parts: &'static [&'static str],
    also: &'static [&'static str],
}

/// A component whose name is that of a plan is kept as a part of it alone.
const PLANS: &[Plan] = &[
    Plan { name: "tickets-on-wasi-keyvalue", parts: &["engine", "wasi-keyvalue"], also: &[KEY_VALUE] },
    Plan { name: "edge", parts: &["edge", "engine", "wasi-keyvalue"], also: &[] },
    // For tests.
    Plan { name: "interposed", parts: &["engine", "interposed", "wasi-keyvalue"], also: &[KEY_VALUE] },
];

/// Exported for tests that read and write the store as another client does.
const KEY_VALUE: &str = "agent:tickets/key-value@0.1.0";

impl Product {
    /// A component by itself.
    #[must_use]
    pub fn alone(component: Component) -> Self {
        Self { name: component.name.clone(), parts: vec![component], also: Vec::new() }
    }
}

/// All products of the workspace at `root`: its components, then their compositions.
///
/// # Errors
/// Where the workspace cannot be read or lacks a component that a product is made of.
pub fn products(root: &Path) -> Result<Vec<Product>> {
    let components = sources::components(root)?;
    let planned = |component: &&Component| PLANS.iter().any(|plan| plan.name == component.name);
    let mut products: Vec<_> =
        components.iter().filter(|component| !planned(component)).cloned().map(Product::alone).collect();
    for plan in PLANS {
        let part = |name: &&str| {
            let found = components.iter().find(|component| component.name == **name).cloned();
            found.with_context(|| format!("guest/{name} is missing, {} needs it", plan.name))
        };
        let parts = plan.parts.iter().map(part).collect::<Result<_>>()?;
        let also = plan.also.iter().map(|name| (*name).to_owned()).collect();
        products.push(Product { name: plan.name.to_owned(), parts, also });
    }
    Ok(products)
}

/// The digest of all that a product is made of; of a component by itself, [`sources::digest`].
///
/// # Errors
/// As [`sources::digest`].
pub fn digest(root: &Path, product: &Product) -> Result<String> {
    if let [only] = &product.parts[..] {
        return sources::digest(root, only);
    }
    let mut lines = Vec::new();
    for part in &product.parts {
        lines.push(format!("part {} {}", part.name, sources::digest(root, part)?));
    }
    lines.extend(product.also.iter().map(|name| format!("also {name}")));
    Ok(sources::sha256(lines.join("\n").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_is_kept_by_itself_or_in_what_has_its_name() {
        let root = crate::sources::workspace();
        let products = products(&root).unwrap();
        for component in sources::components(&root).unwrap() {
            let product = products.iter().find(|product| product.name == component.name);
            assert!(product.is_some_and(|product| product.parts.contains(&component)), "{component:?}");
        }
    }

    #[test]
    fn a_digest_tells_parts_and_exports() {
        let root = crate::sources::workspace();
        let products = products(&root).unwrap();
        let composed = products.iter().find(|product| product.parts.len() > 1).unwrap();
        let digest = digest(&root, composed).unwrap();
        let mut other = composed.clone();
        other.also.push("more".to_owned());
        assert_ne!(super::digest(&root, &other).unwrap(), digest);
        let mut other = composed.clone();
        other.parts.reverse();
        assert_ne!(super::digest(&root, &other).unwrap(), digest);
        let alone = Product::alone(composed.parts[0].clone());
        assert_eq!(super::digest(&root, &alone).unwrap(), sources::digest(&root, &composed.parts[0]).unwrap());
    }
}
