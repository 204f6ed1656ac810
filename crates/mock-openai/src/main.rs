//! `mock-openai [--listen ADDRESS] [--key KEY]`: runs the mock and prints its address as one line.

use std::io::{self, Write as _};
use std::net::SocketAddr;

use stoa_mock_openai::Mock;

const USAGE: &str = "usage: mock-openai [--listen 127.0.0.1:0] [--key KEY]";

fn main() -> io::Result<()> {
    let mock = options(std::env::args().skip(1)).map_err(|text| io::Error::new(io::ErrorKind::InvalidInput, text))?;
    // One thread: handing thousands of small writes to another costs more than making them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = mock.serve().await?;
        let mut out = io::stdout();
        writeln!(out, "http://{}", server.address())?;
        out.flush()?;
        server.run().await;
        Ok(())
    })
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Mock, String> {
    let mut mock = Mock::default();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| USAGE.to_owned());
        mock = match argument.as_str() {
            "--listen" => {
                let address: SocketAddr = value()?.parse().map_err(|_| USAGE.to_owned())?;
                mock.listen(address)
            }
            "--key" => mock.key(value()?),
            _ => return Err(USAGE.to_owned()),
        };
    }
    Ok(mock)
}
