//! Who may log in, and the two password proofs: `mysql_native_password` and `caching_sha2_password`.
//!
//! What is stored is never the password: `SHA1(SHA1(password))` for the first proof, `SHA256(SHA256(password))` for the
//! second. A client proves that it knows the single hash by XORing it with a hash of salt and stored value.
//!
//! ```text
//! client                                server
//!   <- greeting: salt, caching_sha2 ------
//!   -- user, proof by its plugin -------->   plugin fits the stored hashes:  OK | (sha2) 01 03, OK | ERR 1045
//!   <- switch: plugin, fresh salt --------   it does not, or the proof is for another salt (empty)
//!   -- proof ---------------------------->   OK | ERR 1045
//!   <- 01 04 -----------------------------   only SHA1 is stored, the client speaks sha2, the link is encrypted
//!   -- password, zero-terminated -------->   OK | ERR 1045
//! ```
//!
//! Because the second hash is stored (not only cached, as in MySQL), a wrong proof is final: the RSA exchange that MySQL
//! offers on an open link for passwords it has not cached is never needed, and is refused if a client asks for it.
//! COM_CHANGE_USER brings a proof for the salt that the client was given last; if it does not hold, a switch follows all the
//! same, for some clients prove for the greeting's salt. Such a proof may have been sent once, at the login of the same
//! connection: whoever can repeat it on this connection is logged in already.

use super::error::{ACCESS_DENIED_ERROR, NOT_SUPPORTED_AUTH_MODE, SqlError, UNKNOWN_ERROR};
use crate::types::AccountName;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;
use subtle::ConstantTimeEq;

/// Salt of one proof: 20 printable bytes (a zero byte would end it early for some clients).
pub type Salt = [u8; 20];

/// A password proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugin {
    Native,
    CachingSha2,
}

impl Plugin {
    pub fn name(self) -> &'static str {
        match self {
            Plugin::Native => "mysql_native_password",
            Plugin::CachingSha2 => "caching_sha2_password",
        }
    }
    /// The plugin of that name.
    pub fn find(name: &str) -> Option<Plugin> {
        [Plugin::Native, Plugin::CachingSha2].into_iter().find(|p| p.name() == name)
    }
}

/// What is known of an account's password. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// `SHA1(SHA1(password))`.
    native: Option<[u8; 20]>,
    /// `SHA256(SHA256(password))`.
    sha2: Option<[u8; 32]>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

impl Credential {
    /// Anyone may log in without a password.
    pub const NO_PASSWORD: Credential = Credential { native: None, sha2: None };

    /// Both hashes of a password; the empty one is [`NO_PASSWORD`](Self::NO_PASSWORD).
    pub fn password(password: &str) -> Credential {
        if password.is_empty() {
            return Credential::NO_PASSWORD;
        }
        let native = sha1(&[&sha1(&[password.as_bytes()])]);
        let sha2 = sha256(&[&sha256(&[password.as_bytes()])]);
        Credential { native: Some(native), sha2: Some(sha2) }
    }

    /// A hash as configured: `*` and 40 hexadecimal digits (`mysql_native_password`, as `mysql.user` has it), or 64
    /// hexadecimal digits (`SHA256(SHA256(password))`). The error says so.
    pub fn parse_hash(text: &str) -> Result<Credential, String> {
        let native = text.strip_prefix('*').and_then(hex::<20>);
        let sha2 = hex::<32>(text);
        if native.is_none() && sha2.is_none() {
            return Err("a password hash is '*' and 40 hexadecimal digits (SHA1 twice) or 64 hexadecimal digits \
                        (SHA-256 twice)"
                .into());
        }
        Ok(Credential { native, sha2 })
    }

    /// The hash of a password as `mysql.user` has it for accounts of that plugin; empty: there is no password.
    pub fn hash_for(plugin: Plugin, password: &str) -> String {
        let Credential { native, sha2 } = Credential::password(password);
        let digits = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        match plugin {
            Plugin::Native => native.map_or_else(String::new, |hash| format!("*{}", digits(&hash).to_uppercase())),
            Plugin::CachingSha2 => sha2.map_or_else(String::new, |hash| digits(&hash)),
        }
    }

