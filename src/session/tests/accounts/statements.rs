//! Statements about accounts, what they leave behind, and who is who at the login.

use super::super::definitions::another_member_agrees;
use super::*;

#[tokio::test]
async fn accounts_are_made_changed_and_dropped() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE USER ann, 'bob'@'LOCALHOST' IDENTIFIED WITH mysql_native_password BY 'b' REQUIRE SSL ACCOUNT LOCK")
        .await;
    assert_eq!(
        c.lines("SHOW CREATE USER bob@localhost").await,
        ["CREATE USER `bob`@`localhost` IDENTIFIED WITH 'mysql_native_password' \
          AS '*F33AE6DD04EF4C7C1D3105568E7FB7C1EE16C937' REQUIRE SSL PASSWORD EXPIRE DEFAULT ACCOUNT LOCK PASSWORD HISTORY \
          DEFAULT PASSWORD REUSE INTERVAL DEFAULT PASSWORD REQUIRE CURRENT DEFAULT"]
    );
    // What is shown makes the same account again.
    let shown = c.value("SHOW CREATE USER bob@localhost").await;
    c.ok("DROP USER bob@localhost").await;
    c.ok(&shown).await;
    assert_eq!(c.value("SHOW CREATE USER bob@localhost").await, shown);
    let message = c.error("CREATE USER ann, cid, bob@localhost").await;
    assert_eq!(message.code, 1396);
    assert_eq!(message.message, "Operation CREATE USER failed for 'ann'@'%','bob'@'localhost'");
    assert_eq!(c.code("SHOW GRANTS FOR cid").await, 1141, "all of it or nothing");
    assert_eq!(c.ok("CREATE USER IF NOT EXISTS ann, cid").await.warnings, 1);
    assert_eq!(c.lines("SHOW WARNINGS").await, ["Note 3163 Authorization ID 'ann'@'%' already exists."]);
    c.ok("ALTER USER ann IDENTIFIED WITH caching_sha2_password BY 'x' REQUIRE NONE ACCOUNT UNLOCK").await;
    c.ok("SET PASSWORD FOR cid = 'y'").await;
    assert_eq!(c.code("SET PASSWORD FOR dan = 'y'").await, 1133);
    assert_eq!(c.code("ALTER USER dan IDENTIFIED BY 'y'").await, 1396);
    assert_eq!(c.ok("ALTER USER IF EXISTS dan IDENTIFIED BY 'y'").await.warnings, 1);
    c.ok("RENAME USER cid TO dan@'10.%', ann TO cid").await;
    assert_eq!(c.code("RENAME USER nobody TO x").await, 1396);
    assert_eq!(c.code("RENAME USER cid TO dan@'10.%'").await, 1396);
    let users = "SELECT User, Host, plugin, length(authentication_string), ssl_type, account_locked FROM mysql.user \
                 ORDER BY User";
    assert_eq!(
        c.lines(users).await,
        [
            "bob localhost mysql_native_password 41 ANY Y",
            "cid % caching_sha2_password 64  N",
            "dan 10.% caching_sha2_password 64  N",
            "root localhost caching_sha2_password 0  N",
        ]
    );
    assert_eq!(c.code("DROP USER ann").await, 1396);
    assert_eq!(c.ok("DROP USER IF EXISTS ann, cid").await.warnings, 1);
    assert_eq!(c.code("CREATE USER a_name_that_is_longer_than_it_may_be IDENTIFIED BY 'x'").await, 1470);
    assert_eq!(c.code("CREATE USER x IDENTIFIED WITH sha256_password BY 'x'").await, 1524);
    assert_eq!(c.code("CREATE USER x IDENTIFIED WITH mysql_native_password AS 'hash'").await, 1827);
    c.ok("GRANT SELECT ON d.* TO dan@'10.%'").await;
    another_member_agrees(&node, &mut c, &[users, "SHOW GRANTS FOR dan@'10.%'", "SHOW CREATE USER bob@localhost"])
        .await;
}

