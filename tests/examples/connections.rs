//! Opens MQTT connections and holds them, for the benchmarks: how many a second, and what an idle one costs the other side.
//!
//! `connections HOST:PORT COUNT AT_ONCE [LOGIN SECRET [CA_FILE]]` prints one line when all are connected and holds them until its standard
//! input ends. With a CA file it speaks TLS.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::StreamExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

trait Line: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Line for T {}

fn text(out: &mut Vec<u8>, text: &str) -> anyhow::Result<()> {
    out.extend_from_slice(&u16::try_from(text.len())?.to_be_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// CONNECT of 3.1.1, clean, with a keepalive longer than any run (rumqttd refuses 0).
fn hello(client: &str, login: Option<&(String, String)>) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    text(&mut body, "MQTT")?;
    body.extend_from_slice(&[4, if login.is_some() { 0xc2 } else { 2 }, 2, 88]);
    text(&mut body, client)?;
    if let Some((name, secret)) = login {
        text(&mut body, name)?;
        text(&mut body, secret)?;
    }
    let length = u8::try_from(body.len()).ok().filter(|l| *l < 128);
    let mut packet = vec![0x10, length.context("names are short")?];
    packet.extend(body);
    Ok(packet)
}

fn tls(ca: &str) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn open(
    address: &str,
    client: String,
    login: Option<&(String, String)>,
    tls: Option<&TlsConnector>,
) -> anyhow::Result<Pin<Box<dyn Line>>> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let mut line: Pin<Box<dyn Line>> = match tls {
        Some(tls) => Box::pin(
            tls.connect(ServerName::try_from("localhost")?, socket)
                .await?,
        ),
        None => Box::pin(socket),
    };
    line.write_all(&hello(&client, login)?).await?;
    line.flush().await?;
    let mut answer = [0; 4];
    line.read_exact(&mut answer).await.context("no CONNACK")?;
    ensure!(answer == [0x20, 2, 0, 0], "CONNACK {answer:02x?}");
    Ok(line)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: connections HOST:PORT COUNT AT_ONCE [LOGIN SECRET [CA_FILE]]";
    ensure!((3..=6).contains(&arguments.len()), usage);
    let (address, count, at_once) = (&arguments[0], arguments[1].parse()?, arguments[2].parse()?);
    let login = match &arguments[3..] {
        [login, secret, ..] => Some((login.clone(), secret.clone())),
        _ => None,
    };
    let tls = arguments.get(5).map(|ca| tls(ca)).transpose()?;
    let began = Instant::now();
    let opening = futures::stream::iter(0..count).map(|n: u32| {
        let (login, tls) = (login.as_ref(), tls.as_ref());
        let patience = Duration::from_mins(1);
        let opened = open(address, format!("c{n}"), login, tls);
        async move { tokio::time::timeout(patience, opened).await? }
    });
    let opened: Vec<_> = opening.buffer_unordered(at_once).collect().await;
    let took = began.elapsed();
    let mut held = Vec::new();
    let mut refused = None;
    for line in opened {
        match line {
            Ok(line) => held.push(line),
            Err(e) => refused = Some(e),
        }
    }
    if let Some(e) = refused {
        eprintln!(
            "{} of {count} refused, the last: {e:#}",
            count as usize - held.len()
        );
    }
    println!(
        "{} connected in {:.2} s = {:.0} a second",
        held.len(),
        took.as_secs_f64(),
        held.len() as f64 / took.as_secs_f64()
    );
    let told =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    told.await??;
    Ok(())
}