    /// What such a hash says; `None` if it is none of that plugin.
    pub fn of_hash(plugin: Plugin, hash: &str) -> Option<Credential> {
        if hash.is_empty() {
            return Some(Credential::NO_PASSWORD);
        }
        let credential = Credential::parse_hash(hash).ok()?;
        let fits = match plugin {
            Plugin::Native => credential.native.is_some(),
            Plugin::CachingSha2 => credential.sha2.is_some(),
        };
        fits.then_some(credential)
    }

    fn has_password(&self) -> bool {
        self.native.is_some() || self.sha2.is_some()
    }

    /// Whether `proof` shows knowledge of the password under that plugin; `None` if its hash is not stored.
    fn verify(&self, plugin: Plugin, salt: &Salt, proof: &[u8]) -> Option<bool> {
        if !self.has_password() {
            return Some(matches!(proof, [] | [0]));
        }
        match plugin {
            Plugin::Native => self.native.map(|stored| {
                let Ok(proof) = <[u8; 20]>::try_from(proof) else { return false };
                sha1(&[&xor(proof, sha1(&[salt, &stored]))]).ct_eq(&stored).into()
            }),
            Plugin::CachingSha2 => self.sha2.map(|stored| {
                let Ok(proof) = <[u8; 32]>::try_from(proof) else { return false };
                sha256(&[&xor(proof, sha256(&[&stored, salt]))]).ct_eq(&stored).into()
            }),
        }
    }

    fn verify_password(&self, password: &[u8]) -> bool {
        match (self.sha2, self.native) {
            (Some(stored), _) => sha256(&[&sha256(&[password])]).ct_eq(&stored).into(),
            (None, Some(stored)) => sha1(&[&sha1(&[password])]).ct_eq(&stored).into(),
            (None, None) => password.is_empty(),
        }
    }
}

fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    let mut hash = Sha1::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

fn xor<const N: usize>(mut a: [u8; N], b: [u8; N]) -> [u8; N] {
    a.iter_mut().zip(b).for_each(|(a, b)| *a ^= b);
    a
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.as_bytes();
    let mut out = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(text.chunks(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(out)
}

/// A source of salts for one connection, from a secret that nobody else knows.
#[derive(Clone)]
pub struct Salts {
    secret: [u8; 32],
    given: u64,
}

impl Salts {
    /// `secret` comes from the operating system's random generator and is used for one connection only.
    pub fn new(secret: [u8; 32]) -> Self {
        Salts { secret, given: 0 }
    }

    /// A salt never given before.
    pub fn next_salt(&mut self) -> Salt {
        self.given += 1;
        let hash = sha256(&[&self.secret, &self.given.to_le_bytes()]);
        std::array::from_fn(|i| b'!' + hash[i] % 94)
    }
}

/// Where accounts are looked up. Called once per login, on the connection's task: it must not block.
pub trait Authenticator: Send + Sync {
    /// The account of `user` coming from `host`; `None` if there is no such account. The client cannot tell an unknown
    /// account from a wrong password.
    fn known(&self, user: &str, host: &str) -> Option<Known>;
}

/// An account as the login sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub account: AccountName,
    pub credential: Credential,
    /// It may log in over TLS or a Unix socket only.
    pub require_tls: bool,
    pub locked: bool,
}

impl Known {
    /// The account of a client that proved to be it.
    ///
    /// # Errors
    /// 3118 if it is locked, 1045 if somebody may listen in and must not.
    pub fn admit(self, user: &str, host: &str, secure: bool) -> Result<AccountName, SqlError> {
        if self.locked {
            let text = format!("Access denied for user '{user}'@'{host}'. Account is locked.");
            return Err(SqlError::new(3118, text));
        }
        if self.require_tls && !secure {
            return Err(ACCESS_DENIED_ERROR.with(&[&user, &host, &"YES"]));
        }
        Ok(self.account)
    }
}

/// A fixed list of accounts, valid from any host.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    users: BTreeMap<String, Credential>,
}

impl Accounts {
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds or replaces an account.
    pub fn with(mut self, user: impl Into<String>, credential: Credential) -> Self {
        self.users.insert(user.into(), credential);
        self
    }
}

impl Authenticator for Accounts {
    fn known(&self, user: &str, _host: &str) -> Option<Known> {
        let credential = self.users.get(user).cloned()?;
        Some(Known { account: AccountName::new(user, "%"), credential, require_tls: false, locked: false })
    }
}

