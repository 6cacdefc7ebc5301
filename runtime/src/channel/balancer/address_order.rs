//! The order in which addresses are tried (gRFC A61): as the resolver gave them, or shuffled; IPv6 and IPv4 in turn.

use crate::address::Address;
use crate::channel::resolver::Endpoint;

/// All addresses of these servers, each once.
pub(super) fn address_order(endpoints: &[Endpoint], shuffles: bool) -> Vec<Address> {
    let mut endpoints: Vec<&Endpoint> = endpoints.iter().collect();
    if shuffles {
        fastrand::shuffle(&mut endpoints);
    }
    let mut addresses: Vec<Address> = Vec::new();
    for address in endpoints.into_iter().flat_map(Endpoint::addresses) {
        if !addresses.contains(address) {
            addresses.push(address.clone());
        }
    }
    interleaved(addresses)
}

/// The families in turn, beginning with the first address's, each in its order (RFC 8305 section 4).
fn interleaved(addresses: Vec<Address>) -> Vec<Address> {
    let is_v6 = |address: &Address| matches!(address, Address::Ip(address) if address.is_ipv6());
    let first_is_v6 = addresses.first().is_some_and(is_v6);
    let count = addresses.len();
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|address| is_v6(address) == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::with_capacity(count);
    while turns.len() < count {
        turns.extend(first.next());
        turns.extend(second.next());
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(addresses: &[&str]) -> Vec<Endpoint> {
        addresses.iter().map(|address| Endpoint::from(Address::Ip(address.parse().unwrap()))).collect()
    }

    fn order(addresses: &[&str]) -> Vec<String> {
        address_order(&endpoints(addresses), false).iter().map(Address::to_string).collect()
    }

    #[test]
    fn families_take_turns() {
        assert_eq!(
            order(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "1.1.1.2:1"]),
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "1.1.1.2:1", "[::3]:1"]
        );
        assert_eq!(order(&["1.1.1.1:1", "1.1.1.2:1", "[::1]:1"]), ["1.1.1.1:1", "[::1]:1", "1.1.1.2:1"]);
        assert_eq!(order(&["1.1.1.1:1", "1.1.1.1:1", "1.1.1.2:1"]), ["1.1.1.1:1", "1.1.1.2:1"]);
    }

    #[test]
    fn shuffling_gives_every_address_a_chance_to_be_first() {
        let given = endpoints(&["1.1.1.1:1", "1.1.1.2:1", "1.1.1.3:1"]);
        for address in &given {
            let first = (0..1000).any(|_| address_order(&given, true).first() == address.addresses().first());
            assert!(first, "{address:?} was never first");
        }
    }
}
