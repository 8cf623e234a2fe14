//! The WIT packages: every item says what it is, and every built component asks for what it should and no more.

use std::path::Path;

use wit_component::DecodedWasm;
use wit_parser::{Docs, PackageId, Resolve, TypeDefKind, WorldItem};

/// Folders of packages.
const FOLDERS: [&str; 3] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/../wit"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/adapters"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/workflow"),
];
const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/dist");

/// What every built component imports and exports.
const BORDERS: &[(&str, &[&str], &[&str])] = &[
    (
        "edge",
        &[
            "wasi:clocks/wall-clock@0.2.12",
            "wasi:http/types@0.2.12",
            "wasi:io/error@0.2.12",
            "wasi:io/streams@0.2.12",
            "wasi:keyvalue/store@0.2.0-draft",
            "wasi:random/random@0.2.12",
        ],
        &["wasi:http/incoming-handler@0.2.12"],
    ),
    (
        "engine",
        &["agent:tickets/environment@0.1.0", "agent:tickets/key-value@0.1.0"],
        &["agent:tickets/tickets@0.1.0", "agent:tickets/tickets@0.2.0"],
    ),
    (
        "interposed",
        &[
            "agent:adapters/interposition@0.1.0",
            "wasi:clocks/wall-clock@0.2.12",
            "wasi:keyvalue/store@0.2.0-draft",
            "wasi:random/random@0.2.12",
        ],
        &["agent:tickets/key-value@0.1.0", "agent:tickets/tickets@0.1.0", "agent:tickets/tickets@0.2.0"],
    ),
    ("refund", &["agent:workflow/ticket@0.1.0"], &["agent:workflow/handler@0.1.0"]),
    (
        "tickets-on-wasi-keyvalue",
        &["wasi:clocks/wall-clock@0.2.12", "wasi:keyvalue/store@0.2.0-draft", "wasi:random/random@0.2.12"],
        &["agent:tickets/key-value@0.1.0", "agent:tickets/tickets@0.1.0", "agent:tickets/tickets@0.2.0"],
    ),
    (
        "wasi-keyvalue",
        &["wasi:clocks/wall-clock@0.2.12", "wasi:keyvalue/store@0.2.0-draft", "wasi:random/random@0.2.12"],
        &["agent:tickets/environment@0.1.0", "agent:tickets/key-value@0.1.0"],
    ),
];

#[test]
fn every_item_is_documented() {
    let mut resolve = Resolve::default();
    for folder in FOLDERS {
        resolve.push_dir(Path::new(folder)).unwrap();
    }
    // Those in `deps` too, if they are ours.
    let is_ours =
        |package: Option<PackageId>| package.is_some_and(|package| resolve.packages[package].name.namespace == "agent");
    let mut seen = 0;
    let mut missing = Vec::new();
    let mut see = |what: String, docs: &Docs| {
        seen += 1;
        if docs.contents.as_ref().is_none_or(|text| text.trim().is_empty()) {
            missing.push(what);
        }
    };
    for (_, world) in resolve.worlds.iter().filter(|(_, world)| is_ours(world.package)) {
        see(format!("world {}", world.name), &world.docs);
    }
    for (_, interface) in resolve.interfaces.iter().filter(|(_, interface)| is_ours(interface.package)) {
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
fn every_built_component_imports_and_exports_what_it_should() {
    let files = std::fs::read_dir(DIST).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut built: Vec<String> = files.filter_map(|file| file.strip_suffix(".wasm").map(str::to_owned)).collect();
    built.sort();
    assert_eq!(built, BORDERS.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
    for (component, imports, exports) in BORDERS {
        let bytes = std::fs::read(Path::new(DIST).join(component).with_extension("wasm")).unwrap();
        let DecodedWasm::Component(resolve, world) = wit_component::decode(&bytes).unwrap() else {
            panic!("guest/dist/{component}.wasm is not a component");
        };
        let world = &resolve.worlds[world];
        assert_eq!(names(&resolve, world.imports.values()), *imports, "imports of {component}");
        assert_eq!(names(&resolve, world.exports.values()), *exports, "exports of {component}");
    }
}

fn names<'a>(resolve: &Resolve, items: impl Iterator<Item = &'a WorldItem>) -> Vec<String> {
    let name = |item: &WorldItem| match item {
        WorldItem::Interface { id, .. } => resolve.id_of(*id).unwrap_or_default(),
        WorldItem::Function(function) => function.name.clone(),
        other => format!("{other:?}"),
    };
    let mut names: Vec<String> = items.map(name).collect();
    names.sort();
    names
}
