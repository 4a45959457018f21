//! How programs are defined and shown, and what is refused at once.

use super::super::Node;

#[tokio::test]
async fn procedures_are_shown() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE DEFINER=`me`@`here` PROCEDURE p(IN a INT, OUT b VARCHAR(20)) READS SQL DATA COMMENT 'it''s' BEGIN SELECT 1; END; ")
        .await;
    assert_eq!(
        c.value("SHOW CREATE PROCEDURE p")
            .await
            .split_once(' ')
            .map(|(_, rest)| rest.split("utf8mb4").next().unwrap_or("")),
        Some(
            "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION CREATE DEFINER=`me`@`here` PROCEDURE `p`(IN a INT, OUT b VARCHAR(20))\n    READS SQL DATA\n    COMMENT 'it''s'\nBEGIN SELECT 1; END "
        )
    );
    c.ok("ALTER PROCEDURE p COMMENT 'other' SQL SECURITY INVOKER").await;
    let status = c.value("SHOW PROCEDURE STATUS LIKE 'p'").await;
    assert!(status.starts_with("d p PROCEDURE me@here ") && status.contains("INVOKER other"), "{status}");
    let rows = c
        .lines("SELECT ordinal_position, parameter_mode, parameter_name, dtd_identifier FROM information_schema.parameters WHERE specific_name = 'p'")
        .await;
    assert_eq!(rows, ["1 IN a int(11)", "2 OUT b varchar(20)"]);
    let routine = "SELECT routine_type, routine_definition, security_type, definer FROM information_schema.routines";
    assert_eq!(c.value(routine).await, "PROCEDURE BEGIN SELECT 1; END INVOKER me@here");
    assert_eq!(c.code("CREATE PROCEDURE P() BEGIN END").await, 1304);
    assert_eq!(c.ok("CREATE PROCEDURE IF NOT EXISTS p() BEGIN END").await.warnings, 1);
    c.ok("CREATE OR REPLACE PROCEDURE p() SET @x = 1").await;
    c.ok("CALL p()").await;
    c.ok("DROP PROCEDURE p").await;
    assert_eq!(c.code("DROP PROCEDURE p").await, 1305);
    assert_eq!(c.code("SHOW CREATE PROCEDURE p").await, 1305);
    assert_eq!(c.ok("DROP PROCEDURE IF EXISTS p").await.warnings, 1);
}

#[tokio::test]
async fn what_is_wrong_is_found_at_once() {
    let (_node, mut c) = Node::with_database().await;
    for (body, code) in [
        ("BEGIN LEAVE x; END", 1308),
        ("x: BEGIN ITERATE x; END", 1308),
        ("x: LOOP x: LOOP LEAVE x; END LOOP; END LOOP", 1309),
        ("x: LOOP LEAVE x; END LOOP y", 1310),
        ("BEGIN DECLARE x INT; DECLARE X INT; END", 1331),
        ("BEGIN DECLARE x CONDITION FOR 1062; DECLARE x CONDITION FOR 1063; END", 1332),
        ("BEGIN DECLARE x CURSOR FOR SELECT 1; DECLARE x CURSOR FOR SELECT 1; END", 1333),
        ("BEGIN DECLARE x CURSOR FOR SELECT 1; DECLARE y INT; END", 1337),
        ("BEGIN DECLARE EXIT HANDLER FOR 1062 BEGIN END; DECLARE y CURSOR FOR SELECT 1; END", 1338),
        ("BEGIN DECLARE EXIT HANDLER FOR 1062 BEGIN END; DECLARE EXIT HANDLER FOR 1062 BEGIN END; END", 1413),
        ("BEGIN DECLARE EXIT HANDLER FOR x BEGIN END; END", 1319),
        ("BEGIN DECLARE x CURSOR FOR UPDATE t SET a = 1; END", 1322),
        ("BEGIN DECLARE x CURSOR FOR SELECT 1 INTO @x; END", 1323),
        ("BEGIN OPEN x; END", 1324),
        ("BEGIN SELECT 1 INTO x; END", 1327),
        ("RETURN 1", 1313),
        ("USE d", 1314),
        ("LOCK TABLES t READ", 1314),
        ("CREATE PROCEDURE q() BEGIN END", 1303),
        ("DROP PROCEDURE q", 1357),
        ("BEGIN DECLARE EXIT HANDLER FOR SQLSTATE '00000' BEGIN END; END", 1407),
        ("BEGIN SELECT ?; END", 1064),
        ("BEGIN SELECT 1 END", 1064),
        ("BEGIN SELECT 1;", 1064),
        ("IF 1 THEN END IF", 0),
    ] {
        let told = c.results(&format!("CREATE PROCEDURE p() {body}")).await;
        let got = match told.last() {
            Some(super::Recorded::Error(error)) => error.code,
            _ => 0,
        };
        assert_eq!(got, code, "{body}");
        c.ok("DROP PROCEDURE IF EXISTS p").await;
    }
    assert_eq!(c.code("CREATE PROCEDURE p(a INT, A INT) BEGIN END").await, 1330);
    assert_eq!(c.code("CALL nowhere.p()").await, 1305);
    assert_eq!(c.code("SELECT nowhere.f()").await, 1305);
    let near = c.error("CREATE PROCEDURE p() BEGIN SELECT 1; SELECT FROM; SET @a = 1; END").await.message;
    assert!(near.contains("near 'FROM; SET @a = 1; END'"), "{near}");
}

#[tokio::test]
async fn definitions_as_dumps_write_them() {
    let (_node, mut c) = Node::with_database().await;
    let dumped =
        "/*!50003 CREATE*/ /*!50020 DEFINER=`root`@`%`*/ /*!50003 PROCEDURE `p`()\nBEGIN\n SELECT 1; SELECT 2;\nEND */";
    c.ok(dumped).await;
    assert_eq!(c.told("CALL p(); SELECT 3").await, ["1", "2", "ok 0", "3"]);
    assert_eq!(
        c.told("CREATE PROCEDURE q() BEGIN IF 1 THEN SELECT 4; END IF; END; CALL q()").await,
        ["ok 0", "4", "ok 0"]
    );
}
