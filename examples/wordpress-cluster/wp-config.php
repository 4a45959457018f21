<?php
// WordPress beside a Marmot node. Which node comes by the environment, for all web servers share these files.
define('DB_NAME', getenv('WORDPRESS_DB_NAME') ?: 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', getenv('MARMOT_MYSQL_PASSWORD') ?: '');
define('DB_HOST', getenv('WORDPRESS_DB_HOST'));
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
$table_prefix = 'wp_';

// One site under several addresses: links lead back to the web server that was asked, and a login holds for all.
if (isset($_SERVER['HTTP_HOST'])) {
    define('WP_HOME', 'http://' . $_SERVER['HTTP_HOST']);
    define('WP_SITEURL', WP_HOME);
}
define('COOKIEHASH', 'marmot');
foreach (require __DIR__ . '/wp-secrets.php' as $name => $secret) {
    define($name, $secret);
}

// Every database error is logged, none is shown.
define('WP_DEBUG', true);
define('WP_DEBUG_LOG', getenv('WORDPRESS_LOG'));
define('WP_DEBUG_DISPLAY', false);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_AUTO_UPDATE_CORE', false);

if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';
