//! The login: greeting, TLS, proof of the password; and again for COM_CHANGE_USER.

use super::connection::{Connection, End};
use super::listener::{FrontConfig, Peer};
use super::transport::Socket;
use crate::mysql::{
    ACCESS_DENIED_ERROR, CAPABILITIES, CapabilityFlags, Encryption, Exchange, Greeting, HANDSHAKE_ERROR, Hello,
    Identity, Known, Login, Response, SECURE_TRANSPORT_REQUIRED, Salt, Salts, SqlError, Step,
};

/// Greets and authenticates; also gives the salt that the client proved for. The last OK is not sent yet: first the session
/// must accept the login.
pub(super) async fn login<S: Socket>(
    connection: &mut Connection<S>,
    front: &FrontConfig,
    peer: &Peer,
    salts: &mut Salts,
) -> Result<(Login, Salt), End> {
    let mut offered = CAPABILITIES;
    offered.set(CapabilityFlags::CLIENT_SSL, front.tls.is_some());
    let salt = salts.next_salt();
    let greeting =
        Greeting { server_version: &front.server_version, connection: peer.connection, salt, capabilities: offered };
    connection.answer().greeting(&greeting);
    let response = hello(connection, front, offered).await?;
    connection.capabilities = response.capabilities;
    let secure = connection.transport.is_tls() || peer.local;
    if front.limits().require_tls && !secure {
        return Err(End::Error(SECURE_TRANSPORT_REQUIRED.with(&[])));
    }
    let known = front.accounts.known(&response.user, &peer.host);
    let mut exchange = Exchange::new(known.as_ref().map(|k| k.credential.clone()), secure, salts);
    let first = exchange.first(response.plugin.as_deref(), &salt, &response.proof);
    prove(connection, front, &mut exchange, first, &response, &peer.host).await?.map_err(End::Error)?;
    let last = exchange.salt().unwrap_or(salt);
    let login = accepted(known, response, peer, connection.transport.encryption());
    Ok((login.map_err(End::Error)?, last))
}

/// The client's handshake response, after TLS if it wants that.
async fn hello<S: Socket>(
    connection: &mut Connection<S>,
    front: &FrontConfig,
    offered: CapabilityFlags,
) -> Result<Response, End> {
    connection.next_packet(front.limits().connect_timeout).await?;
    match Hello::parse(connection.inbound.payload(), offered).map_err(End::Error)? {
        Hello::Response(response) => return Ok(response),
        Hello::Tls => {}
    }
    let tls = front.tls.as_ref().ok_or_else(|| End::Error(HANDSHAKE_ERROR.with(&[])))?;
    let received = connection.inbound.take_rest();
    front.counters.tls_asked();
    connection.transport.upgrade(&tls.acceptor(), received).await?;
    front.counters.tls_accepted();
    connection.next_packet(front.limits().connect_timeout).await?;
    match Hello::parse(connection.inbound.payload(), offered).map_err(End::Error)? {
        Hello::Response(response) => Ok(response),
        Hello::Tls => Err(End::Error(HANDSHAKE_ERROR.with(&[]))),
    }
}

/// COM_CHANGE_USER: proves the new user, for the salt given `last` or a fresh one, which then is the last. The inner error is for the client, whose old login then stays as it was.
pub(super) async fn change_user<S: Socket>(
    connection: &mut Connection<S>,
    front: &FrontConfig,
    peer: &Peer,
    (salts, last): (&mut Salts, &mut Salt),
    response: Response,
) -> Result<Result<Login, SqlError>, End> {
    let secure = connection.transport.is_tls() || peer.local;
    let known = front.accounts.known(&response.user, &peer.host);
    let mut exchange = Exchange::new(known.as_ref().map(|k| k.credential.clone()), secure, salts);
    let first = exchange.start(response.plugin.as_deref(), last, &response.proof);
    let outcome = prove(connection, front, &mut exchange, first, &response, &peer.host).await?;
    *last = exchange.salt().unwrap_or(*last);
    Ok(outcome.and_then(|()| accepted(known, response, peer, connection.transport.encryption())))
}

/// Runs an exchange to its end.
async fn prove<S: Socket>(
    connection: &mut Connection<S>,
    front: &FrontConfig,
    exchange: &mut Exchange,
    mut step: Step,
    response: &Response,
    host: &str,
) -> Result<Result<(), SqlError>, End> {
    let mut any_proof = !response.proof.is_empty();
    loop {
        match step {
            Step::Accepted { fast } => {
                if fast {
                    connection.answer().fast_auth();
                }
                return Ok(Ok(()));
            }
            Step::Denied => {
                let using = if any_proof { "YES" } else { "NO" };
                if let Some(unsaid) = front.said.admit(("access denied", host.to_string())) {
                    tracing::info!(user = response.user, host, unsaid, "access denied; more are counted for a minute");
                }
                return Ok(Err(ACCESS_DENIED_ERROR.with(&[&response.user, &host, &using])));
            }
            Step::Refused(error) => return Ok(Err(error)),
            Step::Switch(plugin, salt) => connection.answer().auth_switch(plugin, &salt),
            Step::AskPassword => connection.answer().full_auth(),
        }
        connection.next_packet(front.limits().connect_timeout).await?;
        let answer = connection.inbound.payload();
        any_proof |= !answer.is_empty();
        step = exchange.answer(answer);
    }
}

/// # Errors
/// 3118, 1045 for an account that may not log in like this.
fn accepted(known: Option<Known>, response: Response, peer: &Peer, tls: Option<Encryption>) -> Result<Login, SqlError> {
    let denied = || ACCESS_DENIED_ERROR.with(&[&response.user, &peer.host, &"YES"]);
    let account = known.ok_or_else(denied)?.admit(&response.user, &peer.host, tls.is_some() || peer.local)?;
    Ok(Login {
        connection: peer.connection,
        user: response.user,
        identity: Identity::Account(account),
        host: peer.host.clone(),
        database: response.database,
        collation: response.collation,
        capabilities: response.capabilities,
        attributes: response.attributes,
        tls,
    })
}
