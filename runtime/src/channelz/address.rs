//! Addresses as channelz shows them.

use std::net::IpAddr;

use crate::Address;
use crate::generated::channelz_v1::Address as ProtoAddress;
use crate::generated::channelz_v1::address::{Address as Kind, OtherAddress, TcpIpAddress, UdsAddress};

pub(super) fn address(address: &Address) -> ProtoAddress {
    let kind = match address {
        Address::Ip(socket) => {
            let bytes = match socket.ip() {
                IpAddr::V4(ip) => ip.octets().to_vec(),
                IpAddr::V6(ip) => ip.octets().to_vec(),
            };
            Kind::TcpipAddress(TcpIpAddress { ip_address: bytes, port: socket.port().into() })
        }
        Address::Unix(path) => {
            let filename = path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
            Kind::UdsAddress(UdsAddress { filename })
        }
        Address::UnixAbstract(_) | Address::Inproc(_) | Address::Name { .. } | Address::Unknown => {
            Kind::OtherAddress(OtherAddress { name: address.to_uri(), value: None })
        }
    };
    ProtoAddress { address: Some(kind) }
}
