//! Which of several service configs a client takes, as DNS lists them (gRFC A2).

use serde_json::Value;

use super::super::ServiceConfig;
use super::ServiceConfigError;
use super::node::Node;

/// What a choice is made by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client<'a> {
    /// The language: `rust`.
    pub(crate) language: &'a str,
    /// The name of the host that the client runs on.
    pub(crate) hostname: &'a str,
    /// A random number from 0 to 99, of which a client should throw the dice once: a choice for 10 percent of all clients
    /// is for those that have 0 to 9.
    pub(crate) percentile: u8,
}

/// The service config of the first choice in the list that is for this client; `None` when there is none.
///
/// All choices must be well-formed, and a key that is not known makes one that is not. What is in the service configs of
/// the others is not looked at (gRFC A21).
pub(crate) fn choose(
    text: &str,
    client: Client<'_>,
    is_custom: &dyn Fn(&str) -> bool,
) -> Result<Option<ServiceConfig>, ServiceConfigError> {
    let json = super::json(text)?;
    let mut chosen: Option<Node<'_>> = None;
    for choice in Node::root(&json).list()? {
        let (config, is_for_us) = read(&choice, client)?;
        if is_for_us && chosen.is_none() {
            chosen = Some(config);
        }
    }
    chosen.map(|config| super::read(&config, is_custom)).transpose()
}

/// The service config of a choice, and whether it is for this client.
fn read<'a>(choice: &Node<'a>, client: Client<'_>) -> Result<(Node<'a>, bool), ServiceConfigError> {
    let fields = choice.object()?;
    let mut is_for_us = true;
    for (name, node) in fields.iter().filter(|(_, node)| *node.value() != Value::Null) {
        is_for_us &= match name {
            "clientLanguage" => names(&node, |language| language.eq_ignore_ascii_case(client.language))?,
            // Both ways to write it are about: the first in the gRFC, the second in what others made of it.
            "clientHostname" | "clientHostName" => names(&node, |name| name == client.hostname)?,
            "percentage" => u32::from(client.percentile) < node.percentage()?,
            "serviceConfig" => true,
            _ => return Err(node.error("such a key is not known")),
        };
    }
    let config = fields.require("serviceConfig")?;
    config.object()?;
    Ok((config, is_for_us))
}

/// Whether a list has such a name; an empty one has all.
fn names(node: &Node<'_>, is_ours: impl Fn(&str) -> bool) -> Result<bool, ServiceConfigError> {
    let names = node.list()?.iter().map(Node::string).collect::<Result<Vec<_>, _>>()?;
    Ok(names.is_empty() || names.into_iter().any(is_ours))
}
