//! Puts components together to one: what a part imports, the next part that exports it lends.

use anyhow::{Context, Result, bail};
use wac_graph::types::{Package, WorldId};
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

/// One component of the parts, in their order; it exports all that the first does, and `also` of the last.
///
/// # Errors
/// Where a part is no component, lends nothing to those before it, or the parts do not fit.
pub fn compose(parts: &[(&str, Vec<u8>)], also: &[String]) -> Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let mut lenders: Vec<(NodeId, Vec<String>)> = Vec::new();
    // From the end, so that whoever lends is there before whoever borrows.
    for (place, (name, bytes)) in parts.iter().enumerate().rev() {
        let package = Package::from_bytes(&format!("part:{name}"), None, bytes.clone(), graph.types_mut());
        let package = graph.register_package(package.with_context(|| format!("reading the component {name}"))?)?;
        let node = graph.instantiate(package);
        for import in names(&graph, package, |world| graph.types()[world].imports.keys().cloned().collect()) {
            let Some((lender, _)) = lenders.iter().rev().find(|(_, exports)| exports.contains(&import)) else {
                continue;
            };
            let export = graph.alias_instance_export(*lender, &import)?;
            graph.set_instantiation_argument(node, &import, export)?;
        }
        if lenders.last().is_some_and(|(lender, _)| !lends(&graph, *lender, node)) {
            bail!("{name} borrows nothing from {}", parts[place + 1].0);
        }
        let exports = names(&graph, package, |world| graph.types()[world].exports.keys().cloned().collect());
        lenders.push((node, exports));
    }
    let (Some((first, all)), Some((last, _))) = (lenders.last(), lenders.first()) else {
        bail!("there is no part");
    };
    for (node, name) in all.iter().map(|name| (first, name)).chain(also.iter().map(|name| (last, name))) {
        let export = graph.alias_instance_export(*node, name)?;
        graph.export(export, name)?;
    }
    graph.encode(EncodeOptions::default()).context("encoding what was put together")
}

/// Names of what a component imports or exports.
fn names(graph: &CompositionGraph, package: PackageId, of: impl Fn(WorldId) -> Vec<String>) -> Vec<String> {
    of(graph[package].ty())
}

/// Whether one part uses something of another.
fn lends(graph: &CompositionGraph, lender: NodeId, borrower: NodeId) -> bool {
    let mut arguments = graph.get_instantiation_arguments(borrower);
    arguments.any(|(_, argument)| graph.get_alias_source(argument).is_some_and(|(source, _)| source == lender))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::{self, Product};
    use crate::record::bytes_path;

    fn kept(name: &str) -> Vec<u8> {
        let products = product::products(&crate::workspace()).unwrap();
        let product: &Product = products.iter().find(|product| product.name == name).unwrap();
        std::fs::read(bytes_path(&crate::workspace(), product)).unwrap()
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
        assert_eq!(error.to_string(), "adapter borrows nothing from engine");
        let error = compose(&[("engine", engine), ("other", b"\0asm".to_vec())], &[]).unwrap_err();
        assert_eq!(error.to_string(), "reading the component other");
        assert!(compose(&[], &[]).is_err());
        assert!(compose(&[("adapter", adapter)], &["nobody:has/this".to_owned()]).is_err());
    }
}