/// What the server does next in a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The client is who it says. `fast` sends `01 03` before OK, as caching_sha2_password wants it.
    Accepted { fast: bool },
    /// Error 1045.
    Denied,
    /// Ask for a proof by that plugin with that salt; the next packet is the answer.
    Switch(Plugin, Salt),
    /// Send `01 04`; the next packet is the password itself.
    AskPassword,
    /// The login cannot go on.
    Refused(SqlError),
}

/// One login in progress.
pub struct Exchange {
    credential: Option<Credential>,
    /// Nobody else reads this link: TLS or a Unix socket.
    secure: bool,
    salts: Salts,
    state: State,
}

enum State {
    Proof(Plugin, Salt),
    Password,
}

impl Exchange {
    /// A login as an account with that credential.
    pub fn new(credential: Option<Credential>, secure: bool, salts: &mut Salts) -> Exchange {
        let own = Salts::new(sha256(&[&salts.secret, &salts.given.to_le_bytes(), b"exchange"]));
        salts.given += 1;
        Exchange { credential, secure, salts: own, state: State::Password }
    }

    /// The proof that came with the handshake response. `plugin` is the client's, `None` if it names none (then its proof
    /// is a native one); `salt` is the greeting's.
    pub fn first(&mut self, plugin: Option<&str>, salt: &Salt, proof: &[u8]) -> Step {
        let known = match plugin {
            None => Some(Plugin::Native),
            Some(name) => Plugin::find(name),
        };
        match known {
            // A client whose default is not the greeting's plugin has no salt for it yet, and sends nothing.
            Some(Plugin::Native) if plugin.is_some() && proof.is_empty() && self.wants_proof() => {
                self.switch(Plugin::Native)
            }
            Some(known) if self.can_verify(known) => {
                self.state = State::Proof(known, *salt);
                self.answer(proof)
            }
            Some(Plugin::CachingSha2) if self.secure => {
                self.state = State::Password;
                Step::AskPassword
            }
            // Without CLIENT_PLUGIN_AUTH there is no switching.
            _ if plugin.is_none() => Step::Refused(NOT_SUPPORTED_AUTH_MODE.with(&[])),
            _ => self.switch(self.preferred()),
        }
    }

    /// COM_CHANGE_USER: takes a proof for the salt given `last` on the connection, or asks for a fresh one, by the client's
    /// plugin if that can be checked.
    pub fn start(&mut self, plugin: Option<&str>, last: &Salt, proof: &[u8]) -> Step {
        let known = plugin.and_then(Plugin::find).filter(|p| self.can_verify(*p));
        if let (Some(known), Some(credential)) = (known, &self.credential)
            && credential.has_password()
            && credential.verify(known, last, proof) == Some(true)
        {
            return Step::Accepted { fast: known == Plugin::CachingSha2 };
        }
        self.switch(known.unwrap_or(self.preferred()))
    }

    /// The salt of the last proof that was asked for, if one was.
    pub fn salt(&self) -> Option<Salt> {
        match self.state {
            State::Proof(_, salt) => Some(salt),
            State::Password => None,
        }
    }

    /// The client's answer to [`Step::Switch`] or [`Step::AskPassword`].
    pub fn answer(&mut self, answer: &[u8]) -> Step {
        match self.state {
            State::Proof(plugin, salt) => match &self.credential {
                Some(credential) => match credential.verify(plugin, &salt, answer) {
                    Some(true) => Step::Accepted {
                        fast: plugin == Plugin::CachingSha2 && credential.has_password(),
                    },
                    Some(false) => Step::Denied,
                    None if plugin == Plugin::CachingSha2 && self.secure => {
                        self.state = State::Password;
                        Step::AskPassword
                    }
                    None => Step::Denied,
                },
                None => Step::Denied,
            },
            State::Password => match answer {
                [2] => Step::Refused(UNKNOWN_ERROR.message(
                    "caching_sha2_password by RSA public key is not supported; connect with TLS or through the Unix socket",
                )),
                [password @ .., 0] | password => match &self.credential {
                    Some(credential) if self.secure && credential.verify_password(password) => {
                        Step::Accepted { fast: false }
                    }
                    _ => Step::Denied,
                },
            },
        }
    }

