//! `callwright list` and `callwright describe`.

use std::fmt::Write as _;

use callwright::dynamic::{DynamicError, EnumDescriptor, FieldDescriptor, MessageDescriptor, MethodDescriptor, Module};

use crate::arguments::Query;
use crate::channel;
use crate::failure::Failure;
use crate::output;
use crate::source;

/// Prints the services, or the methods of one.
pub(crate) async fn list(query: Query) -> Result<(), Failure> {
    let module = load(&query).await?;
    let mut names: Vec<_> = match &query.name {
        None => module.services().map(|service| service.full_name().to_owned()).collect(),
        Some(name) => {
            let service = module.service(name)?;
            service.methods().map(|method| format!("{}/{}", service.full_name(), method.name())).collect()
        }
    };
    if query.name.is_none() {
        names.sort();
    }
    names.iter().try_for_each(output::line)
}

/// Prints a service, a method, a message or an enum as a `.proto` would have it.
pub(crate) async fn describe(query: Query) -> Result<(), Failure> {
    let module = load(&query).await?;
    let name = query.name.as_deref().unwrap_or_default().trim_start_matches(['.', '/']);
    output::line(text(&module, name)?.trim_end())
}

async fn load(query: &Query) -> Result<Module, Failure> {
    let channel = query.target.as_deref().map(|target| channel::open(target, &query.options)).transpose()?;
    source::load(&query.source, channel.as_ref(), &query.options, source::deadline(&query.options)).await
}

fn text(module: &Module, name: &str) -> Result<String, DynamicError> {
    let pool = module.pool();
    if let Some(service) = pool.get_service_by_name(name) {
        let methods: String = service.methods().map(|method| format!("  {}\n", signature(&method))).collect();
        return Ok(format!("service {} {{\n{methods}}}\n", service.full_name()));
    }
    if let Some((service, method)) = name.rsplit_once(['/', '.'])
        && let Some(service) = pool.get_service_by_name(service)
        && let Some(method) = service.methods().find(|known| known.name() == method)
    {
        return Ok(format!("{}\n", signature(&method)));
    }
    if let Some(enumeration) = pool.get_enum_by_name(name) {
        return Ok(enum_text(&enumeration));
    }
    module.message(name).map(|message| message_text(&message))
}

fn signature(method: &MethodDescriptor) -> String {
    let stream = |streams| if streams { "stream " } else { "" };
    format!(
        "rpc {}({}{}) returns ({}{});",
        method.name(),
        stream(method.is_client_streaming()),
        method.input().full_name(),
        stream(method.is_server_streaming()),
        method.output().full_name()
    )
}

fn message_text(message: &MessageDescriptor) -> String {
    let mut text = format!("message {} {{\n", message.full_name());
    for field in message.fields().filter(|field| !in_real_oneof(field)) {
        let _ = writeln!(text, "  {}", field_text(&field));
    }
    for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        let _ = writeln!(text, "  oneof {} {{", oneof.name());
        for field in oneof.fields() {
            let _ = writeln!(text, "    {}", field_text(&field));
        }
        let _ = writeln!(text, "  }}");
    }
    text.push_str("}\n");
    text
}

fn enum_text(enumeration: &EnumDescriptor) -> String {
    let values: String =
        enumeration.values().map(|value| format!("  {} = {};\n", value.name(), value.number())).collect();
    format!("enum {} {{\n{values}}}\n", enumeration.full_name())
}

fn in_real_oneof(field: &FieldDescriptor) -> bool {
    field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic())
}

fn field_text(field: &FieldDescriptor) -> String {
    let kind = |field: &FieldDescriptor| {
        let kind = field.kind();
        match (kind.as_message(), kind.as_enum()) {
            (Some(message), _) => message.full_name().to_owned(),
            (_, Some(enumeration)) => enumeration.full_name().to_owned(),
            _ => format!("{kind:?}").to_lowercase(),
        }
    };
    let (name, number) = (field.name(), field.number());
    if let Some(entry) = field.kind().as_message().filter(|_| field.is_map()) {
        let (key, value) = (kind(&entry.map_entry_key_field()), kind(&entry.map_entry_value_field()));
        return format!("map<{key}, {value}> {name} = {number};");
    }
    let label = match (field.is_list(), field.is_required(), field.containing_oneof()) {
        (true, _, _) => "repeated ",
        (_, true, _) => "required ",
        (_, _, Some(oneof)) if oneof.is_synthetic() => "optional ",
        _ => "",
    };
    format!("{label}{} {name} = {number};", kind(field))
}
