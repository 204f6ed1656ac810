//! Looking names up, behind a trait so that tests decide what DNS says.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

pub trait Resolve: Send + Sync + 'static {
    /// All addresses of `host`, best first.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

/// The system's own resolver: hosts file, DNS, whatever it is set up with.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let mut addresses: Vec<IpAddr> = Vec::new();
            for found in tokio::net::lookup_host((host, 0)).await? {
                if !addresses.contains(&found.ip()) {
                    addresses.push(found.ip());
                }
            }
            Ok(addresses)
        })
    }
}