    fn wants_proof(&self) -> bool {
        self.credential.as_ref().is_none_or(Credential::has_password)
    }

    /// An unknown account looks as if everything were stored.
    fn can_verify(&self, plugin: Plugin) -> bool {
        match (&self.credential, plugin) {
            (Some(c), _) if !c.has_password() => true,
            (Some(c), Plugin::Native) => c.native.is_some(),
            (Some(c), Plugin::CachingSha2) => c.sha2.is_some(),
            (None, _) => true,
        }
    }

    fn preferred(&self) -> Plugin {
        if self.can_verify(Plugin::CachingSha2) { Plugin::CachingSha2 } else { Plugin::Native }
    }

    fn switch(&mut self, plugin: Plugin) -> Step {
        let salt = self.salts.next_salt();
        self.state = State::Proof(plugin, salt);
        Step::Switch(plugin, salt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SALT: Salt = *b"abcdefghijklmnopqrst";
    const SHA2: Option<&str> = Some("caching_sha2_password");
    const NATIVE: Option<&str> = Some("mysql_native_password");

    fn native(salt: &Salt, password: &str) -> Vec<u8> {
        let one = sha1(&[password.as_bytes()]);
        xor(one, sha1(&[salt, &sha1(&[&one])])).to_vec()
    }
    fn sha2(salt: &Salt, password: &str) -> Vec<u8> {
        let one = sha256(&[password.as_bytes()]);
        xor(one, sha256(&[&sha256(&[&one]), salt])).to_vec()
    }
    fn exchange(credential: Option<Credential>, secure: bool) -> Exchange {
        Exchange::new(credential, secure, &mut Salts::new([7; 32]))
    }

    #[test]
    fn our_client_side_is_that_of_a_real_client() {
        use mysql_common::auth::plugins::caching_sha2_password::scramble_sha256;
        use mysql_common::auth::plugins::mysql_native_password::scramble_native;
        assert_eq!(scramble_native(&SALT, b"secret").unwrap(), native(&SALT, "secret")[..]);
        assert_eq!(scramble_sha256(&SALT, b"secret").unwrap(), sha2(&SALT, "secret")[..]);
    }

    #[test]
    fn either_proof_is_accepted_and_a_wrong_one_denied() {
        let credential = || Some(Credential::password("secret"));
        let good = exchange(credential(), false).first(SHA2, &SALT, &sha2(&SALT, "secret"));
        assert_eq!(good, Step::Accepted { fast: true });
        let good = exchange(credential(), false).first(NATIVE, &SALT, &native(&SALT, "secret"));
        assert_eq!(good, Step::Accepted { fast: false });
        for credential in [credential(), None] {
            let bad = |plugin, proof: &[u8]| exchange(credential.clone(), true).first(plugin, &SALT, proof);
            assert_eq!(bad(SHA2, &sha2(&SALT, "Secret")), Step::Denied);
            assert_eq!(bad(SHA2, b""), Step::Denied);
            assert_eq!(bad(NATIVE, &native(&SALT, "Secret")), Step::Denied);
            assert_eq!(bad(None, &native(&SALT, "")), Step::Denied);
            assert_eq!(bad(SHA2, &sha2(b"abcdefghijklmnopqrsu", "secret")), Step::Denied);
        }
    }

    #[test]
    fn a_client_with_another_default_plugin_gets_a_salt_for_it() {
        let mut login = exchange(Some(Credential::password("secret")), false);
        let Step::Switch(Plugin::Native, salt) = login.first(NATIVE, &SALT, b"") else { panic!() };
        assert_ne!(salt, SALT);
        assert_eq!(login.answer(&native(&salt, "secret")), Step::Accepted { fast: false });
        let mut login = exchange(Some(Credential::password("secret")), false);
        let Step::Switch(Plugin::CachingSha2, salt) = login.first(Some("sha256_password"), &SALT, b"x") else {
            panic!()
        };
        assert_eq!(login.answer(&sha2(&salt, "secret")), Step::Accepted { fast: true });
    }

    #[test]
    fn a_native_hash_alone_asks_sha2_clients_for_the_password_or_switches() {
        let hash = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"; // of "secret"
        let credential = Credential::parse_hash(hash).unwrap();
        let mut login = exchange(Some(credential.clone()), true);
        assert_eq!(login.first(SHA2, &SALT, &sha2(&SALT, "secret")), Step::AskPassword);
        assert_eq!(login.answer(b"secret\0"), Step::Accepted { fast: false });
        let mut login = exchange(Some(credential.clone()), true);
        login.first(SHA2, &SALT, &sha2(&SALT, "secret"));
        assert!(matches!(login.answer(&[2]), Step::Refused(e) if e.message.contains("RSA")));
        assert_eq!(login.answer(b"Secret\0"), Step::Denied);
        let mut login = exchange(Some(credential), false);
        let Step::Switch(Plugin::Native, salt) = login.first(SHA2, &SALT, &sha2(&SALT, "secret")) else { panic!() };
        assert_eq!(login.answer(&native(&salt, "secret")), Step::Accepted { fast: false });
    }

    #[test]
    fn a_sha2_hash_alone_refuses_clients_that_know_no_plugins() {
        let digits: String = sha256(&[&sha256(&[b"secret"])]).iter().map(|b| format!("{b:02x}")).collect();
        let credential = Credential::parse_hash(&digits).unwrap();
        let step = exchange(Some(credential.clone()), false).first(None, &SALT, &native(&SALT, "secret"));
        assert!(matches!(step, Step::Refused(e) if e.code == 1251));
        let step = exchange(Some(credential), false).first(NATIVE, &SALT, &native(&SALT, "secret"));
        assert!(matches!(step, Step::Switch(Plugin::CachingSha2, _)));
        assert!(Credential::parse_hash("*12").is_err());
        assert!(Credential::parse_hash("").is_err());
    }

    #[test]
    fn no_password_means_an_empty_proof() {
        let none = || Some(Credential::password(""));
        for plugin in [SHA2, NATIVE, None] {
            assert_eq!(exchange(none(), false).first(plugin, &SALT, b""), Step::Accepted { fast: false });
            assert_eq!(exchange(none(), false).first(plugin, &SALT, &native(&SALT, "x")), Step::Denied);
        }
    }

    #[test]
    fn changing_user_may_prove_for_the_last_salt() {
        let start =
            |plugin, proof: &[u8]| exchange(Some(Credential::password("secret")), false).start(plugin, &SALT, proof);
        assert_eq!(start(NATIVE, &native(&SALT, "secret")), Step::Accepted { fast: false });
        assert_eq!(start(SHA2, &sha2(&SALT, "secret")), Step::Accepted { fast: true });
        for (plugin, proof) in [(NATIVE, native(&SALT, "Secret")), (SHA2, native(&SALT, "secret")), (None, vec![])] {
            assert!(matches!(start(plugin, &proof), Step::Switch(..)));
        }
        assert!(matches!(exchange(None, false).start(NATIVE, &SALT, &native(&SALT, "")), Step::Switch(..)));
    }

    #[test]
    fn changing_user_else_needs_a_proof_for_a_fresh_salt() {
        let mut login = exchange(Some(Credential::password("secret")), false);
        let old = native(b"abcdefghijklmnopqrsu", "secret");
        let Step::Switch(Plugin::Native, salt) = login.start(NATIVE, &SALT, &old) else { panic!() };
        assert_eq!(login.answer(&native(&SALT, "secret")), Step::Denied);
        assert_eq!(login.answer(&native(&salt, "secret")), Step::Accepted { fast: false });
        assert_eq!(login.salt(), Some(salt));
        let mut salts = Salts::new([1; 32]);
        assert_ne!(salts.next_salt(), salts.next_salt());
        assert_eq!(format!("{:?}", Credential::password("secret")), "Credential(..)");
    }

    proptest! {
        #[test]
        fn garbage_is_never_accepted(proof: Vec<u8>, answer: Vec<u8>, plugin in prop::option::of("[a-z_0-9]{0,25}"), secure: bool) {
            let mut login = exchange(Some(Credential::password("secret")), secure);
            let accepted = |s: &Step| matches!(s, Step::Accepted { .. });
            prop_assert!(!accepted(&login.first(plugin.as_deref(), &SALT, &proof)));
            prop_assert!(!accepted(&login.answer(&answer)));
        }
    }
}