#[tokio::test]
async fn what_is_not_supported_is_refused_by_name() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE USER ann").await;
    for (sql, name) in [
        ("CREATE ROLE r", "CREATE ROLE"),
        ("DROP ROLE r", "DROP ROLE"),
        ("GRANT r TO ann", "roles"),
        ("REVOKE r FROM ann", "roles"),
        ("SET ROLE r", "SET ROLE"),
        ("SET DEFAULT ROLE r TO ann", "SET DEFAULT ROLE"),
        ("CREATE USER x DEFAULT ROLE r", "DEFAULT ROLE of an account"),
        ("GRANT SELECT (a) ON d.t TO ann", "privileges on columns"),
        ("GRANT EXECUTE ON PROCEDURE d.p TO ann", "privileges on single routines"),
        ("GRANT PROXY ON ann TO bob", "GRANT PROXY"),
        ("GRANT BACKUP_ADMIN ON *.* TO ann", "the privilege BACKUP_ADMIN"),
        ("GRANT CREATE ROLE ON *.* TO ann", "the privilege CREATE ROLE"),
        ("CREATE USER x REQUIRE X509", "REQUIRE X509"),
        ("CREATE USER x REQUIRE SUBJECT 'a'", "REQUIRE SUBJECT"),
        ("CREATE USER x WITH MAX_USER_CONNECTIONS 5", "the resource limit MAX_USER_CONNECTIONS"),
        ("CREATE USER x PASSWORD EXPIRE", "PASSWORD EXPIRE of an account"),
        ("ALTER USER ann FAILED_LOGIN_ATTEMPTS 3", "FAILED_LOGIN_ATTEMPTS of an account"),
        ("CREATE USER x IDENTIFIED BY RANDOM PASSWORD", "IDENTIFIED BY RANDOM PASSWORD"),
    ] {
        let error = c.error(sql).await;
        assert_eq!(
            (error.code, error.message.contains(&format!("'{name}'"))),
            (1235, true),
            "{sql}: {}",
            error.message
        );
    }
    for sql in ["CREATE USER", "GRANT SELECT ON d.t", "CREATE USER x IDENTIFIED", "GRANT ON d.* TO ann", "REVOKE ALL"] {
        assert_eq!(c.code(sql).await, 1064, "{sql}");
    }
}

