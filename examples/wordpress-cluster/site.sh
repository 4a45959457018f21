# shellcheck shell=bash
# Functions that serve WordPress. To be sourced after examples/node.sh and examples/web.sh.
#
# All web servers share one copy of the files; what differs (which MySQL port, which log) comes by the environment.

WORDPRESS_FILES=/usr/share/wordpress

web_code() { curl -s -o /dev/null -w '%{http_code}' "$(web_address "$1")/wp-login.php" || true; }

need_packages() {
    local missing=()
    command -v php >/dev/null || missing+=(php-cli)
    if ! php -m 2>/dev/null | grep -x mysqli >/dev/null; then missing+=(php-mysql); fi
    [ -e "$WORDPRESS_FILES/wp-settings.php" ] || missing+=(wordpress)
    [ -e "$WORDPRESS_FILES/wp-content/themes/twentytwentythree" ] || missing+=(wordpress-theme-twentytwentythree)
    command -v curl >/dev/null || missing+=(curl)
    command -v mariadb >/dev/null || command -v mysql >/dev/null || missing+=(default-mysql-client)
    install_packages "${missing[@]}"
}

# make_site FOLDER: the files of WordPress, its configuration and its secrets, unless they are there already.
make_site() {
    local site=$1
    if [ ! -e "$site/wp-config.php" ]; then
        say "   copying $WORDPRESS_FILES to $site"
        rm -rf "$site"
        cp -rL "$WORDPRESS_FILES" "$site.new"
        rm -f "$site.new/.htaccess"
        cp examples/wordpress-cluster/wp-config.php "$site.new/wp-config.php"
        # shellcheck disable=SC2016  # PHP's variables
        php -r 'foreach (["AUTH_KEY", "SECURE_AUTH_KEY", "LOGGED_IN_KEY", "NONCE_KEY", "AUTH_SALT", "SECURE_AUTH_SALT",
            "LOGGED_IN_SALT", "NONCE_SALT"] as $name) $all[$name] = bin2hex(random_bytes(32));
            echo "<?php return " . var_export($all, true) . ";\n";' >"$site.new/wp-secrets.php"
        mv "$site.new" "$site"
    fi
}

# start_site N MYSQL_PORT
start_site() {
    start_web "$1" "$CLUSTER_DATA/site" WORDPRESS_DB_HOST="127.0.0.1:$2" \
        WORDPRESS_LOG="$(realpath "$CLUSTER_DATA")/wordpress$1.log"
}
