//! The WIT package: every item says what it is, and the built engine asks for two interfaces and no more.

use std::path::Path;

use wit_component::DecodedWasm;
use wit_parser::{Docs, Resolve, TypeDefKind, WorldItem};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
const COMPONENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist/engine.wasm");

#[test]
fn every_item_is_documented() {
    let mut resolve = Resolve::default();
    resolve.push_dir(Path::new(FOLDER)).unwrap();
    let mut seen = 0;
    let mut missing = Vec::new();
    let mut see = |what: String, docs: &Docs| {
        seen += 1;
        if docs.contents.as_ref().is_none_or(|text| text.trim().is_empty()) {
            missing.push(what);
        }
    };
    for (_, world) in &resolve.worlds {
        see(format!("world {}", world.name), &world.docs);
    }
    for (_, interface) in &resolve.interfaces {
        let name = interface.name.clone().unwrap_or_default();
        see(format!("interface {name}"), &interface.docs);
        for function in interface.functions.values() {
            see(format!("{name}.{}", function.name), &function.docs);
        }
        for id in interface.types.values() {
            let definition = &resolve.types[*id];
            let type_name = format!("{name}.{}", definition.name.clone().unwrap_or_default());
            see(type_name.clone(), &definition.docs);
            match &definition.kind {
                TypeDefKind::Record(record) => {
                    record.fields.iter().for_each(|field| see(format!("{type_name}.{}", field.name), &field.docs));
                }
                TypeDefKind::Variant(variant) => {
                    variant.cases.iter().for_each(|case| see(format!("{type_name}.{}", case.name), &case.docs));
                }
                TypeDefKind::Enum(choices) => {
                    choices.cases.iter().for_each(|case| see(format!("{type_name}.{}", case.name), &case.docs));
                }
                TypeDefKind::Flags(flags) => {
                    flags.flags.iter().for_each(|flag| see(format!("{type_name}.{}", flag.name), &flag.docs));
                }
                _ => {}
            }
        }
    }
    assert!(seen > 80, "only {seen} items were looked at");
    assert!(missing.is_empty(), "without documentation: {missing:#?}");
}

#[test]
fn the_built_engine_imports_two_interfaces_and_exports_one() {
    let component = std::fs::read(COMPONENT).unwrap();
    let DecodedWasm::Component(resolve, world) = wit_component::decode(&component).unwrap() else {
        panic!("guest/dist/engine.wasm is no component");
    };
    let names = |items: Vec<&WorldItem>| -> Vec<String> {
        let name = |item: &&WorldItem| match item {
            WorldItem::Interface { id, .. } => resolve.id_of(*id).unwrap_or_default(),
            WorldItem::Function(function) => function.name.clone(),
            other => format!("{other:?}"),
        };
        let mut names: Vec<String> = items.iter().map(name).collect();
        names.sort();
        names
    };
    let world = &resolve.worlds[world];
    let imports = names(world.imports.values().collect());
    assert_eq!(imports, ["agent:tickets/environment@0.1.0", "agent:tickets/key-value@0.1.0"]);
    assert_eq!(names(world.exports.values().collect()), ["agent:tickets/tickets@0.1.0"]);
}