#[tokio::test]
async fn grants_are_shown_as_they_were_given() {
    let (_node, mut c) = with_ann().await;
    let grants = "SHOW GRANTS FOR ann@'10.0.%'";
    assert_eq!(c.lines(grants).await, ["GRANT USAGE ON *.* TO `ann`@`10.0.%`"]);
    let to = "TO ann@'10.0.%'";
    c.ok(&format!("GRANT PROCESS, reload ON *.* {to} WITH GRANT OPTION")).await;
    c.ok(&format!("GRANT ALL ON `d\\_%`.* {to}")).await;
    c.ok(&format!("GRANT SELECT, INSERT ON * {to}")).await;
    c.ok(&format!("GRANT ALL PRIVILEGES ON t {to}")).await;
    c.ok(&format!("GRANT CREATE ON d.later {to} WITH GRANT OPTION")).await;
    assert_eq!(
        c.lines(grants).await,
        [
            "GRANT RELOAD, PROCESS ON *.* TO `ann`@`10.0.%` WITH GRANT OPTION",
            "GRANT SELECT, INSERT ON `d`.* TO `ann`@`10.0.%`",
            "GRANT ALL PRIVILEGES ON `d\\_%`.* TO `ann`@`10.0.%`",
            "GRANT CREATE ON `d`.`later` TO `ann`@`10.0.%` WITH GRANT OPTION",
            "GRANT ALL PRIVILEGES ON `d`.`t` TO `ann`@`10.0.%`",
        ]
    );
    assert_eq!(
        c.lines("SELECT * FROM information_schema.schema_privileges WHERE table_schema = 'd'").await,
        ["'ann'@'10.0.%' def d SELECT NO", "'ann'@'10.0.%' def d INSERT NO"]
    );
    let on_tables = "SELECT grantee, table_name, privilege_type, is_grantable FROM information_schema.table_privileges \
                     WHERE table_name = 'later'";
    assert_eq!(c.lines(on_tables).await, ["'ann'@'10.0.%' later CREATE YES"]);
    let row = "SELECT Table_name, Table_priv FROM mysql.tables_priv WHERE Table_name = 'later'";
    assert_eq!(c.lines(row).await, ["later Create,Grant"]);
    assert_eq!(c.lines("SELECT Db, Select_priv, Update_priv FROM mysql.db WHERE Db = 'd'").await, ["d Y N"]);
    // Rights on tables would have to be carried along, which is what GRANT and REVOKE are for.
    assert_eq!(c.code("UPDATE mysql.tables_priv SET Table_name = 'u' WHERE Table_name = 't'").await, 1044);
    let from = "FROM ann@'10.0.%'";
    c.ok(&format!("REVOKE GRANT OPTION, RELOAD ON *.* {from}")).await;
    c.ok(&format!("REVOKE ALL ON d.* {from}")).await;
    c.ok(&format!("REVOKE DROP, TRIGGER ON d.t {from}")).await;
    c.ok(&format!("REVOKE ALL PRIVILEGES ON d.later {from}")).await;
    assert_eq!(
        c.lines(grants).await,
        [
            "GRANT PROCESS ON *.* TO `ann`@`10.0.%`",
            "GRANT ALL PRIVILEGES ON `d\\_%`.* TO `ann`@`10.0.%`",
            "GRANT USAGE ON `d`.`later` TO `ann`@`10.0.%` WITH GRANT OPTION",
            "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, REFERENCES, INDEX, ALTER, CREATE VIEW, SHOW VIEW ON `d`.`t` \
             TO `ann`@`10.0.%`",
        ]
    );
    assert_eq!(c.code(&format!("REVOKE SELECT ON d.* {from}")).await, 1141);
    assert_eq!(c.code(&format!("REVOKE SELECT ON d.other {from}")).await, 1146);
    assert_eq!(c.code("REVOKE SELECT ON *.* FROM nobody").await, 1141);
    assert_eq!(c.ok("REVOKE IF EXISTS SELECT ON *.* FROM nobody").await.warnings, 1);
    assert_eq!(c.code("REVOKE ALL PRIVILEGES, GRANT OPTION FROM nobody").await, 1269);
    c.ok(&format!("REVOKE ALL PRIVILEGES, GRANT OPTION {from}")).await;
    assert_eq!(c.lines(grants).await, ["GRANT USAGE ON *.* TO `ann`@`10.0.%`"]);
    assert_eq!(c.code("GRANT SELECT ON *.* TO nobody").await, 1410);
    assert_eq!(c.code(&format!("GRANT PROCESS ON d.* {to}")).await, 1221);
    assert_eq!(c.code(&format!("GRANT EXECUTE ON d.t {to}")).await, 1144);
    assert_eq!(c.code(&format!("GRANT SELECT ON d.nowhere {to}")).await, 1146);
}

#[tokio::test]
async fn the_account_is_the_one_whose_host_says_most() {
    let (node, mut c) = Node::with_database().await;
    for host in ["%", "10.%", "10.0.%", "10.0.0.0/255.255.255.0", "10.0.0.9", "localhost"] {
        c.ok(&format!("CREATE USER u@'{host}'")).await;
    }
    c.ok("CREATE USER ''@'10.0.1.1'").await;
    for (peer, host) in [
        ("10.0.0.9", "10.0.0.9"),
        ("10.0.0.8", "10.0.0.0/255.255.255.0"),
        ("10.0.7.8", "10.0.%"),
        ("10.7.7.8", "10.%"),
        ("9.9.9.9", "%"),
        ("127.0.0.1", "localhost"),
        ("localhost", "localhost"),
    ] {
        let mut client = node.connect_from("u", peer, CapabilityFlags::empty()).await;
        assert_eq!(client.value("SELECT CONCAT(CURRENT_USER(), ' ', USER())").await, format!("u@{host} u@{peer}"));
    }
    let mut anybody = node.connect_from("somebody", "10.0.1.1", CapabilityFlags::empty()).await;
    assert_eq!(anybody.value("SELECT CONCAT(CURRENT_USER(), ' ', USER())").await, "@10.0.1.1 somebody@10.0.1.1");
    assert_eq!(node.server.known("somebody", "10.0.1.2"), None);
    assert_eq!(node.server.known("root", "10.0.1.2"), None, "root is of this machine only");
}

