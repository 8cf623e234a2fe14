//! Composes components into one: each import is connected to the next part that exports it.

use anyhow::{Context, Result, bail};
use wac_graph::types::{Package, WorldId};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

/// One component of the parts, in their order; it exports all that the first does, and `also` of the last.
///
/// # Errors
/// If a part is not a component, no part before it uses it, or the parts do not fit.
pub fn compose(parts: &[(&str, Vec<u8>)], also: &[String]) -> Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let mut providers: Vec<(NodeId, Vec<String>)> = Vec::new();
    // From the end, so that a provider is there before its users.
    for (place, (name, bytes)) in parts.iter().enumerate().rev() {
        let package = Package::from_bytes(&format!("part:{name}"), None, bytes.clone(), graph.types_mut());
        let package = graph.register_package(package.with_context(|| format!("reading the component {name}"))?)?;
        let node = graph.instantiate(package);
        for import in names(&graph, package, |world| graph.types()[world].imports.keys().cloned().collect()) {
            let Some((provider, _)) = providers.iter().rev().find(|(_, exports)| exports.contains(&import)) else {
                continue;
            };
            let export = graph.alias_instance_export(*provider, &import)?;
            graph.set_instantiation_argument(node, &import, export)?;
        }
        if providers.last().is_some_and(|(provider, _)| !uses(&graph, *provider, node)) {
            bail!("{name} uses nothing of {}", parts[place + 1].0);
        }
        let exports = names(&graph, package, |world| graph.types()[world].exports.keys().cloned().collect());
        providers.push((node, exports));
    }
    let (Some((first, all)), Some((last, _))) = (providers.last(), providers.first()) else {
        bail!("no parts were given");
    };
    for (node, name) in all.iter().map(|name| (first, name)).chain(also.iter().map(|name| (last, name))) {
        let export = graph.alias_instance_export(*node, name)?;
        graph.export(export, name)?;
    }
    graph.encode(EncodeOptions::default()).context("encoding the composition")
}

/// Names of what a component imports or exports.
fn names(graph: &CompositionGraph, package: PackageId, of: impl Fn(WorldId) -> Vec<String>) -> Vec<String> {
    of(graph[package].ty())
}

/// Whether one part uses something of another.
fn uses(graph: &CompositionGraph, provider: NodeId, user: NodeId) -> bool {
    let mut arguments = graph.get_instantiation_arguments(user);
    arguments.any(|(_, argument)| graph.get_alias_source(argument).is_some_and(|(source, _)| source == provider))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::{self, Product};
    use crate::record::bytes_path;

    fn kept(name: &str) -> Vec<u8> {
        let products = product::products(&crate::sources::workspace()).unwrap();
        let product: &Product = products.iter().find(|product| product.name == name).unwrap();
        std::fs::read(bytes_path(&crate::sources::workspace(), product)).unwrap()
    }

    #[test]
    fn the_same_parts_give_the_same_bytes() {
        let also = ["agent:tickets/key-value@0.1.0".to_owned()];
        let parts = [("engine", kept("engine")), ("wasi-keyvalue", kept("wasi-keyvalue"))];
        assert!(compose(&parts, &also).unwrap() == kept("tickets-on-wasi-keyvalue"));
    }

    #[test]
    fn parts_that_do_not_fit_are_named() {
        let (engine, adapter) = (kept("engine"), kept("wasi-keyvalue"));
        let error = compose(&[("adapter", adapter.clone()), ("engine", engine.clone())], &[]).unwrap_err();
        assert_eq!(error.to_string(), "adapter uses nothing of engine");
        let error = compose(&[("engine", engine), ("other", b"\0asm".to_vec())], &[]).unwrap_err();
        assert_eq!(error.to_string(), "reading the component other");
        assert!(compose(&[], &[]).is_err());
        assert!(compose(&[("adapter", adapter)], &["none:has/this".to_owned()]).is_err());
    }
}
