-- A schema with something of everything that a dump must carry, and its rows. Both Marmot and MariaDB take it.
CREATE TABLE `people` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(60) COLLATE utf8mb4_general_ci NOT NULL DEFAULT 'no ''name'' \\ here' COMMENT 'as they ''like'' it',
  `email` varchar(190) COLLATE utf8mb4_bin DEFAULT NULL,
  `born` date DEFAULT NULL,
  `height` decimal(5,2) DEFAULT 1.75,
  `notes` text DEFAULT NULL,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  `made` datetime(6) NOT NULL DEFAULT current_timestamp(6),
  `changed` timestamp NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(),
  PRIMARY KEY (`id`),
  UNIQUE KEY `by_email` (`email`),
  KEY `by_name` (`name`(10),`born`)
) ENGINE=InnoDB AUTO_INCREMENT=1000 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci COMMENT='who';

CREATE TABLE `orders` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `person` bigint(20) unsigned NOT NULL,
  `state` enum('open','paid','it''s sent') NOT NULL DEFAULT 'open',
  `tags` set('a','b','c') DEFAULT NULL,
  `price` decimal(12,4) NOT NULL DEFAULT 0.0000,
  `amount` int(11) NOT NULL DEFAULT 1,
  `total` decimal(16,4) GENERATED ALWAYS AS (`price` * `amount`) STORED,
  `twice` int(11) GENERATED ALWAYS AS (`amount` * 2) VIRTUAL,
  PRIMARY KEY (`id`),
  KEY `by_person` (`person`),
  CONSTRAINT `of_person` FOREIGN KEY (`person`) REFERENCES `people` (`id`) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT `sane` CHECK (`amount` > 0 and `price` >= 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

CREATE TABLE `tree` (
  `id` int(10) unsigned NOT NULL,
  `parent` int(10) unsigned DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `up` (`parent`),
  CONSTRAINT `up` FOREIGN KEY (`parent`) REFERENCES `tree` (`id`) ON DELETE SET NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

CREATE TABLE `all types` (
  `the ``key` varchar(20) NOT NULL,
  `order` smallint(6) NOT NULL DEFAULT -1,
  `i8` tinyint(3) unsigned DEFAULT NULL,
  `i24` mediumint(9) DEFAULT NULL,
  `u64` bigint(20) unsigned DEFAULT NULL,
  `f` float DEFAULT NULL,
  `d` double DEFAULT NULL,
  `t` time(3) DEFAULT NULL,
  `y` year(4) DEFAULT NULL,
  `c` char(5) DEFAULT NULL,
  `b` binary(4) DEFAULT NULL,
  `vb` varbinary(20) DEFAULT NULL,
  `tb` tinyblob DEFAULT NULL,
  `bl` blob DEFAULT NULL,
  `mb` mediumblob DEFAULT NULL,
  `lt` longtext DEFAULT NULL,
  `bits` bit(12) DEFAULT b'101',
  PRIMARY KEY (`the ``key`,`order`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE `no_key` (
  `a` int(11) DEFAULT NULL,
  `b` varchar(10) DEFAULT NULL,
  KEY `b` (`b`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

CREATE TABLE `empty` (
  `id` int(11) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

INSERT INTO `people` (`id`, `name`, `email`, `born`, `height`, `notes`, `active`, `made`, `changed`) VALUES
  (1, 'Anna', 'anna@example.com', '1980-01-02', 1.70, 'line one\nline two\ttab \\ back', 1, '2024-02-29 12:30:15.250001', '2024-02-29 12:30:15'),
  (2, 'Bert 🦡', NULL, NULL, NULL, '', 0, '2024-01-01 00:00:00', NULL),
  (7, 'Zoë "quoted"', 'ZOE@example.com', '2001-12-31', 999.99, 'it''s; -- not a comment /* nor this */', 1, '1999-12-31 23:59:59.999999', '2001-01-01 00:00:01');
INSERT INTO `orders` (`id`, `person`, `state`, `tags`, `price`, `amount`) VALUES
  (1, 1, 'open', '', 10.5000, 2), (2, 1, 'it''s sent', 'a,c', 0.0001, 3), (3, 7, 'paid', NULL, 12345678.9999, 1);
INSERT INTO `tree` VALUES (1, NULL), (2, 1), (3, 1), (4, 3);
INSERT INTO `all types` VALUES
  ('low', -32768, 0, -8388608, 0, -1.5, -1e300, '-838:59:59.000', 1901, '', '\0\0\0\0', '', '', '', '', '', b'0'),
  ('high', 32767, 255, 8388607, 18446744073709551615, 0.25, 2.2250738585072014e-308, '838:59:59.000', 2155, 'fünf',
   x'ff00275c', x'00ff1a0a0d5c2722', x'80', x'e282', x'f09fa6', '🦡🦡', b'111111111111'),
  ('nothing', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO `no_key` VALUES (1, 'x'), (1, 'x'), (NULL, NULL), (2, 'y');

CREATE VIEW `buyers` AS SELECT `p`.`id` AS `id`, `p`.`name` AS `name`, COUNT(`o`.`id`) AS `orders`
  FROM `people` `p` LEFT JOIN `orders` `o` ON `o`.`person` = `p`.`id` GROUP BY `p`.`id`, `p`.`name`;
CREATE VIEW `active buyers` AS SELECT `name` FROM `buyers` WHERE `orders` > 0;