#[tokio::test]
async fn what_a_cluster_begins_with_can_be_given_up() {
    let (node, mut c) = Node::with_database().await;
    assert_eq!(node.server.open_account().map(|a| a.plain()), Some("root@localhost".to_string()));
    c.ok("ALTER USER root@localhost IDENTIFIED BY 'secret'").await;
    assert_eq!(node.server.open_account(), None);
    assert_eq!(c.value("SELECT length(authentication_string) FROM mysql.user").await, "64");
    c.ok("CREATE USER admin@'%' IDENTIFIED BY 'x'").await;
    c.ok("GRANT ALL ON *.* TO admin WITH GRANT OPTION").await;
    c.ok("DROP USER root@localhost").await;
    assert_eq!(node.server.known("root", "localhost"), None);
    // Who is gone may do nothing from the next statement on.
    assert_eq!(c.code("CREATE TABLE x (a INT)").await, 1142);
    assert_eq!(c.value("SELECT 1").await, "1");
}

#[tokio::test]
async fn the_account_of_the_configuration_stays_as_it_is() {
    let node = Node::configured(&[], ConfiguredAccount::new("root", "%", "secret"));
    let mut c = node.connect_from("root", "10.0.0.1", CapabilityFlags::empty()).await;
    assert_eq!(c.value("SELECT CURRENT_USER()").await, "root@%");
    for sql in ["ALTER USER root IDENTIFIED BY 'x'", "SET PASSWORD = 'x'", "CREATE USER root", "DROP USER root"] {
        assert!(matches!(c.code(sql).await, 1396 | 1133), "{sql}");
    }
    c.ok("CREATE USER ann").await;
    assert_eq!(c.lines("SELECT User, authentication_string FROM mysql.user ORDER BY User").await, ["ann ", "root "]);
    assert_eq!(node.server.open_account(), None);
}

#[tokio::test]
async fn passwords_are_shown_to_nobody() {
    let (node, mut root) = with_ann().await;
    for sql in [
        "CREATE USER bob IDENTIFIED BY 'hidden'",
        "/* x */ ALTER USER bob IDENTIFIED WITH mysql_native_password BY 'hidden' ACCOUNT LOCK",
        "SET PASSWORD FOR bob = 'hidden'",
        "PREPARE s FROM 'ALTER USER bob IDENTIFIED BY ''hidden'''",
    ] {
        let (planned, _) = root.session.plan(sql).expect("it parses");
        let planned = planned.expect("a statement");
        let shown = planned.shown(sql);
        let hides = if sql.starts_with("PREPARE") { "'***'" } else { "<secret>" };
        assert!(shown.contains(hides) && !shown.contains("hidden"), "{shown}");
        assert!(!format!("{:?}", planned.plan).contains("hidden") || sql.starts_with("PREPARE"), "{sql}");
        root.ok(sql).await;
    }
    root.ok("EXECUTE s").await;
    let stored = node.server.schema().expect("it loads");
    let all = format!("{:?}", stored.accounts);
    assert!(!all.contains("hidden") && !all.contains("secret'"), "{all}");
    let sent = format!("{:?}", node.requests());
    assert!(!sent.contains("hidden"), "no password leaves the node");
}
